/** A host in doubt that will not return: a person gives it up, on record, and nothing is asked of it. */

import type { Forget, JournalRecord } from '../journal/records.ts';
import type { RunState } from '../journal/replay.ts';
import { fault, type HostReport, type JournalHost } from '../model/index.ts';
import { stillInDoubt } from './host/recover.ts';
import { doubtOn, reportOn } from './in-doubt.ts';

/** What goes on record; the reports are those of its settlements. */
export function forgetting(
  hosts: readonly JournalHost[],
  state: RunState,
  { at, actor }: Pick<Forget, 'at' | 'actor'>,
): readonly JournalRecord[] {
  const names = hosts.map(({ host }) => host);
  const settled = hosts.map((host): JournalRecord => {
    const report = asLastSeen(host, state);
    const message = `given up by ${actor} at ${at}, and not asked: ${report.fault?.message ?? 'it was to be put back'}`;
    const hint = `If it comes back: fleetmask recover --from-hosts ${state.start.run.id} settles it by its receipt.`;
    return {
      type: 'settled',
      at,
      report: { ...report, outcome: 'forgotten', fault: fault('forgotten', message, hint) },
    };
  });
  return [{ type: 'forget', at, actor, hosts: names }, ...settled];
}

/** Of every host of the run, also of those that nobody settled yet. */
export function asLastSeen(host: JournalHost, state: RunState): HostReport {
  const doubt = doubtOn(host.host, state, 'settle');
  if (doubt === null || state.hosts.get(host.host)?.report != null) return reportOn(host, state);
  return stillInDoubt(host, doubt, fault('lost', 'the run ended before it was settled'));
}
