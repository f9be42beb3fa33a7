/** recover: an interrupted run is brought to its end, from its journal or from the receipts of its hosts. */
import { type RunState, stateOfRun } from '../journal/replay.ts';
import { reopenJournal } from '../journal/run-lock.ts';
import { readJournal } from '../journal/store.ts';
import { type JournalHost, printable, UsageError } from '../model/index.ts';
import { doubtOn } from '../run/in-doubt.ts';
import { stateDir } from './context/state-directory.ts';
import { forgetHosts } from './forget.ts';
import type { Io } from './io.ts';
import { recoverFromHosts } from './recover-from-receipts.ts';
import { type Recovery, recoverHosts } from './recover-hosts.ts';
import type { SelectionFlags, WayInFlags } from './targets/from-inventory.ts';
import { journalHosts } from './targets/from-journal.ts';
import type { TrustFlags } from './targets/recorded-connections.ts';

export async function recoverRun(io: Io, flags: RecoverFlags): Promise<number> {
  if (!flags.forget && flags['from-hosts']) return recoverFromHosts(io, flags.run, flags);
  if (flags.run === undefined) {
    throw new UsageError('recover: which run?', 'fleetmask runs list shows them; --from-hosts asks the hosts.');
  }
  return flags.forget ? forgetHosts(io, flags.run, flags) : recoverJournalled(io, flags.run, flags);
}

export type RecoverFlags = JournalledFlags & {
  readonly run?: string | undefined;
  readonly forget?: boolean | undefined;
  readonly 'from-hosts'?: boolean | undefined;
};

type JournalledFlags = Recovery['flags'] &
  SelectionFlags &
  WayInFlags &
  TrustFlags & { readonly 'take-over'?: boolean | undefined };

async function recoverJournalled(io: Io, named: string, flags: JournalledFlags): Promise<number> {
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
