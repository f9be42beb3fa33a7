/** Puts back what a run did to a host, from what its journal recorded and the receipt on the host. */

import { record } from '../../journal/append-log.ts';
import type { Intent } from '../../journal/records.ts';
import { nameOn, type RunState } from '../../journal/replay.ts';
import {
  type Change,
  type Facts,
  type Fault,
  fault,
  type HostReport,
  isRunning,
  type JournalHost,
  type Receipt,
  type UnitReport,
} from '../../model/index.ts';
import { contradiction } from '../../plan/accounts.ts';
import { readLater, unread } from '../../plan/judge.ts';
import { withUndoNotes } from '../../plan/leftovers.ts';
import { standsOn } from '../../plan/succession.ts';
import { SEQ, type Session } from '../../remote/session.ts';
import { notPutBack, otherMachine, type UndoJob, undoHost } from './undo.ts';
import { CALL_MS, type Crew, type Ending, ROLLBACK_MS, visit } from './visit.ts';

/** What there is to undo on a host. */
export interface Undoable {
  readonly intent: Intent;
  /** As last reported. */
  readonly units: readonly UnitReport[];
  /** The highest sequence number sent to the host. */
  readonly lastSeq: number;
}

/** Null where the run changed nothing that is not put back already. */
export function undoableOn(host: string, { hosts, own, lastSeq }: RunState): Undoable | null {
  const state = hosts.get(host);
  if (state?.kind !== 'changed' && state?.kind !== 'in-doubt') return null;
  // a unit that an earlier rollback started did not come to run by the run: it is judged by what the run itself left
  const left = own.get(host)?.units ?? [];
  const units = left.length > 0 ? left : (state.report?.units ?? unread(state.intent.units ?? []));
  return { intent: state.intent, units, lastSeq: lastSeq.get(host) ?? SEQ.apply };
}

/**
 * `restored` when the host reads as it was before the run; `stranded` when it was reached and does not; a host that could
 * not be reached, or not as root, or on which another run is at work, stays as it is, and can be put back later.
 */
export async function rollBackHost(
  host: JournalHost,
  undoable: Undoable,
  job: UndoJob,
  crew: Crew,
): Promise<HostReport> {
  const report = stillChanged(await undoOn(host, undoable, job, crew, CALL_MS));
  await record(job.journal, { type: 'settled', at: crew.clock.date(), report });
  return report;
}

/** Nothing is done to a host that is out of reach, but what the run did is. */
function stillChanged(report: HostReport): HostReport {
  const { outcome, fault: problem } = report;
  if (outcome !== 'unreachable' || (problem?.kind !== 'unreachable' && problem?.kind !== 'timed-out')) return report;
  return { ...report, fault: fault(problem.kind, problem.message, RUN_ROLLBACK) };
}

async function undoOn(
  host: JournalHost,
  { intent, units: before, lastSeq }: Undoable,
  job: UndoJob,
  crew: Crew,
  patience: number,
  until?: number,
): Promise<HostReport> {
  const { change, prior } = intent;
  const asking = { ...crew, wishes: [...(crew.wishes ?? []), 'receipts=all' as const] };
  const putBack = async (session: Session): Promise<Ending> => {
    const inTheWay = ({ receipts }: Facts) => standsOn(job.run, intent, receipts);
    const obstacle = otherMachine(prior, session.facts) ?? inTheWay(session.facts);
    if (obstacle !== null) return { outcome: 'refused', units: before, fault: obstacle };
    const { privilege } = session.facts;
    if (privilege.kind === 'none') {
      const problem = fault('no-privilege', `no root privilege: ${privilege.why}`, privilege.hint);
      return { outcome: 'refused', units: before, fault: problem };
    }
    const awaited = new Set(prior.states.filter(({ queued }) => queued === 'start').map(({ id }) => id));
    const halts = before.filter((unit) => !awaited.has(unit.unit) && cameToRun(unit, change)).map(({ unit }) => unit);
    const undone = await undoHost(
      host,
      job,
      crew,
      { as: nameOn(host.host, intent), change, prior, halts, obstacle: inTheWay, ...(until && { until }) },
      session,
      lastSeq + 1,
    );
    const { kind } = undone.fault ?? {};
    if (undone.fault && (kind === 'locked' || kind === 'newer-run'))
      return { outcome: 'refused', units: before, fault: undone.fault };
    const read = readLater(before, undone.evidence?.units ?? []);
    const notes = notesOn(
      session.facts.receipts.find(({ run }) => run === job.run),
      change,
    );
    const told = read.map((unit): UnitReport => ({ ...unit, startProbe: 'skipped', notes }));
    const units = withUndoNotes(told, undone.evidence, { change, prior });
    return undone.fault === null
      ? { outcome: 'restored', units, fault: null }
      : { outcome: 'stranded', units, fault: undone.fault };
  };
  return visit(host, asking, [], putBack, patience);
}

