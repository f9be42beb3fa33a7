/** The life of one host: connect, probe, plan, intent, apply, judge, and undo when it must be. Always one outcome, never a throw. */
import {
  type Ask,
  type Change,
  type Evidence,
  type Facts,
  type Fault,
  fault,
  type HostReport,
  isRunning,
  type Outcome,
  type Plan,
  type Prior,
  type Step,
  type UnitReport,
} from '../model/index.ts';
import { assemble } from '../plan/assemble.ts';
import { asRead, judge, judgeUndo, refusalOf, unread } from '../plan/judge.ts';
import { observe } from '../plan/observe.ts';
import { namesToProbe, type Query } from '../plan/resolve.ts';
import type { RequestContext } from '../remote/protocol.ts';
import { openSession, type Reply, SEQ, type Session } from '../remote/session.ts';
import type { Connection, Transport } from '../transport/transport.ts';
import type { Journal, JournalHost, JournalRecord } from './journal.ts';

/** What every host of a run is given. */
export interface Crew {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Milliseconds for everything on one host up to the verdict; putting it back gets UNDO_MS besides. */
  readonly hostTimeout: number;
  progress(host: string, step: Step): void;
}

/** The only time there is, so that a run can be simulated. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** UTC, RFC 3339. */
  date(): string;
  /** Aborts after so many milliseconds. */
  deadline(ms: number): AbortSignal;
  sleep(ms: number): Promise<void>;
}

/** A run that changes hosts. */
export interface Job {
  readonly run: string;
  readonly ask: Ask;
  readonly queries: readonly Query[];
  readonly meta: Readonly<Record<string, string>>;
  readonly journal: Journal;
  /** What becomes of a host on which the change failed. */
  readonly rollback: 'host' | 'none';
}

/** For a unit that takes its 90 s to stop before it can be started again. */
const UNDO_MS = 150_000;
/** How long a lost host is called before it is given up. */
const RECALL_MS = 30_000;
/** What the host keeps of its time for answering after a stop that took too long. */
const ANSWER_MARGIN_MS = 5_000;

interface Ending {
  readonly outcome: Outcome;
  readonly units: readonly UnitReport[];
  readonly fault: Fault | null;
}

/**
 * Connects, probes, and hands over to `then`; whatever went wrong before the hand-over is an outcome of an untouched host.
 * The connection is closed when this settles.
 */
export async function visit(
  host: JournalHost,
  crew: Crew,
  names: readonly string[],
  then: (session: Session, deadline: AbortSignal, until: number) => Promise<Ending>,
): Promise<HostReport> {
  const started = crew.clock.now();
  const until = started + crew.hostTimeout;
  const deadline = crew.clock.deadline(crew.hostTimeout);
  const report = (ending: Ending, facts: Facts | null): HostReport => ({
    host: host.host,
    address: host.address,
    port: host.port,
    outcome: ending.outcome,
    seconds: Math.round(crew.clock.now() - started) / 1000,
    os: facts && { id: facts.os.id, version: facts.os.version, name: facts.os.name },
    systemd: facts?.systemd.kind === 'running' ? facts.systemd.version : null,
    units: ending.units,
    fault: ending.fault,
  });
  const opened = await call(host, crew, names, deadline);
  if (opened.kind === 'fault') return report(untouched(opened.fault), null);
  const { session, connection } = opened.value;
  try {
    return report(await then(session, deadline, until), session.facts);
  } finally {
    session.end();
    connection.close();
  }
}

function untouched(problem: Fault): Ending {
  const outcome: Outcome = problem.kind === 'no-shell' || problem.kind === 'bad-reply' ? 'refused' : 'unreachable';
  return { outcome, units: [], fault: problem };
}

