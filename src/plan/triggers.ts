/** What can start a unit without anybody asking: sockets, timers, paths and automounts, and what can start those. */
import { type Facts, isRunning, isTemplate, socketOf } from '../model/index.ts';
import { byId, byName, everyUnit } from './by-name.ts';
import type { Meant } from './resolve.ts';

/** Names of all that is not masked itself; nearest first. `spared`: units that will be masked, which then start nothing. */
export function triggersOf(meant: Meant, facts: Facts, spared: ReadonlySet<string> = new Set()): string[] {
  return closure(direct(meant, facts), facts, (name, load) => spared.has(name) || load === 'masked');
}

export type Closure =
  | { readonly kind: 'units'; readonly units: readonly Meant[] }
  /** Something can start a unit, and the host did not show it. */
  | { readonly kind: 'unseen'; readonly name: string };

/** The units with all that can start them, as units to be masked of their own; asked is what they belong to. */
export function withTriggers(meant: readonly Meant[], facts: Facts): Closure {
  const units = [...meant];
  const taken = new Set(units.map(({ unit }) => unit));
  for (const each of meant) {
    for (const name of closure(direct(each, facts), facts, (_, load) => load === 'not-found')) {
      const trigger = byName(facts.units).get(name);
      if (trigger === undefined) return { kind: 'unseen', name };
      if (taken.has(trigger.id)) continue;
      taken.add(trigger.id);
      units.push({ asked: each.asked, unit: trigger.id, facts: trigger, instances: [] });
    }
  }
  return { kind: 'units', units };
}

/**
 * Of what can start a unit, masked as it is or will be: what has failed already, and what runs and will fail when it tries (247, 252,
 * 257). `stopped`: what does not run by then.
 */
export function notesOnTriggers(
  each: Meant,
  facts: Facts,
  spared: ReadonlySet<string> = new Set(),
  stopped: ReadonlySet<string> = new Set(),
): string[] {
  const known = everyUnit(facts);
  return direct(each, facts).flatMap((name) => {
    const trigger = known.get(name);
    if (trigger === undefined || spared.has(name) || trigger.load === 'masked') return [];
    if (trigger.active === 'failed') return [`${name} has failed, and starts nothing more`];
    const when = OCCASIONS[name.slice(name.lastIndexOf('.') + 1)];
    if (when === undefined || !isRunning(trigger.active) || stopped.has(name)) return [];
    return [`${name} will fail when ${when}`];
  });
}

const OCCASIONS: Readonly<Record<string, string>> = {
  socket: 'a client connects',
  timer: 'it elapses',
  path: 'its path changes',
};

/** Of a socket's connections only the instances know who starts them; before the first, its name tells. */
function direct({ unit, facts: shown, instances }: Meant, { units }: Facts): string[] {
  const socket = isTemplate(unit) ? socketOf(unit) : null;
  const accepting = socket === null ? undefined : byId(units).get(socket);
  return [
    ...[shown, ...instances].flatMap(({ triggeredBy }) => triggeredBy),
    ...(accepting?.accept && accepting.load !== 'not-found' ? [accepting.id] : []),
  ];
}

function closure(names: readonly string[], facts: Facts, drop: (name: string, load: string) => boolean): string[] {
  const known = everyUnit(facts);
  // what is added while it is walked is walked too
  const found = new Set<string>();
  const add = (more: readonly string[]) => {
    for (const name of more) if (!drop(name, known.get(name)?.load ?? '')) found.add(name);
  };
  add(names);
  for (const name of found) add(known.get(name)?.triggeredBy ?? []);
  return [...found];
}
