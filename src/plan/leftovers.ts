/** What is left on a host after a change or its undo: processes in control groups, and receipts. */
import { baseOf, type Evidence, templateOf, type UnitPlan, type UnitReport } from '../model/index.ts';
import { once } from './by-name.ts';

/** With a note on the receipt that an undo could not remove: nothing else says that it stays. */
export function withReceiptNote(units: readonly UnitReport[], evidence: Evidence | null): UnitReport[] {
  const kept = evidence?.kept;
  if (kept === undefined) return [...units];
  const note = `rolled back, but the receipt ${kept.path} could not be removed (${kept.why}): remove it when it can be written`;
  return units.map((unit, index) => (index === 0 ? { ...unit, notes: [...unit.notes, note] } : unit));
}

/**
 * The index of the unit that a control group is of: its last part is the unit's name, or an instance's of a template, behind an
 * underscore where the kernel might take it for something else. What is of none is shown with the first.
 */
export function unitOfGroup(group: string, units: readonly UnitPlan[]): number {
  const name = baseOf(group).replace(/^_/, '');
  const known = indexByName(units);
  const found = [name, templateOf(name) ?? name, baseOf(group)].flatMap((each) => known.get(each) ?? []);
  return found.length === 0 ? 0 : Math.min(...found);
}

/** Of the first unit that has it. */
const indexByName = once((units: readonly UnitPlan[]) => {
  const pairs = units.flatMap(({ unit, shownAs }, index) => [[unit, index] as const, [shownAs, index] as const]);
  return new Map(pairs.toReversed());
});
