import { dirname } from 'node:path';
import { type Graph, type GroupNode, groupHosts, type HostNode, type Settings } from './graph.ts';
import type { TemplateScope } from './template.ts';

/** The environment that `lookup('env', …)` reads. */
export type Environment = Readonly<Record<string, string | undefined>>;

interface Merged {
  readonly node: HostNode;
  readonly groups: ReadonlySet<GroupNode>;
  readonly settings: Settings;
}

/** What the templates of each host mean: its merged variables, and those that Ansible adds to them. */
export function openScopes(
  graph: Graph,
  all: ReadonlyMap<string, Merged>,
  env: Environment,
): { of(host: string): TemplateScope | undefined } {
  const members = new Map<string, readonly string[]>();
  const group = (name: string): readonly string[] | undefined => {
    const node = graph.groups.get(name);
    if (node === undefined) return undefined;
    const known = members.get(name) ?? groupHosts(node).map((host) => host.name);
    members.set(name, known);
    return known;
  };
  const of = (name: string): TemplateScope | undefined => {
    const merged = all.get(name);
    if (merged === undefined) return undefined;
    return {
      variable: (variable) => ofHost(variable, merged),
      host: of,
      group,
      env: (variable) => (Object.hasOwn(env, variable) ? env[variable] : undefined),
    };
  };
  return { of };
}

/** Ansible's own variables win over those of the inventory. */
function ofHost(variable: string, { node, groups, settings }: Merged): unknown {
  switch (variable) {
    case 'inventory_hostname':
      return node.name;
    case 'inventory_hostname_short':
      return node.name.split('.')[0];
    case 'inventory_file':
      return node.file;
    case 'inventory_dir':
      return node.file === undefined ? undefined : dirname(node.file);
    case 'group_names':
      return [...groups]
        .map(({ name }) => name)
        .filter((name) => name !== 'all')
        .sort();
    default:
      return settings.get(variable)?.value ?? undefined;
  }
}
