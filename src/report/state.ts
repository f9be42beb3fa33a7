import { type HostReport, isRunning, type Outcome, type UnitReport, type UnitState } from '../model/index.ts';

/** Stands where there is nothing to show. */
export const NONE = '—';

/** `debian 12`, `arch`. */
export function distro({ os }: Pick<HostReport, 'os'>): string {
  if (os === null) return NONE;
  return os.version === null ? os.id : `${os.id} ${os.version}`;
}

/** What systemd makes of the unit's file; says so where the disk and what is loaded differ about a mask. */
export function fileWord({ load, file }: UnitState): string {
  const onDisk = file.startsWith('masked');
  if (load === 'masked') return onDisk ? file : 'masked';
  if (onDisk) return `${file}, still ${load}`;
  return load === 'loaded' ? file || load : load;
}

/** Masked, and processes of it may run all the same: what a mask without --now leaves. */
export function runsOn({ after }: UnitReport): boolean {
  return after !== null && after.load === 'masked' && isRunning(after.active);
}

/** Outcomes of hosts that were changed, so that a state which was not read afterwards is unknown. */
const TOUCHED: ReadonlySet<Outcome> = new Set(['rolled-back', 'stranded', 'forgotten']);

/** `enabled → masked`; only what was, where nothing was changed; `?` for what should have been read and was not. */
export function change(outcome: Outcome, unit: UnitReport | null, word: (state: UnitState) => string): string {
  if (unit === null) return NONE;
  const before = unit.before === null ? '?' : word(unit.before);
  if (outcome === 'unchanged' && unit.after !== null) return word(unit.after);
  if (unit.after !== null) return `${before} → ${word(unit.after)}`;
  if (TOUCHED.has(outcome)) return `${before} → ?`;
  return unit.before === null ? NONE : before;
}
