/**
 * The journal: one append-only NDJSON file per run, the whole life of a change, its rollback included.
 * Invariant: an intent is on disk, fsynced, before the request that it announces is sent. So whatever is killed and when,
 * a host with an intent and no settlement after it may have been changed, and a host without an intent was not.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { at, UsageError } from '../model/index.ts';
import { type Journal, journalFrom, journalOn } from './append-log.ts';
import type { JournalRecord, RunStart } from './records.ts';
import { inOrder, recordOrigin } from './run-order.ts';

const SUFFIX = '.ndjson';

function dirOf(stateDir: string): string {
  return join(stateDir, 'runs');
}

export function journalFile(stateDir: string, run: string): string {
  return join(dirOf(stateDir), `${run}${SUFFIX}`);
}

/**
 * Creates the journal of a new run. It and its first records are on disk before this returns; until then it is no journal, so that
 * none is ever without its beginning.
 */
export async function createJournal(stateDir: string, start: RunStart, ...more: JournalRecord[]): Promise<Journal> {
  mkdirSync(dirOf(stateDir), { recursive: true, mode: 0o700 });
  const file = journalFile(stateDir, start.run.id);
  if (existsSync(file)) throw new Error(`${file} exists`);
  const fresh = `${file}.new`;
  const journal = journalOn(await open(fresh, 'ax', 0o600));
  try {
    await Promise.all([start, ...more].map((record) => journal.commit(record)));
    recordOrigin(stateDir, start.run.id, start.run.from === 'receipts' ? 'found' : 'begun');
    renameSync(fresh, file);
    const dir = openSync(dirOf(stateDir), 'r');
    fsyncSync(dir);
    closeSync(dir);
    return journal;
  } catch (error) {
    await journal.close();
    rmSync(fresh, { force: true });
    throw error;
  }
}

/** Opens the journal of an earlier run for what happens to its hosts now. What a crash left of a record gets a line of its own. */
export async function appendJournal(stateDir: string, run: string): Promise<Journal> {
  const file = journalFile(stateDir, run);
  return journalOn(await open(file, 'a'), readFileSync(file, 'utf8'));
}

/** Takes a journal out of the way, for a person to look at; returns where it is now. */
export function setAside(stateDir: string, run: string): string {
  const file = journalFile(stateDir, run);
  for (let n = 1; ; n += 1) {
    const aside = `${file}.damaged-${n}`;
    if (existsSync(aside)) continue;
    renameSync(file, aside);
    return aside;
  }
}

/** In the order in which they came to this controller, the newest last. Throws UsageError where the directory cannot be read. */
export function listRuns(stateDir: string): string[] {
  return runsHere(stateDir).map(({ run }) => run);
}

/** The run that this controller began last: `last`. A run that hosts alone have told of must be named. */
export function lastRun(stateDir: string): string | undefined {
  return runsHere(stateDir).findLast(({ origin }) => origin === 'begun')?.run;
}

function runsHere(stateDir: string): ReturnType<typeof inOrder> {
  const dir = dirOf(stateDir);
  try {
    const files = readdirSync(dir).filter((name) => name.endsWith(SUFFIX));
    return inOrder(
      stateDir,
      files.map((name) => name.slice(0, -SUFFIX.length)),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unreadable(dirOf(stateDir), error);
  }
}

/**
 * Every record of a run, in order. A line that was cut off is left out; any other line that is no record is a UsageError with
 * its place. `run` may be a unique beginning, or `last`.
 */
export function readJournal(stateDir: string, run: string): JournalRecord[] {
  return readRun(stateDir, findRun(stateDir, run));
}

/** The same of a run whose whole id is known. */
export function readRun(stateDir: string, run: string): JournalRecord[] {
  return journalFrom(readRunText(stateDir, run).text, journalFile(stateDir, run), run);
}

/** The text of its journal, and how the file was before it was read. Throws UsageError where it cannot be read, or is not to be trusted. */
export function readRunText(stateDir: string, run: string): { readonly text: string; readonly stat: Stats } {
  const file = journalFile(stateDir, run);
  const read = readText(file);
  refuseForeign(file, read.stat, dirOf(stateDir));
  return read;
}

/** What is in a file, and how the file was right before that. Throws UsageError; never waits, whatever lies there. */
export function readText(file: string): { readonly text: string; readonly stat: Stats } {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error('not a file');
    return { text: readFileSync(fd, 'utf8'), stat };
  } catch (error) {
    throw unreadable(file, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function unreadable(path: string, error: unknown): UsageError {
  const { code, message } = error as NodeJS.ErrnoException;
  const hint = 'Check its type, owner and mode (ls -ld), or set FLEETMASK_STATE_DIR.';
  return new UsageError(at(path, undefined, `cannot be read: ${code ?? message}`), hint);
}

/** Throws UsageError for a journal that others could have written: it names hosts, and commands that lead to them. */
function refuseForeign(file: string, { uid, mode }: Stats, dir: string): void {
  if (uid !== 0 && uid !== statSync(dir).uid) {
    throw new UsageError(`${file}: this journal belongs to uid ${uid}`, 'Check it, then make it your own with chown.');
  }
  if ((mode & 0o022) === 0) return;
  const octal = (mode & 0o7777).toString(8).padStart(4, '0');
  throw new UsageError(
    `${file}: this journal can be written by others (mode ${octal})`,
    `Check it, then: chmod 600 ${file}`,
  );
}

/** The whole id. Throws UsageError where no run here, or more than one, is meant. */
export function findRun(stateDir: string, run: string): string {
  if (run === 'last') {
    const last = lastRun(stateDir);
    if (last !== undefined) return last;
    throw new UsageError(
      'this controller has begun no run: there is no last one',
      'fleetmask runs list shows the runs that are known here; name one of them.',
    );
  }
  const found = listRuns(stateDir).filter((id) => id === run || id.startsWith(run));
  const exact = found.find((id) => id === run) ?? (found.length === 1 ? found[0] : undefined);
  if (exact !== undefined) return exact;
  throw new UsageError(
    found.length === 0
      ? `there is no run ${JSON.stringify(run)}`
      : `${JSON.stringify(run)} could be ${found.join(', ')}`,
    'fleetmask runs list shows them.',
  );
}
