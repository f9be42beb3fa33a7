/** Running a program to its end. The only way the lab shells out; never through a shell of its own. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

export interface Result {
  /** The exit code; 128 + n after signal n, as a shell has it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** Rejects only when the program cannot be started or does not end in time. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const { input = '', timeoutMs = 300_000, env = process.env } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: 'pipe' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${file} ${args.join(' ')}: not done after ${timeoutMs} ms`));
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // a program that does not read its input is no error
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? 128 + signalNumber(signal), stdout: text(stdout), stderr: text(stderr) });
    });
  });
}

/** Its output, or an error that ends with the last of what it complained about. */
export async function must(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, options);
  if (code === 0) return stdout;
  const lines = `${stderr}\n${stdout}`.split('\n').map((line) => line.trim());
  const complaint = lines
    .filter((line) => line !== '' && !line.startsWith('dmesg(1)'))
    .slice(-3)
    .join(' / ');
  throw new Error(`${file} ${args[0] ?? ''} failed (${code}): ${complaint}`);
}

const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
const signalNumber = (signal: NodeJS.Signals | null) => (signal === null ? 0 : constants.signals[signal]);
