import { describe, type Entry, isNothing, isNull, type MapNode, type Node, plain } from './document.ts';
import type { Graph, GroupNode, Settings } from './graph.ts';
import { keyText } from './literal.ts';
import { mistake, type Origin, quoted } from './mistake.ts';
import { parseHostPattern } from './range.ts';

const SHAPE_HINT = 'A group has hosts:, vars: and children:, each a mapping.';

/**
 * Reads an inventory in YAML's form (groups with `hosts`, `vars`, `children`) into the graph.
 * Throws a UsageError for whatever Ansible rejects, and also where it warns and leaves hosts out:
 * a group that is not a mapping, a key that is none of the three.
 */
export function readGroups(root: MapNode, graph: Graph): void {
  for (const entry of root.entries) readGroup(entry, graph);
}

function readGroup(entry: Entry, graph: Graph): GroupNode {
  const { key, origin, value } = entry;
  if (typeof key !== 'string')
    throw mistake(origin, `the group name ${quoted(keyText(key))} is not text`, 'Put it in quotes.');
  const group = graph.addGroup(key, origin);
  if (isNull(value)) return group;
  if (value.kind !== 'map')
    throw mistake(value.origin, `the group ${quoted(key)} is ${describe(value)}, not a mapping`, SHAPE_HINT);
  for (const section of value.entries) readSection(section, group, graph);
  return group;
}

function readSection(section: Entry, group: GroupNode, graph: Graph): void {
  const name = keyText(section.key);
  if (name !== 'vars' && name !== 'children' && name !== 'hosts')
    throw mistake(section.origin, `the group ${quoted(group.name)} has an unknown key ${quoted(name)}`, SHAPE_HINT);
  const entries = sectionEntries(section.value, `${name} of the group ${quoted(group.name)}`);
  for (const entry of entries) {
    if (name === 'vars')
      graph.setGroupVariable(group, keyText(entry.key), { value: plain(entry.value), origin: entry.origin });
    else if (name === 'children') graph.addChild(group, readGroup(entry, graph), entry.origin);
    else readHost(entry, group, graph);
  }
}

/** The entries of a section; a lone text stands for a mapping with that one key and nothing in it. */
function sectionEntries(node: Node, what: string): readonly Entry[] {
  if (node.kind === 'map') return node.entries;
  if (isNull(node)) return [];
  if (node.kind === 'scalar' && typeof node.value === 'string')
    return [{ key: node.value, origin: node.origin, value: { kind: 'scalar', origin: node.origin, value: null } }];
  const hint = node.kind === 'list' ? 'Write each as a key ("web1:"), not as a list item ("- web1").' : SHAPE_HINT;
  throw mistake(node.origin, `${what} is ${describe(node)}, not a mapping`, hint);
}

function readHost(entry: Entry, group: GroupNode, graph: Graph): void {
  const { key, origin, value } = entry;
  if (typeof key !== 'string')
    throw mistake(origin, `the host name ${quoted(keyText(key))} is not text`, 'Put it in quotes.');
  const settings = hostSettings(value, key);
  const { names, port } = parseHostPattern(key, origin);
  for (const name of names) {
    const host = graph.addHost(name, group, origin, port);
    for (const [variable, setting] of settings) graph.setHostVariable(host, variable, setting);
  }
}

function hostSettings(node: Node, host: string): Settings {
  if (isNothing(node)) return new Map();
  return readVariables(node, `the host ${quoted(host)}`, node.origin);
}

/** A mapping of variables, with the line of each. Throws a UsageError for anything but a mapping. */
export function readVariables(node: Node, what: string, origin: Origin): Settings {
  if (node.kind !== 'map')
    throw mistake(origin, `${what} has ${describe(node)}, not variables`, 'Variables are a mapping: "name: value".');
  return new Map(
    node.entries.map((entry) => [keyText(entry.key), { value: plain(entry.value), origin: entry.origin }]),
  );
}
