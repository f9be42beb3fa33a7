/** The life of one host: plan, intent, apply, verdict, and undo when it must be. Always one outcome, never a throw. */

import { record } from '../../journal/append-log.ts';
import {
  type Ask,
  type Evidence,
  type Facts,
  type Fault,
  fault,
  type HostReport,
  isRunning,
  type JournalHost,
  type Plan,
  type UnitReport,
} from '../../model/index.ts';
import { assemble } from '../../plan/assemble.ts';
import { NO_GUARDRAILS, noteGuardrails, withinGuardrails } from '../../plan/guardrails.ts';
import { tellHolders } from '../../plan/holders.ts';
import { refusalOf } from '../../plan/host-refusal.ts';
import { asRead, judge, readAgain, unread } from '../../plan/judge.ts';
import { withUndoNotes } from '../../plan/leftovers.ts';
import { absentReport, observe } from '../../plan/observe.ts';
import { namesToProbe, type Query } from '../../plan/resolve.ts';
import type { Wish } from '../../remote/requests.ts';
import { type Reply, SEQ, type Session } from '../../remote/session.ts';
import { bind, type Planned, staleness } from '../saved-plan.ts';
import {
  clocked,
  leftToItself,
  noteBroken,
  noteSkew,
  noteUncovered,
  orderOf,
  reachAnew,
  type SwitchAsk,
  times,
  timesOfUnits,
  unableTo,
  unarmed,
  untilOf,
} from './auto-rollback.ts';
import { contextOf, intend, isTwin, notPutBack, stopLimitOf, type UndoJob, undoHost } from './undo.ts';
import { type Crew, type Ending, visit } from './visit.ts';

/** A run that changes hosts. */
export interface Job extends UndoJob {
  readonly ask: Ask;
  readonly queries: readonly Query[];
  /** What becomes of a host on which the change failed. */
  readonly rollback: 'host' | 'none';
  /** Asked before the change begins: why it is not to begin any more. */
  stopped?(): Fault | null;
  /** A saved plan that is carried out: hosts that are not as they were then are refused. */
  readonly saved?: ReadonlyMap<string, Planned>;
  /** What hosts are to do by themselves; absent: nothing. */
  readonly switch?: SwitchAsk;
  /** Runs whose change is held up: a host that has taken one of them back is refused. */
  readonly upholds?: readonly string[];
}

/** Probe and plan, nothing more. `planned` is told what was planned, where a host got so far. */
export function plan(
  host: JournalHost,
  ask: Ask,
  queries: readonly Query[],
  crew: Crew,
  planned: (planned: Planned) => void = () => {},
  order?: SwitchAsk,
): Promise<HostReport> {
  return visit(host, wishing(crew, ask), namesToProbe(queries), async (session) => {
    const { facts } = session;
    const plan = within(crew, ask, assemble(ask, queries, facts), facts);
    planned(bind(plan, facts));
    const told = toldBy(session, plan, crew.clock, ask, order);
    return withAbsent(
      told.absent,
      told.kind === 'change' ? { outcome: 'planned', units: unread(told.units), fault: null } : unchanging(told),
    );
  });
}

function within({ guardrails = NO_GUARDRAILS }: Crew, ask: Ask, plan: Plan, facts: Facts): Plan {
  return withinGuardrails(guardrails, ask, plan, facts);
}

function toldBy(session: Session, plan: Plan, clock: Crew['clock'], ask: Ask, order: SwitchAsk | undefined): Plan {
  const told = tellHolders(plan, session.facts, clock.date(), (run) => untilOf(session, run, clock));
  switch (told.kind) {
    case 'no-op':
      return { ...told, units: noteUncovered(told.units, ask, order, []) };
    case 'change': {
      const unable = unableTo(order, session.facts);
      if (unable)
        return { kind: 'refusal', units: told.units, fault: unable, ...(told.absent && { absent: told.absent }) };
      const { links, removes, displaces, stops } = told.change;
      return { ...told, units: noteUncovered(told.units, ask, order, [...links, ...removes, ...displaces, ...stops]) };
    }
    default:
      return told;
  }
}

