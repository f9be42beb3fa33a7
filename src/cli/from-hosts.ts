/** Recovery where the journal is lost: what runs left on the hosts tells who did what, and is enough to settle it. */
import { type HostReport, type Receipt, type RunInfo, UsageError } from '../model/index.ts';
import { askFrom, unitsFrom } from '../plan/recall.ts';
import { receiptsTable, visibleJson } from '../report/index.ts';
import { reopenJournal } from '../run/claim.ts';
import { acrossFleet, interrupted } from '../run/fleet.ts';
import {
  createJournal,
  type Journal,
  type JournalHost,
  listRuns,
  type RunStart,
  readJournal,
  setAside,
} from '../run/journal.ts';
import { DamagedJournal } from '../run/journal-file.ts';
import { readReceipts } from '../run/recover.ts';
import { stateOfRun } from '../run/run-state.ts';
import { crewOf } from './crew.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import type { Io } from './io.ts';
import { type Recovery, recoverHosts } from './recovery.ts';
import { stateDir } from './run.ts';
import { refuseReportFormats, screens } from './screen.ts';
import { type SelectionFlags, targetsOf, type WayInFlags } from './targets.ts';

export type FromHostsFlags = Recovery['flags'] &
  SelectionFlags &
  WayInFlags & { readonly 'take-over'?: boolean | undefined };

