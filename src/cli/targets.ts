/** Inventory and flags → the hosts of a run and how to reach them. */
import { expandNodeRange, type Inventory, loadInventory, matchNames, usableHosts } from '../inventory/index.ts';
import { type Host, type HostSecrets, SECRETS, UsageError } from '../model/index.ts';
import type { JournalHost } from '../run/journal.ts';
import { runWithin } from '../transport/program.ts';
import { type BecomeFlags, becomeOf } from './become.ts';
import { BrokenOff, type Io } from './io.ts';
import { openWays, type SshFlags } from './ways.ts';

export interface SelectionFlags {
  readonly inventory?: readonly string[] | undefined;
  readonly limit?: string | undefined;
  readonly nodes?: string | undefined;
}

export interface WayInFlags extends SshFlags, BecomeFlags {}

/** The inventory that -i names, else the hosts that -w names. Its notes (what was read and not followed) go to stderr. */
export async function inventoryOf(io: Io, { inventory, nodes }: SelectionFlags): Promise<Inventory> {
  const sources = inventory?.length ? inventory : nodes === undefined ? [] : [`${expandNodeRange(nodes).join(',')},`];
  if (sources.length === 0) {
    throw new UsageError(
      'no inventory was named',
      'Name one with -i: a file, a directory, or a list such as web1,web2,; or hosts with -w: web[1-40].',
    );
  }
  const loaded = await readInventory(io, sources);
  for (const note of loaded.notes) io.stderr.write(`note: ${note}\n`);
  return loaded;
}

/** Programs of the inventory are ended, with what they started, when the operator interrupts. */
export async function readInventory(io: Io, sources: readonly string[]): Promise<Inventory> {
  const interrupt = new AbortController();
  const release = io.onInterrupt(() => interrupt.abort());
  const { cwd, env } = io;
  try {
    return await loadInventory(sources, {
      ...{ cwd, env, run: runWithin, signal: interrupt.signal },
      stdin: () => io.readStdin(),
    });
  } catch (error) {
    throw interrupt.signal.aborted ? new BrokenOff('while the inventory was read') : error;
  } finally {
    release();
  }
}

/** The names that -l and -w select, those of -w in their order; with both, what both select. */
export function selectedNames(io: Io, inventory: Inventory, { limit, nodes }: SelectionFlags): string[] {
  const names = nodes === undefined || limit !== undefined ? matchNames(inventory, limit, { cwd: io.cwd }) : undefined;
  if (nodes === undefined) return names ?? [];
  const wanted = expandNodeRange(nodes);
  const missing = wanted.filter((name) => !inventory.hosts.has(name));
  if (missing.length > 0) {
    const others = missing.length > 3 ? ` and ${missing.length - 3} more` : '';
    throw new UsageError(`-w: not in the inventory: ${missing.slice(0, 3).join(', ')}${others}`);
  }
  const limited = names && new Set(names);
  const selected = limited === undefined ? wanted : wanted.filter((name) => limited.has(name));
  if (selected.length === 0) throw new UsageError('-w and -l have no host in common', 'One of them is enough.');
  return selected;
}

/** The selected hosts with everything that is needed to reach them. */
export async function targetsOf(io: Io, flags: SelectionFlags & WayInFlags): Promise<JournalHost[]> {
  const inventory = await inventoryOf(io, flags);
  const { hosts } = usableHosts(inventory, selectedNames(io, inventory, flags), { limit: flags.limit });
  const ways = openWays(io, flags, inventory);
  const targets = await Promise.all(
    hosts.map(async (host) => ({
      ...(await ways.targetOf(host)),
      become: becomeOf(host, flags),
      [SECRETS]: secretsOf(host),
    })),
  );
  for (const note of ways.notes()) io.stderr.write(`note: ${note}\n`);
  return targets;
}

function secretsOf({ connection: { password: login, becomePassword: become } }: Host): HostSecrets {
  return { ...(login && { login }), ...(become && { become }) };
}
