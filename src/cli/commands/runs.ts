import { UsageError } from '../../model/index.ts';
import { type RunRecord, runDetails, runsTable, visibleJson } from '../../report/index.ts';
import { totalsOf } from '../../run/fleet.ts';
import { listRuns, readJournal, stateOfRun } from '../../run/journal.ts';
import { command } from '../command.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { output } from '../options.ts';
import { stateDir } from '../run.ts';
import { colored } from '../screen.ts';

export const runs = command({
  name: 'runs',
  usage: 'runs <action> [run]',
  describe: 'list earlier runs, or show one from its journal',
  examples: [
    ['fleetmask runs list', 'the newest last'],
    ['fleetmask runs show last', 'host by host, also of a run that was killed'],
  ],
  options: { action: { type: 'string', hidden: true }, run: { type: 'string', hidden: true }, ...output },
  positional: (argv) =>
    argv
      .positional('action', { type: 'string', describe: 'list or show' })
      .positional('run', { type: 'string', describe: 'a run’s id, a unique beginning of it, or `last`' }),
  run: async (io, flags) => {
    const out = colored(io.stdout, io, flags);
    if (flags.action === 'list') {
      const records = listRuns(stateDir(io)).map((id) => recordOf(io, id));
      const summaries = records.map((record) => ({ ...record, hosts: record.total }));
      if (flags.output === 'table') out.write(runsTable(summaries, out));
      else
        out.write(
          `${visibleJson(
            summaries.map(({ run, finishedAt, hosts, totals }) => ({ ...run, finishedAt, hosts, totals })),
            2,
          )}\n`,
        );
      return EXIT.ok;
    }
    if (flags.action !== 'show') throw new UsageError(`runs ${flags.action}: expected list or show`);
    if (flags.run === undefined)
      throw new UsageError('runs show: which run?', 'fleetmask runs list shows them; `last` is the newest.');
    const record = recordOf(io, flags.run);
    if (flags.output === 'table') out.write(runDetails(record, out, { verbose: flags.verbose ?? false }));
    else out.write(`${visibleJson(record, 2)}\n`);
    if (flags.output === 'table' && record.inDoubt.length > 0) {
      out.write(`\nin doubt, they may have been changed: ${record.inDoubt.join(', ')}\n`);
    }
    return EXIT.ok;
  },
});

interface Shown extends RunRecord {
  readonly total: number;
  /** Hosts with an intent that was never settled. */
  readonly inDoubt: readonly string[];
}

function recordOf(io: Io, id: string): Shown {
  const { start, finished, hosts } = stateOfRun(readJournal(stateDir(io), id));
  const states = [...hosts];
  const reports = states.flatMap(([, state]) => (state.report ? [state.report] : []));
  return {
    run: start.run,
    finishedAt: finished?.at ?? null,
    hosts: reports,
    total: states.length,
    totals: totalsOf(reports),
    exitCode: finished?.exitCode ?? null,
    inDoubt: states.filter(([, state]) => state.kind === 'in-doubt' && state.report === null).map(([host]) => host),
  };
}
