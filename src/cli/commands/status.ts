import { DEFAULTS } from '../../operations/defaults.ts';
import { readStatus } from '../../operations/status.ts';
import { command, units } from '../command.ts';
import { SELECTION } from '../option-groups.ts';
import { absence, connection, output, selection, skipping } from '../options.ts';

export const status = command({
  name: 'status',
  usage: 'status <units..>',
  describe: 'read what is true of units now; needs no privilege',
  examples: [
    ['fleetmask status cron -i hosts.yaml', 'exit 0: masked everywhere; 3: not'],
    ['fleetmask status cron -i hosts.yaml -l web --expect unmasked', 'exit 0: masked nowhere'],
    ['fleetmask status cups avahi telnet -i hosts.yaml --skip-absent', 'exit 0: masked wherever they are installed'],
  ],
  options: {
    ...selection,
    ...skipping,
    'skip-absent': { ...absence['skip-absent'], group: SELECTION },
    expect: {
      choices: ['masked', 'unmasked'] as const,
      default: DEFAULTS.expect,
      describe: 'the state that exits 0',
    },
    ...connection,
    ...output,
  },
  positional: units,
  run: (io, flags) => readStatus(io, flags),
});
