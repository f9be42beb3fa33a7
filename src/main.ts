/** The only file that touches the process: arguments, environment, terminal, signals and exit status. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { isatty } from 'node:tty';
import { fleetmask } from './cli/index.ts';
import { outputOf } from './cli/output-stream.ts';
import { UsageError } from './model/index.ts';
import { thisProcess } from './operations/context/process-identity.ts';
import { EXIT } from './operations/exit.ts';
import type { Io } from './operations/io.ts';
import { NO_GUARDRAILS } from './plan/guardrails.ts';

export async function main(): Promise<void> {
  // A terminal that vanished must not end a run. Its next write fails, which is known then.
  process.on('SIGHUP', () => {});
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.on('exit', () => leave(terminals));
  const stdout = outputOf(process.stdout, 1);
  const stderr = outputOf(process.stderr, 2);
  try {
    process.exitCode = await fleetmask(realIo(stdout, stderr), version());
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    stderr.write(`fleetmask: ${error.message}\nhint: ${error.hint}\n`);
    process.exitCode = EXIT.usage;
  }
}

/** Node.js restores the terminals that it found at its start when it ends, and crashes where one has vanished since. */
function leave(terminals: readonly number[]): void {
  for (const fd of terminals) {
    try {
      closeSync(fd);
      openSync('/dev/null', 'r+'); // takes the number that has just become free
    } catch {}
  }
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;
}

/** Throws UsageError where this machine does not tell who we are. */
function account(): { readonly user: string; readonly uid: number; readonly home: string } {
  try {
    const { username: user, uid } = userInfo();
    return { user, uid, home: homedir() };
  } catch {
    throw new UsageError(
      `no user exists for uid ${process.getuid?.()}: there is no passwd entry`,
      'Add one, or run fleetmask as a user who has one: the name is recorded with every change.',
    );
  }
}

function realIo(stdout: Io['stdout'], stderr: Io['stderr']): Io {
  const { user, uid, home } = account();
  return {
    args: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    home,
    systemConfig: '/etc/fleetmask/config.yaml',
    // until the settings are read
    guardrails: NO_GUARDRAILS,
    catalogue: new Map(),
    audit: 'none',
    user,
    uid,
    machine: hostname(),
    ...thisProcess(hostname()),
    actor: `${process.env.SUDO_USER || user}@${hostname()}`,
    stdout,
    stderr,
    recorded: () => {},
    readStdin: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString('utf8');
    },
    prompt: async (question, answer, given) => (stderr.lost === null ? prompt(question, answer, given) : undefined),
    now: () => performance.now(),
    date: () => new Date(),
    onInterrupt: (handler) => {
      let count = 0;
      const listener = () => handler(++count);
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
      return () => {
        process.off('SIGINT', listener);
        process.off('SIGTERM', listener);
      };
    },
    abort: (code) => process.exit(code),
  };
}

/** Asks on stderr, so that stdout stays the results alone, and reads one line from the terminal. */
async function prompt(
  question: string,
  answer: 'shown' | 'hidden',
  given?: AbortSignal,
): Promise<string | null | undefined> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return undefined;
  const { createInterface } = await import('node:readline');
  const { Writable } = await import('node:stream');
  const screen = new Writable({
    write: (chunk, _encoding, done) => {
      if (answer === 'shown') stderr.write(chunk);
      done();
    },
  });
  stderr.write(question);
  const line = await new Promise<string | null>((resolve) => {
    const reader = createInterface({ input: stdin, output: screen, terminal: true });
    reader.once('line', (text) => {
      resolve(text);
      reader.close();
    });
    reader.once('SIGINT', () => reader.close());
    given?.addEventListener('abort', () => reader.close(), { once: true });
    // the terminal has vanished
    stdin.once('error', () => reader.close());
    reader.once('close', () => resolve(null));
  });
  // what was hidden, or broken off, left the cursor where it was
  if (answer === 'hidden' || line === null) stderr.write('\n');
  return line;
}
