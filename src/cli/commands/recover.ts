import { recoverRun } from '../../operations/recover.ts';
import { command } from '../command.ts';
import { connection, consent, output, selection } from '../options.ts';
import { recovery, trusting } from '../run-options.ts';

export const recover = command({
  name: 'recover',
  usage: 'recover [run]',
  describe: 'settle the hosts of an interrupted run: as asked where that is proved, else as they were',
  examples: [
    ['fleetmask recover last', 'after a crash, a power cut or a closed lid'],
    ['fleetmask recover 20261122-0315 --undo', 'put the hosts in doubt back, also where the change is whole'],
    ['fleetmask recover last --forget -l web9', 'that host is gone for good: it is in doubt no longer, on your word'],
    ['fleetmask recover --from-hosts -i hosts.yaml', 'which runs left receipts there; the controller may be lost'],
    ['fleetmask recover --from-hosts 20261122-0315 -i hosts.yaml -l all', 'settle one of them from here'],
  ],
  options: {
    run: { type: 'string', hidden: true },
    ...recovery,
    ...trusting,
    ...selection,
    ...consent,
    ...connection,
    ...output,
  },
  positional: (argv) =>
    argv.positional('run', { type: 'string', describe: 'a run’s id, a unique beginning of it, or `last`' }),
  run: (io, flags) => recoverRun(io, flags),
});
