/** Reads hosts again and again, each at its own pace, and tells what is no longer as asked, and what is again. */
import pLimit from 'p-limit';
import type { Event, HostReport, JournalHost } from '../model/index.ts';
import { canReassert, isAsAsked, newsOf, type Standings, standingsOf, type Wanted } from '../plan/drift.ts';
import type { Clock } from './host/visit.ts';

export interface Watch {
  readonly hosts: readonly JournalHost[];
  readonly wanted: Wanted;
  /** Milliseconds from the end of a reading to the next, a tenth more or less. */
  readonly every: number;
  /** Readings at once. */
  readonly forks: number;
  /** How many readings each host gets; absent: no end. */
  readonly count?: number | undefined;
  /** Aborts when it is to end; readings in flight are given up, what changes a host is waited for. */
  readonly stop: AbortSignal;
  readonly clock: Pick<Clock, 'now' | 'date' | 'sleep'>;
  /** From 0 to 1. */
  random(): number;
  read(host: JournalHost): Promise<HostReport>;
  /** Puts the mask back; absent: drift is only told. */
  reassert?: ((host: JournalHost) => Promise<HostReport>) | undefined;
  publish(event: Event): void;
}

/** Who undoes a mask this often means it, or has a program that does: a person is needed. */
const MOST_REASSERTIONS = 5;
/** After so many good readings in a row the count begins anew. */
const STEADY = 10;

export interface Watched {
  /** As last read, or settled; null where it was never read. */
  readonly report: HostReport | null;
  readonly asAsked: boolean;
}

/** Returns how each host stood at the last reading, in the hosts' order. */
export async function watch(plan: Watch): Promise<Watched[]> {
  const limit = pLimit(plan.forks);
  const stopped = new Promise<null>((resolve) => {
    if (plan.stop.aborted) resolve(null);
    plan.stop.addEventListener('abort', () => resolve(null), { once: true });
  });
  return Promise.all(plan.hosts.map((host) => watchHost(host, plan, limit, stopped)));
}

async function watchHost(
  host: JournalHost,
  plan: Watch,
  limit: ReturnType<typeof pLimit>,
  stopped: Promise<null>,
): Promise<Watched> {
  const { clock, every, stop } = plan;
  let report: HostReport | null = null;
  let standings: Standings = new Map();
  let tries = 0;
  let steady = 0;
  let notBefore = clock.now();
  const tell = (unit: string | null, what: Extract<Event, { type: 'drift' }>['what'], message: string) =>
    plan.publish({ type: 'drift', at: clock.date(), host: host.host, unit, what, message });

  for (let readings = 0; !stop.aborted && readings < (plan.count ?? Number.POSITIVE_INFINITY); ) {
    const read = await Promise.race([limit(() => (stop.aborted ? null : plan.read(host))), stopped]);
    if (read === null) break;
    readings += 1;
    report = read;
    const now = standingsOf(read, plan.wanted, standings);
    for (const { unit, is, message } of newsOf(standings, now)) tell(unit, is, message);
    standings = now;
    steady = isAsAsked(now) ? steady + 1 : 0;
    if (steady >= STEADY) tries = 0;
    if (plan.reassert && canReassert(now) && tries < MOST_REASSERTIONS && clock.now() >= notBefore && !stop.aborted) {
      tries += 1;
      notBefore = clock.now() + every * 2 ** tries;
      const settled = await limit(() => plan.reassert!(host));
      const { outcome, fault } = settled;
      const over = fault?.kind === 'expired';
      if (!over) tell(null, 'reasserted', fault === null ? outcome : `${outcome}: ${fault.message}`);
      if (outcome === 'stranded') report = settled;
      // who took it back on purpose is not fought
      if (over) tries = MOST_REASSERTIONS;
      if (tries === MOST_REASSERTIONS) {
        const why = over ? fault.message : `tried ${tries} times to mask it again`;
        tell(null, 'given-up', `${why}; it is only watched from now on`);
      }
    }
    if (plan.count !== undefined && readings >= plan.count) break;
    await Promise.race([clock.sleep(every * (0.9 + 0.2 * plan.random()), stop), stopped]);
  }
  return { report, asAsked: report !== null && isAsAsked(standings) };
}
