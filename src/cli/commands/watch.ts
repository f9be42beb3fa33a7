import { watchUnits } from '../../operations/watch.ts';
import { command, units } from '../command.ts';
import { connection, consent, listing, selection } from '../options.ts';
import { trusting, watching } from '../run-options.ts';

export const watch = command({
  name: 'watch',
  usage: 'watch [units..]',
  describe: 'read again and again, and tell at once what is no longer masked; Ctrl-C ends it',
  examples: [
    [
      'fleetmask watch cron -i hosts.yaml -l web --every 30s',
      'a line for each change; exit 0 when all is masked at the end',
    ],
    ['fleetmask watch --run last --for 10m -o ndjson', 'what a run has changed, for ten minutes, for a script'],
    ['fleetmask watch --run last --reassert -y', 'and mask again what was unmasked or started'],
  ],
  options: { ...watching, ...trusting, ...selection, ...consent, ...connection, ...listing },
  positional: units,
  run: (io, flags) => watchUnits(io, flags),
});
