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

/** `enabled → masked`; only what was, where nothing was changed; `?` for what should have been read and was not. A later visit's reading follows. */
export function change(
  host: Pick<HostReport, 'outcome' | 'history'>,
  unit: UnitReport | null,
  word: (state: UnitState) => string,
): string {
  if (unit === null) return NONE;
  const own = changeByRun(host.outcome, unit, word);
  const later = lastRead(host, unit);
  const now = later && word(later);
  return now === null || own === now || own.endsWith(` → ${now}`) ? own : `${own} → ${now}`;
}

function changeByRun(outcome: Outcome, unit: UnitReport, word: (state: UnitState) => string): string {
  const before = unit.before === null ? '?' : word(unit.before);
  if (outcome === 'unchanged' && unit.after !== null) return word(unit.after);
  if (unit.after !== null) return `${before} → ${word(unit.after)}`;
  if (TOUCHED.has(outcome)) return `${before} → ?`;
  return unit.before === null ? NONE : before;
}

/** What a later visit read of the unit last; null where none did. */
export function lastRead({ history = [] }: Pick<HostReport, 'history'>, { unit }: UnitReport): UnitState | null {
  return history.findLast((visit) => visit.unit === unit && visit.after !== null)?.after ?? null;
}

/** The unit as it was read last: what the run found to say of it may hold no longer. */
export function asNow(host: Pick<HostReport, 'history'>, unit: UnitReport): UnitReport {
  const after = lastRead(host, unit);
  return after === null ? unit : { ...unit, after, notes: [], leftovers: 0, startProbe: 'skipped' };
}

/** `2026-12-01T12:00:00Z rollback by alice@bastion: restored; cron.service masked, inactive → enabled, active`, a line for each visit and unit. */
export function historyLines({ history = [] }: Pick<HostReport, 'history'>): string[] {
  return history.map(({ at, command, actor, outcome, unit, before, after, fault }) => {
    const known = before && !(after && sameState(before, after)) ? [before] : [];
    const states = [...known, ...(after ? [after] : [])].map((state) => `${fileWord(state)}, ${state.active || NONE}`);
    const read = unit === null ? [] : [`${unit} ${states.join(' → ') || 'not read'}`];
    return [`${at} ${command} by ${actor}: ${outcome}`, ...read, ...(fault ? [fault.message] : [])].join('; ');
  });
}

function sameState(a: UnitState, b: UnitState): boolean {
  return a.load === b.load && a.file === b.file && a.active === b.active;
}
