/** Inventory and flags → the hosts of a run and how to reach them. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { expandNodeRange, type Inventory, loadInventory, matchNames, usableHosts } from '../../inventory/index.ts';
import {
  fault,
  type Host,
  type HostReport,
  type HostSecrets,
  type JournalHost,
  printable,
  SECRETS,
  UsageError,
} from '../../model/index.ts';
import { untouched } from '../../run/across-fleet.ts';
import { runWithin } from '../../ssh-config/run-program.ts';
import { assertOurs } from '../context/strict-modes.ts';
import { BrokenOff, type Io } from '../io.ts';
import { ansibleInventory, ansibleLogin } from './ansible-settings.ts';
import { type BecomeFlags, becomeOf } from './become.ts';
import { openWays, type SshFlags } from './resolve-target.ts';

export interface SelectionFlags {
  readonly inventory?: readonly string[] | undefined;
  readonly limit?: string | undefined;
  readonly nodes?: string | undefined;
  readonly 'skip-unsupported'?: boolean | undefined;
  /** `directory`: ./fleetmask.yaml names the inventory, which may not name programs. */
  readonly inventoryFrom?: 'directory' | undefined;
}

export interface WayInFlags extends SshFlags, BecomeFlags {}

/** The inventory that -i names, else the hosts that -w names. Its notes (what was read and not followed) go to stderr. */
export async function inventoryOf(io: Io, flags: SelectionFlags): Promise<Inventory> {
  const { sources, from } = sourcesOf(io, flags);
  const loaded = await readInventory(io, sources, from === 'directory' ? 'data' : 'programs');
  if (from === 'directory') refuseCommands(loaded);
  for (const note of loaded.notes) io.stderr.write(`note: ${note}\n`);
  return loaded;
}

/** What -i names, else -w, else Ansible's own settings. Throws UsageError where nothing names any. */
function sourcesOf(
  io: Io,
  { inventory, nodes, inventoryFrom }: SelectionFlags,
): { readonly sources: readonly string[]; readonly from: 'operator' | 'directory' } {
  if (inventory?.length) return { sources: inventory, from: inventoryFrom ?? 'operator' };
  if (nodes !== undefined) return { sources: [`${expandNodeRange(nodes).join(',')},`], from: 'operator' };
  const ansible = ansibleInventory(io);
  if (ansible === null) {
    throw new UsageError(
      'no inventory was named',
      'Name one with -i: a file, a directory, or a list such as web1,web2,; or hosts with -w: web[1-40].',
    );
  }
  io.stderr.write(`note: ${ansible.note}\n`);
  return ansible;
}

/** Throws UsageError for an inventory of ./fleetmask.yaml or ./ansible.cfg that would run a command: here, or by way of an ssh_config file. */
function refuseCommands({ hosts }: Inventory): void {
  for (const { name, connection } of hosts.values()) {
    const { proxyCommand, sshConfigFile, sshOptions = [] } = connection;
    const option = sshOptions.find((each) => !HARMLESS_OPTION.test(each));
    if (proxyCommand === undefined && sshConfigFile === undefined && option === undefined) continue;
    const what =
      proxyCommand !== undefined
        ? `the command ${proxyCommand}`
        : sshConfigFile !== undefined
          ? `the ssh_config file ${sshConfigFile}`
          : `the option -o ${option}`;
    throw new UsageError(
      `${name}: the inventory names ${printable(what, 200)}, and the settings of this directory name the inventory`,
      'Check it, and name the inventory with -i.',
    );
  }
}

/** Options of ssh that neither run a program nor have to do with whom one talks to. */
const HARMLESS_OPTION =
  /^\s*"?(?:port|user|compression|connect(?:timeout|ionattempts)|control(?:master|path|persist)|serveralive(?:interval|countmax)|tcpkeepalive|identit(?:yfile|iesonly)|addressfamily|loglevel|batchmode|preferredauthentications|(?:pubkey|password|kbdinteractive)authentication|ipqos|requesttty)\b/i;

/** Programs of the inventory are ended, with what they started, when the operator interrupts. */
export async function readInventory(
  io: Io,
  sources: readonly string[],
  may: 'programs' | 'data' = 'programs',
): Promise<Inventory> {
  // they belong to every inventory, and a directory of somebody else could name commands in them
  for (const name of ['group_vars', 'host_vars']) {
    if (lstatSync(join(io.cwd, name), { throwIfNoEntry: false }) === undefined) continue;
    assertOurs(io, join(io.cwd, name), 'these variables', 'or run the command in another directory');
  }
  const interrupt = new AbortController();
  const release = io.onInterrupt(() => interrupt.abort());
  const { cwd, env } = io;
  try {
    return await loadInventory(sources, {
      ...{ cwd, env, run: may === 'programs' ? runWithin : undefined, signal: interrupt.signal },
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

export interface Selection {
  /** With everything that is needed to reach them. */
  readonly hosts: readonly JournalHost[];
  /** With --skip-unsupported: hosts that are no SSH hosts, or have a template that is not evaluated. They are reported, and no fault. */
  readonly unsupported: readonly HostReport[];
}

/** The hosts that -i, -l and -w select. Throws UsageError where one of them cannot be connected to, and where none is left. */
export async function selectionOf(io: Io, flags: SelectionFlags & WayInFlags): Promise<Selection> {
  const inventory = await inventoryOf(io, flags);
  const skipUnsupported = flags['skip-unsupported'] ?? false;
  const { hosts, unsupported } = usableHosts(inventory, selectedNames(io, inventory, flags), {
    limit: flags.limit,
    skipUnsupported,
  });
  const reports = [...unsupported].map(([name, { why, error }]) =>
    untouched(
      { host: name, address: name, port: 22 },
      'refused',
      fault(why === 'template' ? why : 'not-ssh', error.message),
    ),
  );
  return { hosts: await targetsFrom(io, flags, inventory, hosts), unsupported: reports };
}

/** The same for a command that has nothing to report of others. */
export async function targetsOf(io: Io, flags: SelectionFlags & WayInFlags): Promise<readonly JournalHost[]> {
  return (await selectionOf(io, { ...flags, 'skip-unsupported': false })).hosts;
}

/** Hosts of an inventory by their names, which are judged alone. Throws UsageError for a name that it does not have. */
export async function targetsNamed(
  io: Io,
  flags: SelectionFlags & WayInFlags,
  names: readonly string[],
): Promise<readonly JournalHost[]> {
  const inventory = await inventoryOf(io, flags);
  const missing = names.find((name) => !inventory.hosts.has(name));
  if (missing !== undefined) throw new UsageError(`the inventory has no host ${missing}, which is on record`);
  return targetsFrom(io, flags, inventory, usableHosts(inventory, names, { limit: flags.limit }).hosts);
}

async function targetsFrom(
  io: Io,
  flags: WayInFlags,
  inventory: Inventory,
  hosts: readonly Host[],
): Promise<JournalHost[]> {
  const ansible = ansibleLogin(io);
  for (const note of ansible.notes) io.stderr.write(`note: ${note}\n`);
  const ways = openWays(io, flags, inventory, ansible);
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
