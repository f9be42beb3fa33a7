/** What an operator should know about a unit before agreeing to its mask. */
import { type Ask, baseOf, isRunning, isTrigger, templateOf, type UnitFacts } from '../model/index.ts';
import { byName, listed, once } from './by-name.ts';
import type { Meant } from './resolve.ts';

export function notesOn(ask: Ask, { unit, facts, instances }: Meant, meant: readonly Meant[]): string[] {
  const notes: string[] = [];
  if (isTrigger(unit)) notes.push(...notesOnTrigger(ask, facts, meant));
  const queued = [facts, ...instances].filter((unit) => unit.queued === 'start' && !isRunning(unit.active));
  if (queued.length > 0) notes.push(`its start is queued: the mask cancels it, and a rollback queues it again`);
  const connections = instances.filter(isConnection).length;
  if (connections > 0) notes.push(`no rollback brings back the connections that end with it (${connections} now)`);
  return notes;
}

function notesOnTrigger(ask: Ask, facts: UnitFacts, meant: readonly Meant[]): string[] {
  const { id, active, sub, accept, fromBoot } = facts;
  const notes: string[] = [];
  const starts = accept ? [] : facts.triggers;
  if (isRunning(active) && facts.load !== 'masked') {
    if (id.endsWith('.socket')) notes.push('a masked socket stops listening at once');
    if (id.endsWith('.socket') && sub === 'running' && !ask.now && starts.length > 0)
      notes.push(`a rollback restarts ${listed(starts)}, or the socket could not listen again`);
    if (id.endsWith('.timer') && !ask.now) notes.push('a masked timer stops waiting at once');
    if (fromBoot) notes.push('it counts from the boot: a rollback makes it elapse once, at once');
  }
  const besides = starts.filter((name) => !byName(factsOf(meant)).has(name));
  if (besides.length > 0) notes.push(`it also starts ${listed(besides)}, which then stays off`);
  return notes;
}

const factsOf = once((meant: readonly Meant[]) => meant.map(({ facts }) => facts));

/** An instance that a socket with Accept=yes made for one connection; without that connection it cannot start. */
export function isConnection({ id, triggeredBy }: UnitFacts): boolean {
  const template = templateOf(id);
  return triggeredBy.some((name) => name.endsWith('.socket') && template === name.replace(/\.socket$/, '@.service'));
}

/** Such an instance does not fall under its template's mask. */
export function hasOwnFile(instance: UnitFacts): boolean {
  return baseOf(instance.fragment) === instance.id;
}
