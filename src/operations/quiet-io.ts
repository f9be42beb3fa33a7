/** The world for a program that imports fleetmask: no terminal, no signals, and nothing of the environment that it does not pass on. */
import { homedir, hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { type Event, UsageError } from '../model/index.ts';
import { NO_GUARDRAILS } from '../plan/guardrails.ts';
import { thisProcess } from './context/process-identity.ts';
import type { Io, Output } from './io.ts';

export interface World {
  /** Where relative names of files begin; absent: the directory of the process. */
  readonly cwd?: string | undefined;
  /** Whose ~/.ssh and ~/.config are read; absent: the user's. */
  readonly home?: string | undefined;
  /** PATH for programs such as ssh, SSH_AUTH_SOCK for the agent; absent: nothing. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where journals are; absent: as on the command line. */
  readonly stateDir?: string | undefined;
  /** Who does this, for journals and receipts; absent: user@machine. */
  readonly actor?: string | undefined;
  /** No change begins after it aborts; those in flight come to their end. */
  readonly signal?: AbortSignal | undefined;
}

/** `publish` is given every event, and as a warning whatever the command line would say on standard error. */
export function quietIo(world: World, publish: (event: Event) => void): Io {
  const { username: user, uid } = userInfo();
  const { env = {}, stateDir, signal } = world;
  const machine = hostname();
  return {
    args: [],
    env: stateDir === undefined ? env : { ...env, FLEETMASK_STATE_DIR: resolve(world.cwd ?? '', stateDir) },
    cwd: resolve(world.cwd ?? ''),
    home: world.home ?? homedir(),
    systemConfig: '/etc/fleetmask/config.yaml',
    // until they are read
    guardrails: NO_GUARDRAILS,
    catalogue: new Map(),
    audit: 'none',
    actor: world.actor ?? `${user}@${machine}`,
    user,
    uid,
    machine,
    ...thisProcess(machine),
    stdout: outputTo(() => {}),
    stderr: outputTo((text) =>
      publish({ type: 'warning', text: text.trim().replace(/^(?:warning|note|fleetmask): /, '') }),
    ),
    events: publish,
    recorded: () => {},
    readStdin: async () => {
      throw new UsageError('the inventory `-` is standard input, which is not read here', 'Name a file.');
    },
    prompt: async () => undefined,
    now: () => performance.now(),
    date: () => new Date(),
    onInterrupt: (handler) => {
      const stop = () => handler(1);
      if (signal?.aborted) queueMicrotask(stop);
      signal?.addEventListener('abort', stop, { once: true });
      return () => signal?.removeEventListener('abort', stop);
    },
    abort: (code) => {
      throw new Error(`ended with ${code}`);
    },
  };
}

function outputTo(write: (text: string) => void): Output {
  return { write, lost: null, settled: async () => {}, isTTY: false, columns: undefined };
}
