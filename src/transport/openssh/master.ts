/** One `ssh -M`: a connection, logged in, behind a socket in a directory of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SshLog, sshLog } from './log.ts';
import { type MuxStream, openMux } from './mux.ts';

export interface Master {
  readonly log: SshLog;
  /** Settles once: with the connection to it when it has logged in, or with its end. Never rejects. */
  readonly outcome: Promise<Outcome>;
  /** Settles when ssh has ended, and at the latest after a moment; tells why, where ssh itself could not say. */
  ended(): Promise<string | undefined>;
  /** Ends it and what it has started, and removes its directory. Idempotent. */
  end(): void;
}

export type Outcome =
  | { readonly is: 'ready'; readonly stream: MuxStream }
  /** `why`: where ssh itself could not say. */
  | { readonly is: 'ended'; readonly why?: string };

/**
 * ssh runs in a session of its own, so that Ctrl-C ends no connection that the run still needs. A shell beside it waits for
 * the end of its input, which comes with the end of fleetmask however that ends, and takes ssh and the directory with it.
 */
const WATCHED = `exec 3<&0 </dev/null
dir=$1
shift
{ read -r _ <&3; rm -rf -- "$dir"; kill -TERM 0; } >/dev/null 2>&1 &
exec 3<&- "$@"`;

/** ssh puts 18 characters to the name while it makes the socket, and a name has 107 at most. */
const MAX_DIR = 107 - 18 - '/s'.length - '/fleetmask-ssh-XXXXXX'.length;
/** Asked even when ssh did not say that it is ready. */
const LOOK_EVERY_MS = 250;
/** ssh says some KiB at a login, and little after it; what a server makes it say besides is a flood. */
const MAX_SAID = 256 * 1024;
const KILL_AFTER_MS = 2_000;
/** How long its last words may come after its end. */
const DRAIN_MS = 250;
const LAST_WORDS_MS = 500;

/** `argumentsFor` is given the path of the socket to be. */
export function startMaster(program: string, argumentsFor: (socket: string) => readonly string[]): Master {
  const base = tmpdir();
  const dir = mkdtempSync(join(base.length <= MAX_DIR ? base : '/tmp', 'fleetmask-ssh-'));
  const socket = join(dir, 's');
  const log = sshLog();
  const child = spawn('/bin/sh', ['-c', WATCHED, 'sh', dir, program, ...argumentsFor(socket)], {
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  });

  let state: 'starting' | 'asking' | 'ready' | 'ended' = 'starting';
  let over = false;
  let said = 0;
  let fault: string | undefined;
  let look: NodeJS.Timeout | undefined;
  let kill: NodeJS.Timeout | undefined;
  let settle: (outcome: Outcome) => void;
  const outcome = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });
  let exited: () => void;
  const exit = new Promise<void>((resolve) => {
    exited = resolve;
  });

  const end = (): void => {
    if (state === 'ended') return;
    state = 'ended';
    clearTimeout(look);
    settle({ is: 'ended', ...(fault !== undefined && { why: fault }) });
    rmSync(dir, { recursive: true, force: true });
    child.stdin.destroy(); // what ssh has started is ended by the shell beside it
    child.kill('SIGTERM');
    if (!over) kill = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  };
  const finished = (why?: string): void => {
    if (over) return;
    over = true;
    clearTimeout(kill);
    fault ??= why;
    exited();
    end();
  };
  const ask = (): void => {
    if (state !== 'starting') return;
    state = 'asking';
    openMux(socket).then(
      (stream) => {
        if (state === 'ended') return stream.destroy();
        state = 'ready';
        clearTimeout(look);
        settle({ is: 'ready', stream });
      },
      (error: NodeJS.ErrnoException) => {
        if (state === 'asking') state = 'starting';
        const early = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
        if (early) return;
        fault = error.message;
        end();
      },
    );
  };

  child.stderr.on('data', (chunk: Buffer) => {
    if (state === 'ended') return;
    said += chunk.length;
    if (said > MAX_SAID) {
      fault = `the server made ssh say more than ${MAX_SAID} bytes`;
      end();
      return;
    }
    log.add(chunk);
    if (log.ready()) ask();
  });
  look = setInterval(ask, LOOK_EVERY_MS);
  for (const pipe of [child.stdin, child.stderr]) pipe.on('error', () => undefined);
  child.on('error', (error) => finished(error.message));
  child.on('exit', () => setTimeout(() => finished(), DRAIN_MS).unref());
  child.on('close', () => finished());

  return {
    log,
    outcome,
    ended: () =>
      Promise.race([exit, new Promise<void>((resolve) => setTimeout(resolve, LAST_WORDS_MS).unref())]).then(
        () => fault,
      ),
    end,
  };
}
