import { showRuns } from '../../operations/runs.ts';
import { command } from '../command.ts';
import { formats, output } from '../options.ts';

export const runs = command({
  name: 'runs',
  usage: 'runs <action> [run]',
  describe: 'list earlier runs, show one, or export its evidence from its journal',
  examples: [
    ['fleetmask runs list', 'the newest last'],
    ['fleetmask runs show last', 'host by host, also of a run that was killed'],
    [
      'fleetmask runs export last > evidence.json',
      'for an auditor: the report (fleetmask.report/1), and in `journal` every record with intents and prior states',
    ],
    [
      'fleetmask runs export last -o html > run.html',
      'the report as a page; csv and junit too; ndjson: the journal alone',
    ],
  ],
  options: {
    action: { type: 'string', hidden: true },
    run: { type: 'string', hidden: true },
    ...output,
    output: { ...formats, describe: 'format of the results [table; for export: json]' },
  },
  words: { action: ['list', 'show', 'export'] },
  positional: (argv) =>
    argv
      .positional('action', { type: 'string', describe: 'list, show or export' })
      .positional('run', { type: 'string', describe: 'a run’s id, a unique beginning of it, or `last`' }),
  run: (io, flags) => showRuns(io, flags),
});
