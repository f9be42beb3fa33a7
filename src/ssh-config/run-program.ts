/** Programs of this machine that run to their end: without a shell, within limits, and with nothing left behind. */
import { spawn } from 'node:child_process';
import type { Run } from './index.ts';

export interface Limits {
  readonly cwd?: string | undefined;
  /** Its whole environment; absent: ours. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly timeoutMs: number;
  /** Of each of its two outputs. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** What it reads; absent: nothing. */
  readonly input?: string | undefined;
}

export type Ended =
  | { readonly is: 'ended'; readonly code: number; readonly stdout: Buffer; readonly stderr: Buffer }
  | { readonly is: 'killed'; readonly signal: string }
  | { readonly is: 'late' | 'too-long' | 'interrupted' }
  | { readonly is: 'not-run'; readonly error: NodeJS.ErrnoException };

/**
 * Ends a session, and what was started from it in sessions of its own: all are listed before the first is ended, because the
 * children of a process that has ended are nobody's any more. Without /proc, the process group is what can be found.
 */
const END_SESSION = `all=" $1 "
found=1
while [ "$found" = 1 ]; do
  found=0
  for stat in /proc/[0-9]*/stat; do
    line=
    { read -r line <"$stat"; } 2>/dev/null
    pid=\${line%% *}
    case $all in *" $pid "*) continue ;; esac
    set -f
    # after the name, which may hold anything: state, parent, process group, session
    set -- "$1" \${line##*) }
    set +f
    case $all in *" \${3:-none} "*) ;; *) [ "\${5:-none}" = "$1" ] || continue ;; esac
    all="$all$pid "
    found=1
  done
done
kill -KILL $all 2>/dev/null
kill -KILL "-$1" 2>/dev/null
:`;

/**
 * The program is the leader of a session, without a terminal. Where it outlives its limits, it is ended with everything that it
 * started. Never rejects.
 */
export function runWithin(program: string, args: readonly string[], limits: Limits): Promise<Ended> {
  const { cwd, env, timeoutMs, maxBytes, signal, input = '' } = limits;
  return new Promise((resolve) => {
    let child: ReturnType<typeof start>;
    let ending = false;
    const start = () =>
      spawn(program, args, {
        ...(cwd !== undefined && { cwd }),
        ...(env !== undefined && { env: { ...env } }),
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      });
    try {
      child = start();
    } catch (error) {
      resolve({ is: 'not-run', error: error as NodeJS.ErrnoException });
      return;
    }
    const settle = (ended: Ended): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', interrupted);
      resolve(ended);
    };
    const end = (is: 'late' | 'too-long' | 'interrupted'): void => {
      if (ending) return;
      ending = true;
      const { pid } = child;
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
      const killer = spawn('/bin/sh', ['-c', END_SESSION, 'sh', String(pid ?? 'none')], { stdio: 'ignore' });
      const done = () => {
        child.kill('SIGKILL');
        settle({ is });
      };
      killer.on('error', done).on('close', done);
    };
    const interrupted = () => end('interrupted');
    const timer = setTimeout(() => end('late'), timeoutMs);
    const kept = (pipe: NodeJS.ReadableStream): Buffer[] => {
      const chunks: Buffer[] = [];
      let size = 0;
      pipe.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes) end('too-long');
        else chunks.push(chunk);
      });
      return chunks;
    };
    const stdout = kept(child.stdout);
    const stderr = kept(child.stderr);
    // a program that reads its standard input finds it empty rather than waiting for ever
    child.stdin.on('error', () => {}).end(input);
    child.on('error', (error) => settle({ is: 'not-run', error }));
    child.on('close', (code, killed) => {
      if (ending) return;
      settle(
        code === null
          ? { is: 'killed', signal: killed ?? 'a signal' }
          : { is: 'ended', code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) },
      );
    });
    if (signal?.aborted) interrupted();
    else signal?.addEventListener('abort', interrupted, { once: true });
  });
}

/** What a program may print before it is ended: `ssh -G` prints a few KiB. */
const MAX_OUTPUT = 4 * 1024 * 1024;
/** A `Match exec` of the configuration may take a moment, and must not take for ever. */
const TIMEOUT_MS = 30_000;

/** Rejects when there is no such program, or it does not end by itself and in time. */
export const runProgram: Run = async (program, args) => {
  const ended = await runWithin(program, args, { maxBytes: MAX_OUTPUT, timeoutMs: TIMEOUT_MS });
  switch (ended.is) {
    case 'ended':
      return { code: ended.code, stdout: ended.stdout.toString(), stderr: ended.stderr.toString() };
    case 'killed':
      throw new Error(`${program} was ended by ${ended.signal}`);
    case 'too-long':
      throw new Error(`${program} printed more than ${MAX_OUTPUT / 1024 / 1024} MiB`);
    case 'not-run':
      throw ended.error;
    default:
      throw new Error(`${program} did not end within ${TIMEOUT_MS / 1000} s`);
  }
};
