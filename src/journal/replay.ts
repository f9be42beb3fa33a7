/** What the records of a run say of each of its hosts now. */

import { type Ask, type HostReport, isChange, type Outcome } from '../model/index.ts';
import { budget } from '../plan/failure-budget.ts';
import { DamagedJournal } from './append-log.ts';
import type { Intent, JournalRecord, RunStart } from './records.ts';

export type HostState =
  /** Nothing on it was changed by this run. */
  | { readonly kind: 'untouched'; readonly report: HostReport | null }
  /** Changed as asked; can be rolled back. */
  | { readonly kind: 'changed'; readonly report: HostReport; readonly intent: Intent }
  /** Put back as it was. */
  | { readonly kind: 'restored'; readonly report: HostReport }
  /** It may be changed; a person has given it up. */
  | { readonly kind: 'forgotten'; readonly report: HostReport }
  /** An intent that was never settled, or a host that could not be put back: it may be changed. `last`: what it was sent last. */
  | {
      readonly kind: 'in-doubt';
      readonly report: HostReport | null;
      readonly intent: Intent;
      readonly last: Intent['request'];
    };

export interface RunState {
  readonly start: RunStart;
  readonly finished: Extract<JournalRecord, { type: 'finished' }> | null;
  /** By host name, in the run's order. */
  readonly hosts: ReadonlyMap<string, HostState>;
  /** What was asked of each host for which there is a record of it, whatever became of that. */
  readonly applied: ReadonlyMap<string, Intent>;
  /** How the run itself left each host, whatever later visits found there. */
  readonly own: ReadonlyMap<string, HostReport>;
  /** The highest sequence number sent to a host. */
  readonly lastSeq: ReadonlyMap<string, number>;
  /** Whether what was last begun on this run has come to its end. */
  readonly ended: boolean;
  /** Hosts that are to be put back and are not yet. */
  readonly toPutBack: ReadonlySet<string>;
  /** Why every host that the run changed goes back, as it was told to (--rollback fleet); null where nothing calls for that. */
  readonly wayBack: string | null;
}

/** What the records say of each host now. */
export function stateOfRun(records: readonly JournalRecord[]): RunState {
  const [start] = records;
  if (start?.type !== 'run') throw new DamagedJournal('the journal does not begin with a run');
  const known = [...start.hosts];
  const hosts = new Map<string, HostState>(known.map(({ host }) => [host, { kind: 'untouched', report: null }]));
  const applied = new Map<string, Intent>();
  /** What may have been done to each host, and what it was sent last. */
  const begun = new Map<string, { readonly intent: Intent; readonly last: Intent['request'] }>();
  const lastSeq = new Map<string, number>();
  const toPutBack = new Set<string>();
  const forward = new Map<string, HostReport>();
  /** Hosts about which `confirm` and the like have decided, maybe beside the run that still works on others. */
  const decided = new Set<string>();
  let afterwards = false;
  let rollingBack = false;
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
        lastSeq.set(record.host, Math.max(record.seq, lastSeq.get(record.host) ?? 0));
        const doubt = { intent: applied.get(record.host) ?? record, last: record.request };
        begun.set(record.host, doubt);
        hosts.set(record.host, { kind: 'in-doubt', report: null, ...doubt });
        break;
      }
      case 'rollback':
        for (const host of record.hosts) toPutBack.add(host);
        decided.clear();
        afterwards = true;
        rollingBack = true;
        ended = false;
        break;
      case 'keeping':
        lastSeq.set(record.host, Math.max(record.seq, lastSeq.get(record.host) ?? 0));
        break;
      case 'keep':
        for (const host of record.hosts) decided.add(host);
        break;
      case 'forget':
        afterwards = true;
        rollingBack = false;
        break;
      case 'recovery':
        afterwards = true;
        rollingBack = false;
        ended = false;
        break;
      case 'settled': {
        const { report } = record;
        const isLater = afterwards || decided.has(report.host);
        const before = hosts.get(report.host);
        // what was rolled back meanwhile stays so: a decision that was read before that comes too late
        if (decided.has(report.host) && before?.kind === 'restored' && isChange(report.outcome)) break;
        // a host that could not be put back is still to be; one that nobody got at, unless that was the rollback's own end
        const isLeft = isUntouched(report.outcome) && !(rollingBack && !decided.has(report.host));
        if (report.outcome !== 'stranded' && !isLeft) toPutBack.delete(report.host);
        if (!isLater) forward.set(report.host, report);
        // a host that nobody got at later is as the run left it, and can be put back yet
        if (isLater && isUntouched(report.outcome) && before?.kind !== 'untouched') break;
        hosts.set(report.host, settledState(report, begun.get(report.host)));
        break;
      }
      case 'finished':
        finished = record;
        ended = true;
    }
  }
  const wayBack = start.fleetRollback ? budget(start.fleetRollback, start.hosts.length)([...forward.values()]) : null;
  if (wayBack !== null) for (const [host, { kind }] of hosts) if (isDone(kind)) toPutBack.add(host);
  return {
    start: { ...start, hosts: known },
    finished,
    hosts,
    applied,
    own: forward,
    lastSeq,
    ended,
    toPutBack,
    wayBack,
  };
}

/** It may be changed and is not settled, or was to be put back and is not yet. */
export function isInDoubt(host: string, { hosts, toPutBack }: RunState): boolean {
  const kind = hosts.get(host)?.kind;
  return kind === 'in-doubt' || (kind === 'changed' && toPutBack.has(host));
}

export function hostsInDoubt(state: RunState): string[] {
  return [...state.hosts.keys()].filter((host) => isInDoubt(host, state));
}

/** What was asked of a host: of the whole run, or where its journal was lost, of this host by its own receipt. */
export function askOf({ told }: Intent, { start }: RunState): Ask {
  return told?.ask ?? start.ask;
}

/** The name by which a host knows itself in the run: of its receipt, where the run is known from that. */
export function nameOn(host: string, { told }: Intent): string {
  return told?.as ?? host;
}

/** Something of the run is in effect there, or may be. */
function isDone(kind: HostState['kind']): boolean {
  return kind === 'changed' || kind === 'in-doubt';
}

function isUntouched(outcome: Outcome): boolean {
  return outcome === 'refused' || outcome === 'unreachable' || outcome === 'not-started' || outcome === 'absent';
}

function settledState(
  report: HostReport,
  begun: { readonly intent: Intent; readonly last: Intent['request'] } | undefined,
): HostState {
  if (begun === undefined) return { kind: 'untouched', report };
  switch (report.outcome) {
    case 'masked':
    case 'unmasked':
      return { kind: 'changed', report, intent: begun.intent };
    case 'stranded':
      return { kind: 'in-doubt', report, ...begun };
    case 'rolled-back':
    case 'restored':
      return { kind: 'restored', report };
    case 'forgotten':
      return { kind: 'forgotten', report };
    default:
      return { kind: 'untouched', report };
  }
}
