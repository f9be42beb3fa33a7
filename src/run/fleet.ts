/** Many hosts, so many at once. */
import pLimit from 'p-limit';
import { fault, type HostReport, type Outcome } from '../model/index.ts';
import type { JournalHost } from './journal.ts';

/**
 * Settles every host and returns the reports in the hosts' order. `work` always settles its host, so nothing here rejects for a
 * host; a bug does, after the hosts that are in flight have ended. Hosts not yet begun when `stopping` aborts are `not-started`.
 */
export async function acrossFleet(
  hosts: readonly JournalHost[],
  forks: number,
  stopping: AbortSignal,
  work: (host: JournalHost) => Promise<HostReport>,
  settled: (report: HostReport) => void,
): Promise<HostReport[]> {
  const limit = pLimit(forks);
  const broken = new AbortController();
  const results = await Promise.allSettled(
    hosts.map((host) =>
      limit(async () => {
        try {
          const report = stopping.aborted || broken.signal.aborted ? notStarted(host) : await work(host);
          settled(report);
          return report;
        } catch (error) {
          broken.abort();
          throw error;
        }
      }),
    ),
  );
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

function notStarted({ host, address, port }: JournalHost): HostReport {
  return {
    host,
    address,
    port,
    outcome: 'not-started',
    seconds: 0,
    os: null,
    systemd: null,
    units: [],
    fault: fault('cancelled', 'the run was interrupted before this host began'),
  };
}

/** How many hosts ended how. */
export function totalsOf(reports: readonly HostReport[]): Partial<Record<Outcome, number>> {
  const totals: Partial<Record<Outcome, number>> = {};
  for (const { outcome } of reports) totals[outcome] = (totals[outcome] ?? 0) + 1;
  return totals;
}