/** With what the probe has to tell besides, for this ask. */
function wishing(crew: Crew, { verb, withTriggers }: Ask): Crew {
  const wishes: Wish[] = [...(crew.wishes ?? []), 'receipts=all', 'members=yes'];
  if (verb === 'mask') wishes.push('guard=yes', 'ways=yes');
  if (withTriggers) wishes.push('triggers=yes');
  return { ...crew, wishes };
}

/** Reads, and changes nothing. */
export function status(
  host: JournalHost,
  queries: readonly Query[],
  crew: Crew,
  wanted: Pick<Ask, 'skipAbsent' | 'withMembers'> = {},
): Promise<HostReport> {
  const asking: Crew = { ...crew, wishes: [...(crew.wishes ?? []), 'receipts=all', 'clock=yes', 'members=yes'] };
  return visit(host, asking, namesToProbe(queries), async (session) => {
    const seen = observe(queries, session.facts, crew.clock.date(), (run) => unarmed(session, run), wanted);
    const guarded = noteGuardrails(crew.guardrails ?? NO_GUARDRAILS, seen.units, session.facts);
    const units = noteBroken(guarded, session);
    return { ...seen, units, ...timesOfUnits(session, units, crew.clock) };
  });
}

/** With the units that are not installed there; where none is, that is the outcome. */
function withAbsent<E extends Ending>(absent: Plan['absent'] = [], ending: E): E {
  if (absent.length === 0) return ending;
  const outcome = ending.units.length === 0 && ending.outcome === 'unchanged' ? 'absent' : ending.outcome;
  return { ...ending, outcome, units: [...ending.units, ...absent.map(absentReport)] };
}

function unchanging(plan: Exclude<Plan, { kind: 'change' }>): Ending {
  return plan.kind === 'no-op'
    ? { outcome: 'unchanged', units: asRead(plan.units), fault: null }
    : { outcome: 'refused', units: unread(plan.units), fault: plan.fault };
}

/** How often a host is planned anew that somebody else changed between its probe and the change. */
const REPLANS = 2;

/** The whole life of a host in a run of mask or unmask. */
export async function settle(host: JournalHost, job: Job, crew: Crew): Promise<HostReport> {
  let ended = await settleOnce(host, job, crew, SEQ.apply);
  for (let again = 1; ended.moved && again <= REPLANS; again += 1) {
    ended = await settleOnce(host, job, crew, SEQ.apply + again);
  }
  await record(job.journal, { type: 'settled', at: crew.clock.date(), report: ended.report });
  return ended.report;
}

/** `moved`: the host was not as it had been probed, so nothing was done. `seq`: of the request that makes the change. */
async function settleOnce(
  host: JournalHost,
  job: Job,
  crew: Crew,
  seq: number,
): Promise<{ report: HostReport; moved: boolean }> {
  let moved = false;
  let absent: Plan['absent'];
  const visited = await visit(
    host,
    wishing(clocked(crew, job.switch), job.ask),
    namesToProbe(job.queries),
    async (session, deadline, until) => {
      const assembled = within(crew, job.ask, assemble(job.ask, job.queries, session.facts), session.facts);
      const planned = job.saved?.get(host.host);
      const stale = planned && staleness(planned, assembled, session.facts);
      const plan = toldBy(session, assembled, crew.clock, job.ask, job.switch);
      absent = plan.absent;
      if (stale) return { outcome: 'refused', units: unread(plan.units), fault: stale };
      if (plan.kind !== 'change') return unchanging(plan);
      const over = takenBack(job, session);
      if (over) return { outcome: 'refused', units: unread(plan.units), fault: over };
      const stopped = job.stopped?.() ?? null;
      if (stopped) return { outcome: 'not-started', units: unread(plan.units), fault: stopped };
      const unrecorded = await intend(host, job, crew, 'apply', seq, plan);
      if (unrecorded) return { outcome: 'refused', units: unread(plan.units), fault: unrecorded };
      crew.progress(host.host, 'applying');
      const context = contextOf(job, host.host, until - crew.clock.now());
      const sent = crew.clock.date();
      const order = orderOf(job.switch, session.facts, crew.clock);
      const reply = await session.apply({ ...plan, seq, order }, context, deadline);
      moved = reply.kind === 'answer' && reply.value.refused?.kind === 'moved';
      const ending = await judged(host, job, crew, { ...plan, seq }, session, reply, deadline);
      return leftToItself(ending, job.switch, sent, crew.clock);
    },
  );
  return { report: withAbsent(absent, visited), moved };
}

