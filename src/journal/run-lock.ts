/**
 * Who works on a run: one process at a time. A claim is a record in the run's own journal, where the order of the lines decides
 * between two that come at once; it ends with its process, so that nothing is left to clear away after a crash.
 */

import { UsageError } from '../model/index.ts';
import type { Journal } from './append-log.ts';
import type { Controller, JournalRecord, Opened } from './records.ts';
import { appendJournal, readRun } from './store.ts';

/** `unknown`: it may run where we cannot look. */
export type Life = 'alive' | 'gone' | 'unknown';

/** Claims without an end, oldest first. Whether their processes live is for the caller to see. */
export function openClaims(records: readonly JournalRecord[]): Opened[] {
  const open = new Map<string, Opened>();
  for (const record of records) {
    if (record.type === 'opened') open.set(keyOf(record.by), record);
    else if (record.type === 'closed') open.delete(keyOf(record.by));
  }
  return [...open.values()];
}

/** Whether this is the run itself, not somebody who came back to it. */
export function isRunItself({ command }: Opened): boolean {
  return command === 'mask' || command === 'unmask';
}

/** Who may be at work on a run now. */
export function workerOn(records: readonly JournalRecord[], lifeOf: (by: Controller) => Life): Opened | undefined {
  return openClaims(records).find(({ by }) => lifeOf(by) === 'alive');
}

/**
 * Opens the journal of an earlier run and claims the run for this process, until it is closed. Throws UsageError where another
 * process is at work on it, or may be: `takeOver` says that one which cannot be looked at from here is gone. `beside`: which
 * others may work on it meanwhile.
 */
export async function reopenJournal(
  stateDir: string,
  run: string,
  opened: Opened,
  lifeOf: (by: Controller) => Life,
  takeOver: boolean,
  beside: (other: Opened) => boolean = () => false,
): Promise<Journal> {
  const journal = await appendJournal(stateDir, run);
  const close = async () => {
    // also when it cannot be written: the claim ends with the process
    await journal.commit({ type: 'closed', at: opened.at, by: opened.by }).catch(() => {});
    await journal.close();
  };
  await journal.commit(opened);
  // of two at once, each sees the line of the other, and both the same line first
  const claims = openClaims(readRun(stateDir, run));
  const own = claims.findIndex(({ by }) => keyOf(by) === keyOf(opened.by));
  for (const other of claims.slice(0, own)) {
    if (beside(other)) continue;
    const life = lifeOf(other.by);
    if (life === 'gone' || (life === 'unknown' && takeOver)) continue;
    await close();
    throw inUse(run, other, life);
  }
  return { commit: (record) => journal.commit(record), close };
}

function inUse(run: string, { by, actor, command, at }: Opened, life: 'alive' | 'unknown'): UsageError {
  const who = `process ${by.pid} on ${by.machine} (${command} by ${actor}, since ${at.slice(0, 19)}Z)`;
  return life === 'alive'
    ? new UsageError(`run ${run} is still at work: ${who}`, 'Wait for it, or interrupt it there; then try again.')
    : new UsageError(
        `run ${run} may still be at work: ${who}`,
        'That process cannot be seen from here. If it is gone for good, say --take-over.',
      );
}

function keyOf(by: Controller): string {
  return JSON.stringify([by.machine, by.bootId, by.namespace, by.pid, by.started]);
}
