import { newRun, visitFleet } from '../../operations/fleet-run.ts';
import { selectionOf } from '../../operations/targets/from-inventory.ts';
import { parseQueryWith } from '../../plan/resolve.ts';
import { status as read } from '../../run/host/change.ts';
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
      default: 'masked' as const,
      describe: 'the state that exits 0',
    },
    ...connection,
    ...output,
  },
  positional: units,
  run: async (io, flags) => {
    const asked = [...new Set(flags.units ?? [])];
    const queries = asked.map((unit) => parseQueryWith(io.catalogue, unit));
    const { hosts, unsupported } = await selectionOf(io, flags);
    const run = { ...newRun(io, 'status', asked, {}), expected: flags.expect };
    return visitFleet(io, {
      run,
      hosts,
      unsupported,
      flags,
      expected: flags.expect,
      work: (host, crew) => read(host, queries, crew, { skipAbsent: flags['skip-absent'] ?? false }),
    });
  },
});
