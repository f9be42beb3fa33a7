/** A changed host whose change is to stay: confirmed, prolonged, or kept for good, in a race with its own switch. */

import { record } from '../../journal/append-log.ts';
import type { Intent } from '../../journal/records.ts';
import { nameOn } from '../../journal/replay.ts';
import {
  type Ask,
  type Evidence,
  type Facts,
  type Fault,
  type FaultKind,
  fault,
  type HostReport,
  type JournalHost,
  type KeepOrder,
  type SwitchEnd,
  shownName,
  type UnitPlan,
  type UnitReport,
} from '../../model/index.ts';
import { aftermath } from '../../plan/aftermath.ts';
import { refusalOf } from '../../plan/host-refusal.ts';
import { judge, readLater, unread } from '../../plan/judge.ts';
import { isSameBoot, namesOf } from '../../plan/recall.ts';
import { namesToProbe, parseQuery } from '../../plan/resolve.ts';
import type { Kept, Reply, Session } from '../../remote/session.ts';
import { endOf, hostTime, ourTime, sayBroken, sayRollback, standingOf, timesLeft, unableTo } from './auto-rollback.ts';
import { contextOf, otherMachine, type UndoJob } from './undo.ts';
import { CALL_MS, type Crew, callUntil, type Ending, visit } from './visit.ts';

/** What is asked of every changed host of a run. */
export interface KeepAsk {
  readonly command: 'confirm' | 'extend' | 'release';
  /** Of `extend`: milliseconds since 1970, by our clock. */
  readonly expiresAt: number | null;
}

export interface KeepJob extends UndoJob {
  readonly ask: Ask;
  readonly keep: KeepAsk;
}

/** A host as its run left it. */
export interface Changed {
  readonly intent: Intent;
  readonly report: HostReport;
  /** The highest sequence number sent to the host. */
  readonly lastSeq: number;
}

/** How often the question is asked again when the answer is lost. */
const TRIES = 3;

/**
 * `masked` (or `unmasked`) when the change was read and stays as asked; `rolled-back` when the host reads as before the run;
 * `refused` when the change does not hold: it is left to its switch; `stranded` when it is not known who won, or when
 * the change is in effect on a host without a receipt. A host that cannot be reached is left to its switch, too.
 */
export async function keepHost(host: JournalHost, changed: Changed, job: KeepJob, crew: Crew): Promise<HostReport> {
  const { intent, report: before } = changed;
  const wishes = [...(crew.wishes ?? []), `receipts=${job.run}`, 'clock=yes'] as const;
  const asking = { ...crew, wishes };
  // what a receipt says was asked may be no name of a unit
  const asked = intent.told === undefined ? namesToProbe(job.ask.units.map(parseQuery)) : [];
  const names = [...new Set([...asked, ...namesOf(intent)])];
  const decide = async (session: Session, _: AbortSignal, until: number): Promise<Ending> => {
    const { facts } = session;
    const units = readLater(before.units, facts.units);
    const other = otherMachine(intent.prior, facts);
    if (other !== null) return { outcome: 'refused', units, fault: other };
    if (facts.privilege.kind === 'none') {
      const { why, hint } = facts.privilege;
      return { outcome: 'refused', units, fault: fault('no-privilege', `no root privilege: ${why}`, hint) };
    }
    const unable = unableTo(job.keep, facts);
    if (unable) return { outcome: 'refused', units, fault: unable };
    const standing = standingOf(session, job.run)?.timer;
    const unread = standing === 'unreadable' || standing === 'failed';
    if (!facts.receipts.some(({ run }) => run === job.run) && !unread)
      return withoutReceipt(before, intent, evidenceOf(facts), endOf(session, job.run), facts, job, crew);
    const broken = brokenBy(before, intent, evidenceOf(facts), job);
    return keep(host, changed, job, asking, session, until, broken);
  };
  const visited = await visit(host, asking, names, decide, CALL_MS);
  const report = leftAlone(visited) ? { ...visited, ...promised(before, visited, crew) } : visited;
  await record(job.journal, { type: 'settled', at: crew.clock.date(), report });
  return report;
}

