/** What the operator asked for → the units that this host really has. Evidence first, the distribution as a hint. */
import {
  type AbsentUnit,
  baseOf,
  didYouMean,
  type Facts,
  type Fault,
  fault,
  hasUnitSuffix,
  instancesOf,
  isRunning,
  isTemplate,
  isUnitName,
  nearSuffix,
  socketOf,
  superServerOf,
  type UnitFacts,
  UsageError,
  witnessOf,
} from '../model/index.ts';
import { byId, byName, pathsByUnit, some } from './by-name.ts';
import { candidatesOf, type Entry, entries, familyOf, lookUp, ownersOf, type SiteCatalogue } from './catalog.ts';
import { isServedBy, notServed } from './super-servers.ts';
import { byUnitName, sayUsers } from './user-units.ts';

/** One UNIT argument, understood. */
export type Query =
  | { readonly kind: 'literal'; readonly asked: string; readonly name: string }
  | { readonly kind: 'logical'; readonly asked: string; readonly entry: Entry };

/**
 * A name with a suffix is literal; a bare name is looked up in the catalogue, else it is a service.
 * Throws UsageError for what systemd would not accept as it stands (systemctl would escape it and succeed).
 */
export function parseQuery(asked: string): Query {
  return parseQueryWith(new Map(), asked);
}

/** The same at a site with logical names of its own. */
export function parseQueryWith(site: SiteCatalogue, asked: string): Query {
  const entry = site.get(asked) ?? lookUp(asked);
  if (entry !== undefined) return { kind: 'logical', asked, entry };
  const name = hasUnitSuffix(asked) ? asked : `${asked}.service`;
  if (!isUnitName(name)) {
    throw new UsageError(
      `not a unit name: ${JSON.stringify(asked.length > 80 ? `${asked.slice(0, 80)}…` : asked)}`,
      'A unit name is letters, digits, : _ . \\ @ - and a suffix such as .service; patterns are not taken.',
    );
  }
  const meant = name === asked ? undefined : nearSuffix(asked);
  if (meant !== undefined) throw new UsageError(`${JSON.stringify(asked)} has no suffix of a unit`, meant);
  return { kind: 'literal', asked, name };
}

/**
 * The names a probe asks the host for. A template is asked for through a witness and its loaded instances, with the socket that
 * may start them: as long as there is none, nothing but its name tells.
 */
export function namesToProbe(queries: readonly Query[]): string[] {
  const names = queries.flatMap((query) => (query.kind === 'literal' ? [query.name] : candidatesOf(query.entry)));
  return [...new Set(names.flatMap((name) => (isTemplate(name) ? aroundTemplate(name) : [name])))];
}

function aroundTemplate(name: string): string[] {
  const socket = socketOf(name);
  return [name, witnessOf(name), instancesOf(name), ...(socket === null ? [] : [socket])];
}

/** A unit that is meant: the name that is masked, and the facts under the name that the host shows it by. */
export interface Meant {
  readonly asked: string;
  readonly unit: string;
  readonly facts: UnitFacts;
  /** Loaded instances, when the unit is a template. */
  readonly instances: readonly UnitFacts[];
}

type Verb = 'mask' | 'unmask' | 'status';

export type Resolution =
  | { readonly kind: 'units'; readonly units: readonly Meant[] }
  | ({ readonly kind: 'absent' } & Missing)
  | { readonly kind: 'fault'; readonly fault: Fault };

