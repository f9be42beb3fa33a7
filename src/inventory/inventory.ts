import type { Host } from '../model/index.ts';
import { type AdjacentVariables, openAdjacent } from './adjacent.ts';
import { type ConnectionResult, readConnection, type Unusable } from './connection.ts';
import { depths, type Graph, type GroupNode, groupHosts, groupsOf, type HostNode, type Settings } from './graph.ts';
import { hostNameMistake } from './names.ts';
import { type Environment, openScopes } from './scope.ts';

export interface Inventory {
  /** Every host, in the order of first mention. To act on hosts, take them from `usableHosts`. */
  readonly hosts: ReadonlyMap<string, Host>;
  /** Every group, `all` and `ungrouped` included, in the order of first mention. */
  readonly groups: ReadonlyMap<string, Group>;
  /** Hosts that can be listed but not connected to, and why. */
  readonly unusable: ReadonlyMap<string, Unusable>;
  /** What was read and not followed, one printable line each; worth showing on stderr. */
  readonly notes: readonly string[];
}

export interface Group {
  readonly name: string;
  readonly children: readonly string[];
  /** Its own hosts; those of its children are theirs. */
  readonly hosts: readonly string[];
  /** Its own hosts and those of all groups below, in the order Ansible lists them. */
  readonly allHosts: readonly string[];
  /** Variables said of the group in inventory sources (not in group_vars). */
  readonly vars: ReadonlyMap<string, unknown>;
}

/**
 * Turns what the sources said into an inventory: merges the variables of every host by Ansible's precedence
 * and takes the connection settings out. `directories` are those whose group_vars and host_vars count, in order.
 * Throws a UsageError for a variables file that cannot be read. Names and connection settings that cannot be right make
 * their host unusable, and nobody else.
 */
export function assemble(graph: Graph, directories: readonly string[], env: Environment = {}): Inventory {
  graph.settle();
  const merge = new Precedence(graph, openAdjacent(directories, graph));
  const hosts = new Map<string, Host>();
  const unusable = new Map<string, Unusable>();
  const all = new Map<string, { node: HostNode; groups: ReadonlySet<GroupNode>; settings: Settings }>();
  for (const node of graph.hosts.values()) {
    const groups = groupsOf(node);
    all.set(node.name, { node, groups, settings: merge.settings(node, groups) });
  }
  const scopes = openScopes(graph, all, env);
  for (const { node, groups, settings } of all.values()) {
    const result = connectionOf(node, settings, scopes);
    if (result.kind === 'unusable') unusable.set(node.name, { why: result.why, error: result.error });
    else for (const { setting, message } of result.notes) graph.note(setting.origin, message);
    hosts.set(node.name, host(node, groups, settings, result));
  }
  const groups = new Map([...graph.groups.values()].map((node) => [node.name, group(node)]));
  return { hosts, groups, unusable, notes: [...graph.notes] };
}

function connectionOf(node: HostNode, settings: Settings, scopes: ReturnType<typeof openScopes>): ConnectionResult {
  const error = hostNameMistake(node.name, node.origin);
  if (error !== undefined) return { kind: 'unusable', why: 'mistake', error };
  return readConnection(settings, scopes.of(node.name)!);
}

function host(node: HostNode, groups: Iterable<GroupNode>, settings: Settings, result: ConnectionResult): Host {
  return {
    name: node.name,
    groups: [...groups]
      .map((each) => each.name)
      .filter((name) => name !== 'all')
      .sort(),
    vars: values(settings),
    connection: result.kind === 'connection' ? result.connection : {},
  };
}

function group(node: GroupNode): Group {
  return {
    name: node.name,
    children: [...node.children].map((child) => child.name),
    hosts: [...node.hosts].map((member) => member.name),
    allHosts: groupHosts(node).map((member) => member.name),
    vars: values(node.settings),
  };
}

function values(settings: Settings): ReadonlyMap<string, unknown> {
  return new Map([...settings].map(([name, { value }]) => [name, value]));
}

/**
 * Ansible's order, the later winning: `all`, then groups by depth, priority and name, as the sources have them;
 * group_vars/all; group_vars of the groups, directory by directory; the host as the sources have it; host_vars.
 */
class Precedence {
  private readonly graph: Graph;
  private readonly adjacent: readonly AdjacentVariables[];
  private readonly depths: ReadonlyMap<GroupNode, number>;
  /** What hosts of the same groups have in common, by their groups: fleets have few such sets. */
  private readonly common = new Map<string, Settings>();

  constructor(graph: Graph, adjacent: readonly AdjacentVariables[]) {
    this.graph = graph;
    this.adjacent = adjacent;
    this.depths = depths(graph);
  }

  settings(node: HostNode, groups: Iterable<GroupNode>): Settings {
    const settings: Settings = new Map(this.ofGroups(groups));
    lay(settings, node.settings);
    for (const each of this.adjacent) lay(settings, each.of('host_vars', node.name));
    return settings;
  }

  private ofGroups(groups: Iterable<GroupNode>): Settings {
    const ordered = [...groups].filter((each) => each.name !== 'all').sort((a, b) => this.compare(a, b));
    const key = JSON.stringify(ordered.map((each) => each.name));
    const known = this.common.get(key);
    if (known !== undefined) return known;
    const settings: Settings = new Map(this.graph.groups.get('all')?.settings);
    for (const each of ordered) lay(settings, each.settings);
    for (const each of this.adjacent) lay(settings, each.of('group_vars', 'all'));
    for (const each of this.adjacent) for (const { name } of ordered) lay(settings, each.of('group_vars', name));
    this.common.set(key, settings);
    return settings;
  }

  private compare(a: GroupNode, b: GroupNode): number {
    const deeper = (this.depths.get(a) ?? 0) - (this.depths.get(b) ?? 0);
    return deeper || a.priority - b.priority || (a.name < b.name ? -1 : 1);
  }
}

function lay(under: Settings, over: Settings): void {
  for (const [name, setting] of over) under.set(name, setting);
}
