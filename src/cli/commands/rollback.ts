import { ledger } from '../../journal/live-journal.ts';
import { stateOfRun } from '../../journal/replay.ts';
import { reopenJournal } from '../../journal/run-lock.ts';
import { readJournal } from '../../journal/store.ts';
import type { JournalHost, RunInfo } from '../../model/index.ts';
import { stateDir } from '../../operations/context/state-directory.ts';
import { visitFleet } from '../../operations/fleet-run.ts';
import { visitOnRecord } from '../../operations/journaled-run.ts';
import { journalHosts } from '../../operations/targets/from-journal.ts';
import { rollBackHost, undoableOn } from '../../run/host/rollback.ts';
import { command } from '../command.ts';
import { connection, consent, output, selection } from '../options.ts';
import { takingOver, trusting } from '../run-options.ts';

export const rollback = command({
  name: 'rollback',
  usage: 'rollback <run>',
  describe: 'put the hosts of an earlier run back exactly as they were',
  examples: [
    ['fleetmask rollback 20261122-031500123-a1b2c3', 'every host that the run changed'],
    ['fleetmask rollback last -l web1', 'one of them'],
  ],
  options: {
    run: { type: 'string', hidden: true },
    ...takingOver,
    ...trusting,
    ...selection,
    ...consent,
    ...connection,
    ...output,
  },
  positional: (argv) =>
    argv.positional('run', { type: 'string', describe: 'a run’s id, a unique beginning of it, or `last`' }),
  run: async (io, flags) => {
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
  },
});

function nothingToUndo({ host }: JournalHost): never {
  throw new Error(`nothing to undo on ${host}`);
}