/** Which units of this host a query means, for masking them, unmasking them or telling their state. */
export function resolve(query: Query, verb: Verb, facts: Facts, allowAbsent: boolean): Resolution {
  const candidates = query.kind === 'literal' ? [query.name] : inOrder(query.entry, facts);
  const all = candidates.flatMap((name) => find(name, query.asked, verb, facts).map((meant) => ({ name, meant })));
  const hits = all.filter(({ meant }) => meant.facts.load !== 'not-found');
  const shown = all.map(({ meant }) => meant);
  if (query.kind === 'literal') {
    const found = collapse(hits.map(({ meant }) => meant));
    return found.length === 0
      ? nothing(query, candidates, shown, allowAbsent, null)
      : literal(query.name, found, facts);
  }
  const { entry } = query;
  const served = ({ meant }: Hit) => isServedBy(meant.unit, entry, facts);
  const own = hits.filter(served);
  const found = collapse(own.filter((hit) => otherOf(hit, entry) === null).map(({ meant }) => meant));
  if (found.length === 0 && own[0] !== undefined) return another(own[0], entry);
  if (found.length === 0) {
    const why = notServed(collapse(hits.map(({ meant }) => meant)), facts);
    return nothing(query, candidates, shown, allowAbsent, why);
  }
  if (query.entry.takes === 'all') return { kind: 'units', units: found };
  return choose(query, verb, found);
}

function inOrder(entry: Entry, facts: Facts): string[] {
  const family = familyOf(facts.os);
  return [...new Set([...(family ? entry.units[family] : []), ...candidatesOf(entry)])];
}

/** The host's units under a name or a pattern of the catalogue. */
function find(name: string, asked: string, verb: Verb, facts: Facts): Meant[] {
  const { units } = facts;
  if (isTemplate(name)) {
    const witness = byName(units).get(witnessOf(name));
    const pattern = glob(instancesOf(name));
    const instances = units.filter((unit) => unit !== witness && pattern.test(unit.id));
    return witness ? [{ asked, unit: name, facts: witness, instances }] : [];
  }
  const pattern = glob(name);
  return units
    .filter((unit) => unit.names.some((known) => (name.includes('*') ? pattern.test(known) : known === name)))
    .map((unit) => behind(unit, verb, facts))
    .map((unit) => ({ asked, unit: unit.id, facts: unit, instances: [] }));
}

/**
 * While a unit is masked, systemd does not know its aliases: each reads masked itself (247) or broken (252 and later), and an
 * alias may have been masked instead of its unit. The link on disk tells the unit that is meant. Unmasking takes names as they
 * are: a mask of the alias is what is in the way.
 */
function behind(unit: UnitFacts, verb: Verb, { units, paths }: Facts): UnitFacts {
  if (unit.load !== 'masked' && unit.load !== 'error') return unit;
  const lying = pathsByUnit(paths).get(unit.id) ?? [];
  const link = lying.find((path) => path.kind === 'link' && baseOf(path.target) !== unit.id);
  if (link?.kind !== 'link' || (verb === 'unmask' && lying.some((path) => path.kind === 'null'))) return unit;
  const real = byId(units).get(baseOf(link.target));
  return real === undefined || real.load === 'not-found' ? unit : real;
}

function glob(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(/[.\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`);
}

function collapse(units: readonly Meant[]): Meant[] {
  return [...new Map(units.map((unit) => [unit.unit, unit])).values()];
}

/** A unit of the host, and the name of the catalogue that led to it. */
interface Hit {
  readonly name: string;
  readonly meant: Meant;
}

/** The entry to which the unit behind an alias belongs: a package that stands in for another brings the aliases of its units. */
function otherOf({ name, meant: { unit } }: Hit, entry: Entry): Entry | null {
  if (unit === name || name.includes('*') || isTemplate(name)) return null;
  const owners = ownersOf(unit);
  return owners.some((owner) => owner.name === entry.name) ? null : (owners[0] ?? null);
}

function another(hit: Hit, entry: Entry): Resolution {
  const other = otherOf(hit, entry)?.name ?? hit.meant.unit;
  const message = `${hit.name} is an alias of ${hit.meant.unit}, which is ${other}, not ${entry.name}`;
  return { kind: 'fault', fault: fault('ambiguous-unit', message, `Use \`${other}\`.`) };
}

