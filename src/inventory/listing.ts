import { describe, type Entry, type MapNode, type Node } from './document.ts';
import type { Graph, GroupNode } from './graph.ts';
import { readVariables } from './groups-document.ts';
import { keyText } from './literal.ts';
import { mistake, quoted } from './mistake.ts';

/** True for the form an inventory program prints (`--list`) with the variables of all hosts in `_meta`. */
export function isListing(root: MapNode): boolean {
  return hostVariables(root) !== undefined;
}

/**
 * Reads what an inventory program prints for `--list` into the graph. Returns the hosts it names.
 * When it has no `_meta.hostvars`, the program is to be asked for each of them.
 * Throws a UsageError for whatever Ansible rejects, and for variables of hosts that are in no group.
 */
export function readListing(
  root: MapNode,
  graph: Graph,
): { readonly hosts: ReadonlySet<string>; readonly complete: boolean } {
  const hosts = new Set<string>();
  for (const entry of root.entries) if (entry.key !== '_meta') readGroup(entry, graph, hosts);
  const variables = hostVariables(root);
  for (const entry of variables?.entries ?? []) {
    const name = keyText(entry.key);
    if (hosts.has(name)) setHostVariables(name, entry.value, graph);
    else graph.note(entry.origin, `variables of ${name}, which is in no group; left out`);
  }
  return { hosts, complete: variables !== undefined };
}

/** Sets the variables of a host that is already in the graph. */
export function setHostVariables(name: string, node: Node, graph: Graph): void {
  const host = graph.hosts.get(name)!;
  for (const [variable, setting] of readVariables(node, `the host ${quoted(name)}`, node.origin))
    graph.setHostVariable(host, variable, setting);
}

function hostVariables(root: MapNode): MapNode | undefined {
  const meta = find(root, '_meta');
  const variables = meta?.kind === 'map' ? find(meta, 'hostvars') : undefined;
  if (variables !== undefined && variables.kind !== 'map')
    throw mistake(variables.origin, `_meta.hostvars is ${describe(variables)}, not a mapping of hosts`);
  return variables;
}

function find(map: MapNode, key: string): Node | undefined {
  return map.entries.find((entry) => entry.key === key)?.value;
}

function readGroup(entry: Entry, graph: Graph, hosts: Set<string>): void {
  const name = keyText(entry.key);
  const group = graph.addGroup(name, entry.origin);
  const data = entry.value;
  if (data.kind !== 'map') {
    addHosts(data, group, graph, hosts);
    return;
  }
  const [members, variables, children] = [find(data, 'hosts'), find(data, 'vars'), find(data, 'children')];
  if (members === undefined && variables === undefined && children === undefined) {
    // The short form: a host that is its own group, and its variables.
    hosts.add(name);
    graph.addHost(name, group, entry.origin);
    setGroupVariables(group, data, graph);
    return;
  }
  if (members !== undefined) addHosts(members, group, graph, hosts);
  if (variables !== undefined) setGroupVariables(group, variables, graph);
  for (const child of children === undefined ? [] : names(children, `children of the group ${quoted(name)}`))
    graph.addChild(group, graph.addGroup(child.name, child.origin), child.origin);
}

function addHosts(node: Node, group: GroupNode, graph: Graph, hosts: Set<string>): void {
  for (const { name, origin } of names(node, `hosts of the group ${quoted(group.name)}`)) {
    hosts.add(name);
    graph.addHost(name, group, origin);
  }
}

function setGroupVariables(group: GroupNode, node: Node, graph: Graph): void {
  for (const [variable, setting] of readVariables(node, `the group ${quoted(group.name)}`, node.origin))
    graph.setGroupVariable(group, variable, setting);
}

function names(node: Node, what: string) {
  if (node.kind !== 'list') throw mistake(node.origin, `${what} is ${describe(node)}, not a list of names`);
  return node.items.map((item) => {
    if (item.kind !== 'scalar' || typeof item.value !== 'string')
      throw mistake(item.origin, `${what} has ${describe(item)} in it, which is not a name`);
    return { name: item.value, origin: item.origin };
  });
}
