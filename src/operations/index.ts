/**
 * fleetmask for programs: the functions that its commands call, with typed options, events and a report. See docs/library.md.
 *
 *     const run = mask({ units: ['cron'], inventory: 'hosts.yaml', limit: 'web', now: true });
 *     for await (const event of run) console.log(event.type);
 *     const { exitCode } = await run.report;
 */
import { type Event, type Report, UsageError } from '../model/index.ts';
import { type ChangeFlags, carryOut, dryRun } from './change.ts';
import { type KeepFlags, keepRun } from './confirm.ts';
import { policyOf } from './context/policy.ts';
import { secureState } from './context/state-directory.ts';
import { DEFAULTS } from './defaults.ts';
import type { Io } from './io.ts';
import { quietIo, type World } from './quiet-io.ts';
import { type RecoverFlags, recoverRun } from './recover.ts';
import { type RollbackFlags, rollBackRun } from './rollback.ts';
import { readStatus, type StatusFlags } from './status.ts';

export type {
  Event,
  Fault,
  FaultKind,
  HostReport,
  Outcome,
  Report,
  RunInfo,
  UnitReport,
} from '../model/index.ts';
export { UsageError } from '../model/index.ts';
export { EXIT } from './exit.ts';
export type { World } from './quiet-io.ts';

/** A run that has begun. Whoever iterates gets every event from its first; to stop iterating does not stop the run. */
export interface Run extends AsyncIterable<Event> {
  /** Rejects with UsageError where the options cannot be followed; then nothing was touched. */
  readonly report: Promise<Report>;
}

// The names of flags, once for the types and once for programs that nobody type-checks: a misspelt option must not be passed over.
const WORLD = ['cwd', 'home', 'env', 'stateDir', 'actor', 'signal'] as const satisfies readonly (keyof World)[];
const SELECTION = ['inventory', 'limit', 'nodes'] as const;
const CONNECTION = [
  ...(['user', 'port', 'private-key', 'ssh-config', 'known-hosts', 'host-key-checking', 'transport'] as const),
  ...(['timeout', 'host-timeout', 'rollback-timeout', 'forks'] as const),
  ...(['become', 'become-method', 'become-user', 'password-file', 'become-password-file'] as const),
] as const;
const MASKING = [
  ...(['now', 'runtime', 'with-triggers', 'with-members', 'local-units', 'allow-absent', 'skip-absent'] as const),
  ...(['kill-leftovers', 'no-start-probe', 'allow-lockout', 'skip-unsupported'] as const),
] as const;
const COURSE = [
  ...(['rollback', 'waves', 'max-fail', 'max-unreachable', 'reason', 'ticket', 'confirm-within', 'expires'] as const),
] as const;
const EARLIER = ['run', 'take-over', 'trust-plan'] as const;

const PLAN = ['units', ...SELECTION, ...CONNECTION, ...MASKING] as const;
const CHANGE = [...PLAN, ...COURSE] as const;
const STATUS = ['units', 'expect', 'skip-absent', 'skip-unsupported', ...SELECTION, ...CONNECTION] as const;
const ROLLBACK = [...EARLIER, ...SELECTION, ...CONNECTION] as const;
const RECOVER = [...ROLLBACK, 'undo'] as const;

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type Lists = 'units' | 'inventory' | 'known-hosts';
type Needed = 'units' | 'run';
type Value<F, K extends keyof F> = K extends Lists ? F[K] | string : F[K];
type Taken<F, Names extends readonly string[]> = Extract<Names[number], keyof F>;
type OptionsOf<F, Names extends readonly string[]> = {
  readonly [K in Exclude<Taken<F, Names>, Needed> & string as Camel<K>]?: Value<F, K> | undefined;
} & { readonly [K in Taken<F, Names> & Needed as Camel<K>]: NonNullable<Value<F, K>> } & World;

