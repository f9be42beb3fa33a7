/**
 * The service is not the unit: what runs for a unit that runs nothing itself (a wrapper, as Debian's postgresql.service), and
 * instances that the mask of their template does not hold. A mask of the one leaves the others startable.
 */
import {
  type Claim,
  type Facts,
  isRunning,
  isTemplate,
  isTrigger,
  isWitness,
  type PathFact,
  templateOf,
  type UnitFacts,
} from '../model/index.ts';
import { groups, once, pathsByUnit } from './by-name.ts';
import { hasOwnFile } from './notes.ts';
import type { Meant, Query } from './resolve.ts';

/** Whether the service was asked for, by its logical or its bare name: `mail`, `postfix`. `postfix.service` is one unit. */
export function asksForService(query: Query): boolean {
  return query.kind === 'logical' || query.asked !== query.name;
}

/** With the templates of the same names, which run more of the same: redis-server@.service beside redis-server.service. */
export function withSiblings(meant: readonly Meant[], facts: Facts): Meant[] {
  const units = new Map(meant.map((each) => [each.unit, each]));
  for (const { asked, facts: shown } of meant) {
    for (const name of shown.names) {
      const sibling = templatesOf(facts).get(name.replace(/^([^@]+)\.service$/, '$1@.service'));
      if (sibling !== undefined && !units.has(sibling.unit)) units.set(sibling.unit, { ...sibling, asked });
    }
  }
  return [...units.values()];
}

/** The units with all their members, as units of their own, which are asked by the name of what they belong to. */
export function withMembers(meant: readonly Meant[], facts: Facts): Meant[] {
  const units = new Map(meant.map((each) => [each.unit, each]));
  // what is added while it is walked is walked too
  for (const each of units.values()) {
    for (const member of membersOf(each, facts)) {
      if (!units.has(member.unit)) units.set(member.unit, { ...member, asked: each.asked });
    }
  }
  // an instance that is masked by itself is none that its template takes along
  return [...units.values()].map((each) => ({
    ...each,
    instances: each.instances.filter(({ id }) => !units.has(id)),
  }));
}

/** Of the members those that a mask is in the way of. */
export function maskedMembers(members: readonly Meant[], { paths }: Facts): Meant[] {
  const isNull = ({ kind }: PathFact) => kind === 'null';
  return members.filter(({ unit }) => pathsByUnit(paths).get(unit)?.some(isNull));
}

/** Names of members, and of their instances that run, which can still be started when only the units in `masked` are masked. */
export function notCovered(each: Meant, masked: ReadonlySet<string>, facts: Facts): string[] {
  const loose = withMembers([each], facts).filter(
    ({ unit, facts: { load } }) => unit !== each.unit && !masked.has(unit) && load !== 'masked' && load !== 'error',
  );
  return loose.flatMap(({ unit, instances }) => [
    unit,
    ...instances.filter(({ active, load }) => isRunning(active) && load !== 'masked').map(({ id }) => id),
  ]);
}

function membersOf({ unit, facts: shown, instances }: Meant, facts: Facts): Meant[] {
  if (isTemplate(unit)) return instances.filter((instance) => isApart(instance, facts)).map(alone);
  return shown.names.flatMap((name) => membersByWrapper(facts).get(name) ?? []);
}

/** Up to 247 a masked unit shows nothing of its file; the disk does. */
function isApart(instance: UnitFacts, { paths }: Facts): boolean {
  return hasOwnFile(instance) || pathsByUnit(paths).has(instance.id);
}

function alone(facts: UnitFacts): Meant {
  return { asked: facts.id, unit: facts.id, facts, instances: [] };
}

