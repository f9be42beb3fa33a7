import { rollBackRun } from '../../operations/rollback.ts';
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
  run: (io, flags) => rollBackRun(io, flags),
});
