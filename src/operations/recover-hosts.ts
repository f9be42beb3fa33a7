/** Settling the hosts that a run left in doubt, and telling how all of its hosts stand. */

import { type Journal, record } from '../journal/append-log.ts';
import { type Ledger, ledger } from '../journal/live-journal.ts';
import { hostsInDoubt, type RunState, stateOfRun } from '../journal/replay.ts';
import { readJournal } from '../journal/store.ts';
import { type HostReport, type JournalHost, type RunInfo, totalsOf } from '../model/index.ts';
import { recoverHost, stillInDoubt } from '../run/host/recover.ts';
import { doubtOn, reportOn } from '../run/in-doubt.ts';
import type { CrewFlags } from './context/run-context.ts';
import { stateDir } from './context/state-directory.ts';
import { consent as agree, metaOf, visitFleet } from './fleet-run.ts';
import type { Io } from './io.ts';
import { onRecord } from './journaled-run.ts';
import type { OutputFlags } from './output.ts';

export interface Recovery {
  /** The run as its journal, or its receipts, tell of it. */
  readonly run: RunInfo;
  readonly hosts: readonly JournalHost[];
  readonly flags: CrewFlags & OutputFlags & { readonly yes?: boolean | undefined; readonly undo?: boolean | undefined };
  /** The journal, claimed for this process, and what it says; no journal where there is nothing left to do. */
  open(): Promise<{ readonly journal?: Journal; readonly state: RunState }>;
  /** Reports on hosts that have turned out to be none of the run's. */
  readonly others?: ReadonlyMap<string, HostReport>;
}

/** Returns the exit code. */
export async function recoverHosts(io: Io, recovery: Recovery): Promise<number> {
  const { flags, hosts, others } = recovery;
  const { waves: _, ...earlier } = recovery.run;
  const run: RunInfo = { ...earlier, command: 'recover', actor: io.actor, startedAt: io.date().toISOString() };
  let state: RunState;
  let journal: Ledger | undefined;
  const left = () => hostsInDoubt(stateOfRun(readJournal(stateDir(io), run.id)));
  try {
    return await visitFleet(io, {
      run,
      hosts,
      flags,
      prepare: async () => {
        const opened = await onRecord(() => recovery.open());
        state = opened.state;
        journal = opened.journal && ledger(opened.journal);
        if (journal === undefined) return;
        const doubtful = hosts.filter(({ host }) => doubtOn(host, state, 'settle') !== null);
        if (doubtful.length > 0) await agree(io, run, doubtful, flags.yes);
        const names = doubtful.map(({ host }) => host);
        const recovered = { type: 'recovery', at: run.startedAt, actor: run.actor, hosts: names } as const;
        await onRecord(() => journal!.commit(recovered));
      },
      work: async (host, crew) => {
        const other = others?.get(host.host);
        if (other !== undefined) return other;
        const doubt = doubtOn(host.host, state, flags.undo ? 'put-back' : 'settle');
        if (doubt !== null)
          return recoverHost(host, doubt, { run: run.id, meta: metaOf(run), journal: journal! }, crew);
        const report = reportOn(host, state);
        if (journal !== undefined && state.hosts.get(host.host)?.report === null) {
          await record(journal, { type: 'settled', at: run.startedAt, report });
        }
        return report;
      },
      // whoever had no turn stays what it was, also in doubt
      unbegun: (host, why) => {
        const doubt = doubtOn(host.host, state, 'settle');
        return others?.get(host.host) ?? (doubt === null ? reportOn(host, state) : stillInDoubt(host, doubt, why));
      },
      inDoubt: left,
      finish: async (reports, exitCode) => {
        if (journal === undefined) return null;
        const at = io.date().toISOString();
        await record(journal, { type: 'finished', at, totals: totalsOf(reports), exitCode, inDoubt: left().length });
        return journal.lost();
      },
    });
  } finally {
    await journal?.close();
  }
}
