/** What is left on a host after a change or its undo: processes in control groups, and receipts. */
import { baseOf, type Evidence, templateOf, type UnitPlan, type UnitReport } from '../model/index.ts';

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
  const is = (unit: string) => unit === name || unit === templateOf(name) || unit === baseOf(group);
  return Math.max(
    0,
    units.findIndex((each) => is(each.unit) || is(each.shownAs)),
  );
}
