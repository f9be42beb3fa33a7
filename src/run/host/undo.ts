/** Taking back what a run did to a host, over whatever connection can be had. */

import { type Journal, record } from '../../journal/append-log.ts';
import {
  type Change,
  type Evidence,
  type Facts,
  type Fault,
  fault,
  type JournalHost,
  type Prior,
  type UnitFacts,
  type UnitPlan,
} from '../../model/index.ts';
import { judgeUndo } from '../../plan/judge-undo.ts';
import type { RequestContext } from '../../remote/protocol.ts';
import type { Reply, Session, UndoRequest } from '../../remote/session.ts';
import type { Connection } from '../../transport/transport.ts';
import { type Crew, call, FIRST_PAUSE_MS, pauseAfter, ROLLBACK_MS } from './visit.ts';

/** What a request has at least, also where the host was reached late: for its answer, after what its units take to stop. */
const LEAST_MS = 30_000;
/** A unit that stops is started again only when it has stopped, so its own time limit counts, up to this: a host must not hold up a run. */
const LONGEST_STOP_MS = 600_000;
/** What the host keeps of its time for answering after a stop that took too long. */
const ANSWER_MARGIN_MS = 5_000;

export interface Undo {
  /** The name by which the host knows itself in this run. */
  readonly as: string;
  readonly change: Change;
  readonly prior: Prior;
  readonly halts: readonly string[];
  /** Milliseconds that the stop of a unit may take by its own settings; absent: not known, or not asked. */
  readonly stopLimit?: number;
  /** No later than this, by the clock, is it tried once more; absent: as long as a rollback lasts. */
  readonly until?: number;
  /** Why this is not to be undone before something else is, by what the host was probed as; absent: nothing can be in its way. */
  obstacle?(facts: Facts): Fault | null;
}

/** The longest that one of these units may take to stop by its own settings, as the host told, in ms. */
export function stopLimitOf({ stops }: Change, units: readonly UnitFacts[]): number {
  return Math.max(0, ...units.filter(({ id }) => stops.includes(id)).map(({ stopLimit }) => stopLimit ?? 0));
}

/** The run that is being undone. */
export interface UndoJob {
  readonly run: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly journal: Journal;
}

/**
 * Undoes what a run did to a host, over the session there is, or over a new connection when there is none or it breaks.
 * A host that does not answer is called again for as long as its time lasts.
 * The intent of each request is on disk before it is sent; each has a higher number than the one before.
 * Where something may be in its way, that is judged of each new session, and the host refuses what it was changed under meanwhile:
 * then it is probed anew. Once a request went unanswered, nobody knows whether it was undone before that came in its way.
 */
