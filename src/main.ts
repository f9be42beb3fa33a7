/** The only file that touches the process: arguments, environment, terminal, signals and exit status. */
import { readFileSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { controllerOf, lifeOf } from './cli/controller.ts';
import { fleetmask } from './cli/index.ts';
import type { Io } from './cli/io.ts';

export async function main(): Promise<void> {
  // A reader that went away (`| head`) is no error of ours.
  process.stdout.on('error', ignoreBrokenPipe);
  process.stderr.on('error', ignoreBrokenPipe);
  process.exitCode = await fleetmask(realIo(), version());
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;
}

function realIo(): Io {
  const { username: user, uid } = userInfo();
  const controller = controllerOf(process.pid, hostname());
  return {
    args: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    user,
    uid,
    machine: hostname(),
    controller,
    lifeOf: (other) => lifeOf(other, controller, answersSignals),
    actor: `${process.env.SUDO_USER || user}@${hostname()}`,
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    readStdin: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString('utf8');
    },
    prompt,
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

function answersSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function outputOf(stream: NodeJS.WriteStream): Io['stdout'] {
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
  };
}

/** Asks on stderr, so that stdout stays the results alone, and reads one line from the terminal. */
async function prompt(question: string, answer: 'shown' | 'hidden'): Promise<string | null | undefined> {
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
    reader.once('close', () => resolve(null));
  });
  // what was hidden, or broken off, left the cursor where it was
  if (answer === 'hidden' || line === null) stderr.write('\n');
  return line;
}
