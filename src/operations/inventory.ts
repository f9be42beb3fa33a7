/** inventory: what the inventory says; connects to nothing. */
import { type Inventory, renderAnsibleList, toAnsibleList, toGraph } from '../inventory/index.ts';
import { type Host, UsageError } from '../model/index.ts';
import { hostCard, inventoryTable, visibleJson } from '../report/index.ts';
import { EXIT } from './exit.ts';
import type { Io } from './io.ts';
import type { OutputFlags } from './output.ts';
import { colored } from './output.ts';
import { ansibleLogin } from './targets/ansible-settings.ts';
import { inventoryOf, readInventory, type SelectionFlags, selectedNames } from './targets/from-inventory.ts';
import { connectionOf, openWays, type SshFlags } from './targets/resolve-target.ts';

export interface InventoryFlags extends SelectionFlags, SshFlags, OutputFlags {
  readonly action?: string | undefined;
  readonly name?: string | undefined;
  readonly names?: boolean | undefined;
}

export async function showInventory(io: Io, flags: InventoryFlags): Promise<number> {
  const out = colored(io.stdout, io, flags);
  if (flags.action === 'host') {
    const shown = await oneHost(io, flags.name, flags);
    out.write(flags.output === 'table' ? hostCard(shown, out) : `${visibleJson(shown, 2)}\n`);
    return EXIT.ok;
  }
  if (flags.action !== 'list' && flags.action !== 'graph') {
    throw new UsageError(`inventory ${flags.action}: expected list or graph, or host NAME`);
  }
  if (flags.name !== undefined) throw new UsageError(`inventory ${flags.action} takes no name`, 'Use -l PATTERN.');
  const loaded = await inventoryOf(io, flags);
  const selected = selectedNames(io, loaded, flags);
  if (flags.action === 'graph') out.write(`${toGraph(loaded).join('\n')}\n`);
  else if (flags.names) out.write(selected.map((name) => `${name}\n`).join(''));
  else if (flags.output !== 'table') out.write(`${renderAnsibleList(toAnsibleList(loaded))}\n`);
  else
    out.write(
      inventoryTable(
        selected.map((name) => loaded.hosts.get(name)!),
        out,
      ),
    );
  return EXIT.ok;
}

/** What is known of one host. Without any inventory it is a host of ssh_config alone. */
async function oneHost(io: Io, name: string | undefined, flags: SelectionFlags & SshFlags) {
  if (name === undefined) throw new UsageError('inventory host: which host?', 'fleetmask inventory host NAME');
  const alone = !flags.inventory?.length && flags.nodes === undefined;
  const loaded: Inventory = alone ? await readInventory(io, [`${name},`]) : await inventoryOf(io, flags);
  const host: Host | undefined = loaded.hosts.get(name);
  if (host === undefined) throw new UsageError(`the inventory has no host ${JSON.stringify(name)}`);
  const unusable = loaded.unusable.get(name);
  if (unusable !== undefined) io.stderr.write(`note: ${unusable.error.message}\n`);
  return {
    host: name,
    groups: host.groups,
    vars: Object.fromEntries(host.vars),
    connection:
      unusable === undefined
        ? connectionOf(await openWays(io, flags, loaded, ansibleLogin(io)).settingsOf(host))
        : null,
  };
}
