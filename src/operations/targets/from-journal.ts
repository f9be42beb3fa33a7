/** The hosts of an earlier run or of a plan, and how to reach them now. */
import type { Inventory } from '../../inventory/index.ts';
import type { Host, JournalHost } from '../../model/index.ts';
import type { Io } from '../io.ts';
import { becomeAgain } from './become.ts';
import { type SelectionFlags, selectedNames, targetsNamed, type WayInFlags } from './from-inventory.ts';
import { wayAgain, wayByConfig } from './override-target.ts';
import { agreeToConnections, type TrustFlags } from './recorded-connections.ts';
import { openWays } from './resolve-target.ts';

/** Of a host on record: whether it is meant, and whether it is going to be contacted. */
export interface Meaning {
  wanted?(host: string): boolean;
  /** Absent: every one that is wanted. */
  contacted?(host: string): boolean;
}

/**
 * Those of the hosts on record that -l and -w select and `wanted` takes, in their order; reached as they were, unless -i, -F or
 * another flag says otherwise. Throws UsageError where that needs a person's consent (see `agreeToConnections`).
 */
export async function journalHosts(
  io: Io,
  recorded: readonly JournalHost[],
  flags: SelectionFlags & WayInFlags & TrustFlags,
  { wanted = () => true, contacted = () => true }: Meaning = {},
): Promise<readonly JournalHost[]> {
  const known = new Map(recorded.map((host) => [host.host, host]));
  const names =
    flags.limit === undefined && flags.nodes === undefined
      ? [...known.keys()]
      : selectedNames(io, inventoryOf([...known.keys()]), flags);
  const chosen = names.filter(wanted);
  if (flags.inventory !== undefined) {
    return targetsNamed(io, { ...flags, limit: undefined, nodes: undefined }, chosen);
  }
  const ways = openWays(io, flags, inventoryOf([]));
  const byConfig = flags['ssh-config'] !== undefined;
  const hosts = await Promise.all(
    chosen.map(async (name): Promise<JournalHost> => {
      const host = known.get(name)!;
      const way = byConfig ? await wayByConfig(host, flags, ways) : wayAgain(io, host, flags);
      return { ...way, become: becomeAgain(host.become, flags) };
    }),
  );
  for (const note of byConfig ? ways.notes() : []) io.stderr.write(`note: ${note}\n`);
  const reached = hosts.filter(({ host }) => contacted(host));
  await agreeToConnections(io, known, reached, ways, flags);
  return hosts;
}

/** The hosts as an inventory of their own, for patterns. */
function inventoryOf(names: readonly string[]): Inventory {
  const hosts = new Map<string, Host>(
    names.map((name) => [name, { name, groups: [], vars: new Map(), connection: {} }]),
  );
  const all = { name: 'all', children: [], hosts: names, allHosts: names, vars: new Map() };
  return { hosts, groups: new Map([['all', all]]), unusable: new Map(), notes: [] };
}
