/**
 * The other names of a unit, on disk as well as in Names. Before systemd 243 an alias of a masked unit that nothing references loads the
 * vendor's file again, and before 240 an enabled instance is loaded past the mask of its template, so that there each of them is masked
 * with its unit.
 */
import { type Ask, baseOf, dirOf, type Facts, hasTrait, type SystemdTrait, templateOf } from '../model/index.ts';
import { groups, once } from './by-name.ts';
import { ABOVE_ETC, ETC, isMask, pathsOf, RUN } from './lying.ts';
import type { Meant } from './resolve.ts';

/** The names under which links lead to the unit; those that only systemd tells of are in its facts. */
export function aliasesOf({ unit, facts: { names } }: Meant, facts: Facts): string[] {
  // what is added while it is walked is walked too
  const found = new Set([unit, ...names.filter((name) => isLinkTo(name, facts))]);
  const byTarget = aliasesByTarget(facts.aliases);
  for (const name of found) {
    for (const alias of byTarget.get(name) ?? [])
      if (isDisplaced(alias.name, facts) || isLinkTo(alias.name, facts, found)) found.add(alias.name);
  }
  found.delete(unit);
  return [...found];
}

/** Links to the unit's file under names that systemd keeps apart from it: units of their own that run the same. */
export function sameFile(meant: Meant, facts: Facts): string[] {
  const known = new Set([...aliasesOf(meant, facts), meant.unit, ...meant.facts.names]);
  const byTarget = aliasesByTarget(facts.aliases);
  return [...known]
    .flatMap((name) => byTarget.get(name) ?? [])
    .map(({ name }) => name)
    .filter((name) => !known.has(name));
}

const aliasesByTarget = once((aliases: Facts['aliases']) => groups(aliases, ({ unit }) => unit));

/** Whether what counts under a name is a link, to one of the targets or to another name at all. */
function isLinkTo(name: string, facts: Facts, targets?: ReadonlySet<string>): boolean {
  const link = pathsOf(name, facts).find((path) => !isMask(path));
  if (link?.kind !== 'link') return false;
  const target = baseOf(link.target);
  return targets === undefined ? target !== name : targets.has(target);
}

function isDisplaced(name: string, facts: Facts): boolean {
  return pathsOf(name, facts).some((path) => path.kind === 'null' && path.displaced !== undefined);
}

/** What a mask of the unit needs on this host for its aliases and enabled instances. */
export interface AliasSteps {
  readonly links: readonly string[];
  /** Links in the place of the mask. */
  readonly displaces: readonly string[];
  /** What is masked with the unit after that. */
  readonly masked: readonly string[];
  /** What no mask in that place would hold. */
  readonly open: readonly string[];
}

const NOTHING: AliasSteps = { links: [], displaces: [], masked: [], open: [] };

export function aliasSteps(ask: Ask, meant: Meant, facts: Facts): AliasSteps {
  const names = namesPastMask(meant, facts);
  if (names.length === 0) return NOTHING;
  const dir = ask.runtime ? RUN : ETC;
  const links: string[] = [];
  const displaces: string[] = [];
  const masked: string[] = [];
  const open: string[] = [];
  for (const alias of names) {
    const [top] = pathsOf(alias, facts);
    if (top === undefined && templateOf(alias) !== null) {
      links.push(`${dir}/${alias}`);
      masked.push(alias);
      continue;
    }
    if (top === undefined || (isMask(top) && (ask.runtime || dirOf(top.path) !== RUN))) {
      if (top !== undefined) masked.push(alias);
      continue;
    }
    const inPlace = pathsOf(alias, facts).find(({ path }) => dirOf(path) === dir);
    if (ABOVE_ETC.includes(dirOf(top.path)) || (ask.runtime && dirOf(top.path) === ETC)) open.push(alias);
    else {
      if (inPlace === undefined) links.push(`${dir}/${alias}`);
      else displaces.push(inPlace.path);
      masked.push(alias);
    }
  }
  return { links, displaces, masked, open };
}

/** What can still be started of a masked unit here, as an operator calls it; none where systemd resolves aliases to the masked name. */
export function openNames(meant: Meant, facts: Facts): string[] {
  return namesPastMask(meant, facts)
    .filter((name) => !pathsOf(name, facts).slice(0, 1).some(isMask))
    .map(calledPastMask);
}

export function calledPastMask(name: string): string {
  return templateOf(name) === null ? `its alias ${name}` : `its enabled instance ${name}`;
}

/** Masks of those names that an unmask of the unit takes along. */
export function aliasMasks(meant: Meant, facts: Facts) {
  return namesPastMask(meant, facts).flatMap((name) => pathsOf(name, facts).filter(isMask));
}

/** The names that the unit's mask does not hold with this version of systemd. */
function namesPastMask(meant: Meant, facts: Facts): string[] {
  const { systemd } = facts;
  const has = (trait: SystemdTrait) => systemd.kind === 'running' && hasTrait(systemd.version, trait);
  return [
    ...(has('aliases-load-past-a-mask') ? aliasesOf(meant, facts) : []),
    ...(has('enabled-instances-outlive-their-template') ? enabledInstances(meant, facts) : []),
  ];
}

/** One with a unit file of its own is a unit of its own. */
function enabledInstances({ unit }: Meant, facts: Facts): string[] {
  const wanted = facts.wanted === undefined ? [] : (wantedByTemplate(facts.wanted).get(unit) ?? []);
  return wanted.filter((name) => pathsOf(name, facts).every(isMask));
}

const wantedByTemplate = once((wanted: readonly string[]) => groups(wanted, (name) => templateOf(name) ?? ''));
