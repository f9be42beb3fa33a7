/** What a host is before a change, as far as an undo must restore it. */
import { type Facts, type Prior, type PriorState, type Queued, stateOf, type UnitFacts } from '../model/index.ts';
import { pathsOf } from './lying.ts';
import { isConnection } from './notes.ts';
import type { Meant } from './resolve.ts';
import { triggersOf } from './triggers.ts';
import { unreadOf } from './unread.ts';

function queuedState({ id, queued }: Pick<PriorState, 'id'> & { queued: Queued | null }) {
  return { id, ...(queued && { queued }) };
}

function priorState(unit: UnitFacts, facts: Facts): PriorState {
  const unread = ['mask-gone', 'file-gone', 'change'].includes(unreadOf(unit, facts));
  return { ...queuedState(unit), ...stateOf(unit), ...(unread && { unread }) };
}

/** For an undo: units that are masked, their instances, and all that stops with them or can start them. */
export function priorOf(meant: readonly Meant[], facts: Facts): Prior {
  const units = meant.flatMap((unit) => [unit.facts, ...unit.instances]);
  const ids = new Set(units.map(({ id }) => id));
  // a socket fails with the first client that finds its service masked, also one that is known by the name of its template alone
  const triggers = new Set(meant.flatMap((unit) => triggersOf(unit, facts)));
  const related = [...facts.units.filter(({ id }) => triggers.has(id)), ...facts.related].filter(
    ({ id }) => !ids.has(id),
  );
  return {
    bootId: facts.bootId,
    machineId: facts.machineId,
    states: [
      ...units.filter((unit) => !isConnection(unit)).map((unit) => priorState(unit, facts)),
      ...related.map((unit) => ({ ...queuedState(unit), load: '', file: '', active: unit.active })),
    ],
    masks: meant
      .flatMap(({ unit }) => pathsOf(unit, facts).filter((path) => path.kind === 'null'))
      .map(({ path }) => path),
  };
}