async function call(
  host: JournalHost,
  crew: Crew,
  names: readonly string[],
  deadline: AbortSignal,
): Promise<Reply<{ session: Session; connection: Connection }>> {
  crew.progress(host.host, 'connecting');
  const connected = await crew.transport.connect(host, deadline);
  if ('fault' in connected) return { kind: 'fault', fault: connected.fault };
  const { connection } = connected;
  crew.progress(host.host, 'probing');
  const opened = await openSession(connection, host.become, names, deadline);
  if (opened.kind === 'answer') return { kind: 'answer', value: { session: opened.value, connection } };
  connection.close();
  // nothing was begun yet: a connection that broke here is a host that could not be reached
  const { kind, message } = opened.fault;
  return {
    kind: 'fault',
    fault: kind === 'lost' ? fault('unreachable', `lost while probing: ${message}`) : opened.fault,
  };
}

/** Probe and plan, nothing more. */
export function plan(host: JournalHost, ask: Ask, queries: readonly Query[], crew: Crew): Promise<HostReport> {
  return visit(host, crew, namesToProbe(queries), async ({ facts }) => {
    const plan = assemble(ask, queries, facts);
    return plan.kind === 'change' ? { outcome: 'planned', units: unread(plan.units), fault: null } : unchanging(plan);
  });
}

/** Reads, and changes nothing. */
export function status(host: JournalHost, queries: readonly Query[], crew: Crew): Promise<HostReport> {
  return visit(host, crew, namesToProbe(queries), async ({ facts }) => observe(queries, facts));
}

function unchanging(plan: Exclude<Plan, { kind: 'change' }>): Ending {
  return plan.kind === 'no-op'
    ? { outcome: 'unchanged', units: asRead(plan.units), fault: null }
    : { outcome: 'refused', units: unread(plan.units), fault: plan.fault };
}

/** The whole life of a host in a run of mask or unmask. */
export async function settle(host: JournalHost, job: Job, crew: Crew): Promise<HostReport> {
  const report = await visit(host, crew, namesToProbe(job.queries), async (session, deadline, until) => {
    const plan = assemble(job.ask, job.queries, session.facts);
    if (plan.kind !== 'change') return unchanging(plan);
    const unrecorded = await intend(host, job, crew, 'apply', SEQ.apply, plan);
    if (unrecorded) return { outcome: 'refused', units: unread(plan.units), fault: unrecorded };
    crew.progress(host.host, 'applying');
    const context = contextOf(job, until - crew.clock.now() - ANSWER_MARGIN_MS);
    const reply = await session.apply(plan.change, context, deadline);
    return judged(host, job, crew, plan, session, reply);
  });
  await record(job.journal, { type: 'settled', at: crew.clock.date(), report });
  return report;
}

type ChangePlan = Extract<Plan, { kind: 'change' }>;

async function judged(
  host: JournalHost,
  job: Job,
  crew: Crew,
  plan: ChangePlan,
  session: Session,
  reply: Reply<Evidence>,
): Promise<Ending> {
  if (reply.kind === 'fault') return putBack(host, job, crew, plan, null, reply.fault, unread(plan.units), []);
  const evidence = reply.value;
  const verdict = judge(job.ask, plan, evidence);
  if (verdict.fault === null) {
    return { outcome: job.ask.verb === 'mask' ? 'masked' : 'unmasked', units: verdict.units, fault: null };
  }
  if (refusalOf(evidence)) return { outcome: 'refused', units: verdict.units, fault: verdict.fault };
  const halts = plan.prior.states
    .filter((state) => state.load !== '' && !isRunning(state.active))
    .map((state) => state.id)
    .filter((id) => evidence.units.some((unit) => unit.id === id && isRunning(unit.active)));
  return putBack(host, job, crew, plan, session, verdict.fault, verdict.units, halts);
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
): Promise<Ending> {
  if (job.rollback === 'none') return { outcome: 'stranded', units, fault: cause };
  const undone = await undoHost(
    host,
    job,
    crew,
    { change: plan.change, prior: plan.prior, halts },
    session,
    SEQ.firstUndo,
  );
  const after = afterUndo(units, plan, undone.evidence);
  if (undone.fault === null) return { outcome: 'rolled-back', units: after, fault: cause };
  const message = `${cause.message}; and it could not be put back: ${undone.fault.message}`;
  return { outcome: 'stranded', units: after, fault: fault(cause.kind, message, undone.fault.hint) };
}