/** What is not in it needs no mask: it is no member, or cannot start while its wrapper is masked. */
const membersByWrapper = once((facts: Facts): Map<string, Meant[]> => {
  const wrappers = new Set(facts.wrappers);
  const claims = groups(facts.claims, ({ unit }) => unit);
  const templates = templatesOf(facts);
  const found = new Map<string, Map<string, Meant>>();
  for (const unit of facts.units) {
    if (unit.load === 'not-found') continue;
    const member = meantBy(unit, templates, facts);
    // of a masked instance nothing is known but what its template's file says
    if (unit.load === 'masked' && member.facts !== unit) continue;
    for (const owner of ownersOf(unit, wrappers, claims)) {
      const members = found.get(owner) ?? new Map<string, Meant>();
      members.set(member.unit, member);
      found.set(owner, members);
    }
  }
  return new Map([...found].map(([owner, members]) => [owner, withoutTheirTriggers(owner, members)]));
});

/** Each template that the host has, with its instances, by its name. */
const templatesOf = once(({ units }: Facts): Map<string, Meant> => {
  const instances = groups(
    units.filter(({ id }) => !isWitness(id)),
    ({ id }) => templateOf(id) ?? '',
  );
  const witnesses = units.filter(({ id, load }) => isWitness(id) && load !== 'not-found');
  return new Map(
    witnesses.map((facts) => {
      const unit = templateOf(facts.id) ?? facts.id;
      return [unit, { asked: unit, unit, facts, instances: instances.get(unit) ?? [] }];
    }),
  );
});

/** Wrappers that a unit is a member of, by the names that it calls them. */
function ownersOf(unit: UnitFacts, wrappers: ReadonlySet<string>, claims: ReadonlyMap<string, Claim[]>): string[] {
  if (unit.load === 'masked') {
    const said = [unit.id, templateOf(unit.id) ?? ''].flatMap((name) => claims.get(name) ?? []);
    return [...new Set(said.flatMap(({ partOf }) => ownersAmong(unit, partOf, [], wrappers)))];
  }
  const { partOf, needs, wantedBy } = unit.ties ?? NO_TIES;
  const needed = new Set(needs);
  return ownersAmong(unit, partOf, wantedBy, wrappers).filter((name) => !needed.has(name));
}

const NO_TIES = { partOf: [], needs: [], wantedBy: [] };

/**
 * What stops with several units, as fail2ban does with each kind of firewall, is a service of its own that follows them; unless a
 * wrapper starts it, or has given it its name.
 */
function ownersAmong(
  { id, names }: UnitFacts,
  partOf: readonly string[],
  wantedBy: readonly string[],
  wrappers: ReadonlySet<string>,
): string[] {
  const own = new Set(names);
  const wants = new Set(wantedBy);
  const owners = partOf.filter((name) => wrappers.has(name) && !own.has(name));
  if (owners.length === partOf.length) return owners;
  return owners.filter((name) => wants.has(name) || id.startsWith(`${name.slice(0, name.lastIndexOf('.'))}@`));
}

/** An instance is meant by its template, where that is what its mask must hold. */
function meantBy(unit: UnitFacts, templates: ReadonlyMap<string, Meant>, facts: Facts): Meant {
  const template = templates.get(templateOf(unit.id) ?? '');
  if (template === undefined || unit === template.facts) return template ?? alone(unit);
  return isApart(unit, facts) || !sharesTies(unit, template.facts) ? alone(unit) : template;
}

/** A drop-in may tie one instance, and not the others. Of a masked one nothing is known but its file. */
function sharesTies(unit: UnitFacts, witness: UnitFacts): boolean {
  if (witness.load === 'masked') return true;
  const ties = new Set(witness.ties?.partOf);
  return unit.ties?.partOf.every((name) => ties.has(name)) ?? true;
}

/** A trigger that starts nothing but the wrapper, or its members, has nothing to start when they are masked. */
function withoutTheirTriggers(owner: string, members: ReadonlyMap<string, Meant>): Meant[] {
  const covered = (name: string) => name === owner || members.has(name) || members.has(templateOf(name) ?? '');
  return [...members.values()].filter(({ unit, facts: { triggers, accept } }) => {
    const starts = accept ? [unit.replace(/\.socket$/, '@.service')] : triggers;
    return !isTrigger(unit) || starts.length === 0 || !starts.every(covered);
  });
}
