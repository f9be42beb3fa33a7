import { carryOut } from '../../operations/change.ts';
import { command, units } from '../command.ts';
import { change, connection, consent, masking, output, selection, skipping } from '../options.ts';

export const unmask = command({
  name: 'unmask',
  usage: 'unmask <units..>',
  describe: 'remove the masks of units and verify; starts nothing',
  examples: [
    ['fleetmask unmask cron -i hosts.yaml -l web', 'remove the masks in /etc and in /run'],
    ['fleetmask unmask cron -i hosts.yaml -l all --runtime', 'remove only those in /run'],
  ],
  options: {
    ...selection,
    ...skipping,
    runtime: { ...masking.runtime, describe: 'only the masks in /run' },
    'with-triggers': { ...masking['with-triggers'], hidden: true },
    'with-members': {
      ...masking['with-members'],
      describe: 'also unmask the services that UNIT.service stands for; a name without a suffix includes them',
    },
    ...change,
    ...consent,
    ...connection,
    ...output,
  },
  positional: units,
  run: (io, flags) => carryOut(io, 'unmask', flags),
});
