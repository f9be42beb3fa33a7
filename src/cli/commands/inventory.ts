import { showInventory } from '../../operations/inventory.ts';
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
  run: (io, flags) => showInventory(io, flags),
});