/**
 * A receipt stays until its run is undone, whoever else takes its mask away; one of a runtime mask, until the next boot. That it
 * is gone is no proof of either, but reason enough to change nothing.
 */
function takenBack({ upholds: runs = [], ask }: Job, { facts }: Session): Fault | null {
  if (facts.privilege.kind === 'none') return null;
  const over = runs.find((run) => !facts.receipts.some((receipt) => receipt.run === run));
  const how = ask.runtime ? 'a rollback, an expiry or a reboot' : 'a rollback or an expiry';
  return over === undefined
    ? null
    : fault('expired', `the host has no receipt of run ${over} any more: ${how} may have ended it on purpose`);
}

/** `seq`: of the request that makes the change. */
type ChangePlan = Extract<Plan, { kind: 'change' }> & { readonly seq: number };

async function judged(
  host: JournalHost,
  job: Job,
  crew: Crew,
  plan: ChangePlan,
  session: Session,
  reply: Reply<Evidence>,
  deadline: AbortSignal,
): Promise<Ending> {
  const back = (from: Session | null, cause: Fault, units: readonly UnitReport[], halts: readonly string[] = []) =>
    putBack(host, job, crew, plan, from, cause, units, halts, stopLimitOf(plan.change, session.facts.units));
  if (reply.kind === 'fault') return back(null, reply.fault, unread(plan.units));
  const evidence = reply.value;
  const verdict = judge(job.ask, plan, evidence);
  if (verdict.fault === null) {
    const outcome = job.ask.verb === 'mask' ? 'masked' : 'unmasked';
    const read = crew.clock.date();
    const units = noteSkew(verdict.units, session.facts, crew.clock);
    if (job.switch?.confirmWithin == null) return { outcome, units, fault: null, ...times(job.switch, read) };
    const reached = await reachAnew(host, job.run, job.switch.confirmWithin, crew, deadline);
    if (reached.kind === 'fault') return back(session, reached.fault, verdict.units);
    const { confirmBy } = reached;
    return { outcome, units, fault: null, ...times(job.switch, read), ...(confirmBy && { confirmBy }) };
  }
  if (refusalOf(evidence)) return { outcome: 'refused', units: verdict.units, fault: verdict.fault };
  const halts = plan.prior.states
    .filter((state) => state.load !== '' && !isRunning(state.active) && state.queued !== 'start')
    .map((state) => state.id)
    .filter((id) => evidence.units.some((unit) => unit.id === id && isRunning(unit.active)));
  return back(session, verdict.fault, verdict.units, halts);
}

/** After a fault: rolled-back when the host reads as it was, else stranded, with what is left. */
async function putBack(
  host: JournalHost,
  job: Job,
  crew: Crew,
  plan: ChangePlan,
  session: Session | null,
  cause: Fault,
  units: readonly UnitReport[],
  halts: readonly string[],
  stopLimit: number,
): Promise<Ending> {
  if (job.rollback === 'none') return { outcome: 'stranded', units, fault: cause };
  const undone = await undoHost(
    host,
    job,
    crew,
    { as: host.host, change: plan.change, prior: plan.prior, halts, stopLimit },
    session,
    plan.seq + 1,
  );
  if (undone.fault && isTwin(undone.evidence)) return { outcome: 'refused', units, fault: undone.fault };
  const after = withUndoNotes(readAgain(units, undone.evidence?.units ?? []), undone.evidence, plan);
  return undone.fault === null
    ? { outcome: 'rolled-back', units: after, fault: cause }
    : { outcome: 'stranded', units: after, fault: notPutBack(cause, undone.fault) };
}
