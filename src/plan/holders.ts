/** Who holds a unit or a host, in words: from receipts and from the lock on the host. */
import { type Facts, type LockHolder, type Plan, printable, type Receipt, type UnitReceipt } from '../model/index.ts';
import { latestHolders } from './by-name.ts';

/** The receipt of the run whose mask holds this unit; the latest where there are several. */
export function holderOf(unit: string, receipts: readonly Receipt[]): UnitReceipt | null {
  const latest = latestHolders(receipts).get(unit);
  if (latest === undefined) return null;
  const { actor, started, reason, ticket } = latest.meta;
  return {
    run: latest.run,
    actor: actor ?? null,
    startedAt: started ?? null,
    reason: reason ?? null,
    ticket: ticket ?? null,
  };
}

/** `masked by run X of alice@bastion 3 h ago for ‘CVE-2025-1’ (OPS-7)`. `now`: RFC 3339. */
export function sayHolder({ run, actor, startedAt, reason, ticket }: UnitReceipt, now: string): string {
  const seconds = (Date.parse(now) - Date.parse(startedAt ?? '')) / 1000;
  return [
    `masked by run ${run}`,
    ...(actor === null ? [] : [`of ${actor}`]),
    ...(seconds >= 0 ? [`${age(seconds)} ago`] : []),
    ...(reason === null ? [] : [`for ‘${reason}’`]),
    ...(ticket === null ? [] : [`(${ticket})`]),
  ].join(' ');
}

/** The same plan, which tells of units that another run has masked, and `until` when by itself. */
export function tellHolders<P extends Plan>(
  plan: P,
  { receipts }: Facts,
  now: string,
  until: (run: string) => string,
): P {
  const units = plan.units.map((unit) => {
    const holder = holderOf(unit.unit, receipts);
    return holder === null
      ? unit
      : { ...unit, notes: [...unit.notes, `already ${sayHolder(holder, now)}${until(holder.run)}`] };
  });
  return { ...plan, units };
}

/** `run X of alice@bastion (mask cron, OPS-7: CVE-2025-1) has been at work on this host since 12:03:10Z (4 min)`. */
export function sayLock({ run, meta, since, seconds }: LockHolder): string {
  const sinceWhen = since === null ? '' : ` since ${timeOfDay(since)} (${age(seconds)})`;
  return printable(`${sayRun({ run, meta })} has been at work on this host${sinceWhen}`);
}

/** `run X of alice@bastion (mask cron, OPS-7: CVE-2025-1)` */
export function sayRun({ run, meta }: Pick<LockHolder, 'run' | 'meta'>): string {
  const deed = [meta.command, meta.units].filter(Boolean).join(' ');
  const why = [meta.ticket, meta.reason].filter(Boolean).join(': ');
  const about = [deed, why].filter((part) => part !== '').join(', ');
  return [
    run === null ? 'another run' : `run ${run}`,
    ...(meta.actor === undefined ? [] : [`of ${meta.actor}`]),
    ...(about === '' ? [] : [`(${about})`]),
  ].join(' ');
}

/** Of seconds since 1970, in UTC. */
function timeOfDay(since: number): string {
  const part = (unit: number, size: number) => String(Math.floor(since / unit) % size).padStart(2, '0');
  return `${part(3600, 24)}:${part(60, 60)}:${part(1, 60)}Z`;
}

/** `40 s`, `4 min`, `3 h`, `2 days`. */
function age(seconds: number): string {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
