/** Visits that change hosts: with consent, a journal, and a way back. */

import { record } from '../journal/append-log.ts';
import type { Ledger } from '../journal/live-journal.ts';
import { hostsInDoubt, type RunState } from '../journal/replay.ts';
import { type Fault, fault, type HostReport, type JournalHost, totalsOf, UsageError } from '../model/index.ts';
import { putBackWithFleet, undoableOn } from '../run/host/rollback.ts';
import type { UndoJob } from '../run/host/undo.ts';
import type { Crew } from '../run/host/visit.ts';
import { auditLog } from './audit.ts';
import { consent, metaOf, type Visit, visitFleet } from './fleet-run.ts';
import type { Io } from './io.ts';

export interface VisitOnRecord extends Pick<Visit, 'run' | 'hosts' | 'unsupported' | 'budget' | 'proof'> {
  readonly flags: Visit['flags'] & { readonly yes?: boolean | undefined };
  /** What becomes of the changed hosts when the budget is spent or the run is interrupted; absent: the visit is a way back itself. */
  readonly whenSpent?: 'put-back' | 'keep';
  /** Opens the journal and writes what this visit begins with. Called once, when everything is ready and agreed to. */
  open(): Promise<Ledger>;
  /** See Visit. */
  review?: ((reports: readonly HostReport[], job: UndoJob, crew: Crew) => Promise<readonly HostReport[]>) | undefined;
  work(host: JournalHost, job: UndoJob, crew: Crew, stopped: () => Fault | null): Promise<HostReport>;
}

/** Visits every host, with every intent and outcome in the journal. Returns the exit code. */
export async function visitOnRecord(io: Io, visit: VisitOnRecord): Promise<number> {
  const { run, hosts, unsupported, flags, budget, proof, whenSpent } = visit;
  const now = () => io.date().toISOString();
  let journal: Ledger | undefined;
  const audit = auditLog(io, run);
  const warn = (why: string | null) => {
    if (why !== null) io.stderr.write(`warning: ${why}\n`);
  };
  const job = (): UndoJob => ({ run: run.id, meta: metaOf(run), journal: journal! });
  try {
    return await visitFleet(io, {
      run,
      hosts,
      unsupported,
      flags,
      budget,
      proof,
      prepare: async () => {
        await consent(io, run, hosts, flags.yes);
        journal = await onRecord(() => visit.open());
        io.recorded(run.id);
        warn(await audit.begun(hosts.length));
      },
      review: visit.review && ((reports, crew) => visit.review!(reports, job(), crew)),
      work: (host, crew, stopped) => visit.work(host, job(), crew, stopped),
      undo: whenSpent && ((crew) => ({ whenSpent, ...undoOf(job(), journal!, run.actor, crew) })),
      inDoubt: () => journal?.inDoubt() ?? [],
      finish: async (reports, exitCode) => {
        // a host whose turn never came has told the journal nothing
        const left = reports.filter(({ outcome }) => outcome === 'not-started');
        await Promise.all(left.map((report) => record(journal!, { type: 'settled', at: now(), report })));
        const inDoubt = hostsInDoubt(journal!.state()).length;
        await record(journal!, { type: 'finished', at: now(), totals: totalsOf(reports), exitCode, inDoubt });
        warn(await audit.ended(reports, exitCode));
        return journal!.lost();
      },
    });
  } finally {
    await journal?.close();
  }
}

/** Begins a journal, or goes on with one. Throws UsageError where that cannot be written: then nothing was touched yet. */
export async function onRecord<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { hint } = fault('journal', '');
    throw new UsageError(`the journal cannot be written, and nothing was touched: ${(error as Error).message}`, hint);
  }
}

/** How this run takes back what it did. */
function undoOf(job: UndoJob, journal: Ledger, actor: string, crew: Crew) {
  let state: RunState;
  return {
    begin: async (hosts: readonly string[]) => {
      // also when it cannot be written: undoing goes on all the same
      await record(journal, { type: 'rollback', at: crew.clock.date(), actor, hosts });
      state = journal.state();
    },
    host: (host: JournalHost, forward: HostReport, why: Fault) => {
      const undoable = undoableOn(host.host, state);
      if (undoable === null) throw new Error(`nothing to undo on ${host.host}`);
      return putBackWithFleet(host, forward, undoable, why, job, crew);
    },
  };
}
