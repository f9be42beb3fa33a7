import { matchNames, renderAnsibleList, toAnsibleList, toGraph } from '../../inventory/index.ts';
import { UsageError } from '../../model/index.ts';
import { inventoryTable } from '../../report/index.ts';
import { command } from '../command.ts';
import { EXIT } from '../exit.ts';
import { output, selection } from '../options.ts';
import { colored } from '../screen.ts';
import { inventoryOf } from '../targets.ts';

export const inventory = command({
  name: 'inventory',
  usage: 'inventory <action>',
  describe: 'show what the inventory says; connects to nothing',
  examples: [
    ['fleetmask inventory list -i hosts.yaml -l "web:!web5"', 'the hosts that a pattern selects'],
    ['fleetmask inventory list -i hosts.yaml -l web --names', 'only their names, one a line'],
    ['fleetmask inventory list -i hosts.yaml -o json', 'in the form of ansible-inventory --list'],
    ['fleetmask inventory graph -i hosts.yaml', 'groups and hosts as a tree'],
  ],
  options: {
    action: { type: 'string', hidden: true },
    ...selection,
    names: { type: 'boolean', describe: 'only the selected names, one a line' },
    ...output,
  },
  positional: (argv) => argv.positional('action', { type: 'string', describe: 'list or graph' }),
  run: async (io, flags) => {
    if (flags.action !== 'list' && flags.action !== 'graph') {
      throw new UsageError(`inventory ${flags.action}: expected list or graph`);
    }
    const loaded = await inventoryOf(io, flags);
    const out = colored(io.stdout, io, flags);
    const selected = matchNames(loaded, flags.limit, { cwd: io.cwd });
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
