/** The hosts of an earlier run or of a plan, and how to reach them now. */
import type { Inventory } from '../inventory/index.ts';
import { type Host, UsageError } from '../model/index.ts';
import type { JournalHost } from '../run/journal.ts';
import { becomeAgain } from './become.ts';
import type { Io } from './io.ts';
import { type SelectionFlags, selectedNames, targetsOf, type WayInFlags } from './targets.ts';
import { wayAgain } from './way-again.ts';

/**
 * Those of the hosts on record that -l and -w select and `wanted` takes, in their order; reached as they were, unless -i says
 * otherwise.
 */
export async function journalHosts(
  io: Io,
  recorded: readonly JournalHost[],
  flags: SelectionFlags & WayInFlags,
  wanted: (host: string) => boolean = () => true,
): Promise<JournalHost[]> {
  const known = new Map(recorded.map((host) => [host.host, host]));
  const names =
    flags.limit === undefined && flags.nodes === undefined
      ? [...known.keys()]
      : selectedNames(io, inventoryOf([...known.keys()]), flags);
  const chosen = names.filter(wanted);
  if (flags.inventory === undefined) {
    if (flags['ssh-config'] !== undefined) {
      throw new UsageError(
        '-F goes with -i here: it is on record how the hosts were reached',
        'Name the inventory too.',
      );
    }
    return chosen.map((name) => {
      const host = known.get(name)!;
      return { ...wayAgain(io, host, flags), become: becomeAgain(host.become, flags) };
    });
  }
  const now = new Map(
    (await targetsOf(io, { ...flags, limit: undefined, nodes: undefined })).map((host) => [host.host, host]),
  );
  const missing = chosen.find((name) => !now.has(name));
  if (missing !== undefined) throw new UsageError(`the inventory has no host ${missing}, which is on record`);
  return chosen.map((name) => now.get(name)!);
}

/** The hosts as an inventory of their own, for patterns. */
function inventoryOf(names: readonly string[]): Inventory {
  const hosts = new Map<string, Host>(
    names.map((name) => [name, { name, groups: [], vars: new Map(), connection: {} }]),
  );
  const all = { name: 'all', children: [], hosts: names, allHosts: names, vars: new Map() };
  return { hosts, groups: new Map([['all', all]]), unusable: new Map(), notes: [] };
}
