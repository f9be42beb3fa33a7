/**
 * Settles a host that a run may have changed and lost sight of. What was done and proved, and still holds, is confirmed; all else
 * is put back. The undo goes out also where nothing was changed: it has a higher number than any request before it, so that
 * none of those does anything any more, however late it arrives.
 */

import { record } from '../../journal/append-log.ts';
import {
  type Evidence,
  type Facts,
  type Fault,
  fault,
  type HostReport,
  type JournalHost,
  printable,
  type Receipt,
} from '../../model/index.ts';
import { aftermath } from '../../plan/aftermath.ts';
import { readAgain, unread } from '../../plan/judge.ts';
import { withUndoNotes } from '../../plan/leftovers.ts';
import { type Deed, type Finding, find, namesOf, wayBack } from '../../plan/recall.ts';
import { standsOn } from '../../plan/succession.ts';
import type { Session } from '../../remote/session.ts';
import { notStarted } from '../across-fleet.ts';
import { timesNow } from './auto-rollback.ts';
import { notPutBack, otherMachine, stopLimitOf, type UndoJob, undoHost } from './undo.ts';
import { CALL_MS, type Crew, type Ending, visit } from './visit.ts';

/** A host in doubt. */
export interface Doubt extends Deed {
  /** The name by which the host knows itself in the run. */
  readonly as: string;
  /** The highest sequence number that was sent to it, as far as is known here. */
  readonly lastSeq: number;
  /** `settle`: as asked where that is proved, else as before. `put-back`: as before. */
  readonly aim: 'settle' | 'put-back';
  /** Why it is put back also where the change is whole; absent: because that was asked for. */
  readonly why?: Fault;
  /** The last undo was read back, and the host was not as before the run. */
  readonly wanting?: boolean;
}

/**
 * `masked` or `unmasked` when the change is whole; `rolled-back` when the host reads as before the run; `stranded` when it cannot
 * be reached, or does not. `refused` when another machine answers in its place, or when a newer run stands on this one: that is not
 * touched, and the host stays in doubt.
 */
export async function recoverHost(host: JournalHost, doubt: Doubt, job: UndoJob, crew: Crew): Promise<HostReport> {
  let met: Facts | undefined;
  const wishes = [...(crew.wishes ?? []), 'receipts=all', `result=${job.run}`, 'clock=yes'] as const;
  const visited = await visit(
    host,
    { ...crew, wishes },
    namesOf(doubt),
    async (session) => {
      met = session.facts;
      return settled(host, doubt, job, crew, session);
    },
    CALL_MS,
  );
  const report = met === undefined ? outOfReach(visited, doubt) : visited;
  await record(job.journal, { type: 'settled', at: crew.clock.date(), report });
  return report;
}

/** What runs left on a host. Where it cannot be read the report has a fault. */
export function readReceipts(
  host: JournalHost,
  crew: Crew,
  found: (receipts: readonly Receipt[]) => void,
): Promise<HostReport> {
  const wishes = [...(crew.wishes ?? []), 'receipts=all' as const];
  return visit(host, { ...crew, wishes }, [], async ({ facts }) => {
    if (facts.privilege.kind === 'none') {
      const { why, hint } = facts.privilege;
      const problem = fault('no-privilege', `its receipts are for root alone: ${why}`, hint);
      return { outcome: 'refused', units: [], fault: problem };
    }
    found(facts.receipts);
    return { outcome: 'unchanged', units: [], fault: null };
  });
}

