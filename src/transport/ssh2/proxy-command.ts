import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { printable } from '../../model/index.ts';
import { destroyLater, type Wire } from '../wire.ts';

const STDERR_KEPT = 1024;
/** What shells end with where the program is not there, or is none. */
const NO_PROGRAM: ReadonlySet<number> = new Set([126, 127]);
/** How long output may follow the end of the command, when something that it started holds its pipes open. */
const DRAIN_MS = 250;
/** How long a command may ignore that its connection has ended. */
const HANGUP_GRACE_MS = 2_000;

/**
 * Runs a ProxyCommand as ssh does, `exec`ed by the user's shell, with its standard input and output as the wire. It gets
 * no terminal and a process group of its own: an interrupt of the run must not cut the hosts off that it waits for.
 */
export function commandWire(shell: string, command: string): Wire {
  const child = spawn(shell, ['-c', `exec ${command}`], { stdio: 'pipe', detached: true });
  let stderr = '';
  let why: string | undefined;
  let chance: 'transient' | 'lasting' = 'transient';

  const stream = new Duplex({
    read() {
      child.stdout.resume();
    },
    write(chunk: Buffer, _encoding, done) {
      child.stdin.write(chunk, () => done()); // what goes wrong with it is told when the command ends
    },
    final(done) {
      child.stdin.end(() => done());
    },
    destroy(_error, done) {
      child.stdin.destroy();
      child.stdout.destroy();
      child.kill('SIGHUP'); // as ssh does
      setTimeout(() => child.kill('SIGKILL'), HANGUP_GRACE_MS).unref();
      done(null);
    },
  });
  const ended = (how: string): void => {
    if (why !== undefined) return;
    const said = printable(stderr.trim(), STDERR_KEPT);
    why = said === '' ? `the ProxyCommand ${how}` : `the ProxyCommand ${how}: ${said}`;
    stream.push(null);
    stream.destroy();
  };
  child.stdout.on('data', (chunk: Buffer) => {
    if (why === undefined && !stream.push(chunk)) child.stdout.pause();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < STDERR_KEPT) stderr += chunk.toString('utf8', 0, STDERR_KEPT - stderr.length);
  });
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.on('error', () => undefined);
  child.stdout.on('end', () => setTimeout(() => ended('closed its output'), DRAIN_MS).unref());
  child.on('error', (error) => {
    chance = 'lasting';
    ended(`cannot be run: ${printable(error.message, 200)}`);
  });
  const told = (code: number | null, signal: string | null): void => {
    if (code !== null && NO_PROGRAM.has(code)) chance = 'lasting';
    ended(code === null ? `was ended by ${signal}` : `ended with exit code ${code}`);
  };
  child.on('exit', (code, signal) => setTimeout(() => told(code, signal), DRAIN_MS).unref());
  child.on('close', told);

  return {
    kind: 'command',
    stream,
    start: () => undefined,
    destroy: () => stream.destroy(),
    finish() {
      stream.end();
      destroyLater(() => stream.destroy());
    },
    why: () => why,
    chance: () => chance,
  };
}
