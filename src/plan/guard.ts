/** What must not be masked: what the boot needs, never; what this session or another way in needs, not without a way back. */
import { type Ask, type Facts, type Fault, fault, isRunning, type UnitFacts } from '../model/index.ts';
import { type Chain, chainToBoot, chainToSession, inWords, servesLogins, unitsOf } from './chain.ts';
import { isStorage, type Usage, usageOf } from './use.ts';
import { isBootUnit, isOurs, managementOf, notesOn } from './vital-units.ts';

/** A unit that would be masked, as the host shows it, and the instances that go with it. */
export interface Endangered {
  readonly unit: string;
  readonly facts: UnitFacts;
  readonly instances: readonly UnitFacts[];
}

export interface Guarded {
  /** Why it must stay; null where it need not. */
  readonly fault: Fault | null;
  /** What is not in the way, but worth knowing. */
  readonly notes: readonly string[];
}

const OVERRIDE =
  'With --allow-lockout and --confirm-within it is masked all the same, and the host puts itself back unless the run is confirmed.';

/** Per unit. What the host did not find out, the unit's names tell. */
export function guard(target: Endangered, { allowLockout }: Pick<Ask, 'allowLockout'>, facts: Facts): Guarded {
  const never = bootFault(target, facts);
  if (never) return { fault: never, notes: [] };
  const danger = lockout(target, facts);
  if (danger && !allowLockout) return { fault: fault('protected', danger.message, OVERRIDE, danger.chain), notes: [] };
  const names = namesOf(target);
  const unused = names
    .map((name) => usageOf(name, facts.dependence?.uses ?? null))
    .find((use) => use?.kind === 'unused');
  const notes = [...new Set([...(unused ? [unused.why] : names.flatMap(notesOn)), ...idleNotes(target, facts)])];
  return { fault: null, notes: danger ? [`${danger.message}; --allow-lockout`, ...notes] : notes };
}

function namesOf({ unit, facts }: Endangered): string[] {
  return [...new Set([unit, ...facts.names])];
}

/** A template is not loaded itself: those that need it need its instances. */
function loadedOf({ unit, facts, instances }: Endangered): string[] {
  return instances.length > 0 ? instances.map(({ id }) => id) : facts.names.includes(unit) ? [facts.id] : [];
}

function bootFault(target: Endangered, { dependence }: Facts): Fault | null {
  const { unit, facts } = target;
  if (isOurs(unit))
    return fault(
      'protected',
      `${unit} is fleetmask’s own: it puts this host back`,
      'Confirm or roll back its run instead.',
    );
  const chain = dependence && chainToBoot(loadedOf(target), dependence);
  if (chain) return fault('protected', said(unit, chain), undefined, unitsOf(chain));
  const used = namesOf(target).flatMap((name) => usageOf(name, dependence?.uses ?? null) ?? []);
  const boots = used.find(({ kind }) => kind === 'boot');
  if (boots) return fault('protected', `the host needs ${unit} to boot: ${boots.why}`, undefined, [unit]);
  if (!namesOf(target).some(isBootUnit) && !facts.perpetual) return null;
  return fault('protected', `the host needs ${unit} to boot or to run at all`, undefined, [unit]);
}

interface Danger {
  readonly message: string;
  readonly chain: readonly string[];
}

function lockout(target: Endangered, facts: Facts): Danger | null {
  const { unit } = target;
  const chain = facts.dependence && chainToSession(loadedOf(target), facts.dependence);
  if (chain) return { message: said(unit, chain), chain: unitsOf(chain) };
  const storage = namesOf(target).filter(isStorage);
  const usage = storage.map((name) => usageOf(name, facts.dependence?.uses ?? null)).find(isNeeded);
  if (usage) return { message: `${unit}, ${usage.why}`, chain: [unit] };
  const is = managementOf(unit) ?? managementOf(target.facts.id);
  if (is === null || !inUse(target) || elsewhere(target, facts) !== null) return null;
  const use = namesOf(target).map((name) => usageOf(name, facts.dependence?.uses ?? null));
  const why = use.find((each) => each?.kind === 'used')?.why;
  const message = `${unit} is ${is}, and ${target.facts.active || 'active'}`;
  return { message: why === undefined ? message : `${message}: ${why}`, chain: [unit] };
}

function isNeeded(usage: Usage | null): usage is Usage {
  return usage !== null && usage.kind !== 'unused';
}

function said(unit: string, chain: Chain): string {
  const words = inWords(chain);
  return chain.links[0]?.unit === unit ? words : `${unit}: ${words}`;
}

function inUse({ facts, instances }: Endangered): boolean {
  return [facts, ...instances].some(({ active }) => isRunning(active));
}

/** A daemon of its kind that runs, but serves this session nothing: another one does. Null where that is not known. */
function elsewhere(target: Endangered, { dependence }: Facts): string | null {
  const { unit } = target;
  if (dependence === null) return null;
  const { networks, logins } = dependence.session;
  const others = networks.flatMap(({ owners }) => owners.slice(0, 1));
  const known = networks.length > 0 && others.length === networks.length;
  if (known && /^(?:NetworkManager|systemd-networkd|networking|ifup@.*)\./.test(unit)) {
    return `${networks[0]!.interface}, by which this session came, was set up by ${others[0]}`;
  }
  const usage = usageOf(unit, dependence.uses) ?? usageOf(target.facts.id, dependence.uses);
  if (usage?.kind === 'unused') return usage.why;
  const serves = ['sss', 'ldap', 'winbind'].find((source) => servesLogins(unit, source));
  return serves !== undefined && logins.length > 0 ? `nsswitch.conf does not name ${serves}` : null;
}

function idleNotes(target: Endangered, facts: Facts): string[] {
  const is = managementOf(target.unit);
  if (is === null || target.facts.load === 'masked') return [];
  if (inUse(target)) return [elsewhere(target, facts) ?? []].flat();
  return [`${is}, not in use now`];
}
