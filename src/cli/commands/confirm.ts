import { keepRun } from '../../operations/confirm.ts';
import { command } from '../command.ts';
import { connection, output, selection } from '../options.ts';
import { keeping } from '../run-options.ts';

export const confirm = command({
  name: 'confirm',
  usage: 'confirm <run>',
  describe: 'keep a change made with --confirm-within: the hosts do not put themselves back',
  examples: [
    ['fleetmask confirm last', 'every host that awaits it, also while the run is still at work on others'],
    ['fleetmask confirm 20261122-0315 -l web1', 'one of them; the others put themselves back'],
  ],
  options: { run: { type: 'string', hidden: true }, ...keeping, ...selection, ...connection, ...output },
  positional: (argv) =>
    argv.positional('run', { type: 'string', describe: 'a run’s id, a unique beginning of it, or `last`' }),
  run: (io, flags) => keepRun(io, { command: 'confirm', expiresAt: null }, flags),
});
