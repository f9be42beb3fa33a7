/** A change of the past, told again from what was recorded of it, and judged by what is true now. */
import {
  type Ask,
  baseOf,
  type Change,
  type Evidence,
  type Facts,
  type Fault,
  fault,
  instancesOf,
  isRunning,
  type Prior,
  type PriorState,
  type Receipt,
  shownName,
  stateOf,
  templateOf,
  type UnitPlan,
  type UnitReport,
} from '../model/index.ts';
import { contradiction } from './accounts.ts';
import { inEffect } from './aftermath.ts';
import { byId } from './by-name.ts';
import { judge, unread } from './judge.ts';

/** What was done to a host, or was to be done. */
export interface Deed {
  readonly ask: Ask;
  readonly change: Change;
  readonly prior: Prior;
  readonly units: readonly UnitPlan[];
}

/** Everything that says whether a host is as a deed left it, or as it was before: for a probe. */
export function namesOf({ change, prior }: Pick<Deed, 'change' | 'prior'>): string[] {
  return [...new Set([...change.reads, ...change.looks, ...prior.states.map(({ id }) => id)])];
}

export type Finding =
  /** All of it was done and proved, and still holds. */
  | { readonly kind: 'confirmed'; readonly units: readonly UnitReport[] }
  | { readonly kind: 'refuted'; readonly units: readonly UnitReport[]; readonly why: Fault }
  /** It was done and proved, and does not hold any more. */
  | { readonly kind: 'undone'; readonly units: readonly UnitReport[]; readonly why: Fault };

/** Judges what the host answered when it was changed and what it tells now: both must be as asked. */
export function find(deed: Deed, receipt: Receipt | undefined, facts: Facts): Finding {
  const other = receipt === undefined ? null : contradiction(deed.change, receipt);
  const refuted = (why: Fault, units: readonly UnitReport[] = unread(deed.units)): Finding => ({
    kind: 'refuted',
    units,
    why,
  });
  const result = receipt?.result ?? null;
  if (receipt === undefined) {
    const held = inEffect(deed.change, facts.paths);
    const what = held === null ? 'nothing of it is in effect here' : `the host has no receipt of it, and ${held}`;
    return refuted(fault('interrupted', `the run was interrupted, and ${what}`));
  }
  if (other !== null) return refuted(fault('bad-reply', other));
  if (result === null) return refuted(fault('interrupted', 'the run was interrupted while it changed this host'));
  const then = judge(deed.ask, deed, result);
  if (then.fault) return refuted(then.fault, then.units);
  const now = judge(deed.ask, deed, evidenceNow(deed, result, facts));
  const why = now.fault ?? onDisk(deed.change, facts);
  return why ? { kind: 'undone', units: now.units, why } : { kind: 'confirmed', units: now.units };
}

/** What systemd has read may be gone from the disk: that holds no longer than until it reads again. */
function onDisk({ links, removes, displaces }: Change, { paths }: Facts): Fault | null {
  const masks = new Set(paths.filter(({ kind }) => kind === 'null').map(({ path }) => path));
  const gone = [...links, ...displaces].find((path) => !masks.has(path));
  if (gone !== undefined) return fault('ineffective', `${gone} is gone`);
  const back = removes.find((path) => masks.has(path));
  return back === undefined ? null : fault('masked-elsewhere', `${back} is back`);
}

/** What was proved, with what is read now in the place of what was read then. */
function evidenceNow({ change, prior }: Deed, then: Evidence, facts: Facts): Evidence {
  const patterns = new Set(change.reads);
  const asked = facts.units.filter(({ names }) =>
    names.some((name) => patterns.has(name) || patterns.has(instancesOf(templateOf(name) ?? name))),
  );
  const left = isSameBoot(prior, facts) ? then.left : [];
  return { ...then, units: asked, paths: facts.paths, left };
}

/** Unknown counts as the same. */
export function isSameBoot({ bootId }: Prior, facts: Facts): boolean {
  return bootId === null || facts.bootId === null || bootId === facts.bootId;
}

/**
 * How a host is put back that time has passed over. Without a receipt nothing of the run is in effect there, so that all that is
 * there now is somebody else's, unless an undo took the receipt away and was then found `wanting`; and what a boot has started
 * since is the boot's.
 */
export function wayBack(
  { change, prior }: Deed,
  receipt: Receipt | undefined,
  wanting: boolean,
  facts: Facts,
): { prior: Prior; halts: readonly string[] } {
  const now = new Map(facts.units.map((unit) => [unit.id, stateOf(unit)]));
  if (receipt === undefined && !wanting) {
    return {
      prior: { ...prior, states: prior.states.map((state) => ({ ...state, ...now.get(state.id) })) },
      halts: [],
    };
  }
  const startedSince = ({ id, active, queued }: PriorState) =>
    !isRunning(active) && queued !== 'start' && isRunning(now.get(id)?.active ?? '');
  if (isSameBoot(prior, facts)) {
    const attempts = new Set(change.attempts);
    const started = prior.states.filter(startedSince).map(({ id }) => id);
    return { prior, halts: started.filter((id) => attempts.has(id)) };
  }
  const states = prior.states.map((state) =>
    startedSince(state) ? { ...state, active: now.get(state.id)?.active ?? state.active } : state,
  );
  return { prior: { ...prior, states }, halts: [] };
}

/** The units of a change of which no plan is at hand: under the names that were linked, or else tried or stopped. */
export function unitsFrom({ change, prior }: Pick<Deed, 'change' | 'prior'>, asked: readonly string[]): UnitPlan[] {
  const linked = [...change.links, ...change.displaces, ...change.removes].map(baseOf);
  const covered = new Set(linked.map(shownName));
  const others = [...change.attempts, ...(change.attempts.length === 0 ? change.stops : [])].filter(
    (id) => !covered.has(id),
  );
  const order = new Map(asked.map((name, at) => [name, at] as const).toReversed());
  return [...new Set([...linked, ...others])].map((unit) => {
    const shownAs = shownName(unit);
    const { load, file, active } = byId(prior.states).get(shownAs) ?? { load: '', file: '', active: '' };
    const at = Math.min(...stemsOf(unit).map((stem) => order.get(stem) ?? asked.length));
    return {
      ...{ asked: asked[at] ?? asked[0] ?? unit, unit, shownAs, before: { load, file, active } },
      ...{ triggers: [], steps: [], notes: [] },
    };
  });
}

/** A name, and what it may have been asked for as: `a.b.service`, `a.b`, `a`. */
function stemsOf(unit: string): string[] {
  const stems = [unit];
  for (let dot = unit.lastIndexOf('.'); dot > 0; dot = unit.lastIndexOf('.', dot - 1)) stems.push(unit.slice(0, dot));
  return stems;
}
