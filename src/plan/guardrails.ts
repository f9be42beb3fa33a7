/** What the administrator of the controller allows to be masked at all, whatever an operator asks for. Pure. */
import { type Ask, type Facts, fault, type Plan, templateOf, type UnitReport } from '../model/index.ts';
import { byId, byName } from './by-name.ts';
import { candidatesOf, entries } from './catalog.ts';

/** A pattern of unit names, and where it was said: `/etc/fleetmask/config.yaml:4`. */
export interface NamePattern {
  readonly pattern: string;
  readonly at: string;
}

export interface Guardrails {
  readonly neverMask: readonly NamePattern[];
  /** Empty: anything. */
  readonly onlyMask: readonly NamePattern[];
  readonly require: readonly { readonly flag: 'reason' | 'ticket'; readonly at: string }[];
  readonly maxHostsWithoutWaves: { readonly count: number; readonly at: string } | null;
}

export const NO_GUARDRAILS: Guardrails = { neverMask: [], onlyMask: [], require: [], maxHostsWithoutWaves: null };

/** The same plan, or its refusal: a change that masks what must not be masked is not made on this host. */
export function withinGuardrails(guardrails: Guardrails, { verb }: Pick<Ask, 'verb'>, plan: Plan, facts: Facts): Plan {
  if (verb !== 'mask' || plan.kind !== 'change') return plan;
  for (const { unit, covers = [] } of plan.units) {
    const why = whyNot(guardrails, unit, namesOf(unit, covers, facts));
    if (why === null) continue;
    const { units, absent } = plan;
    return { kind: 'refusal', units, ...(absent && { absent }), fault: fault('guardrail', why) };
  }
  return plan;
}

/** A note for each unit that may not be masked here. */
export function noteGuardrails(guardrails: Guardrails, units: readonly UnitReport[], facts: Facts): UnitReport[] {
  return units.map((each) => {
    const why = whyNot(guardrails, each.unit, namesOf(each.unit, each.covers ?? [], facts));
    return why === null ? each : { ...each, notes: [...each.notes, `a mask would be refused: ${why}`] };
  });
}

/** Null where nothing speaks against a mask of a unit with these names. */
export function whyNot({ neverMask, onlyMask }: Guardrails, unit: string, names: readonly string[]): string | null {
  const all = [...names, ...logicalNames(names)];
  for (const { pattern, at } of neverMask) {
    const name = all.find((each) => matches(pattern, each));
    if (name === undefined) continue;
    const as = name === unit ? '' : ` (as ${name})`;
    return `${unit} must not be masked${as}: never-mask ${JSON.stringify(pattern)} in ${at}`;
  }
  if (onlyMask.length === 0 || onlyMask.some(({ pattern }) => all.some((name) => matches(pattern, name)))) return null;
  return `${unit} must not be masked: it matches no pattern of only-mask in ${onlyMask[0]!.at}`;
}

function namesOf(unit: string, covers: readonly string[], { units }: Facts): string[] {
  const shown = byId(units).get(unit) ?? byName(units).get(unit);
  const names = [unit, ...(shown?.names ?? []), ...covers];
  return [...new Set(names.flatMap(withTemplate))];
}

/** An instance is named by its template too. */
function withTemplate(name: string): string[] {
  const template = templateOf(name);
  return template === null ? [name] : [name, template];
}

/** What the catalogue calls a unit of these names, in any distribution. */
function logicalNames(names: readonly string[]): string[] {
  catalogued ??= catalogue();
  const { byCandidate, patterns } = catalogued;
  const found = names.flatMap((name) => [
    ...(byCandidate.get(name) ?? []),
    ...patterns.flatMap(({ candidate, entry }) => (like(candidate, name) ? [entry] : [])),
  ]);
  return [...new Set(found)].flatMap(({ name, synonyms }) => [name, ...synonyms]);
}

type Entry = ReturnType<typeof entries>[number];
let catalogued: ReturnType<typeof catalogue> | undefined;

/** Its units by name, and the few patterns: a host may have thousands of names. */
function catalogue() {
  const all = entries().flatMap((entry) => candidatesOf(entry).map((candidate) => ({ candidate, entry })));
  const isPattern = ({ candidate }: { candidate: string }) => /[*?]/.test(candidate);
  const byCandidate = new Map<string, Entry[]>();
  for (const { candidate, entry } of all.filter((each) => !isPattern(each))) {
    byCandidate.set(candidate, [...(byCandidate.get(candidate) ?? []), entry]);
  }
  return { byCandidate, patterns: all.filter(isPattern) };
}

/** A pattern without a suffix means units of every kind. */
export function matches(pattern: string, name: string): boolean {
  if (like(pattern, name)) return true;
  const bare = name.replace(/\.[a-z]+$/, '');
  return bare !== name && like(pattern, bare);
}

/** `*` and `?`, without backtracking further than the last `*`. */
function like(pattern: string, text: string): boolean {
  let [p, t, star, mark] = [0, 0, -1, 0];
  while (t < text.length) {
    const wanted = pattern[p];
    if (wanted === '*') {
      star = p;
      mark = t;
      p += 1;
    } else if (wanted !== undefined && (wanted === '?' || wanted === text[t])) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      p = star + 1;
      mark += 1;
      t = mark;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
