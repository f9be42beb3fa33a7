/** What our stop takes down besides the units that are stopped: it is in the plan, and in the prior state. */
import { type Facts, isRunning, isWitness } from '../model/index.ts';
import { everyUnit } from './by-name.ts';
import type { Meant } from './resolve.ts';

/** The facts, in which members that are not masked themselves are related like all else that stops with the units. */
export function relating(meant: readonly Meant[], facts: Facts): Facts {
  const own = new Set(meant.flatMap(({ facts, instances }) => [facts, ...instances]).map(({ id }) => id));
  const reached = reachedFrom([...own], facts, new Set());
  const more = facts.units.filter(({ id }) => reached.has(id) && !own.has(id) && !isWitness(id));
  return more.length === 0 ? facts : { ...facts, related: [...facts.related, ...more] };
}

/** Of each list of stops in turn: what runs and stops with them, and was in no list and under no list before. */
export function stopsToo(stops: readonly (readonly string[])[], facts: Facts): string[][] {
  const known = everyUnit(facts);
  const seen = new Set(stops.flat());
  return stops.map((own) =>
    [...reachedFrom(own, facts, seen)].filter((name) => isRunning(known.get(name)?.active ?? '') && !isWitness(name)),
  );
}

/** What stops with these, and with that, but for what was seen; then that is seen too. */
function reachedFrom(from: readonly string[], facts: Facts, seen: Set<string>): Set<string> {
  const known = everyUnit(facts);
  const found = new Set<string>();
  const add = (name: string) => {
    for (const next of known.get(name)?.takesDown ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      found.add(next);
    }
  };
  for (const name of from) add(name);
  // what is added while it is walked is walked too
  for (const name of found) add(name);
  return found;
}
