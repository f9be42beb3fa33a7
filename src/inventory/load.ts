import { readThroughAnsible } from './executable.ts';
import { Graph } from './graph.ts';
import { assemble, type Inventory } from './inventory.ts';
import { mistake } from './mistake.ts';
import { PluginConfigured, readSource, type SourceOptions } from './sources.ts';

/** `cwd`: relative sources and the last group_vars/host_vars; `stdin`: what `-` reads; the rest is for programs. */
export type LoadOptions = SourceOptions;

/**
 * Reads inventory sources in order, later ones adding to and winning over earlier ones.
 * A source is a file (INI, YAML, JSON), a directory of them, an executable that prints JSON, a list `h1,h2,`, or `-`.
 * The group_vars and host_vars beside each source count, and last those of `cwd`, as for ansible-inventory.
 * Where one of them configures an inventory plugin, an installed ansible-inventory reads all of them.
 *
 * Throws a UsageError with file and line for anything that is wrong in any of them: there is no partial inventory.
 */
export async function loadInventory(sources: readonly string[], options: LoadOptions): Promise<Inventory> {
  if (sources.length === 0)
    throw mistake(
      { file: '-i', line: undefined },
      'no inventory was named',
      'Name a file, a directory or a list: -i web1,web2,',
    );
  try {
    return await readAll(sources, options);
  } catch (error) {
    if (!(error instanceof PluginConfigured)) throw error;
    const graph = new Graph();
    await readThroughAnsible(sources, error.origin, graph, options);
    // what lies beside the sources is in what Ansible printed
    return assemble(graph, [], options.env);
  }
}

async function readAll(sources: readonly string[], options: LoadOptions): Promise<Inventory> {
  const graph = new Graph();
  const directories: string[] = [];
  for (const source of sources) {
    const [hosts, groups] = [graph.hosts.size, graph.groups.size];
    const directory = await readSource(source, graph, options);
    if (directory !== undefined) directories.push(directory);
    const first = sources.length === 1;
    if (first && graph.hosts.size === hosts && graph.groups.size === groups)
      throw mistake(
        { file: source === '-' ? 'stdin' : source, line: undefined },
        'this inventory names no host',
        'Name at least one host.',
      );
  }
  return assemble(graph, [...directories, options.cwd], options.env);
}
