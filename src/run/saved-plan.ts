/** A plan on paper: what would be done to each host, bound to the machine, the boot and the state that it was made for. */
import { createHash } from 'node:crypto';
import {
  type Ask,
  at,
  type Change,
  type Facts,
  type Fault,
  fault,
  type HostReport,
  type JournalHost,
  type Plan,
  type Prior,
  type RunInfo,
  type UnitPlan,
  type UnitState,
  UsageError,
} from '../model/index.ts';

const SCHEMA = 'fleetmask.plan/1';

export interface SavedPlan {
  readonly schema: typeof SCHEMA;
  /** The run of `plan` that made it. */
  readonly run: RunInfo;
  readonly ask: Ask;
  readonly hosts: readonly SavedHost[];
}

export interface SavedHost {
  /** How it was reached. */
  readonly host: JournalHost;
  readonly planned: Planned;
}

export type Planned =
  /** `hash`: of what would be done and of the state that it was planned for; see `bind`. */
  | { readonly kind: 'bound'; readonly hash: string; readonly state: PlannedState }
  /** Nothing could be planned: it was refused, or not reached. */
  | { readonly kind: 'unplanned'; readonly why: string };

/** What the hash is of: who the host was, what it had, and what is to be done. Notes, which may count what comes and goes, are not. */
export interface PlannedState {
  readonly machineId: string | null;
  readonly bootId: string | null;
  readonly units: readonly Pick<UnitPlan, 'asked' | 'unit' | 'before' | 'triggers'>[];
  /** Null where all was as asked. */
  readonly change: Change | null;
  readonly prior: Prior | null;
}

/** `planned`: by host, of those that got so far; the reports say of the others why they did not. */
export function savedPlan(
  run: RunInfo,
  ask: Ask,
  hosts: readonly JournalHost[],
  planned: ReadonlyMap<string, Planned>,
  reports: readonly HostReport[],
): SavedPlan {
  const faults = new Map(reports.map((report) => [report.host, report.fault]));
  return {
    schema: SCHEMA,
    run,
    ask,
    hosts: hosts.map((host) => ({
      host,
      planned: planned.get(host.host) ?? { kind: 'unplanned', why: faults.get(host.host)?.message ?? 'not reached' },
    })),
  };
}

/** Binds a plan to the host that it was made for. */
export function bind(plan: Plan, { machineId, bootId }: Facts): Planned {
  if (plan.kind === 'refusal') return { kind: 'unplanned', why: plan.fault.message };
  const { change, prior } = plan.kind === 'change' ? plan : { change: null, prior: null };
  const units = plan.units.map(({ asked, unit, before, triggers }) => ({ asked, unit, before, triggers }));
  const state = { machineId, bootId, units, change, prior };
  return { kind: 'bound', hash: hashOf(state), state };
}

/** Why a host is no longer the one that was planned for; null when it is. */
export function staleness(planned: Planned, now: Plan, facts: Facts): Fault | null {
  if (planned.kind === 'unplanned') return fault('stale-plan', `there is no plan for it: ${planned.why}`);
  const current = bind(now, facts);
  if (current.kind === 'bound' && current.hash === planned.hash) return null;
  return fault('stale-plan', `${difference(planned.state, now, facts)} since it was planned`);
}

function difference(then: PlannedState, now: Plan, facts: Facts): string {
  if (then.machineId !== facts.machineId) return `this is another machine (machine id ${facts.machineId ?? 'unknown'})`;
  if (then.bootId !== facts.bootId) return 'it has been rebooted';
  if (now.kind === 'refusal') return `it has changed (${now.fault.message})`;
  for (const unit of then.units) {
    const same = now.units.find((other) => other.unit === unit.unit);
    if (same === undefined) return `${unit.asked} no longer means ${unit.unit}`;
    const words = ({ load, file, active }: UnitState) => [load, file, active].filter(Boolean).join(', ');
    if (words(unit.before) !== words(same.before)) {
      return `${unit.unit} was ${words(unit.before)} and is ${words(same.before)}`;
    }
  }
  return 'what would be done has changed';
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('hex');
}

/** The same text for equal values, whatever the order of their keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** The text of a plan file. Its digest tells a damaged file from a whole one; it does not tell who wrote it. */
export function formatPlan(plan: SavedPlan): string {
  return `${JSON.stringify({ ...plan, digest: hashOf(plan) }, null, 2)}\n`;
}

/** Throws UsageError for what is no whole plan file. */
export function parsePlan(text: string, file: string): SavedPlan {
  const again = 'Make a new plan: fleetmask plan mask|unmask UNIT… --out FILE.';
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw new UsageError(at(file, undefined, 'not a plan file: it is not JSON'), again);
  }
  if (typeof read !== 'object' || read === null || !('schema' in read) || !('digest' in read)) {
    throw new UsageError(at(file, undefined, 'not a plan file'), again);
  }
  if (read.schema !== SCHEMA) {
    throw new UsageError(at(file, undefined, `a plan of another form: ${JSON.stringify(read.schema)}`), again);
  }
  const { digest, ...plan } = read;
  const found = plan as SavedPlan;
  if (digest !== hashOf(plan) || !Array.isArray(found.hosts)) {
    throw new UsageError(at(file, undefined, 'the plan was changed, or damaged, after it was made'), again);
  }
  for (const { planned } of found.hosts) {
    if (planned.kind === 'bound' && planned.hash !== hashOf(planned.state)) {
      throw new UsageError(at(file, undefined, 'a host’s plan does not agree with its own hash'), again);
    }
  }
  return found;
}
