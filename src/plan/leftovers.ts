/** What is left on a host after a change or its undo: processes in control groups, and receipts. */
import {
  baseOf,
  type Change,
  type Evidence,
  type Prior,
  type Started,
  templateOf,
  type UnitPlan,
  type UnitReport,
} from '../model/index.ts';
import { groups, listed, once } from './by-name.ts';
import { masksGone } from './judge-undo.ts';

/**
 * With notes on what an undo left as it is, and nothing else says: a receipt that stays, what the change had started, and masks
 * that others have removed.
 */
export function withUndoNotes(
  units: readonly UnitReport[],
  evidence: Evidence | null,
  { change, prior }: { readonly change: Change; readonly prior: Prior },
): UnitReport[] {
  if (evidence === null) return [...units];
  const { kept } = evidence;
  const receipt =
    kept === undefined
      ? []
      : [
          `rolled back, but the receipt ${kept.path} could not be removed (${kept.why}): remove it when it can be written`,
        ];
  const gone = groups(masksGone(change, prior, evidence), baseOf);
  return units.map((unit, index) => {
    const masks = unit.after?.load === 'masked' ? [] : (gone.get(unit.unit) ?? []);
    const removed = masks.map(
      (path) => `${path} was there before the run and was removed by someone else since: not restored`,
    );
    return {
      ...unit,
      notes: [...unit.notes, ...(index === 0 ? [...receipt, ...notesOnStarted(evidence, UNDONE)] : []), ...removed],
    };
  });
}

/** With a note on what the stop of the units started. */
export function withStartNotes(units: readonly UnitReport[], evidence: Evidence): UnitReport[] {
  return onFirst(units, notesOnStarted(evidence, DONE));
}

function onFirst(units: readonly UnitReport[], more: readonly string[]): UnitReport[] {
  return units.map((unit, index) =>
    index === 0 && more.length > 0 ? { ...unit, notes: [...unit.notes, ...more] } : unit,
  );
}

type Wording = Readonly<Record<Started['kind'], string>>;

const DONE: Wording = {
  running: 'started by the stop (OnSuccess=, OnFailure=); a rollback stops it',
  ended: 'started by the stop (OnSuccess=, OnFailure=) and has ended; no rollback undoes what it did',
  beside: 'came to run during the stop; a rollback does not stop it',
};

const UNDONE: Wording = {
  running: 'started by the stop (OnSuccess=, OnFailure=), and still runs',
  ended: 'started by the stop (OnSuccess=, OnFailure=) and ended by itself; what it did is not undone',
  beside: 'came to run during the stop, and still runs; check whether it is to stay',
};

function notesOnStarted(evidence: Evidence | null, wording: Wording): string[] {
  const started = evidence?.started ?? [];
  return (['running', 'ended', 'beside'] as const).flatMap((kind) => {
    const units = started.filter((each) => each.kind === kind).map(({ unit }) => unit);
    return units.length === 0 ? [] : [`${listed(units)}: ${wording[kind]}`];
  });
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
