import { type RunState, stateOfRun } from '../../journal/replay.ts';
import { reopenJournal } from '../../journal/run-lock.ts';
import { readJournal } from '../../journal/store.ts';
import { type JournalHost, printable, UsageError } from '../../model/index.ts';
import { stateDir } from '../../operations/context/state-directory.ts';
import { forgetHosts } from '../../operations/forget.ts';
import type { Io } from '../../operations/io.ts';
import { type Recovery, recoverHosts } from '../../operations/recover.ts';
import { recoverFromHosts } from '../../operations/recover-from-receipts.ts';
import type { SelectionFlags, WayInFlags } from '../../operations/targets/from-inventory.ts';
import { journalHosts } from '../../operations/targets/from-journal.ts';
import type { TrustFlags } from '../../operations/targets/recorded-connections.ts';
import { doubtOn } from '../../run/in-doubt.ts';
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
  run: async (io, flags) => {
    if (!flags.forget && flags['from-hosts']) return recoverFromHosts(io, flags.run, flags);
    if (flags.run === undefined) {
      throw new UsageError('recover: which run?', 'fleetmask runs list shows them; --from-hosts asks the hosts.');
    }
    return flags.forget ? forgetHosts(io, flags.run, flags) : recoverJournalled(io, flags.run, flags);
  },
});

type Flags = Recovery['flags'] &
  SelectionFlags &
  WayInFlags &
  TrustFlags & { readonly 'take-over'?: boolean | undefined };

async function recoverJournalled(io: Io, named: string, flags: Flags): Promise<number> {
  const dir = stateDir(io);
  const state = stateOfRun(readJournal(dir, named));
  const { run } = state.start;
  const hosts = await journalHosts(io, state.start.hosts, flags, {
    contacted: (host) => doubtOn(host, state, 'settle') !== null,
  });
  const settled = state.ended && hosts.every(({ host }) => doubtOn(host, state, 'settle') === null);
  if (flags.undo) tellWhatStays(io, hosts, state);
  if (settled) io.stderr.write(`note: no host of run ${run.id} is in doubt: this is how they were left\n`);
  if (state.wayBack !== null && !settled) {
    io.stderr.write(`note: every host of run ${run.id} goes back (--rollback fleet): ${printable(state.wayBack)}\n`);
  }
  return recoverHosts(io, {
    run,
    hosts,
    flags,
    open: async () => {
      if (settled) return { state };
      const opened = { actor: io.actor, command: 'recover', by: io.controller, at: io.date().toISOString() } as const;
      const takeOver = flags['take-over'] ?? false;
      const journal = await reopenJournal(dir, run.id, { type: 'opened', ...opened }, io.lifeOf, takeOver);
      // whoever worked on it may have written more since it was read
      return { journal, state: stateOfRun(readJournal(dir, run.id)) };
    },
  });
}

/** --undo is for hosts in doubt. Throws UsageError where there is none, but hosts that are settled as the run changed them. */
function tellWhatStays(io: Io, hosts: readonly JournalHost[], state: RunState): void {
  const { id } = state.start.run;
  const certain = hosts.filter(({ host }) => doubtOn(host, state, 'settle') === null);
  const changed = certain.filter(({ host }) => state.hosts.get(host)?.kind === 'changed').length;
  if (changed === 0) return;
  const them = changed === 1 ? '1 host that it changed is' : `${changed} hosts that it changed are`;
  const back = `fleetmask rollback ${id} puts back what it changed.`;
  if (certain.length === hosts.length) {
    throw new UsageError(`nothing was put back: ${them} not in doubt, and recover --undo is for those`, back);
  }
  io.stderr.write(`note: ${them} not in doubt and will stay so: ${back}\n`);
}
