import { keyText } from './literal.ts';
import { mistake, type Origin, quoted } from './mistake.ts';

/**
 * A YAML or JSON document as inventories need it: data with the line of everything, keys in order,
 * aliases and merge keys resolved.
 */
export type Node =
  | { readonly kind: 'scalar'; readonly origin: Origin; readonly value: unknown }
  | { readonly kind: 'list'; readonly origin: Origin; readonly items: readonly Node[] }
  | { readonly kind: 'map'; readonly origin: Origin; readonly entries: readonly Entry[] };

export type MapNode = Extract<Node, { kind: 'map' }>;

/** `key` is a scalar: text, number, boolean or null. */
export interface Entry {
  readonly key: unknown;
  readonly origin: Origin;
  readonly value: Node;
}

/** Aliases that expand to more values than this are an accident or an attack. */
export const MAX_NODES = 1_000_000;

/** The value of a node as plain data; maps are null-prototype objects, so no key is special. */
export function plain(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  const result: Record<string, unknown> = Object.create(null);
  for (const { key, value } of node.entries) result[keyText(key)] = plain(value);
  return result;
}

export function isNull(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** Null, an empty text, an empty list, `0`, `false`: what Ansible takes for "nothing said". */
export function isNothing(node: Node): boolean {
  if (node.kind === 'scalar') return !node.value;
  return node.kind === 'list' ? node.items.length === 0 : node.entries.length === 0;
}

/** What a node is, for a message. */
export function describe(node: Node): string {
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return 'a mapping';
  return typeof node.value === 'string' ? `the text ${quoted(node.value)}` : keyText(node.value);
}

/**
 * The entries of a mapping by key; used while reading one. A second entry of the same key is refused:
 * Ansible warns and drops the first, and with it, in a mapping of hosts or groups, whole hosts.
 */
export class EntryList {
  private readonly entries = new Map<string, Entry>();

  add(entry: Entry): void {
    const id = identity(entry.key);
    const first = this.entries.get(id);
    if (first !== undefined)
      throw mistake(
        entry.origin,
        `the key ${quoted(keyText(entry.key))} is already in this mapping, at line ${first.origin.line}`,
        'Merge the two; the first would be lost.',
      );
    this.entries.set(id, entry);
  }

  /** Adds entries of a merge key (`<<`): they come first, and whatever is said explicitly outranks them. */
  static merged(merged: readonly Entry[], own: EntryList): Entry[] {
    const all = new Map<string, Entry>();
    for (const entry of merged) if (!all.has(identity(entry.key))) all.set(identity(entry.key), entry);
    for (const [id, entry] of own.entries) all.set(id, entry);
    return [...all.values()];
  }

  list(): Entry[] {
    return [...this.entries.values()];
  }
}

function identity(key: unknown): string {
  return `${typeof key}:${keyText(key)}`;
}
