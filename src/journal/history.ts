/** From a journal: what the run itself did to each host, and what later visits did there, each for itself. */

import type { Command, HostReport, UnitReport, Visited } from '../model/index.ts';
import { unread } from '../plan/judge.ts';
import type { Intent, JournalRecord } from './records.ts';

export interface History {
  /** As the run left them; no later visit changes that. Of a host that the run did not settle: as whoever recovered it first found it. */
  readonly own: readonly UnitReport[];
  /** The oldest first. */
  readonly visits: readonly Visited[];
}

type Visitor = Pick<Visited, 'actor' | 'command'>;

/** They come beside a run that goes on, and their own record names their hosts. */
const DECISIONS: ReadonlySet<Command> = new Set(['confirm', 'extend', 'release']);

/** Hosts that nobody has settled yet are not in it. */
export function historiesOf(records: readonly JournalRecord[]): ReadonlyMap<string, History> {
  const histories = new Map<string, { own: readonly UnitReport[]; visits: Visited[] }>();
  const applied = new Map<string, Intent>();
  /** Null while the run itself is at work. */
  let visitor: Visitor | null = null;
  /** Hosts that somebody decided about and has not settled yet: the run itself may be at work on others meanwhile. */
  const decided = new Map<string, Visitor>();
  for (const record of records) {
    switch (record.type) {
      case 'opened':
        if (DECISIONS.has(record.command)) break;
        visitor = record.command === 'mask' || record.command === 'unmask' ? null : record;
        decided.clear();
        break;
      case 'keep':
        for (const host of record.hosts) decided.set(host, record);
        break;
      case 'recovery':
      case 'forget':
        visitor = { actor: record.actor, command: 'recover' };
        break;
      case 'rollback':
        // without a claim of its own it is the run that takes itself back
        if (visitor !== null) visitor = { actor: record.actor, command: 'rollback' };
        break;
      case 'intent':
        if (record.request === 'apply') applied.set(record.host, record);
        break;
      case 'settled': {
        const { report } = record;
        const known = histories.get(report.host);
        const by: Visitor | null = decided.get(report.host) ?? visitor;
        decided.delete(report.host);
        if (by === null) {
          histories.set(report.host, { own: report.units, visits: known?.visits ?? [] });
          break;
        }
        const own = known?.own ?? ownUnits(report, by, applied.get(report.host));
        const visits = [...(known?.visits ?? []), ...visitsFrom(record.at, by, report)];
        histories.set(report.host, { own, visits });
      }
    }
  }
  return histories;
}

/** Who recovers a host that the run did not settle does it in the run's stead. */
function ownUnits(report: HostReport, { command }: Visitor, intent: Intent | undefined) {
  return command === 'recover' ? report.units : unread(intent?.units ?? []);
}

function visitsFrom(at: string, { actor, command }: Visitor, report: HostReport): Visited[] {
  const { host, outcome, units, fault, rolledBackAt } = report;
  if (outcome === 'not-started') return [];
  const entry = { at, actor, command, outcome, fault: fault && { kind: fault.kind, message: fault.message } };
  if (units.length === 0) return [{ ...entry, unit: null, before: null, after: null }];
  const read = units.map(({ unit, before, after }) => ({ unit, before, after }));
  if (rolledBackAt === undefined) return read.map((unit) => ({ ...entry, ...unit }));
  // the host had done it by itself before this visit came to see it
  const byItself = {
    at: rolledBackAt,
    actor: `root@${host}`,
    command: 'automatic-rollback',
    outcome,
    fault: null,
  } as const;
  return [
    ...read.map((unit) => ({ ...byItself, ...unit })),
    ...read.map(({ unit, after }) => ({ ...entry, unit, before: after, after })),
  ];
}

/** The report on a host as evidence: the outcome is what is true now, the units are what the run did, the history what came later. */
export function withHistory(report: HostReport, history: History | undefined): HostReport {
  if (history === undefined) return report;
  const { own, visits } = history;
  const { rolledBackAt: _, ...now } = report;
  return {
    ...now,
    units: own.length > 0 ? own : report.units,
    ...(visits.length > 0 && { history: visits }),
  };
}
