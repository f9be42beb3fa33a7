/** Where passwords come from: a prompt, a file or a file descriptor. Never an argument, never the environment. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isatty } from 'node:tty';
import { Secret, UsageError } from '../../model/index.ts';
import { BrokenOff, type Io } from '../io.ts';
import { absolute } from './paths.ts';

/** One secret, with the flags that give it; at most one of them may be used. */
export interface SecretRequest {
  /** In an operator's words, for prompts and errors: `the sudo password`. */
  readonly what: string;
  readonly ask: { readonly flag: string; readonly given: boolean | undefined };
  readonly file: { readonly flag: string; readonly given: string | undefined };
  readonly fd: { readonly flag: string; readonly given: number | undefined };
  /** Longer ones cannot be right. */
  readonly maxBytes: number;
}

/**
 * The secret, or undefined where no flag asks for it. Call it before anything is connected, and once: a prompt is shown
 * once, and a file descriptor is read up to the end of one line, so that one descriptor can give several secrets.
 * Throws UsageError, which never shows what was read.
 */
export async function readSecret(io: Io, request: SecretRequest): Promise<Secret | undefined> {
  const { what, ask, file, fd } = request;
  const given = [ask.given === true ? ask : undefined, file, fd].filter((way) => way?.given !== undefined);
  if (given.length > 1) {
    const flags = given.map((way) => way?.flag).join(' and ');
    throw new UsageError(`${flags} both give ${what}`, 'Use one of them.');
  }
  if (file.given !== undefined) return checked(request, file.flag, lineOfFile(file.flag, absolute(io, file.given)));
  if (fd.given !== undefined) return checked(request, fd.flag, lineOfDescriptor(fd.flag, fd.given));
  if (ask.given !== true) return undefined;
  const typed = await io.prompt(`${what.charAt(0).toUpperCase()}${what.slice(1)}: `, 'hidden');
  if (typed === null) throw new BrokenOff();
  if (typed === undefined) {
    throw new UsageError(
      `${ask.flag} asks for ${what}, and nobody answered at a terminal`,
      `Without a terminal, give it with ${file.flag} FILE or ${fd.flag} N.`,
    );
  }
  return checked(request, ask.flag, Buffer.from(typed, 'utf8'));
}

function checked({ what, maxBytes }: SecretRequest, flag: string, bytes: Buffer): Secret {
  const wrong = (why: string) => new UsageError(`${flag}: ${what} ${why}`);
  if (bytes.length === 0) throw wrong('is empty');
  if (bytes.length > maxBytes) throw wrong(`is longer than ${maxBytes} bytes`);
  if (bytes.includes(0)) throw wrong('has a NUL character in it');
  try {
    return new Secret(what, new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw wrong('is not valid UTF-8');
  }
}

/** A password file is one line. Pipes (`<(pass show sudo)`) are files too. */
function lineOfFile(flag: string, path: string): Buffer {
  const fd = attempt(flag, path, () => openSync(path, 'r'));
  try {
    const stat = fstatSync(fd);
    if (stat.isFile() && (stat.mode & 0o004) !== 0) {
      throw new UsageError(`${flag}: ${path} can be read by everybody`, `chmod 600 ${path}`);
    }
    const line = lineOf(flag, path, fd);
    if (lineOf(flag, path, fd).length > 0) throw new UsageError(`${flag}: ${path} has more than one line`);
    return line;
  } finally {
    closeSync(fd);
  }
}

function lineOfDescriptor(flag: string, fd: number): Buffer {
  if (!Number.isInteger(fd) || fd < 0) throw new UsageError(`${flag}: not a file descriptor: ${fd}`);
  // it would be shown while it is typed
  if (isatty(fd)) throw new UsageError(`${flag}: file descriptor ${fd} is a terminal`, 'Let fleetmask ask instead.');
  return lineOf(flag, `file descriptor ${fd}`, fd);
}

/** Byte by byte: what comes after the line is somebody else's. */
function lineOf(flag: string, name: string, fd: number): Buffer {
  const bytes: number[] = [];
  const byte = Buffer.alloc(1);
  while (bytes.length <= 4096 && attempt(flag, name, () => readSync(fd, byte)) > 0) {
    if (byte[0] === 0x0a) break;
    bytes.push(byte[0]!);
  }
  if (bytes.at(-1) === 0x0d) bytes.pop();
  return Buffer.from(bytes);
}

function attempt<T>(flag: string, name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(`${flag}: ${name} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
}
