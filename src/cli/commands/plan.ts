import { UsageError } from '../../model/index.ts';
import { dryRun } from '../../operations/change.ts';
import { command } from '../command.ts';
import { absence, connection, masking, output, selection, skipping } from '../options.ts';

export const plan = command({
  name: 'plan',
  usage: 'plan <verb> <units..>',
  describe: 'show what mask or unmask would do, host by host; touches nothing',
  examples: [
    ['fleetmask plan mask cron --now -i hosts.yaml -l all', 'exit 0: all is as asked; 3: something would change'],
    [
      'fleetmask plan mask cron --now -i hosts.yaml --out cron.plan',
      'keep it, and carry it out with `fleetmask apply`',
    ],
    ['fleetmask plan unmask cron -i hosts.yaml', 'without -l: every host of the inventory'],
  ],
  options: {
    verb: { type: 'string', hidden: true },
    out: { type: 'string', requiresArg: true, describe: 'file to keep the plan in, for `fleetmask apply`' },
    ...selection,
    ...skipping,
    ...masking,
    ...absence,
    ...connection,
    ...output,
  },
  words: { verb: ['mask', 'unmask'] },
  positional: (argv) =>
    argv
      .positional('verb', { type: 'string', describe: 'mask or unmask' })
      .positional('units', { array: true, type: 'string', describe: 'unit names or logical names' }),
  run: async (io, { verb, ...flags }) => {
    if (verb !== 'mask' && verb !== 'unmask') {
      throw new UsageError(
        `plan what? expected mask or unmask, not ${JSON.stringify(verb)}`,
        'fleetmask plan mask UNIT… -i INVENTORY',
      );
    }
    return dryRun(io, verb, { ...flags, rollback: 'host' }, flags.out);
  },
});
