/** rollback: what an earlier run changed is taken back. */
import { ledger } from '../journal/live-journal.ts';
import { stateOfRun } from '../journal/replay.ts';
import { reopenJournal } from '../journal/run-lock.ts';
import { readJournal } from '../journal/store.ts';
import type { JournalHost, RunInfo } from '../model/index.ts';
import { rollBackHost, undoableOn } from '../run/host/rollback.ts';
import type { CrewFlags } from './context/run-context.ts';
import { stateDir } from './context/state-directory.ts';
import { visitFleet } from './fleet-run.ts';
import type { Io } from './io.ts';
import { visitOnRecord } from './journaled-run.ts';
import type { OutputFlags } from './output.ts';
import type { SelectionFlags, WayInFlags } from './targets/from-inventory.ts';
import { journalHosts } from './targets/from-journal.ts';
import type { TrustFlags } from './targets/recorded-connections.ts';

export interface RollbackFlags extends SelectionFlags, WayInFlags, CrewFlags, OutputFlags, TrustFlags {
  readonly run?: string | undefined;
  readonly 'take-over'?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

/** Every host that the run changed, or those that are selected, as they were before. */
export async function rollBackRun(io: Io, flags: RollbackFlags): Promise<number> {
  const records = readJournal(stateDir(io), String(flags.run));
  const state = stateOfRun(records);
  const hosts = await journalHosts(io, state.start.hosts, flags, {
    wanted: (host) => undoableOn(host, state) !== null,
  });
  const { start } = state;
  const forgotten = [...state.hosts].flatMap(([host, { kind }]) => (kind === 'forgotten' ? [host] : []));
  if (forgotten.length > 0) {
    const again = `fleetmask recover --from-hosts ${start.run.id} settles one that is back`;
    io.stderr.write(`note: given up, and left out: ${forgotten.join(', ')} (${again})\n`);
  }
  const { waves: _, ...earlier } = start.run;
  const run: RunInfo = { ...earlier, command: 'rollback', actor: io.actor, startedAt: io.date().toISOString() };
  if (hosts.length === 0) {
    const where = flags.limit ? ' on these hosts' : '';
    io.stderr.write(`fleetmask: run ${run.id} left nothing to put back${where}\n`);
    return visitFleet(io, { run, hosts, flags, work: nothingToUndo });
  }
  return visitOnRecord(io, {
    run,
    hosts,
    flags,
    open: async () => {
      const { startedAt: at, actor } = run;
      const opened = { type: 'opened', at, actor, command: 'rollback', by: io.controller } as const;
      const takeOver = flags['take-over'] ?? false;
      const journal = ledger(await reopenJournal(stateDir(io), run.id, opened, io.lifeOf, takeOver), records);
      const names = hosts.map(({ host }) => host);
      await journal.commit({ type: 'rollback', at: run.startedAt, actor: run.actor, hosts: names });
      return journal;
    },
    work: async (host, job, crew) => {
      const undoable = undoableOn(host.host, state);
      return undoable === null ? nothingToUndo(host) : rollBackHost(host, undoable, job, crew);
    },
  });
}

function nothingToUndo({ host }: JournalHost): never {
  throw new Error(`nothing to undo on ${host}`);
}