async function settled(host: JournalHost, doubt: Doubt, job: UndoJob, crew: Crew, session: Session): Promise<Ending> {
  const { facts } = session;
  const { change, prior } = doubt;
  const unseen = unread(doubt.units);
  const other = otherMachine(prior, facts);
  if (other !== null) return { outcome: 'refused', units: unseen, fault: other };
  if (facts.privilege.kind === 'none') {
    const { why, hint } = facts.privilege;
    return {
      outcome: 'stranded',
      units: unseen,
      fault: fault('no-privilege', `${DOUBT}: no root privilege: ${why}`, hint),
    };
  }
  const receipt = facts.receipts.find(({ run }) => run === job.run);
  if (receipt !== undefined && receipt.as !== null && receipt.as !== printable(doubt.as, 1000)) {
    const notes = [`it is the machine that this run changed as ${receipt.as}: under this name nothing was done`];
    return { outcome: 'unchanged', units: unseen.map((unit) => ({ ...unit, notes })), fault: null };
  }
  const found = find(doubt, receipt, facts);
  if (found.kind === 'confirmed' && doubt.aim === 'settle') {
    return {
      outcome: doubt.ask.verb === 'mask' ? 'masked' : 'unmasked',
      units: found.units,
      fault: null,
      ...timesNow(session, job.run, crew.clock),
    };
  }
  // without a receipt nothing of the run is in effect here, and nothing can stand on it
  const inTheWay = ({ receipts }: Facts) =>
    receipts.some(({ run }) => run === job.run) ? standsOn(job.run, doubt, receipts) : null;
  const newer = inTheWay(facts);
  if (newer !== null) return { outcome: 'refused', units: unseen, fault: newer };
  const cause = causeOf(found, doubt);
  const firstSeq = Math.max(doubt.lastSeq, receipt?.seq ?? 0) + 1;
  const undone = await undoHost(
    host,
    job,
    crew,
    {
      as: doubt.as,
      change,
      obstacle: inTheWay,
      stopLimit: stopLimitOf(change, facts.units),
      ...wayBack(doubt, receipt, doubt.wanting ?? false, facts),
    },
    session,
    firstSeq,
  );
  if (undone.fault?.kind === 'newer-run') return { outcome: 'refused', units: unseen, fault: undone.fault };
  const units = withUndoNotes(readAgain(found.units, undone.evidence?.units ?? []), undone.evidence, doubt);
  const others = receipt === undefined && undone.evidence ? othersDoing(doubt, undone.evidence) : '';
  return undone.fault === null
    ? { outcome: 'rolled-back', units, fault: { ...cause, message: `${cause.message}${others}` } }
    : { outcome: 'stranded', units, fault: notPutBack(cause, undone.fault, undone.fault.kind) };
}

/** Without a receipt nothing says that the run did it: it is left, and never hidden. */
function othersDoing(doubt: Doubt, read: Evidence): string {
  const found = aftermath(doubt, read);
  return found.kind === 'rolled-back'
    ? ''
    : `; left as it is, for the host has no receipt of the run: ${found.lacking}`;
}

/** What is read while a host is on its way back tells where it is, and not why it goes. */
function causeOf(found: Finding, { aim, why }: Doubt): Fault {
  if (found.kind === 'refuted' || (found.kind === 'undone' && aim === 'settle')) return found.why;
  return why ?? fault('interrupted', 'put back, as was asked');
}

/** It has an intent: whatever keeps us out, it may have been changed. */
function outOfReach(report: HostReport, doubt: Doubt): HostReport {
  const { kind, message, hint } = report.fault ?? fault('unreachable', 'it did not answer');
  const problem = fault(kind, `${DOUBT}: ${message}`, kind === 'unreachable' || kind === 'timed-out' ? AGAIN : hint);
  return { ...report, outcome: 'stranded', units: unread(doubt.units), fault: problem };
}

/** A host that had no turn. */
export function stillInDoubt(host: JournalHost, doubt: Doubt, { kind, message }: Fault): HostReport {
  const problem = fault(kind, `${DOUBT}: ${message}`, 'Recover the run again.');
  return { ...notStarted(host, problem), outcome: 'stranded', units: unread(doubt.units) };
}

const DOUBT = 'it may have been changed';
const AGAIN = 'Recover the run again when the host can be reached.';