/** Without a run: tells which runs left receipts. With one: settles it, or with --undo puts it back, wherever it left one. */
export async function recoverFromHosts(io: Io, named: string | undefined, flags: FromHostsFlags): Promise<number> {
  if (named !== undefined && flags.limit === undefined && flags.nodes === undefined) {
    throw new UsageError('--from-hosts needs a limit: which hosts?', 'Say -l PATTERN, or -l all; or -w with names.');
  }
  if (named === undefined) refuseReportFormats(flags.output, 'the list of receipts');
  const hosts = await targetsOf(io, flags);
  const found = await scan(io, hosts, flags);
  if (named === undefined) return list(io, found, flags);
  const id = chooseRun(named, found);
  const holders = found.flatMap(({ host, receipts }) => {
    const receipt = receipts.find(({ run }) => run === id);
    return receipt === undefined ? [] : [{ host, receipt }];
  });
  const unread = found.filter(({ report }) => report.fault !== null);
  io.stderr.write(`note: ${holders.length} of ${hosts.length} hosts hold a receipt of run ${id}\n`);
  const run = runFrom(id, holders[0]!.receipt);
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

interface Found {
  readonly host: JournalHost;
  readonly receipts: readonly Receipt[];
  /** With a fault where the host could not be asked, or not as root. */
  readonly report: HostReport;
}

async function scan(io: Io, hosts: readonly JournalHost[], flags: FromHostsFlags): Promise<Found[]> {
  const shown = screens(io, flags);
  const crew = await crewOf(io, flags, hosts, {
    warning: (text) => shown.publish({ type: 'warning', text }),
    progress: () => {},
  });
  const stopping = new AbortController();
  const release = io.onInterrupt((count) => (count === 1 ? stopping.abort() : io.abort(EXIT.interrupted)));
  const receipts = new Map<string, readonly Receipt[]>();
  try {
    const stopped = () => (stopping.signal.aborted ? interrupted() : null);
    const reports = await acrossFleet(
      hosts,
      flags.forks,
      stopped,
      (host) => readReceipts(host, crew, (found) => receipts.set(host.host, found)),
      () => {},
    );
    return hosts.map((host, i) => ({ host, receipts: receipts.get(host.host) ?? [], report: reports[i]! }));
  } finally {
    release();
    crew.transport.close();
  }
}

function list(io: Io, found: readonly Found[], flags: FromHostsFlags): number {
  const runs = new Map<string, { run: RunInfo; hosts: string[] }>();
  for (const { host, receipts } of found) {
    for (const receipt of receipts) {
      const entry = runs.get(receipt.run) ?? { run: runFrom(receipt.run, receipt), hosts: [] };
      entry.hosts.push(host.host);
      runs.set(receipt.run, entry);
    }
  }
  const rows = [...runs.values()].sort((a, b) => (a.run.id < b.run.id ? -1 : 1));
  const { out } = screens(io, flags);
  const troubles = found.flatMap(({ report }) => (report.fault === null ? [] : [report]));
  if (flags.output === 'table') out.write(receiptsTable(rows, troubles, out, { verbose: flags.verbose ?? false }));
  else {
    const receipts = rows.map(({ run, hosts }) => ({ ...run, hosts }));
    out.write(`${visibleJson({ schema: 'fleetmask.receipts/1', receipts, unread: troubles }, 2)}\n`);
  }
  return exitCodeOf('recover', troubles, false);
}

/** A unique beginning will do; `last` is the one that began last. Throws UsageError. */
function chooseRun(named: string, found: readonly Found[]): string {
  const ids = [...new Set(found.flatMap(({ receipts }) => receipts.map(({ run }) => run)))].sort();
  const fitting = named === 'last' ? ids.slice(-1) : ids.filter((id) => id.startsWith(named));
  const exact = fitting.find((id) => id === named) ?? (fitting.length === 1 ? fitting[0] : undefined);
  if (exact !== undefined) return exact;
  const unread = found.filter(({ report }) => report.fault !== null).length;
  const but = unread > 0 ? `; ${unread === 1 ? '1 host' : `${unread} hosts`} could not be asked` : '';
  throw new UsageError(
    fitting.length === 0
      ? `no host holds a receipt of a run ${JSON.stringify(named)}${but}`
      : `${JSON.stringify(named)} could be ${fitting.join(', ')}`,
    'fleetmask recover --from-hosts, without a run, shows what there is.',
  );
}

function runFrom(id: string, receipt: Receipt): RunInfo {
  const { meta } = receipt;
  const { verb, units, now, runtime } = askFrom(receipt);
  return {
    ...{ id, command: verb, units, now, runtime },
    actor: meta.actor ?? 'unknown',
    reason: meta.reason ?? null,
    ticket: meta.ticket ?? null,
    startedAt: meta.started ?? '',
  };
}

/** How the run's journal here begins; null where there is none, or none that can be read: the receipts are enough. */
function startOf(io: Io, run: string): RunStart | null {
  const dir = stateDir(io);
  if (!listRuns(dir).includes(run)) return null;
  try {
    return stateOfRun(readJournal(dir, run)).start;
  } catch (error) {
    if (!(error instanceof DamagedJournal)) throw error;
    io.stderr.write(`note: ${error.message}; that journal is now ${setAside(dir, run)}\n`);
    return null;
  }
}

/** What is known from the receipts is on disk here before anything is done. */
async function openFor(
  io: Io,
  run: RunInfo,
  holders: readonly { host: JournalHost; receipt: Receipt }[],
  takeOver: boolean,
): Promise<Journal> {
  const dir = stateDir(io);
  const at = io.date().toISOString();
  const opened = { type: 'opened', at, actor: io.actor, command: 'recover', by: io.controller } as const;
  const hosts = holders.map(({ host }) => host);
  let journal: Journal;
  const start = startOf(io, run.id);
  if (start !== null) {
    journal = await reopenJournal(dir, run.id, opened, io.lifeOf, takeOver);
    const strangers = hosts.filter(({ host }) => !start.hosts.some((each) => each.host === host));
    await Promise.all(strangers.map((host) => journal.commit({ type: 'joined', at, host })));
  } else {
    const ask = askFrom(holders[0]!.receipt);
    journal = await createJournal(dir, { type: 'run', schema: 'fleetmask.journal/1', run, ask, hosts }, opened);
  }
  await Promise.all(
    holders.map(({ host, receipt: { change, prior, seq } }) => {
      const units = unitsFrom({ change, prior }, run.units);
      const intent = { type: 'intent', at, host: host.host, seq, request: 'apply', change, prior, units } as const;
      return journal.commit(intent);
    }),
  );
  return journal;
}
