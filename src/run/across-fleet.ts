/** Many hosts, so many at once. */
import pLimit from 'p-limit';
import { type Fault, fault, type HostReport, type JournalHost } from '../model/index.ts';

/**
 * Settles every host and returns the reports in the hosts' order. `work` always settles its host, so nothing here rejects for a
 * host; a bug does, after the hosts that are in flight have ended. A host whose turn comes when `stopped` gives a reason is
 * `not-started` for that reason, or what `unbegun` makes of it.
 */
export async function acrossFleet(
  hosts: readonly JournalHost[],
  forks: number,
  stopped: () => Fault | null,
  work: (host: JournalHost) => Promise<HostReport>,
  settled: (report: HostReport) => void,
  unbegun: typeof notStarted = notStarted,
): Promise<HostReport[]> {
  const limit = pLimit(forks);
  let broken = false;
  const results = await Promise.allSettled(
    hosts.map((host) =>
      limit(async () => {
        try {
          const why = broken ? interrupted() : stopped();
          const report = why === null ? await work(host) : unbegun(host, why);
          settled(report);
          return report;
        } catch (error) {
          broken = true;
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

/** The operator wants no further host to begin. */
export function interrupted(): Fault {
  return fault('cancelled', 'the run was interrupted before this host began');
}

export function notStarted(host: JournalHost, why: Fault): HostReport {
  return untouched(host, 'not-started', why);
}

/** A host that was not connected to. */
export function untouched(
  { host, address, port }: Pick<HostReport, 'host' | 'address' | 'port'>,
  outcome: 'not-started' | 'refused',
  why: Fault,
): HostReport {
  return { host, address, port, outcome, seconds: 0, os: null, systemd: null, units: [], fault: why };
}
