import type { RunInfo } from '../../model/index.ts';
import { reopenJournal } from '../../run/claim.ts';
import { doubtOn, hostsInDoubt, reportOn } from '../../run/doubt.ts';
import { totalsOf } from '../../run/fleet.ts';
import { type Journal, readJournal, stateOfRun } from '../../run/journal.ts';
import { recoverHost } from '../../run/recover.ts';
import { command } from '../command.ts';
import { journalHosts } from '../journal-hosts.ts';
import { connection, consent, output, recovery, selection } from '../options.ts';
import { consent as agree, metaOf, stateDir, visitFleet } from '../run.ts';

export const recover = command({
  name: 'recover',
  usage: 'recover <run>',
  describe: 'settle the hosts of an interrupted run: as asked where that is proved, else as they were',
  examples: [
    ['fleetmask recover last', 'after a crash, a power cut or a closed lid'],
    ['fleetmask recover 20261122-0315 --undo', 'put the hosts in doubt back, also where the change is whole'],
  ],
  options: { run: { type: 'string', hidden: true }, ...recovery, ...selection, ...consent, ...connection, ...output },
  positional: (argv) =>
    argv.positional('run', { type: 'string', describe: 'a run’s id, a unique beginning of it, or `last`' }),
  run: async (io, flags) => {
    const dir = stateDir(io);
    const { actor } = io;
    let state = stateOfRun(readJournal(dir, String(flags.run)));
    const { id } = state.start.run;
    const hosts = await journalHosts(io, state.start.hosts, flags);
    const inDoubt = () => hosts.filter(({ host }) => doubtOn(host, state, 'settle') !== null);
    const { waves: _, ...earlier } = state.start.run;
    const run: RunInfo = {
      ...earlier,
      command: 'recover',
      actor,
      startedAt: io.date().toISOString(),
    };
    let journal: Journal | undefined;
    try {
      return await visitFleet(io, {
        run,
        hosts,
        flags,
        prepare: async () => {
          if (inDoubt().length === 0 && state.ended) return;
          const opened = { type: 'opened', at: run.startedAt, actor, command: 'recover', by: io.controller } as const;
          journal = await reopenJournal(dir, id, opened, io.lifeOf, flags['take-over'] ?? false);
          // whoever worked on it may have written more since it was read
          state = stateOfRun(readJournal(dir, id));
          if (inDoubt().length > 0) await agree(io, run, inDoubt(), flags.yes);
          const names = inDoubt().map(({ host }) => host);
          await journal.commit({ type: 'recovery', at: run.startedAt, actor, hosts: names });
        },
        work: async (host, crew) => {
          const doubt = doubtOn(host.host, state, flags.undo ? 'put-back' : 'settle');
          if (doubt !== null) return recoverHost(host, doubt, { run: id, meta: metaOf(run), journal: journal! }, crew);
          const report = reportOn(host, state);
          if (journal !== undefined && state.hosts.get(host.host)?.report === null) {
            await journal.commit({ type: 'settled', at: run.startedAt, report });
          }
          return report;
        },
        inDoubt: () => hostsInDoubt(stateOfRun(readJournal(dir, id))),
        finish: async (reports, exitCode) => {
          if (journal === undefined) return;
          const left = hostsInDoubt(stateOfRun(readJournal(dir, id)));
          const at = io.date().toISOString();
          await journal.commit({ type: 'finished', at, totals: totalsOf(reports), exitCode, inDoubt: left.length });
        },
      });
    } finally {
      await journal?.close();
    }
  },
});
