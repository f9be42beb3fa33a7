/** Recovery where the journal is lost: what runs left on the hosts tells who did what, and is enough to settle it. */

import { DamagedJournal, type Journal } from '../journal/append-log.ts';
import type { Intent } from '../journal/records.ts';
import { type RunState, stateOfRun } from '../journal/replay.ts';
import { reopenJournal } from '../journal/run-lock.ts';
import { createJournal, lastRun, listRuns, readJournal, setAside } from '../journal/store.ts';
import { type Ask, type RunInfo, UsageError } from '../model/index.ts';
import { sayAccount } from '../plan/accounts.ts';
import { unitsFrom } from '../plan/recall.ts';
import { stateDir } from './context/state-directory.ts';
import type { Io } from './io.ts';
import { refuseReportFormats } from './output.ts';
import { agreedBy, type Holder, holdersOf, warningsOn } from './receipt-holders.ts';
import { chooseRun, listReceipts, scan } from './receipt-scan.ts';
import { type Recovery, recoverHosts } from './recover-hosts.ts';
import { type SelectionFlags, targetsOf, type WayInFlags } from './targets/from-inventory.ts';
import { sealed } from './targets/recorded-connections.ts';

export type FromHostsFlags = Recovery['flags'] &
  SelectionFlags &
  WayInFlags & { readonly 'take-over'?: boolean | undefined };

/** Without a run: tells which runs left receipts. With one: settles it, or with --undo puts it back, wherever it left one. */
export async function recoverFromHosts(io: Io, named: string | undefined, flags: FromHostsFlags): Promise<number> {
  if (named !== undefined && flags.limit === undefined && flags.nodes === undefined) {
    throw new UsageError('--from-hosts needs a limit: which hosts?', 'Say -l PATTERN, or -l all; or -w with names.');
  }
  if (named === undefined) refuseReportFormats(flags.output, 'the list of receipts');
  // which run was the last is for this controller to know, and for no host to say
  const wanted = named === 'last' ? lastOf(io) : named;
  const hosts = await targetsOf(io, flags);
  const found = await scan(io, hosts, flags);
  if (wanted === undefined) return listReceipts(io, found, flags);
  const id = chooseRun(wanted, found);
  const known = journalOf(io, id)?.state ?? null;
  const holders = holdersOf(id, found, known);
  const account = agreedBy(id, holders);
  const unread = found.filter(({ report }) => report.fault !== null);
  const who = `${holders.length} of ${hosts.length} hosts hold a receipt of run ${id}`;
  io.stderr.write(`note: ${who}: ${sayAccount(account)}\n`);
  for (const warning of warningsOn(holders)) io.stderr.write(`warning: ${warning}\n`);
  const run = known?.start.run ?? nameless(io, id);
  const others = new Map(unread.map(({ host, report }) => [host.host, report]));
  return recoverHosts(io, {
    run,
    hosts: found
      .map(({ host }) => host)
      .filter(({ host }) => others.has(host) || holders.some((each) => each.host.host === host)),
    flags,
    others,
    open: async () => {
      const journal = await openFor(io, run, holders, flags['take-over'] ?? false);
      return { journal, state: stateOfRun(readJournal(stateDir(io), id)) };
    },
  });
}

function lastOf(io: Io): string {
  const last = lastRun(stateDir(io));
  if (last !== undefined) return last;
  throw new UsageError(
    'this controller has begun no run: hosts cannot say which one is the last',
    'fleetmask recover --from-hosts, without a run, shows what there is; name one of them.',
  );
}

/** A run of which no journal is at hand: on record are who recovers it and when. What its hosts say is on record with each host. */
function nameless(io: Io, id: string): RunInfo {
  return {
    ...{ id, command: 'recover', units: [], now: false, runtime: false, from: 'receipts' },
    ...{ actor: io.actor, reason: null, ticket: null, startedAt: io.date().toISOString() },
  };
}

const NOTHING_ASKED: Ask = {
  ...{ verb: 'mask', units: [], now: false, runtime: false, withTriggers: false, localUnits: 'refuse' },
  ...{ allowAbsent: false, killLeftovers: false, startProbe: false, allowLockout: false },
};

/** What the journal here says of the run. Null where there is none; `damaged` where it cannot be read: the receipts are enough. */
function journalOf(io: Io, run: string): { readonly state: RunState | null; readonly damaged?: string } | null {
  const dir = stateDir(io);
  if (!listRuns(dir).includes(run)) return null;
  try {
    return { state: stateOfRun(readJournal(dir, run)) };
  } catch (error) {
    if (!(error instanceof DamagedJournal)) throw error;
    return { state: null, damaged: error.message };
  }
}

/** What is known from the receipts is on disk here before anything is done, host by host. */
async function openFor(io: Io, run: RunInfo, holders: readonly Holder[], takeOver: boolean): Promise<Journal> {
  const dir = stateDir(io);
  const at = io.date().toISOString();
  const opened = { type: 'opened', at, actor: io.actor, command: 'recover', by: io.controller } as const;
  const hosts = sealed(
    io,
    holders.map(({ host }) => host),
  );
  let journal: Journal;
  const { state: known, damaged } = journalOf(io, run.id) ?? { state: null };
  if (known !== null) {
    journal = await reopenJournal(dir, run.id, opened, io.lifeOf, takeOver);
    const strangers = hosts.filter(({ host }) => !known.start.hosts.some((each) => each.host === host));
    await Promise.all(strangers.map((host) => journal.commit({ type: 'joined', at, host })));
  } else {
    if (damaged !== undefined) io.stderr.write(`note: ${damaged}; that journal is now ${setAside(dir, run.id)}\n`);
    const start = { type: 'run', schema: 'fleetmask.journal/1', run, ask: NOTHING_ASKED, hosts } as const;
    journal = await createJournal(dir, start, opened);
  }
  await Promise.all(holders.map((holder) => journal.commit(intentOf(holder, at))));
  return journal;
}

/** What puts a host in doubt. What is on record here is not written anew by a host. */
function intentOf({ host: { host }, receipt, account, recorded }: Holder, at: string): Intent {
  const seq = Math.max(receipt.seq, recorded?.seq ?? 0);
  if (recorded !== undefined) return { ...recorded, at, seq };
  const { change, prior } = receipt;
  const notes = [`by its receipt: ${sayAccount(account)}`];
  const units = unitsFrom({ change, prior }, account.ask.units).map((unit) => ({ ...unit, notes }));
  return { type: 'intent', at, host, seq, request: 'apply', change, prior, units, told: account };
}
