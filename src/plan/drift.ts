/** What was asked for against what is read now: the differences, as they come and go. */
import { type HostReport, isRunning, type UnitReport } from '../model/index.ts';

/** What is to hold on every host. */
export interface Wanted {
  readonly state: 'masked' | 'unmasked';
  /** Nothing of the units may run; else only that something runs again which was down is told. */
  readonly stopped: boolean;
}

export type Drift = 'unmasked' | 'masked' | 'running' | 'unreachable' | 'refused';

export interface Standing {
  readonly is: Drift | 'as-asked';
  readonly message: string;
  readonly running: boolean;
}

/** By unit; what concerns the whole host is under the empty name. */
export type Standings = ReadonlyMap<string, Standing>;

/** `before`: what was known of the host; of units that could not be read now it holds on. */
export function standingsOf({ outcome, fault, units }: HostReport, wanted: Wanted, before: Standings): Standings {
  const now = new Map(before);
  const host = (is: Standing['is'], message: string) => now.set('', { is, message, running: false });
  if (fault !== null) return host(outcome === 'unreachable' ? 'unreachable' : 'refused', fault.message);
  host('as-asked', 'can be read again');
  const read = new Set(units.map(({ unit }) => unit));
  for (const [unit, { is }] of before) {
    if (unit === '' || read.has(unit)) continue;
    // another unit of the same logical name has taken its place
    if (is === 'as-asked') now.delete(unit);
    else now.set(unit, { is: 'as-asked', message: 'is gone', running: false });
  }
  for (const unit of units) now.set(unit.unit, standingOf(unit, wanted, before.get(unit.unit)));
  return now;
}

function standingOf({ after }: UnitReport, wanted: Wanted, before: Standing | undefined): Standing {
  if (after === null) return { is: 'refused', message: 'was not read', running: false };
  const running = isRunning(after.active);
  const state = `${after.load}, ${after.file || 'no unit file'}, ${after.active}`;
  const masked = after.load === 'masked';
  const onDisk = after.file.startsWith('masked');
  if (wanted.state === 'unmasked') {
    if (!masked && !onDisk) return { is: 'as-asked', message: `is not masked: ${state}`, running };
    return { is: 'masked', message: masked ? `is masked: ${state}` : `is masked on disk: ${state}`, running };
  }
  if (!masked) return { is: 'unmasked', message: `is not masked: ${state}`, running };
  if (!onDisk)
    return { is: 'unmasked', message: `its mask is gone from the disk; systemd has not read that yet`, running };
  const again = before !== undefined && (!before.running || before.is === 'running');
  if (running && (wanted.stopped || again)) return { is: 'running', message: `is masked and runs: ${state}`, running };
  return { is: 'as-asked', message: `is masked: ${state}`, running };
}

export interface News {
  readonly unit: string | null;
  readonly is: Standing['is'];
  readonly message: string;
}

/** What is news. Of a first reading only what is not as asked. */
export function newsOf(before: Standings, now: Standings): News[] {
  return [...now].flatMap(([name, { is, message }]) => {
    const was = before.get(name)?.is ?? 'as-asked';
    return was === is ? [] : [{ unit: name === '' ? null : name, is, message }];
  });
}

export function isAsAsked(standings: Standings): boolean {
  return [...standings.values()].every(({ is }) => is === 'as-asked');
}

/** Whether masking again could mend it. */
export function canReassert(standings: Standings): boolean {
  const kinds = [...standings.values()].map(({ is }) => is);
  return kinds.some((is) => is === 'unmasked' || is === 'running') && !kinds.includes('unreachable');
}
