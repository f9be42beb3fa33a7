/** Runs that came to no end, found without reading the journals of all those that did. */

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Controller, JournalRecord } from './records.ts';
import { hostsInDoubt, stateOfRun } from './replay.ts';
import { type Life, workerOn } from './run-lock.ts';
import { journalFile, readRun } from './store.ts';

export interface Unsettled {
  readonly run: string;
  readonly inDoubt: number;
  /** False: it ended, and could not settle them. */
  readonly interrupted: boolean;
}

/** How many runs are looked at, newest first: what nobody has cared for in so long is no news. */
const NEWEST = 20;
/** The last records of a run that ended are short. */
const TAIL = 2048;

/** Those with hosts in doubt that nobody is at work on, newest first; `runs` has the newest last. A journal that cannot be read is left to who asks for it. */
export function unsettledRuns(
  stateDir: string,
  runs: readonly string[],
  lifeOf: (by: Controller) => Life,
): Unsettled[] {
  return runs
    .slice(-NEWEST)
    .toReversed()
    .flatMap((run) => {
      try {
        if (endsSettled(journalFile(stateDir, run))) return [];
        const records = readRun(stateDir, run);
        if (workerOn(records, lifeOf)) return [];
        const state = stateOfRun(records);
        const inDoubt = hostsInDoubt(state).length;
        return inDoubt > 0 ? [{ run, inDoubt, interrupted: !state.ended }] : [];
      } catch {
        return [];
      }
    });
}

function endsSettled(file: string): boolean {
  const last = tailOf(file).findLast(({ type }) => type !== 'opened' && type !== 'closed');
  return last?.type === 'finished' && (last.inDoubt ?? last.totals.stranded ?? 0) === 0;
}

/** The whole records in the last bytes of a file. */
function tailOf(file: string): JournalRecord[] {
  // whatever lies there, nobody waits for it
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return [];
    const { size } = stat;
    const buffer = Buffer.alloc(Math.min(size, TAIL));
    readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    const lines = buffer.toString('utf8').split('\n');
    // a last line without an end was torn, and so may the first be here
    return lines.slice(size > TAIL ? 1 : 0, -1).flatMap((line) => {
      try {
        return [JSON.parse(line) as JournalRecord];
      } catch {
        return [];
      }
    });
  } finally {
    closeSync(fd);
  }
}
