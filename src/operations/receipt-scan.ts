/** What runs left on hosts, as the hosts tell of it: read, listed, and one of the runs chosen. */

import { listRuns } from '../journal/store.ts';
import {
  type Account,
  beganAt,
  type HostReport,
  type JournalHost,
  printable,
  type Receipt,
  type RunInfo,
  UsageError,
} from '../model/index.ts';
import { accountOf, byAccount } from '../plan/accounts.ts';
import { receiptsTable, visibleJson } from '../report/index.ts';
import { acrossFleet, interrupted } from '../run/across-fleet.ts';
import { readReceipts } from '../run/host/recover.ts';
import { type CrewFlags, crewOf } from './context/run-context.ts';
import { stateDir } from './context/state-directory.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import type { Io } from './io.ts';
import { type OutputFlags, screens } from './output.ts';

/** How far a run may seem to begin after now, by this controller's clock, and still be believed to be one: clocks differ. */
const SKEW_MS = 5 * 60_000;

export interface Found {
  readonly host: JournalHost;
  /** Of runs that may have begun by now. */
  readonly receipts: readonly Receipt[];
  /** With a fault where the host could not be asked, or not as root. */
  readonly report: HostReport;
}

export async function scan(io: Io, hosts: readonly JournalHost[], flags: CrewFlags & OutputFlags): Promise<Found[]> {
  const shown = screens(io, flags);
  const crew = await crewOf(io, flags, hosts, {
    warning: (text) => shown.publish({ type: 'warning', text }),
    asks: () => shown.hold(),
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
    return hosts.map((host, i) => ({
      host,
      receipts: believable(io, host.host, receipts.get(host.host) ?? []),
      report: reports[i]!,
    }));
  } finally {
    release();
    crew.transport.close();
  }
}

/** Without the receipts of runs that nobody can have begun yet. A run that has a journal here is no host's word. */
function believable(io: Io, host: string, receipts: readonly Receipt[]): readonly Receipt[] {
  const latest = io.date().getTime() + SKEW_MS;
  const early = receipts.filter(({ run }) => beganAt(run) > latest);
  if (early.length === 0) return receipts;
  const own = new Set(listRuns(stateDir(io)));
  const left = early.filter(({ run }) => !own.has(run));
  if (left.length > 0) {
    const more = left.length === 1 ? '' : ` and ${left.length - 1} more`;
    io.stderr.write(
      `warning: ${printable(host)}: left out: receipt of run ${left[0]!.run}${more}, which would have begun after now\n`,
    );
  }
  const dropped = new Set(left);
  return receipts.filter((receipt) => !dropped.has(receipt));
}

/** Shows which runs left receipts; returns the exit code. */
export function listReceipts(io: Io, found: readonly Found[], flags: OutputFlags): number {
  const runs = new Map<string, { host: string; account: Account }[]>();
  for (const { host, receipts } of found) {
    for (const receipt of receipts) {
      const told = runs.get(receipt.run) ?? [];
      told.push({ host: host.host, account: accountOf(receipt) });
      runs.set(receipt.run, told);
    }
  }
  // a run that hosts tell differently has a row for each story
  const rows = [...runs]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([id, told]) => byAccount(told).map(({ account, hosts }) => ({ run: asTold(id, account), hosts })));
  const { out } = screens(io, flags);
  const troubles = found.flatMap(({ report }) => (report.fault === null ? [] : [report]));
  if (flags.output === 'table') out.write(receiptsTable(rows, troubles, out, { verbose: flags.verbose ?? false }));
  else {
    const receipts = rows.map(({ run, hosts }) => ({ ...run, hosts }));
    out.write(`${visibleJson({ schema: 'fleetmask.receipts/1', receipts, unread: troubles }, 2)}\n`);
  }
  return exitCodeOf('recover', troubles, false);
}

/** A unique beginning will do. Throws UsageError. */
export function chooseRun(named: string, found: readonly Found[]): string {
  const ids = [...new Set(found.flatMap(({ receipts }) => receipts.map(({ run }) => run)))].sort();
  const fitting = ids.filter((id) => id.startsWith(named));
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

/** For the list of what hosts say. */
function asTold(id: string, { ask, actor, startedAt, reason, ticket }: Account): RunInfo {
  const { verb, units, now, runtime } = ask;
  return {
    ...{ id, command: verb, units, now, runtime, actor: actor ?? 'unknown', reason, ticket },
    startedAt: startedAt ?? '',
  };
}