export async function undoHost(
  host: JournalHost,
  job: UndoJob,
  crew: Crew,
  undo: Undo,
  session: Session | null,
  firstSeq: number,
): Promise<{ fault: Fault | null; evidence: Evidence | null }> {
  const { stopLimit = 0, until: latest, obstacle: inTheWay, ...request } = undo;
  const again: Crew = inTheWay ? { ...crew, wishes: [...(crew.wishes ?? []), 'receipts=all'] } : crew;
  const patience = crew.rollbackTimeout ?? ROLLBACK_MS;
  const least = stopLimit === 0 ? LEAST_MS : Math.min(stopLimit, LONGEST_STOP_MS) + LEAST_MS;
  const until = latest ?? crew.clock.now() + patience;
  let current = session;
  // of a session that a change of ours has gone over, the host is not as it was probed
  let fresh = inTheWay !== undefined;
  let pause = FIRST_PAUSE_MS;
  let problem = fault('lost', 'the host could not be reached again');
  let unanswered = false;
  for (let seq = firstSeq; ; ) {
    const left = until - crew.clock.now();
    let connection: Connection | null = null;
    let obstacle = problem;
    if (current === null) {
      const opened = await call(host, again, [], crew.clock.deadline(left));
      const other = opened.kind === 'answer' ? otherMachine(undo.prior, opened.value.session.facts) : null;
      if (opened.kind === 'fault') {
        obstacle = opened.fault;
        const seconds = Math.round(patience / 1000);
        problem = fault('lost', `the host could not be reached again within ${seconds} s: ${obstacle.message}`);
      } else if (other !== null) {
        opened.value.connection.close();
        problem = obstacle = other;
      } else {
        ({ session: current, connection } = opened.value);
        fresh = inTheWay !== undefined;
        const newer = inTheWay?.(current.facts) ?? null;
        if (newer !== null) {
          connection.close();
          return { fault: unanswered ? unknown(newer) : newer, evidence: null };
        }
      }
    }
    if (current !== null) {
      const ms = Math.max(until - crew.clock.now(), least);
      const deadline = crew.clock.deadline(ms);
      const { reply, seq: sent } = await sendUndo(
        host,
        job,
        crew,
        { seq, ...request, unmoved: fresh },
        current,
        contextOf(job, undo.as, ms),
        deadline,
      );
      if (connection) connection.close();
      if (reply.kind === 'fault') {
        problem = reply.fault;
        unanswered = true;
      } else {
        const lacking = judgeUndo(undo.change, undo.prior, reply.value);
        const moved = reply.value.refused?.kind === 'moved';
        if (!moved && (lacking?.kind !== 'locked' || isTwin(reply.value)))
          return { fault: lacking, evidence: reply.value };
        // another run that is at work there comes to its end; an undo of ours may have been done before it came
        if (lacking) problem = unanswered ? unknown(lacking) : lacking;
        if (moved) current = null;
      }
      obstacle = problem;
      if (connection || reply.kind === 'fault') current = null;
      seq = sent + 1;
    }
    if (crew.clock.now() + pause > until) return { fault: problem, evidence: null };
    await crew.clock.sleep(pause);
    pause = pauseAfter(pause, obstacle);
  }
}

function unknown({ message, hint }: Fault): Fault {
  return fault('lost', `whether it was put back is not known: ${message}`, hint);
}

/**
 * One request, its intent first; and once more where the host has seen a newer one, which this journal could not record or does
 * not know of: whoever asks now asks last. Requests that are under way are still fenced off.
 */
async function sendUndo(
  host: JournalHost,
  job: UndoJob,
  crew: Crew,
  request: UndoRequest,
  session: Session,
  context: RequestContext,
  deadline: AbortSignal,
): Promise<{ reply: Reply<Evidence>; seq: number }> {
  const ask = async (seq: number) => {
    await intend(host, job, crew, 'undo', seq, request);
    crew.progress(host.host, 'undoing');
    return { reply: await session.undo({ ...request, seq }, context, deadline), seq };
  };
  const first = await ask(request.seq);
  const seen = first.reply.kind === 'answer' ? newestSeen(first.reply.value) : null;
  return seen === null ? first : ask(seen + 1);
}

/** The machine is the run's under another name, so that nothing was ever done under this one. */
export function isTwin(evidence: Evidence | null): boolean {
  return evidence?.refused?.kind === 'twin';
}

/** The number that a request of ours was not newer than. */
function newestSeen({ refused }: Evidence): number | null {
  return refused?.kind === 'fenced' && /^\d{1,9}$/.test(refused.text) ? Number(refused.text) : null;
}

/** An address may lead elsewhere by now. Nothing is done on a machine that the run never planned for. */
export function otherMachine({ machineId }: Prior, now: Facts): Fault | null {
  if (machineId === null || now.machineId === machineId) return null;
  const who = now.machineId ?? 'unknown';
  return fault('stale-plan', `this is another machine than the run changed (machine id ${who})`, ANOTHER);
}

const ANOTHER = 'This machine was not touched. Look by hand for the one that the run changed.';

/** Of a host with a `cause` to be put back that then could not be, for this `problem`. */
export function notPutBack(cause: Fault, problem: Fault, kind = cause.kind): Fault {
  return fault(kind, `${cause.message}; and it could not be put back: ${problem.message}`, problem.hint);
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

/** `ms`: what is left of the time for this host; the host keeps some of it for its answer. */
export function contextOf(job: UndoJob, as: string, ms: number): RequestContext {
  return { run: job.run, as, meta: job.meta, stopTimeout: (ms - ANSWER_MARGIN_MS) / 1000 };
}
