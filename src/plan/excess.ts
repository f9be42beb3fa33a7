/** How much one host may add to what was asked; what is over that is a fault of that host alone. */
import { type Facts, type Fault, fault, type UnitPlan } from '../model/index.ts';
import type { Meant, Query } from './resolve.ts';

/** Besides those that were named: patterns of the catalogue, and triggers, are the host's to choose. */
const MOST_MORE = 50;
/** Names, instances, units that stop with these, and what can start them: each is read back, or part of the prior state. */
const MOST_STATES = 1_000;

/** More units than any host has for what was asked. */
export function unitsFault(queries: readonly Query[], units: number): Fault | null {
  const most = queries.length + MOST_MORE;
  const hint = 'Look at the host, for few have so many; or name the units literally, some in each run.';
  return units <= most
    ? null
    : fault('ambiguous-unit', `${units} units are meant here; at most ${most} are taken`, hint);
}

/** More of what is read back, and restored by an undo, than any host has for these units. */
export function statesFault(meant: readonly Meant[], { related }: Facts): Fault | null {
  const states =
    related.length + meant.reduce((sum, { facts, instances }) => sum + facts.names.length + instances.length, 0);
  if (states <= MOST_STATES + meant.length) return null;
  return fault(
    'ambiguous-unit',
    `${states} names, instances and related units go with what is meant; at most ${MOST_STATES} are taken`,
  );
}

/** What is masked with them is compared with what may never be: so all of it is kept, and it may not be too much. */
export function coversFault(units: readonly UnitPlan[]): Fault | null {
  const covered = units.reduce((sum, { covers }) => sum + (covers?.length ?? 0), 0);
  if (covered <= MOST_STATES) return null;
  return fault('ambiguous-unit', `${covered} names are masked with what is meant; at most ${MOST_STATES} are taken`);
}