/**
 * Asks until it is answered: asked again, the host says the same. Where the change is `broken`, the switch may be at work just
 * now: then nothing is asked but how it ended.
 */
async function keep(
  host: JournalHost,
  { intent, report: before, lastSeq }: Changed,
  job: KeepJob,
  crew: Crew,
  first: Session,
  until: number,
  broken: Fault | null,
): Promise<Ending> {
  const { change } = intent;
  let session: Session | null = first;
  let problem: Fault = fault('lost', 'the host was lost');
  for (let seq = lastSeq + 1; seq <= lastSeq + TRIES; seq++) {
    const deadline = crew.clock.deadline(until - crew.clock.now());
    let close = () => {};
    if (session === null) {
      const opened = await callUntil(host, crew, [], deadline, Math.min(until, crew.clock.now() + CALL_MS));
      if (opened.kind === 'fault') {
        problem = opened.fault;
        break;
      }
      ({ session } = opened.value);
      close = () => opened.value.connection.close();
    }
    const order = broken === null ? orderFor(job.keep, session.facts, crew) : NOTHING;
    await record(job.journal, { type: 'keeping', at: crew.clock.date(), host: host.host, seq, order });
    crew.progress(host.host, 'applying');
    const context = contextOf(job, nameOn(host.host, intent), until - crew.clock.now());
    const reply: Reply<Kept> = await session.keep({ seq, change, ...order }, context, deadline);
    close();
    if (reply.kind === 'answer') return judged(before, intent, reply.value, session.facts, job, crew, broken);
    problem = reply.fault;
    session = null;
  }
  const message = `it is not known whether the host heard it: ${problem.message}`;
  return { outcome: 'stranded', units: unseen(before.units), fault: fault('lost', message, AGAIN), ...timesOf(before) };
}

const NOTHING: KeepOrder = { confirm: false, expires: null };
const AGAIN = 'Say it again when the host is back; until then it may put itself back.';

function judged(
  before: HostReport,
  intent: Intent,
  kept: Kept,
  facts: Facts,
  job: KeepJob,
  crew: Crew,
  wasBroken: Fault | null,
): Ending {
  const { evidence, switch: standing, end } = kept;
  const units = readLater(before.units, evidence.units);
  const refused = refusalOf(evidence);
  if (refused) return { outcome: 'refused', units, fault: refused, ...timesOf(before) };
  if (standing?.timer === 'failed' || standing?.timer === 'unreadable') {
    const message = `${sayBroken(standing)}; the decision may have no effect`;
    return { outcome: 'stranded', units, fault: fault('read-back', message, ROLLBACK) };
  }
  if (!evidence.receipt) return withoutReceipt(before, intent, evidence, end, facts, job, crew);
  if (standing === null) {
    const message = 'the host did not tell how its switch stands';
    return { outcome: 'stranded', units, fault: fault('bad-reply', message, AGAIN), ...timesOf(before) };
  }
  if (standing.timer === 'restoring') {
    const message = 'the host had begun to put itself back, and has not done it yet';
    return { outcome: 'stranded', units, fault: fault(lateness(job), message, ROLLBACK) };
  }
  if (wasBroken) return { outcome: 'refused', units, fault: wasBroken, ...timesOf(before) };
  const times = timesLeft(standing, facts, crew.clock);
  const waits = standing.confirmLeft !== null || standing.expires !== null;
  const unproved = waits ? standing.timer !== 'waiting' : standing.timer !== 'none';
  if (unproved || (job.keep.command === 'confirm' && standing.confirmLeft !== null)) {
    const message = `the host took note of it, and its timer is not as it should be (${standing.timer})`;
    return { outcome: 'stranded', units, fault: fault('read-back', message, AGAIN), ...times };
  }
  const broken = brokenBy(before, intent, evidence, job);
  if (broken) return { outcome: 'stranded', units, fault: broken, ...times };
  return { outcome: before.outcome, units, fault: null, ...times };
}

