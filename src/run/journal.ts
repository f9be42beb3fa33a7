/**
 * The journal: one append-only NDJSON file per run, the whole life of a change, its rollback included.
 * Invariant: an intent is on disk, fsynced, before the request that it announces is sent. So whatever is killed and when,
 * a host with an intent and no settlement after it may have been changed, and a host without an intent was not.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Ask,
  type Change,
  type HostReport,
  type Outcome,
  type Prior,
  type RunInfo,
  type Target,
  type UnitPlan,
  UsageError,
} from '../model/index.ts';
import type { Become } from '../remote/escalate.ts';
import type { Closed, Opened } from './claim.ts';
import { journalOn, recordsOf } from './journal-file.ts';
import type { Keep, Keeping } from './keep-record.ts';

export type JournalRecord =
  | {
      readonly type: 'run';
      readonly schema: 'fleetmask.journal/1';
      readonly run: RunInfo;
      readonly ask: Ask;
      readonly hosts: readonly JournalHost[];
    }
  | {
      readonly type: 'intent';
      readonly at: string;
      readonly host: string;
      readonly seq: number;
      readonly request: 'apply' | 'undo';
      readonly change: Change;
      readonly prior: Prior;
      /** Of an apply: what it means for each unit; absent in journals of 0.1. */
      readonly units?: readonly UnitPlan[];
    }
  | { readonly type: 'settled'; readonly at: string; readonly report: HostReport }
  | Keep
  | Keeping
  | { readonly type: 'rollback'; readonly at: string; readonly actor: string; readonly hosts: readonly string[] }
  | { readonly type: 'recovery'; readonly at: string; readonly actor: string; readonly hosts: readonly string[] }
  /** A host that was not known to belong to the run. */
  | { readonly type: 'joined'; readonly at: string; readonly host: JournalHost }
  | Opened
  | Closed
  | {
      readonly type: 'finished';
      readonly at: string;
      readonly totals: Partial<Record<Outcome, number>>;
      readonly exitCode: number;
      /** Hosts of the whole run; absent: as many as were stranded. */
      readonly inDoubt?: number;
    };

/** How a host was reached, so that the run can be undone without the inventory. No secrets. */
export interface JournalHost extends Target {
  readonly become: Become;
}

export interface Journal {
  /** Resolves when the record is on disk. Records that wait together share one fsync. */
  commit(record: JournalRecord): Promise<void>;
  close(): Promise<void>;
}

const SUFFIX = '.ndjson';

function dirOf(stateDir: string): string {
  return join(stateDir, 'runs');
}

export function journalFile(stateDir: string, run: string): string {
  return join(dirOf(stateDir), `${run}${SUFFIX}`);
}

/** Creates the journal of a new run. The directory entry is on disk before this returns. */
export async function createJournal(stateDir: string, run: string): Promise<Journal> {
  mkdirSync(dirOf(stateDir), { recursive: true, mode: 0o700 });
  const file = journalFile(stateDir, run);
  const handle = await open(file, 'ax', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? neverBegan(file, run) : error;
  });
  const dir = openSync(dirOf(stateDir), 'r');
  fsyncSync(dir);
  closeSync(dir);
  return journalOn(handle);
}

/** Opens the journal of an earlier run for what happens to its hosts now. What a crash left of a record gets a line of its own. */
export async function appendJournal(stateDir: string, run: string): Promise<Journal> {
  const file = journalFile(stateDir, run);
  return journalOn(await open(file, 'a'), readFileSync(file, 'utf8'));
}

