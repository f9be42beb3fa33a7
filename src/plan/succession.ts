/** Runs that came later and stand on what an earlier one did: that one cannot be taken back from under them. */
import {
  baseOf,
  type Change,
  type Fault,
  fault,
  isRunning,
  type Prior,
  printable,
  type Receipt,
  templateOf,
} from '../model/index.ts';
import { sayRun } from './holders.ts';

/** Why a run is not to be put back before another one is; null where none stands in its way. The latest comes first. */
export function standsOn(
  run: string,
  deed: { readonly change: Change; readonly prior: Prior },
  receipts: readonly Receipt[],
): Fault | null {
  const held = new Set(receipts.find((receipt) => receipt.run === run)?.holds);
  const later = receipts
    .filter(
      (receipt) =>
        receipt.run > run && (masks(receipt, deed) || unmasked(receipt, deed, held) || builds(receipt, held)),
    )
    .toSorted((a, b) => (a.run < b.run ? 1 : -1))[0];
  if (later === undefined) return null;
  const hint = `Put that one back first: fleetmask rollback ${later.run} (or recover --from-hosts ${later.run} --undo, without its journal).`;
  return fault('newer-run', printable(`${sayRun(later)} came later and stands on what this run did here`), hint);
}

/** It holds a unit masked that the earlier run found otherwise, or changed. */
function masks({ holds, change }: Receipt, deed: { change: Change; prior: Prior }): boolean {
  const { links, removes, displaces } = deed.change;
  const states = deed.prior.states.filter(
    ({ id, load, active }) => load !== '' || (isRunning(active) && change.stops.includes(id)),
  );
  const meant = [...[...links, ...removes, ...displaces].map(baseOf), ...states.map(({ id }) => id)];
  const names = new Set(meant.flatMap((name) => [name, templateOf(name) ?? name]));
  return holds.some((path) => names.has(baseOf(path)));
}

/** It took away a link of the earlier run, which is that run's again when it is put back. */
function unmasked({ change }: Receipt, deed: { change: Change }, held: ReadonlySet<string>): boolean {
  return change.removes.some((path) => deed.change.links.includes(path) && !held.has(path));
}

/** It found a unit masked by the earlier run, and has done something more: stopped it, or masked others with it. */
function builds({ holds, change, prior }: Receipt, held: ReadonlySet<string>): boolean {
  const stands = holds.length > 0 || change.links.length + change.displaces.length === 0;
  return stands && prior.masks.some((path) => held.has(path));
}
