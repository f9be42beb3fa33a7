import { keepRun } from '../../operations/confirm.ts';
import { command } from '../command.ts';
import { connection, output, selection } from '../options.ts';
import { keeping } from '../run-options.ts';

export const release = command({
  name: 'release',
  usage: 'release <run>',
  describe: 'keep a change made with --expires for good',
  examples: [
    ['fleetmask release last', 'no host puts itself back any more; rollback still can'],
    ['fleetmask release 20261122-0315 -l web1', 'one host; the others expire'],
  ],
  options: { run: { type: 'string', hidden: true }, ...keeping, ...selection, ...connection, ...output },
  positional: (argv) =>
    argv.positional('run', { type: 'string', describe: 'a run’s id, a unique beginning of it, or `last`' }),
  run: (io, flags) => keepRun(io, { command: 'release', expiresAt: null }, flags),
});