/** The newest run last. Without those that were killed before their first record was written: they have touched nothing. */
export function listRuns(stateDir: string): string[] {
  try {
    return readdirSync(dirOf(stateDir))
      .filter((name) => name.endsWith(SUFFIX) && hasBegun(join(dirOf(stateDir), name)))
      .map((name) => name.slice(0, -SUFFIX.length))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Whether it holds a whole line. Most end in one, so that nothing else has to be read. */
function hasBegun(file: string): boolean {
  const { size } = statSync(file);
  if (size === 0) return false;
  const fd = openSync(file, 'r');
  const end = Buffer.alloc(1);
  readSync(fd, end, 0, 1, size - 1);
  closeSync(fd);
  return end.toString() === '\n' || readFileSync(file).includes('\n');
}

function neverBegan(file: string, run: string): UsageError {
  return new UsageError(`run ${run} was cut off before it began: it has touched no host`, `${file} can be removed.`);
}

/**
 * Every record of a run, in order. A line that was cut off is left out; any other line that is no record is a UsageError with
 * its place. `run` may be a unique beginning, or `last`.
 */
export function readJournal(stateDir: string, run: string): JournalRecord[] {
  const file = journalFile(stateDir, findRun(stateDir, run));
  return recordsOf(readFileSync(file, 'utf8'), file);
}

function findRun(stateDir: string, run: string): string {
  const runs = listRuns(stateDir);
  const found = run === 'last' ? runs.slice(-1) : runs.filter((id) => id === run || id.startsWith(run));
  const exact = found.find((id) => id === run) ?? (found.length === 1 ? found[0] : undefined);
  if (exact !== undefined) return exact;
  const file = journalFile(stateDir, run);
  if (existsSync(file)) throw neverBegan(file, run);
  throw new UsageError(
    found.length === 0
      ? `there is no run ${JSON.stringify(run)}`
      : `${JSON.stringify(run)} could be ${found.join(', ')}`,
    'fleetmask runs list shows them.',
  );
}

export type HostState =
  /** Nothing on it was changed by this run. */
  | { readonly kind: 'untouched'; readonly report: HostReport | null }
  /** Changed as asked; can be rolled back. */
  | { readonly kind: 'changed'; readonly report: HostReport; readonly intent: Intent }
  /** Put back as it was. */
  | { readonly kind: 'restored'; readonly report: HostReport }
  /** An intent that was never settled, or a host that could not be put back: it may be changed. `last`: what it was sent last. */
  | {
      readonly kind: 'in-doubt';
      readonly report: HostReport | null;
      readonly intent: Intent;
      readonly last: Intent['request'];
    };

export type Intent = Extract<JournalRecord, { type: 'intent' }>;

export interface RunState {
  readonly start: Extract<JournalRecord, { type: 'run' }>;
  readonly finished: Extract<JournalRecord, { type: 'finished' }> | null;
  /** By host name, in the run's order. */
  readonly hosts: ReadonlyMap<string, HostState>;
  /** The highest sequence number sent to a host. */
  readonly lastSeq: ReadonlyMap<string, number>;
  /** Whether what was last begun on this run has come to its end. */
  readonly ended: boolean;
  /** Hosts that are to be put back by a rollback that has not come to its end. */
  readonly toPutBack: ReadonlySet<string>;
}

/** What the records say of each host now. */
export function stateOfRun(records: readonly JournalRecord[]): RunState {
  const [start] = records;
  if (start?.type !== 'run') throw new UsageError('the journal does not begin with a run', 'The journal was damaged.');
  const known = [...start.hosts];
  const hosts = new Map<string, HostState>(known.map(({ host }) => [host, { kind: 'untouched', report: null }]));
  const applied = new Map<string, Intent>();
  const last = new Map<string, Intent['request']>();
  const lastSeq = new Map<string, number>();
  const toPutBack = new Set<string>();
  let afterwards = false;
  let finished: RunState['finished'] = null;
  let ended = false;
  for (const record of records) {
    switch (record.type) {
      case 'joined':
        known.push(record.host);
        hosts.set(record.host.host, { kind: 'untouched', report: null });
        break;
      case 'intent': {
        if (record.request === 'apply') applied.set(record.host, record);
        last.set(record.host, record.request);
        lastSeq.set(record.host, Math.max(record.seq, lastSeq.get(record.host) ?? 0));
        const intent = applied.get(record.host) ?? record;
        hosts.set(record.host, { kind: 'in-doubt', report: null, intent, last: record.request });
        break;
      }
      case 'rollback':
        for (const host of record.hosts) toPutBack.add(host);
        afterwards = true;
        ended = false;
        break;
      case 'keeping':
        lastSeq.set(record.host, Math.max(record.seq, lastSeq.get(record.host) ?? 0));
        break;
      case 'keep':
        afterwards = true;
        break;
      case 'recovery':
        afterwards = true;
        ended = false;
        break;
      case 'settled': {
        const { report } = record;
        toPutBack.delete(report.host);
        // a host that nobody got at later is as the run left it, and can be put back yet
        const before = hosts.get(report.host);
        if (afterwards && isUntouched(report.outcome) && before?.kind !== 'untouched') break;
        hosts.set(report.host, settledState(report, applied.get(report.host), last.get(report.host)));
        break;
      }
      case 'finished':
        finished = record;
        ended = true;
        toPutBack.clear();
    }
  }
  return { start: { ...start, hosts: known }, finished, hosts, lastSeq, ended, toPutBack };
}

function isUntouched(outcome: Outcome): boolean {
  return outcome === 'refused' || outcome === 'unreachable' || outcome === 'not-started';
}

function settledState(report: HostReport, intent: Intent | undefined, last: Intent['request'] | undefined): HostState {
  if (intent === undefined || last === undefined) return { kind: 'untouched', report };
  switch (report.outcome) {
    case 'masked':
    case 'unmasked':
      return { kind: 'changed', report, intent };
    case 'stranded':
      return { kind: 'in-doubt', report, intent, last };
    case 'rolled-back':
    case 'restored':
      return { kind: 'restored', report };
    default:
      return { kind: 'untouched', report };
  }
}