/** What is read after the undo is what is true now. */
export function afterUndo(
  units: readonly UnitReport[],
  plan: { units: readonly { unit: string; shownAs: string }[] },
  evidence: Evidence | null,
): UnitReport[] {
  return units.map((unit) => {
    const shownAs = plan.units.find((planned) => planned.unit === unit.unit)?.shownAs;
    const shown = evidence?.units.find(({ id }) => id === shownAs);
    return { ...unit, notes: [], after: shown ? { load: shown.load, file: shown.file, active: shown.active } : null };
  });
}

export interface Undo {
  readonly change: Change;
  readonly prior: Prior;
  readonly halts: readonly string[];
}

type UndoJob = Pick<Job, 'run' | 'meta' | 'journal'>;

/**
 * Undoes what a run did to a host, over the session there is, or over a new connection when there is none or it breaks.
 * The intent of each request is on disk before it is sent; each has a higher number than the one before.
 */
export async function undoHost(
  host: JournalHost,
  job: UndoJob,
  crew: Crew,
  undo: Undo,
  session: Session | null,
  firstSeq: number,
): Promise<{ fault: Fault | null; evidence: Evidence | null }> {
  const until = crew.clock.now() + UNDO_MS;
  const recall = crew.clock.now() + RECALL_MS;
  let current = session;
  let pause = 500;
  let problem = fault('lost', 'the host could not be reached again');
  for (let seq = firstSeq; ; ) {
    const deadline = crew.clock.deadline(until - crew.clock.now());
    let connection: Connection | null = null;
    if (current === null) {
      const opened = await call(host, crew, [], deadline);
      if (opened.kind === 'fault')
        problem = fault('lost', `the host could not be reached again: ${opened.fault.message}`);
      else ({ session: current, connection } = opened.value);
    }
    if (current !== null) {
      await intend(host, job, crew, 'undo', seq, undo);
      crew.progress(host.host, 'undoing');
      const context = contextOf(job, until - crew.clock.now() - ANSWER_MARGIN_MS);
      const reply = await current.undo({ seq, ...undo }, context, deadline);
      if (connection) connection.close();
      if (reply.kind === 'answer') {
        return { fault: judgeUndo(undo.change, undo.prior, reply.value), evidence: reply.value };
      }
      problem = reply.fault;
      current = null;
      seq += 1;
    }
    if (crew.clock.now() + pause > recall) return { fault: problem, evidence: null };
    await crew.clock.sleep(pause);
    pause *= 2;
  }
}

/** Returns why the intent could not be recorded, if so. Undoing goes on all the same: it only takes back what was recorded. */
function intend(
  host: JournalHost,
  job: UndoJob,
  crew: Crew,
  request: 'apply' | 'undo',
  seq: number,
  { change, prior }: { change: Change; prior: Prior },
): Promise<Fault | null> {
  return record(job.journal, { type: 'intent', at: crew.clock.date(), host: host.host, seq, request, change, prior });
}

/**
 * A journal that cannot be written any more ends no run: what is not recorded is not begun, and a host whose settlement is
 * lost stays in doubt in the journal, which is the truth as far as the journal knows it.
 */
export async function record(journal: Journal, entry: JournalRecord): Promise<Fault | null> {
  try {
    await journal.commit(entry);
    return null;
  } catch (error) {
    return fault('journal', `the journal cannot be written: ${(error as Error).message}`);
  }
}

function contextOf(job: UndoJob, ms: number): RequestContext {
  return { run: job.run, meta: job.meta, stopTimeout: ms / 1000 };
}