/** That a host's receipt is not of what this run asked is for a person to see; what is on record here was put back. */
function notesOn(receipt: Receipt | undefined, change: Change): string[] {
  const problem = receipt === undefined ? null : contradiction(change, receipt);
  return problem === null ? [] : [problem];
}

/** Why a host goes back on which nothing is wrong. `spent`: what was too much for its run. */
export function putBackFor(spent: string): Fault {
  return fault('fleet-rollback', `put back: ${spent}`);
}

/**
 * Takes back, within its own run, what the run did to a host, because of what happened elsewhere (`why`): `rolled-back` when the
 * host reads as before the run. A host that is not put back, also for want of a connection, is `stranded`: the run changed it.
 * A fault that the host had itself stays its fault.
 */
export async function putBackWithFleet(
  host: JournalHost,
  forward: HostReport,
  undoable: Undoable,
  why: Fault,
  job: UndoJob,
  crew: Crew,
): Promise<HostReport> {
  const patience = crew.rollbackTimeout ?? ROLLBACK_MS;
  const asking = { ...crew, hostTimeout: Math.max(crew.hostTimeout, patience) };
  // what it takes to reach the host is of the time of its rollback
  const undone = await undoOn(host, undoable, job, asking, patience, crew.clock.now() + patience);
  const report = { ...forward, ...endingOf(forward, undone, why), seconds: round(forward.seconds + undone.seconds) };
  await record(job.journal, { type: 'settled', at: crew.clock.date(), report });
  return report;
}

function endingOf(forward: HostReport, undone: HostReport, why: Fault): Ending {
  const cause = forward.fault ?? why;
  const reached = undone.outcome === 'restored' || undone.outcome === 'stranded';
  const units = reached
    ? undone.units.map((unit, i) => ({ ...unit, before: forward.units[i]!.before }))
    : forward.units;
  if (undone.fault === null) return { outcome: 'rolled-back', units, fault: cause };
  const { kind, message } = undone.fault;
  if (undone.outcome !== 'unreachable') {
    const stays = notPutBack(cause, undone.fault, forward.fault?.kind ?? (reached ? kind : 'lost'));
    return { outcome: 'stranded', units, fault: stays };
  }
  const away = `${cause.message}; and it could not be reached to be put back: ${message}`;
  return { outcome: 'stranded', units, fault: fault(forward.fault?.kind ?? 'lost', away, RUN_ROLLBACK) };
}

const RUN_ROLLBACK =
  'It is as the run left it; `fleetmask rollback` of the run puts it back when it can be reached again.';

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

/**
 * It did not run before the run, and was read running after it, for the attempt to start it was not refused; or it was not read,
 * and such an attempt may have been made.
 */
function cameToRun({ unit, before, after }: UnitReport, { attempts }: Change): boolean {
  if (before === null || isRunning(before.active)) return false;
  return after === null ? attempts.includes(unit) : isRunning(after.active);
}
