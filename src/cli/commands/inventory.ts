import { type Inventory, renderAnsibleList, toAnsibleList, toGraph } from '../../inventory/index.ts';
import { type Host, UsageError } from '../../model/index.ts';
import { EXIT } from '../../operations/exit.ts';
import type { Io } from '../../operations/io.ts';
import { colored } from '../../operations/output.ts';
import { ansibleLogin } from '../../operations/targets/ansible-settings.ts';
import {
  inventoryOf,
  readInventory,
  type SelectionFlags,
  selectedNames,
} from '../../operations/targets/from-inventory.ts';
import { connectionOf, openWays, type SshFlags } from '../../operations/targets/resolve-target.ts';
import { hostCard, inventoryTable, visibleJson } from '../../report/index.ts';
import { command } from '../command.ts';
import { listing, selection, wayIn } from '../options.ts';

export const inventory = command({
  name: 'inventory',
  usage: 'inventory <action> [name]',
  describe: 'show what the inventory says; connects to nothing',
  examples: [
    ['fleetmask inventory list -i hosts.yaml -l "web:!web5"', 'the hosts that a pattern selects'],
    ['fleetmask inventory list -i hosts.yaml -l web --names', 'only their names, one a line'],
    ['fleetmask inventory list -i hosts.yaml -o json', 'in the form of ansible-inventory --list'],
    ['fleetmask inventory graph -i hosts.yaml', 'groups and hosts as a tree'],
    ['fleetmask inventory host web1 -i hosts.yaml', 'one host: groups, variables, and how it is reached'],
  ],
  options: {
    action: { type: 'string', hidden: true },
    name: { type: 'string', hidden: true },
    ...selection,
    ...wayIn,
    names: { type: 'boolean', describe: 'only the selected names, one a line' },
    ...listing,
  },
  words: { action: ['list', 'graph', 'host'] },
  positional: (argv) =>
    argv
      .positional('action', { type: 'string', describe: 'list, graph or host' })
      .positional('name', { type: 'string', describe: 'the host, for `host`' }),
  run: async (io, flags) => {
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
  },
});

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