const ROLLBACK = 'Look at it again in a minute; `fleetmask rollback` of the run puts it back, too.';

/** The receipt goes with the automatic rollback; or it was lost, and that rollback with it. What is read tells. */
export function withoutReceipt(
  before: HostReport,
  intent: Intent,
  read: Evidence,
  end: SwitchEnd | null,
  facts: Facts,
  job: KeepJob,
  crew: Crew,
): Ending {
  const units = readLater(before.units, read.units);
  const found = aftermath(intent, read);
  const when = end === null ? '' : ` at ${ourTime(end.at, facts, crew.clock)}`;
  if (found.kind === 'in-effect' || (found.kind === 'differs' && end === null && isSameBoot(intent.prior, facts))) {
    const began = end === null ? '' : `; it had rolled back by itself${when}`;
    const message = `the host has no receipt of this run any more, and is not as before it: ${found.lacking}${began}`;
    return { outcome: 'stranded', units, fault: fault('no-receipt', message) };
  }
  const why = end?.why === 'superseded' ? ', for somebody else had taken the change back' : '';
  const since = found.kind === 'differs' ? `; since then ${found.lacking}` : '';
  const said = end === null ? 'the host is as before the run' : `the host put itself back${when}${why}`;
  const byItself = end !== null && end.why !== 'superseded' && { rolledBackAt: ourTime(end.at, facts, crew.clock) };
  return { outcome: 'rolled-back', units, fault: fault(lateness(job), `too late: ${said}${since}`), ...byItself };
}

function lateness({ keep }: KeepJob): FaultKind {
  return keep.command === 'confirm' ? 'unconfirmed' : 'expired';
}

function orderFor({ command, expiresAt }: KeepAsk, facts: Facts, { clock }: Crew): KeepOrder {
  switch (command) {
    case 'confirm':
      return { confirm: true, expires: null };
    case 'extend':
      return { confirm: false, expires: expiresAt === null ? null : hostTime(expiresAt, facts, clock) };
    case 'release':
      return { confirm: false, expires: 'never' };
  }
}

/** What of the change does not hold; null when it does. Nothing is tried: who looks again changes nothing. */
function brokenBy(before: HostReport, intent: Intent, evidence: Evidence, { ask }: KeepJob): Fault | null {
  const units = before.units.map(planned);
  return judge(ask, { units, change: { ...intent.change, attempts: [], killLeftovers: false } }, evidence).fault;
}

function planned(unit: UnitReport): UnitPlan {
  const { asked, before, triggers, steps } = unit;
  return {
    asked,
    unit: unit.unit,
    shownAs: shownName(unit.unit),
    before: before ?? { load: '', file: '', active: '' },
    triggers,
    steps,
    notes: [],
  };
}

/** What a probe found, as if it had been read back. */
export function evidenceOf({ units, paths }: Facts): Evidence {
  return { refused: null, steps: [], units, paths, left: [], foreign: [], lacking: [], receipt: true };
}

function unseen(units: readonly UnitReport[]): UnitReport[] {
  return unread(units.map(planned));
}

function leftAlone({ outcome }: HostReport): boolean {
  return outcome === 'unreachable' || outcome === 'refused';
}

/** A host that was not reached, or not kept, still has its switch. */
function promised(before: HostReport, { fault: problem }: HostReport, { clock }: Crew): Partial<HostReport> {
  const times = timesOf(before);
  const until = times.confirmBy ?? times.expiresAt;
  if (problem === null || until === undefined) return times;
  const message = `${problem.message}; ${sayRollback(until, times.confirmBy !== undefined, clock.date())}`;
  return { ...times, fault: fault(problem.kind, message, problem.hint) };
}

function timesOf({ confirmBy, expiresAt }: HostReport): Pick<HostReport, 'confirmBy' | 'expiresAt'> {
  return { ...(confirmBy && { confirmBy }), ...(expiresAt && { expiresAt }) };
}
