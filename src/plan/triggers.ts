/** What can start a unit without anybody asking: sockets, timers, paths and automounts, and what can start those. */
import { type Facts, isTemplate } from '../model/index.ts';
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
  for (const each of meant) {
    for (const name of closure(direct(each, facts), facts, (_, load) => load === 'not-found')) {
      const trigger = facts.units.find(({ names }) => names.includes(name));
      if (trigger === undefined) return { kind: 'unseen', name };
      if (units.some(({ unit }) => unit === trigger.id)) continue;
      units.push({ asked: each.asked, unit: trigger.id, facts: trigger, instances: [] });
    }
  }
  return { kind: 'units', units };
}

/** Of a socket's connections only the instances know who starts them; before the first, its name tells. */
function direct({ unit, facts: shown, instances }: Meant, { units }: Facts): string[] {
  const socket = isTemplate(unit) ? socketOf(unit) : null;
  const accepting = units.filter(({ id, accept, load }) => id === socket && accept && load !== 'not-found');
  return [...[shown, ...instances].flatMap(({ triggeredBy }) => triggeredBy), ...accepting.map(({ id }) => id)];
}

/** The socket whose connections are instances of this template, should there be one with Accept=yes. */
export function socketOf(template: string): string | null {
  return template.endsWith('@.service') ? template.replace(/@\.service$/, '.socket') : null;
}

function closure(names: readonly string[], facts: Facts, drop: (name: string, load: string) => boolean): string[] {
  const known = new Map([...facts.related, ...facts.units].map((unit) => [unit.id, unit]));
  const found = new Set<string>();
  const todo = [...names];
  for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
    const unit = known.get(name);
    if (found.has(name) || drop(name, unit?.load ?? '')) continue;
    found.add(name);
    todo.push(...(unit?.triggeredBy ?? []));
  }
  return [...found];
}
