/** Inventory and flags → the hosts of a run and how to reach them. */
import { join } from 'node:path';
import { type Inventory, loadInventory, selectHosts } from '../inventory/index.ts';
import { type Host, UsageError } from '../model/index.ts';
import type { JournalHost } from '../run/journal.ts';
import type { Io } from './io.ts';
import { wholeNumber } from './options.ts';

export interface SelectionFlags {
  readonly inventory?: readonly string[] | undefined;
  readonly limit?: string | undefined;
}

export interface WayInFlags {
  readonly user?: string | undefined;
  readonly port?: number | undefined;
  readonly 'private-key'?: string | undefined;
  readonly 'ssh-config'?: string | undefined;
  readonly become?: boolean | undefined;
}

/** The inventory that -i names. Its notes (what was read and not followed) go to stderr. */
export async function inventoryOf(io: Io, { inventory }: SelectionFlags): Promise<Inventory> {
  if (inventory === undefined || inventory.length === 0) {
    throw new UsageError(
      'no inventory was named',
      'Name one with -i: a file, a directory, or a list such as web1,web2,',
    );
  }
  const loaded = await loadInventory(inventory, { cwd: io.cwd, env: io.env, stdin: () => io.readStdin() });
  for (const note of loaded.notes) io.stderr.write(`note: ${note}\n`);
  return loaded;
}

/** The selected hosts with everything that is needed to reach them. What the inventory says of a host wins over the flags, as in Ansible. */
export async function targetsOf(io: Io, flags: SelectionFlags & WayInFlags): Promise<JournalHost[]> {
  if (flags['ssh-config'] !== undefined && flags['ssh-config'] !== 'none') {
    throw new UsageError(
      '-F: ssh_config files are not read yet',
      'Use -F none, and give user, port and key by flags or in the inventory.',
    );
  }
  const hosts = selectHosts(await inventoryOf(io, flags), flags.limit, { cwd: io.cwd });
  return hosts.map((host) => reach(io, host, flags));
}

function reach(io: Io, { name, connection }: Host, flags: WayInFlags): JournalHost {
  for (const [given, what] of [
    [connection.proxyJump ?? connection.proxyCommand, 'jump hosts'],
    [connection.sshConfigFile, 'ssh_config files'],
  ] as const) {
    if (given !== undefined) throw new UsageError(`${name}: ${what} are not supported yet (${given})`);
  }
  if (connection.become === true && (connection.becomeMethod ?? 'sudo') !== 'sudo') {
    throw new UsageError(
      `${name}: escalation by ${connection.becomeMethod} is not supported yet`,
      'Allow sudo -n, or log in as root.',
    );
  }
  if (flags.port !== undefined) wholeNumber('port', flags.port, 1, 65535);
  const key = connection.privateKeyFile ?? flags['private-key'];
  return {
    host: name,
    address: connection.address ?? name,
    port: connection.port ?? flags.port ?? 22,
    user: connection.user ?? flags.user ?? io.user,
    identityFiles: key === undefined ? defaultKeys(io) : [absolute(io, key)],
    identitiesOnly: false,
    become: connection.become === false && flags.become !== true ? 'never' : 'auto',
  };
}

/** What ssh looks for when nothing is said. */
function defaultKeys(io: Io): string[] {
  return ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(io.home, '.ssh', name));
}

export function absolute(io: Io, path: string): string {
  if (path === '~' || path.startsWith('~/')) return join(io.home, path.slice(1));
  return path.startsWith('/') ? path : join(io.cwd, path);
}
