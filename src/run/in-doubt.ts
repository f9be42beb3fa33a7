/** From a journal: what is in doubt on each host of a run. */

import { askOf, isInDoubt, nameOn, type RunState } from '../journal/replay.ts';
import type { HostReport, JournalHost } from '../model/index.ts';
import { unitsFrom } from '../plan/recall.ts';
import { SEQ } from '../remote/session.ts';
import { interrupted, notStarted } from './across-fleet.ts';
import type { Doubt } from './host/recover.ts';
import { putBackFor } from './host/rollback.ts';

/** Null where nothing is: the host was never changed, or is settled. `aim`: what is to become of a change that is whole. */
export function doubtOn(host: string, state: RunState, aim: Doubt['aim']): Doubt | null {
  const known = state.hosts.get(host);
  const begunBack = state.toPutBack.has(host);
  if ((known?.kind !== 'in-doubt' && known?.kind !== 'changed') || !isInDoubt(host, state)) return null;
  const { change, prior, units } = known.intent;
  // who was being put back is put back
  const goesBack = begunBack || (known.kind === 'in-doubt' && known.last === 'undo');
  const ask = askOf(known.intent, state);
  return {
    ask,
    as: nameOn(host, known.intent),
    change,
    prior,
    units: units ?? unitsFrom({ change, prior }, ask.units),
    lastSeq: state.lastSeq.get(host) ?? SEQ.apply,
    aim: goesBack ? 'put-back' : aim,
    ...(state.wayBack !== null && { why: putBackFor(state.wayBack) }),
    wanting: known.kind === 'in-doubt' && known.last === 'undo' && wasRead(known.report),
  };
}

function wasRead(report: HostReport | null): boolean {
  return report?.units.some(({ after }) => after !== null) ?? false;
}

/** What is known of a host that is not in doubt. */
export function reportOn(host: JournalHost, state: RunState): HostReport {
  const known = state.hosts.get(host.host);
  return known?.report ?? notStarted(host, interrupted());
}
