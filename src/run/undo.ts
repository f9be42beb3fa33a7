/** Taking back what a run did to a host, over whatever connection can be had. */
import { type Change, type Evidence, type Fault, fault, type Prior, type UnitPlan } from '../model/index.ts';
import { judgeUndo } from '../plan/judge.ts';
import type { RequestContext } from '../remote/protocol.ts';
import type { Session } from '../remote/session.ts';
import type { Connection } from '../transport/transport.ts';
import type { Journal, JournalHost, JournalRecord } from './journal.ts';
import { type Crew, call } from './visit.ts';

/** For a unit that takes its 90 s to stop before it can be started again. */
const UNDO_MS = 150_000;
/** How long a lost host is called before it is given up. */
const RECALL_MS = 30_000;
/** What the host keeps of its time for answering after a stop that took too long. */
const ANSWER_MARGIN_MS = 5_000;

export interface Undo {
  readonly change: Change;
  readonly prior: Prior;
  readonly halts: readonly string[];
}

/** The run that is being undone. */
export interface UndoJob {
  readonly run: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly journal: Journal;
}

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
      const context = contextOf(job, until - crew.clock.now());
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
export function intend(
  host: JournalHost,
  job: UndoJob,
  crew: Crew,
  request: 'apply' | 'undo',
  seq: number,
  { change, prior, units }: { change: Change; prior: Prior; units?: readonly UnitPlan[] },
): Promise<Fault | null> {
  const at = crew.clock.date();
  const what = units === undefined ? { change, prior } : { change, prior, units };
  return record(job.journal, { type: 'intent', at, host: host.host, seq, request, ...what });
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

/** `ms`: what is left of the time for this host; the host keeps some of it for its answer. */
export function contextOf(job: UndoJob, ms: number): RequestContext {
  return { run: job.run, meta: job.meta, stopTimeout: (ms - ANSWER_MARGIN_MS) / 1000 };
}
