import { applyPlan } from '../../operations/apply.ts';
import { command } from '../command.ts';
import { change, connection, consent, output, selection } from '../options.ts';
import { trusting } from '../run-options.ts';

const { check: _, ...course } = change;

export const apply = command({
  name: 'apply',
  usage: 'apply <file>',
  describe: 'carry out a saved plan; hosts that changed since are refused',
  examples: [
    ['fleetmask plan mask cron --now -i hosts.yaml -l web --out cron.plan', 'make it, and look at it'],
    ['fleetmask apply cron.plan', 'do exactly that'],
    ['fleetmask apply cron.plan -l web1', 'on one of its hosts'],
  ],
  options: {
    file: { type: 'string', hidden: true },
    ...selection,
    ...course,
    ...trusting,
    ...consent,
    ...connection,
    ...output,
  },
  positional: (argv) => argv.positional('file', { type: 'string', describe: 'what `plan --out` wrote' }),
  run: (io, flags) => applyPlan(io, flags),
});
