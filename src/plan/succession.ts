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
import { groups } from './by-name.ts';
import { sayRun } from './holders.ts';
import { byAge } from './receipt-age.ts';

/** Why a run is not to be put back before another one is; null where none stands in its way. The latest comes first. */
export function standsOn(
  run: string,
  deed: { readonly change: Change; readonly prior: Prior },
  receipts: readonly Receipt[],
): Fault | null {
  const own = receipts.find((receipt) => receipt.run === run);
  const held = new Set(own?.holds);
  const meant = meantBy(deed);
  const links = new Set(deed.change.links);
  const found = new Set(deed.prior.masks);
  const later = receipts
    .filter(
      (receipt) =>
        cameLater(receipt, run, own, found) &&
        (masks(receipt, meant) || unmasked(receipt, links, held) || builds(receipt, held)),
    )
    .reduce<Receipt | undefined>(
      (latest, each) => (latest === undefined || byAge(latest, each) < 0 ? each : latest),
      undefined,
    );
  if (later === undefined) return null;
  const hint = `Roll that one back first: fleetmask rollback ${later.run} (where it was interrupted: fleetmask recover ${later.run}; without its journal: recover --from-hosts ${later.run} --undo). Then run this again.`;
  return fault('newer-run', printable(`${sayRun(later)} came later and stands on what this run did here`), hint);
}

/** Names that the earlier run changed, or found in some state; and units of which it is known only that they ran, by such names. */
interface Meant {
  readonly names: ReadonlySet<string>;
  readonly ran: ReadonlyMap<string, readonly string[]>;
}

function meantBy({ change: { links, removes, displaces }, prior }: { change: Change; prior: Prior }): Meant {
  const known = prior.states.filter(({ load }) => load !== '').map(({ id }) => id);
  const ran = prior.states.filter(({ load, active }) => load === '' && isRunning(active));
  const names = [...[...links, ...removes, ...displaces].map(baseOf), ...known].flatMap(withTemplate);
  const pairs = ran.flatMap(({ id }) => withTemplate(id).map((name) => ({ name, id })));
  const ids = [...groups(pairs, ({ name }) => name)].map(([name, all]) => [name, all.map(({ id }) => id)] as const);
  return { names: new Set(names), ran: new Map(ids) };
}

function withTemplate(name: string): string[] {
  const template = templateOf(name);
  return template === null ? [name] : [name, template];
}

/**
 * Hosts count their receipts. Of those from before they did, which are older than all others, ids are the best guess. Without a
 * receipt of the run itself, a mask came later that was not there before the run: `found` are those that were.
 */
function cameLater(receipt: Receipt, run: string, own: Receipt | undefined, found: ReadonlySet<string>): boolean {
  if (receipt.run === run) return false;
  if (own !== undefined) return byAge(own, receipt) < 0;
  return receipt.order === null ? receipt.run > run : receipt.holds.some((path) => !found.has(path));
}

/** It holds a unit masked that the earlier run found otherwise, or changed. */
function masks({ holds, change }: Receipt, { names, ran }: Meant): boolean {
  const stops = new Set(change.stops);
  return holds
    .map(baseOf)
    .some((name) => names.has(name) || (stops.size > 0 && ran.get(name)?.some((id) => stops.has(id))));
}

/** It took away a link of the earlier run, which is that run's again when it is put back. */
function unmasked({ change }: Receipt, links: ReadonlySet<string>, held: ReadonlySet<string>): boolean {
  return change.removes.some((path) => links.has(path) && !held.has(path));
}

/** It found a unit masked by the earlier run, and has done something more: stopped it, or masked others with it. */
function builds({ holds, change, prior }: Receipt, held: ReadonlySet<string>): boolean {
  const stands = holds.length > 0 || change.links.length + change.displaces.length === 0;
  return stands && prior.masks.some((path) => held.has(path));
}
