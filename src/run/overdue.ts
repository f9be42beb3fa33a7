/** Changed hosts of a run that is still at work: which were confirmed meanwhile, and what became of those whose time has passed. */

import { record } from '../journal/append-log.ts';
import type { Intent } from '../journal/records.ts';
import type { RunState } from '../journal/replay.ts';
import { fault, type HostReport, type JournalHost } from '../model/index.ts';
import { readLater } from '../plan/judge.ts';
import { namesOf } from '../plan/recall.ts';
import { namesToProbe, parseQuery } from '../plan/resolve.ts';
import { acrossFleet } from './across-fleet.ts';
import { endOf, sayBroken, standingOf } from './host/auto-rollback.ts';
import { evidenceOf, type KeepJob, withoutReceipt } from './host/confirm.ts';
import { otherMachine } from './host/undo.ts';
import { type Crew, type Ending, visit } from './host/visit.ts';

/** How often, and after how many milliseconds, a host whose automatic rollback is at work is read again. */
const TRIES = 5;
const PAUSE_MS = 2_000;

/**
 * Of these reports those of which something else is true by now. `state`: what the run's journal says, in which `confirm` writes
 * beside the run. A host whose time has passed unconfirmed is read, and never called changed unread.
 */
export async function review(
  reports: readonly HostReport[],
  state: RunState,
  job: KeepJob,
  crew: Crew,
  forks: number,
): Promise<HostReport[]> {
  const hosts = new Map(state.start.hosts.map((host) => [host.host, host]));
  const news: HostReport[] = [];
  const overdue: { host: JournalHost; report: HostReport; intent: Intent }[] = [];
  for (const report of reports) {
    if (report.confirmBy === undefined || (report.outcome !== 'masked' && report.outcome !== 'unmasked')) continue;
    const known = state.hosts.get(report.host);
    const host = hosts.get(report.host);
    if (known?.kind === 'restored') news.push({ ...known.report, seconds: report.seconds });
    else if (known?.kind === 'changed' && known.report.confirmBy === undefined) news.push(confirmed(report));
    else if (host !== undefined && known?.kind === 'changed' && hasPassed(report.confirmBy, crew))
      overdue.push({ host, report, intent: known.intent });
  }
  const byName = new Map(overdue.map((each) => [each.host.host, each]));
  const read = await acrossFleet(
    overdue.map(({ host }) => host),
    forks,
    () => null,
    async (host) => {
      const { report, intent } = byName.get(host.host)!;
      const found = await readOverdue(host, report, intent, job, crew);
      await record(job.journal, { type: 'settled', at: crew.clock.date(), report: found });
      return found;
    },
    () => {},
  );
  return [...news, ...read];
}

function hasPassed(by: string, { clock }: Crew): boolean {
  return Date.parse(by) <= Date.parse(clock.date());
}

/** Nothing is awaited there any more. */
function confirmed({ confirmBy: _, ...report }: HostReport): HostReport {
  return report;
}

async function readOverdue(
  host: JournalHost,
  report: HostReport,
  intent: Intent,
  job: KeepJob,
  crew: Crew,
): Promise<HostReport> {
  const wishes = [...(crew.wishes ?? []), `receipts=${job.run}`, 'clock=yes'] as const;
  // with members and triggers, which were masked besides what was asked
  const names = [...new Set([...namesToProbe(job.ask.units.map(parseQuery)), ...namesOf(intent)])];
  for (let attempt = 1; ; attempt++) {
    let atWork = false;
    const read = await visit(host, { ...crew, wishes }, names, async (session): Promise<Ending> => {
      const { facts } = session;
      const units = readLater(report.units, facts.units);
      const stranded = (message: string): Ending => ({
        outcome: 'stranded',
        units,
        fault: fault('unconfirmed', message),
      });
      const other = otherMachine(intent.prior, facts);
      if (other !== null) return { outcome: 'stranded', units, fault: other };
      const standing = standingOf(session, job.run);
      if (standing?.timer === 'failed' || standing?.timer === 'unreadable') return stranded(sayBroken(standing));
      if (!facts.receipts.some(({ run }) => run === job.run))
        return withoutReceipt(report, intent, evidenceOf(facts), endOf(session, job.run), facts, job, crew);
      const { expiresAt } = report;
      if (standing === null || (standing.confirmLeft === null && standing.timer !== 'restoring'))
        return { outcome: report.outcome, units: report.units, fault: null, ...(expiresAt && { expiresAt }) };
      atWork = standing.timer !== 'none';
      return stranded(
        `not confirmed by ${report.confirmBy}, and its automatic rollback is not done (${standing.timer})`,
      );
    });
    if (atWork && attempt < TRIES) {
      await crew.clock.sleep(PAUSE_MS);
      continue;
    }
    if (read.outcome !== 'unreachable' && read.outcome !== 'refused') return { ...read, seconds: report.seconds };
    const message = `not confirmed by ${report.confirmBy}, when its automatic rollback was due; how that ended cannot be read: ${read.fault?.message}`;
    return { ...report, outcome: 'stranded', fault: fault('unconfirmed', message, read.fault?.hint) };
  }
}
