import { change as carryOut, courseOf } from '../../operations/change.ts';
import { readPlanFile } from '../../operations/plan-file.ts';
import { journalHosts } from '../../operations/targets/from-journal.ts';
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
  run: async (io, flags) => {
    const { ask, hosts: planned } = readPlanFile(io, String(flags.file));
    const hosts = await journalHosts(
      io,
      planned.map(({ host }) => host),
      flags,
    );
    const saved = new Map(planned.map(({ host, planned }) => [host.host, planned]));
    return carryOut(io, { ask, hosts, course: courseOf(io, flags), saved, flags });
  },
});
