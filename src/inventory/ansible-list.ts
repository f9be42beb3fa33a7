import type { Group, Inventory } from './inventory.ts';
import { ExactNumber } from './number.ts';

/** The document of `ansible-inventory --list`; a null-prototype object, keyed by group, with `_meta`. */
export type AnsibleList = Record<string, unknown>;

/** Variables that belong to Ansible itself; ansible-inventory never shows them, whoever sets them. */
const INTERNAL = new Set(
  `ansible_diff_mode ansible_config_file ansible_facts ansible_forks ansible_inventory_sources ansible_limit
   ansible_playbook_python ansible_run_tags ansible_skip_tags ansible_verbosity ansible_version inventory_dir
   inventory_file inventory_hostname inventory_hostname_short groups group_names omit playbook_dir`.split(/\s+/),
);

/**
 * What `ansible-inventory --list` prints for this inventory: each group’s own hosts and children, empty ones left
 * out, and the merged variables of every host that has some. Print it with `renderAnsibleList`.
 */
export function toAnsibleList(inventory: Inventory): AnsibleList {
  const list: AnsibleList = record();
  for (const { name, hosts, children } of inventory.groups.values()) {
    const shown: Record<string, unknown> = record();
    // The hosts of `all` are those of its children.
    if (name !== 'all' && hosts.length > 0) shown.hosts = hosts;
    if (children.length > 0) shown.children = children;
    if (Object.keys(shown).length > 0) list[name] = shown;
  }
  const hostvars: Record<string, unknown> = record();
  for (const host of inventory.hosts.values()) {
    const vars: Record<string, unknown> = record();
    for (const [name, value] of host.vars) if (!INTERNAL.has(name)) vars[name] = value;
    if (Object.keys(vars).length > 0) hostvars[host.name] = vars;
  }
  list._meta = Object.assign(record(), { hostvars });
  return list;
}

function record(): Record<string, unknown> {
  return Object.create(null);
}

/**
 * Prints a document as ansible-inventory does: keys sorted, four spaces, `1.0` and `1e+16` as Python has them,
 * integers of any size in full.
 */
export function renderAnsibleList(value: unknown, indent = ''): string {
  if (value instanceof ExactNumber) return value.text;
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}    `;
  if (Array.isArray(value)) {
    const items = value.map((item) => `${inner}${renderAnsibleList(item, inner)}`);
    return items.length === 0 ? '[]' : `[\n${items.join(',\n')}\n${indent}]`;
  }
  const members = Object.entries(value)
    .sort(([a], [b]) => byCodePoint(a, b))
    .map(([key, member]) => `${inner}${JSON.stringify(key)}: ${renderAnsibleList(member, inner)}`);
  return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${indent}}`;
}

function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The lines of `ansible-inventory --graph`, from `top` down. */
export function toGraph(inventory: Inventory, top = 'all'): string[] {
  const lines: string[] = [];
  const draw = (group: Group, depth: number) => {
    lines.push(entry(`@${group.name}:`, depth));
    for (const child of group.children) draw(inventory.groups.get(child)!, depth + 1);
    if (group.name !== 'all') for (const host of group.hosts) lines.push(entry(host, depth + 1));
  };
  const group = inventory.groups.get(top);
  if (group !== undefined) draw(group, 0);
  return lines;
}

function entry(name: string, depth: number): string {
  return depth === 0 ? name : `${'  |'.repeat(depth)}--${name}`;
}
