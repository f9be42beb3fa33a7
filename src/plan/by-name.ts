/**
 * What a host told, by name. A host chooses how much there is of everything, so nothing here is searched once for each of something
 * else: it is sorted once, when the first asks, and kept as long as what was told.
 */
import { baseOf, type Facts, type PathFact, type Receipt, type RelatedFacts } from '../model/index.ts';
import { byAge } from './receipt-age.ts';

/** The first of several wins. */
export const byId = once(<T extends { readonly id: string }>(units: readonly T[]) => first(units, ({ id }) => [id]));

/** Under each of its names; the first of several wins. */
export const byName = once(<T extends { readonly names: readonly string[] }>(units: readonly T[]) =>
  first(units, ({ names }) => names),
);

/** Units and related ones, by their ids. */
export const everyUnit = once(
  ({ related, units }: Facts): Map<string, RelatedFacts> =>
    new Map([...related, ...units].map((unit) => [unit.id, unit] as const)),
);

/** What lies on disk, by the name of a unit, in order. */
export const pathsByUnit = once((paths: readonly PathFact[]) => groups(paths, ({ path }) => baseOf(path)));

/** Of the receipts that hold a unit masked the latest. */
export const latestHolders = once((receipts: readonly Receipt[]) => {
  const latest = new Map<string, Receipt>();
  for (const receipt of receipts) {
    for (const unit of receipt.holds.map(baseOf)) {
      const other = latest.get(unit);
      if (other === undefined || byAge(other, receipt) < 0) latest.set(unit, receipt);
    }
  }
  return latest;
});

export function groups<T>(all: readonly T[], keyOf: (each: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const each of all) {
    const key = keyOf(each);
    const group = found.get(key);
    if (group === undefined) found.set(key, [each]);
    else group.push(each);
  }
  return found;
}

function first<T>(all: readonly T[], keysOf: (each: T) => readonly string[]): Map<string, T> {
  const found = new Map<string, T>();
  for (const each of all) for (const key of keysOf(each)) if (!found.has(key)) found.set(key, each);
  return found;
}

/** Keeps what was computed from a value for as long as there is the value, which never changes. */
export function once<F extends (from: never) => object>(compute: F): F {
  const known = new WeakMap<object, object>();
  return ((from: never) => {
    const before = known.get(from);
    if (before !== undefined) return before;
    const result = compute(from);
    known.set(from, result);
    return result;
  }) as F;
}

/** Names in a sentence: the first of them where there are many. */
export function listed(names: readonly string[], most = 20): string {
  return some(names, most).join(', ');
}

/** A list for a report, which is kept until the run ends: the rest is counted. */
export function some(names: readonly string[], most = 100): string[] {
  return names.length <= most ? [...names] : [...names.slice(0, most), `… and ${names.length - most} more`];
}
