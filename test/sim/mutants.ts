/** Ways to be wrong that the simulation must see. None has a hook in the product: each wraps it, or stands in the model of the host. */
import type { Quirks } from './machine.ts';

export interface Mutant {
  readonly name: string;
  /** The remote program is wrong. */
  readonly program?: Quirks['program'];
  /** The controller is wrong. */
  readonly journal?: 'after-send' | 'unsynced';
  readonly session?: 'undo-before-re-probe';
}

export const MUTANTS: readonly Mutant[] = [
  { name: 'undo before re-probe', session: 'undo-before-re-probe' },
  { name: 'journal after send', journal: 'after-send' },
  { name: 'no fence', program: 'no-fence' },
  { name: 'start before unmask', program: 'start-first' },
  { name: 'no final probe', program: 'no-read-back' },
];
