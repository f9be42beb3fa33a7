/** Inventories in Ansible’s dialect, and the patterns that select hosts from them. */
export { type AnsibleList, renderAnsibleList, toAnsibleList, toGraph } from './ansible-list.ts';
export type { Unusable } from './connection.ts';
export type { Group, Inventory } from './inventory.ts';
export { type LoadOptions, loadInventory } from './load.ts';
export { expandNodeRange } from './node-range.ts';
export { matchNames, type SelectOptions } from './pattern.ts';
export { type Usable, usableHosts } from './usable.ts';
