/** A journal whose records are kept in memory too, for what a run has to know of itself while it lasts. */

import type { Fault } from '../model/index.ts';
import { type Journal, unwritable } from './append-log.ts';
import type { JournalRecord } from './records.ts';
import { hostsInDoubt, type RunState, stateOfRun } from './replay.ts';

export interface Ledger extends Journal {
  /** What was done to each host so far, as `recover` would read it; throws before the run is on record. */
  state(): RunState;
  /** Hosts that may have been changed and are not settled. */
  inDoubt(): string[];
  /** Why the journal on disk lacks a record, if it does; the first failure. */
  lost(): Fault | null;
}

/** `earlier`: what the journal held when it was opened. */
export function ledger(journal: Journal, earlier: readonly JournalRecord[] = []): Ledger {
  const records = [...earlier];
  let lost: Fault | null = null;
  return {
    async commit(record) {
      // an intent may be on its way as soon as it is asked for; anything else holds once it was written, or could not be
      if (record.type === 'intent') records.push(record);
      try {
        await journal.commit(record);
      } catch (error) {
        lost ??= unwritable(error);
        throw error;
      } finally {
        if (record.type !== 'intent') records.push(record);
      }
    },
    close: () => journal.close(),
    lost: () => lost,
    state: () => stateOfRun(records),
    inDoubt: () => (records.length === 0 ? [] : unsettledHosts(stateOfRun(records))),
  };
}

/** Of a host that is stranded it was told already. */
function unsettledHosts(state: RunState): string[] {
  return hostsInDoubt(state).filter((host) => state.hosts.get(host)?.report?.outcome !== 'stranded');
}