function nothing(
  query: Query,
  candidates: readonly string[],
  all: readonly Meant[],
  allowAbsent: boolean,
  why: string | null,
): Resolution {
  const [first] = candidates;
  const absent = all.find(({ unit }) => unit === first);
  if (allowAbsent && absent) return { kind: 'units', units: [absent] };
  const names = candidates.filter((name) => why === null || superServerOf(name) === null);
  const after = why === null ? ' …' : `; ${why}`;
  const looked = query.kind === 'literal' ? query.name : `${query.asked} (${names.slice(0, 4).join(', ')}${after})`;
  return { kind: 'absent', unit: { asked: query.asked, unit: first ?? query.asked }, looked };
}

/** An alias that systemd cannot load, and whose unit the host does not show either. */
function literal(name: string, found: readonly Meant[], facts: Facts): Resolution {
  const [unit] = found;
  const link = pathsByUnit(facts.paths)
    .get(name)
    ?.find(({ kind }) => kind === 'link');
  if (unit?.facts.load === 'error' && unit.unit === name && link?.kind === 'link') {
    const real = baseOf(link.target);
    const message = `${name} is an alias of ${real}, which cannot be loaded (masked, or broken)`;
    return { kind: 'fault', fault: fault('ambiguous-unit', message, `Ask for ${real} instead.`) };
  }
  return { kind: 'units', units: found };
}

/** Of several alternatives: the one that runs; else the one that is enabled; else what is masked; else the first of the family. */
function choose(query: Query & { kind: 'logical' }, verb: Verb, found: readonly Meant[]): Resolution {
  const masked = found.filter(({ facts }) => facts.load === 'masked');
  if (verb === 'unmask' && masked.length > 0) return { kind: 'units', units: masked };
  const running = found.filter(({ facts, instances }) => [facts, ...instances].some((unit) => isRunning(unit.active)));
  if (running.length > 1) return ambiguous(query, running, 'are running');
  if (running.length === 1) return { kind: 'units', units: running };
  const loaded = found.filter(({ facts }) => facts.load !== 'masked' && facts.load !== 'error');
  const enabled = loaded.filter(({ facts }) => facts.file.startsWith('enabled'));
  if (enabled.length > 1) return ambiguous(query, enabled, 'are enabled');
  if (enabled.length === 1) return { kind: 'units', units: enabled };
  // what was masked before is what was meant then: asking again must not mask the next alternative
  if (masked.length > 0) return { kind: 'units', units: masked };
  return { kind: 'units', units: loaded.length > 0 ? loaded.slice(0, 1) : found };
}

/** Units of which a host has none. */
export interface Missing {
  readonly unit: AbsentUnit;
  /** The names that were looked for. */
  readonly looked: string;
}

/** All at once, so that an operator with a list of units mends it once. A name that may be mistyped is not offered to be masked. */
export function absentFault(missing: readonly Missing[], { userUnits = [] }: Pick<Facts, 'userUnits'> = {}): Fault {
  const own = missing.flatMap(({ unit }) => byUnitName(userUnits).get(unit.unit) ?? []);
  const besides = own.length === 0 ? '' : `, but ${sayUsers(own)}`;
  const message = `there is no ${missing.map(({ looked }) => looked).join(' and no ')} on this host${besides}`;
  const names = entries().flatMap(({ name, synonyms }) => [name, ...synonyms]);
  const near = missing
    .map(({ unit }) => unit.asked.replace(/\.service$/, ''))
    .filter((asked) => lookUp(asked) === undefined)
    .map((asked) => didYouMean(asked, names))
    .find((hint) => hint !== undefined);
  return fault('no-unit', message, near);
}

function ambiguous(query: Query, units: readonly Meant[], what: string): Resolution {
  const names = units.map(({ unit }) => unit);
  const message = `${query.asked} could be ${some(names, 10).join(' or ')}: ${names.length} units ${what}`;
  return { kind: 'fault', fault: fault('ambiguous-unit', message) };
}
