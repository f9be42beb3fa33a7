import { carryOut } from '../../operations/change.ts';
import { command, units } from '../command.ts';
import { absence, change, connection, consent, masking, output, selection, skipping } from '../options.ts';

export const mask = command({
  name: 'mask',
  usage: 'mask <units..>',
  describe: 'mask units, prove it, and put back a host where it fails',
  examples: [
    [
      'fleetmask mask cron -i hosts.yaml -l web --now',
      'cron.service, crond.service or cronie.service, whichever a host has',
    ],
    ['fleetmask mask cups.service cups.socket -i h1,h2, -l all --now -y', 'two units, literally, without asking'],
    [
      'fleetmask mask cups -i hosts.yaml -l all --now --with-triggers',
      'cups.socket and cups.path too, which would start it',
    ],
    [
      'fleetmask mask cron -i hosts.yaml -l all --now --waves 1,10%,100% --rollback fleet',
      'one host, a tenth, the rest; a failure puts all back',
    ],
    ['fleetmask mask apache -i prod.ini -l "web:!web5" --check', 'only show what would be done'],
  ],
  options: { ...selection, ...skipping, ...masking, ...absence, ...change, ...consent, ...connection, ...output },
  positional: units,
  run: (io, flags) => carryOut(io, 'mask', flags),
});