export type PlanOptions = OptionsOf<ChangeFlags, typeof PLAN>;
export type MaskOptions = OptionsOf<ChangeFlags, typeof CHANGE>;
export type StatusOptions = OptionsOf<StatusFlags, typeof STATUS>;
export type RollbackOptions = OptionsOf<RollbackFlags, typeof ROLLBACK>;
export type RecoverOptions = OptionsOf<RecoverFlags, typeof RECOVER>;
export type ConfirmOptions = OptionsOf<KeepFlags, typeof ROLLBACK>;

/** Masks units, proves it, and rolls back a host where it fails. To call it is the consent to it. */
export function mask(options: MaskOptions): Run {
  return begin('mask', options, CHANGE, (io, flags: ChangeFlags) => carryOut(io, 'mask', flags));
}

/** Removes the masks of units and verifies it; starts nothing. */
export function unmask(options: MaskOptions): Run {
  return begin('unmask', options, CHANGE, (io, flags: ChangeFlags) => carryOut(io, 'unmask', flags));
}

/** What `verb` would do, host by host; changes nothing. */
export function plan(verb: 'mask' | 'unmask', options: PlanOptions): Run {
  return begin('plan', options, PLAN, (io, flags: ChangeFlags) => dryRun(io, verb, flags));
}

/** What is true of units now. */
export function status(options: StatusOptions): Run {
  return begin('status', options, STATUS, (io, flags: StatusFlags) => readStatus(io, flags));
}

/** The hosts of an earlier run as they were before it. `run`: an id, a unique beginning of one, or `last`. */
export function rollback(options: RollbackOptions): Run {
  return begin('rollback', options, ROLLBACK, (io, flags: RollbackFlags) => rollBackRun(io, flags));
}

/** Brings an interrupted run to its end. */
export function recover(options: RecoverOptions): Run {
  return begin('recover', options, RECOVER, (io, flags: RecoverFlags) => recoverRun(io, flags));
}

/** Keeps a change that was made with `confirmWithin`. */
export function confirm(options: ConfirmOptions): Run {
  const keep = { command: 'confirm', expiresAt: null } as const;
  return begin('confirm', options, ROLLBACK, (io, flags: KeepFlags) => keepRun(io, keep, flags));
}

function begin<F>(
  command: string,
  options: World & object,
  names: readonly string[],
  work: (io: Io, flags: F) => Promise<number>,
): Run {
  const events: Event[] = [];
  let over = false;
  let wake = (): void => {};
  let news = new Promise<void>((resolve) => (wake = resolve));
  const tell = (): void => {
    wake();
    news = new Promise<void>((resolve) => (wake = resolve));
  };
  const finish = async (): Promise<Report> => {
    // whoever called gets the run before its first event
    await Promise.resolve();
    const flags = flagsOf<F>(options, names);
    const io = quietIo(options, (event) => {
      events.push(event);
      tell();
    });
    const bound = { ...io, ...policyOf(io) };
    secureState(bound, command);
    await work(bound, flags);
    const last = events.findLast((event) => event.type === 'run-finished');
    if (last === undefined) throw new Error(`${command} ended without a report`);
    return last.report;
  };
  const report = finish().finally(() => {
    over = true;
    tell();
  });
  // whoever only iterates is told there
  report.catch(() => {});
  return {
    report,
    async *[Symbol.asyncIterator]() {
      for (let next = 0; ; ) {
        while (next < events.length) yield events[next++]!;
        if (over) break;
        await news;
      }
      await report;
    },
  };
}

/** Throws UsageError for an option that does not exist. */
function flagsOf<F>(options: object, names: readonly string[]): F {
  const flags: Record<string, unknown> = { ...DEFAULTS, output: 'json', yes: true };
  for (const [name, value] of Object.entries(options)) {
    if (WORLD.some((each) => each === name) || value === undefined) continue;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (name.includes('-') || !names.includes(flag)) throw new UsageError(`there is no option ${JSON.stringify(name)}`);
    flags[flag] = LISTS.has(flag) ? [value].flat() : value;
  }
  return flags as F;
}

const LISTS: ReadonlySet<string> = new Set(['units', 'inventory', 'known-hosts'] satisfies Lists[]);
