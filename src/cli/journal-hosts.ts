/** The hosts of an earlier run or of a plan, and how to reach them now. */
import type { Inventory } from '../inventory/index.ts';
import type { Host, Target } from '../model/index.ts';
import type { JournalHost } from '../run/journal.ts';
import { becomeAgain } from './become.ts';
import type { Io } from './io.ts';
import { type SelectionFlags, selectedNames, targetsNamed, type WayInFlags } from './targets.ts';
import { wayAgain, wayByConfig } from './way-again.ts';
import { openWays } from './ways.ts';

/**
 * Those of the hosts on record that -l and -w select and `wanted` takes, in their order; reached as they were, unless -i, -F or
 * another flag says otherwise.
 */
export async function journalHosts(
  io: Io,
  recorded: readonly JournalHost[],
  flags: SelectionFlags & WayInFlags,
  wanted: (host: string) => boolean = () => true,
): Promise<readonly JournalHost[]> {
  const known = new Map(recorded.map((host) => [host.host, host]));
  const names =
    flags.limit === undefined && flags.nodes === undefined
      ? [...known.keys()]
      : selectedNames(io, inventoryOf([...known.keys()]), flags);
  const chosen = names.filter(wanted);
  if (flags.inventory === undefined) {
    const hosts = chosen.map((name) => known.get(name)!);
    const now = (host: JournalHost, way: Target): JournalHost => ({ ...way, become: becomeAgain(host.become, flags) });
    if (flags['ssh-config'] === undefined) return hosts.map((host) => now(host, wayAgain(io, host, flags)));
    const ways = openWays(io, flags, inventoryOf([]));
    const reached = await Promise.all(hosts.map(async (host) => now(host, await wayByConfig(host, flags, ways))));
    for (const note of ways.notes()) io.stderr.write(`note: ${note}\n`);
    return reached;
  }
  return targetsNamed(io, { ...flags, limit: undefined, nodes: undefined }, chosen);
}

/** The hosts as an inventory of their own, for patterns. */
function inventoryOf(names: readonly string[]): Inventory {
  const hosts = new Map<string, Host>(
    names.map((name) => [name, { name, groups: [], vars: new Map(), connection: {} }]),
  );
  const all = { name: 'all', children: [], hosts: names, allHosts: names, vars: new Map() };
  return { hosts, groups: new Map([['all', all]]), unusable: new Map(), notes: [] };
}
