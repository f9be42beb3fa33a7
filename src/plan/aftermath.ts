/**
 * What became of a change of which the host has no receipt any more. That a record is missing proves nothing: it may have gone
 * with the rollback, or alone. So what is read decides.
 */
import { baseOf, type Change, type Evidence, type Prior, stateOf } from '../model/index.ts';
import { judgeUndo } from './judge-undo.ts';

export type Aftermath =
  /** All that was read is as before the run. */
  | { readonly kind: 'rolled-back' }
  /** The links are as before the run; what runs is not. Whose doing that is, is for whoever knows more to say. */
  | { readonly kind: 'differs'; readonly lacking: string }
  /** The change is in effect, or a part of it. */
  | { readonly kind: 'in-effect'; readonly lacking: string };

/** States that were not read are not judged. */
export function aftermath(
  { change, prior }: { readonly change: Change; readonly prior: Prior },
  { units, paths }: Pick<Evidence, 'units' | 'paths'>,
): Aftermath {
  const shown = new Map(units.map((unit) => [unit.id, stateOf(unit)]));
  const states = prior.states.filter(({ id }) => shown.has(id));
  const read: Evidence = { refused: null, steps: [], units, paths, left: [], foreign: [], lacking: [], receipt: false };
  const lacking = judgeUndo(change, { ...prior, states }, read);
  if (lacking === null) return { kind: 'rolled-back' };
  const loads = states.map((state) => ({ ...state, ...shown.get(state.id)!, load: state.load }));
  const link = inEffect(change, paths);
  if (link !== null) return { kind: 'in-effect', lacking: link };
  const masked = judgeUndo(change, { ...prior, states: loads }, read);
  return masked === null
    ? { kind: 'differs', lacking: lacking.message }
    : { kind: 'in-effect', lacking: masked.message };
}

/** The first of the change's links that is on disk as the change made it, in words; null where none is. */
export function inEffect({ links, removes, displaces }: Change, paths: Evidence['paths']): string | null {
  const masks = new Set(paths.filter(({ kind }) => kind === 'null').map(({ path }) => path));
  const made = [...links, ...displaces].find((path) => masks.has(path));
  if (made !== undefined) return `${baseOf(made)} is masked by ${made}`;
  const gone = removes.find((path) => !masks.has(path));
  return gone === undefined ? null : `${gone} is not back`;
}
