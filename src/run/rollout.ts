/**
 * A run from its first host to its last: wave after wave, as long as the budget lasts and nobody interrupts, and then, where that
 * is asked for, everything back, the newest wave first.
 */
import {
  type Event,
  type Fault,
  fault,
  type HostReport,
  type JournalHost,
  type Outcome,
  totalsOf,
} from '../model/index.ts';
import type { Budget, WaveProof } from '../plan/failure-budget.ts';
import { inWaves } from '../plan/waves.ts';
import { acrossFleet, interrupted } from './across-fleet.ts';
import { putBackFor } from './host/rollback.ts';

export interface Campaign {
  readonly hosts: readonly JournalHost[];
  /** How many hosts each wave has; absent: all are one, and reports do not number it. */
  readonly waves?: readonly number[] | undefined;
  /** Hosts at once. */
  readonly forks: number;
  readonly budget: Budget;
  /** Asked after each wave whether another may begin; absent: it may. What is changed stays, for nothing has failed. */
  readonly proof?: WaveProof | undefined;
  /** Aborts when the operator wants no further host to begin. */
  readonly interrupt: AbortSignal;
  /** Settles one host. `stopped` tells at any moment why no change is to begin any more. */
  work(host: JournalHost, stopped: () => Fault | null): Promise<HostReport>;
  /** Asked after each wave, of all hosts so far: those of which something else is true by now. */
  review?: ((reports: readonly HostReport[]) => Promise<readonly HostReport[]>) | undefined;
  /** What is told of a host that has no turn any more; absent: that it was not started. */
  readonly unbegun?: ((host: JournalHost, why: Fault) => HostReport) | undefined;
  /** How a change is taken back; absent where nothing is changed. */
  readonly undo?: FleetUndo | undefined;
  publish(event: Event): void;
}

export interface FleetUndo {
  /** What becomes of the hosts that were changed when the budget is spent. */
  readonly whenSpent: 'put-back' | 'keep';
  /** Asks, after an interrupt, whether these hosts are to be put back. */
  offer(changed: readonly string[]): Promise<boolean>;
  /** Called before the first host is put back. */
  begin(hosts: readonly string[]): Promise<void>;
  host(host: JournalHost, forward: HostReport, why: Fault): Promise<HostReport>;
}

/** Runs it, and returns a report for each host, in the hosts' order. No host of a wave begins before the wave before is settled. */
export async function campaign(plan: Campaign): Promise<HostReport[]> {
  const { hosts, forks, budget, interrupt, publish } = plan;
  const sizes = plan.waves ?? [hosts.length];
  const failed: HostReport[] = [];
  let spent: string | null = null;
  let unproved: string | null = null;
  const stopped = () => {
    if (interrupt.aborted) return interrupted();
    if (spent !== null) return fault('budget', `not begun: ${spent}`);
    return unproved === null ? null : fault('budget', `not begun: ${unproved}`, BEGIN_ELSEWHERE);
  };
  const numbered = (report: HostReport, wave: number): HostReport => (plan.waves ? { ...report, wave } : report);

  let ended: Wave[] = [];
  const lookAgain = async () => {
    const news = (await plan.review?.(ended.flatMap(({ reports }) => reports))) ?? [];
    const now = new Map(news.map((report) => [report.host, report]));
    ended = ended.map((wave) => ({ ...wave, reports: wave.reports.map((report) => now.get(report.host) ?? report) }));
    for (const { number, reports } of ended) {
      for (const report of reports.filter(({ host }) => now.has(host))) {
        if (report.fault !== null) failed.push(report);
        publish({ type: 'host-settled', report: numbered(report, number) });
      }
    }
    spent ??= budget(failed);
  };
  for (const [i, wave] of inWaves(hosts, sizes).entries()) {
    const begins = stopped() === null;
    const reports = await acrossFleet(
      wave,
      forks,
      stopped,
      (host) => plan.work(host, stopped),
      (report) => {
        if (report.fault !== null) failed.push(report);
        spent ??= budget(failed);
        publish({ type: 'host-settled', report: numbered(report, i + 1) });
      },
      plan.unbegun,
    );
    ended.push({ number: i + 1, hosts: wave, reports });
    await lookAgain();
    unproved ??= begins ? (plan.proof?.(reports, i + 1) ?? null) : null;
    if (plan.waves && begins) publish(waveFinished(i + 1, sizes.length, reports));
  }
  const why = await reasonToPutBack(plan, spent, ended);
  const final = why === null ? ended : await putBack(plan, ended, why, numbered);
  return final.flatMap(({ number, reports }) => reports.map((report) => numbered(report, number)));
}

const BEGIN_ELSEWHERE =
  'Order the hosts so that the first wave can be reached (-l), or use --max-unreachable N to go on without them.';

interface Wave {
  readonly number: number;
  readonly hosts: readonly JournalHost[];
  readonly reports: readonly HostReport[];
}

const MASKED_OR_UNMASKED: ReadonlySet<Outcome> = new Set(['masked', 'unmasked']);

/** Hosts that are not as they were before the run; of one that is stranded nobody knows. */
function isChanged({ outcome }: HostReport): boolean {
  return MASKED_OR_UNMASKED.has(outcome) || outcome === 'stranded';
}

async function reasonToPutBack(
  { undo, interrupt }: Campaign,
  spent: string | null,
  waves: readonly Wave[],
): Promise<Fault | null> {
  const changed = waves.flatMap(({ reports }) => reports).filter(isChanged);
  if (undo === undefined || changed.length === 0) return null;
  if (spent !== null && undo.whenSpent === 'put-back') return putBackFor(spent);
  if (!interrupt.aborted || !(await undo.offer(changed.map(({ host }) => host)))) return null;
  const hint = 'Nothing is wrong with this host; run it again when it is to go on.';
  return fault('cancelled', 'put back, for the run was interrupted', hint);
}

/** Each wave whole before the one that was changed before it. */
async function putBack(
  { undo, forks, publish }: Campaign,
  waves: readonly Wave[],
  why: Fault,
  numbered: (report: HostReport, wave: number) => HostReport,
): Promise<Wave[]> {
  if (undo === undefined) return [...waves];
  const changed = waves.flatMap(({ reports }) => reports).filter(isChanged);
  await undo.begin(changed.map(({ host }) => host));
  publish({ type: 'rollback-started', hosts: changed.map(({ host }) => host), why: why.message });
  const ended: Wave[] = [];
  for (const wave of waves.toReversed()) {
    const forward = new Map(wave.reports.filter(isChanged).map((report) => [report.host, report]));
    const undone = await acrossFleet(
      wave.hosts.filter(({ host }) => forward.has(host)),
      forks,
      () => null,
      (host) => undo.host(host, forward.get(host.host)!, why),
      (report) => publish({ type: 'host-settled', report: numbered(report, wave.number) }),
    );
    const now = new Map(undone.map((report) => [report.host, report]));
    ended.unshift({ ...wave, reports: wave.reports.map((report) => now.get(report.host) ?? report) });
  }
  return ended;
}

function waveFinished(wave: number, waves: number, reports: readonly HostReport[]): Event {
  const failed = reports
    .filter(({ fault: problem }) => problem !== null)
    .map(({ host, outcome }) => ({ host, outcome }));
  return { type: 'wave-finished', wave, waves, totals: totalsOf(reports), failed };
}
