import { UsageError } from '../../model/index.ts';
import { keepRun } from '../../operations/confirm.ts';
import { expiry } from '../../operations/durations.ts';
import { command } from '../command.ts';
import { change, connection, output, selection } from '../options.ts';
import { keeping } from '../run-options.ts';

export const extend = command({
  name: 'extend',
  usage: 'extend <run>',
  describe: 'move the time at which the hosts of a run with --expires put themselves back',
  examples: [
    ['fleetmask extend last --expires 4h', 'four hours from now'],
    ['fleetmask extend 20261122-0315 --expires 06:00', 'at six in the morning, local time'],
  ],
  options: {
    run: { type: 'string', hidden: true },
    expires: { ...change.expires, describe: 'the new time: 4h (from now), 06:00, 2026-12-01T06:00Z' },
    ...keeping,
    ...selection,
    ...connection,
    ...output,
  },
  positional: (argv) =>
    argv.positional('run', { type: 'string', describe: 'a run’s id, a unique beginning of it, or `last`' }),
  run: async (io, flags) => {
    if (flags.expires === undefined) throw new UsageError('extend: until when?', 'Say --expires 4h, or a time.');
    return keepRun(io, { command: 'extend', expiresAt: expiry(flags.expires, io.date()) }, flags);
  },
});
