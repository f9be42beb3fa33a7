import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { type Host, UsageError } from '../model/index.ts';
import { glob, type Matcher, regex } from './glob.ts';
import type { Inventory } from './inventory.ts';
import { mistake, type Origin, quoted } from './mistake.ts';
import { didYouMean } from './near.ts';

export interface SelectOptions {
  /** `@file` elements are relative to this. */
  readonly cwd: string;
  /** How the pattern is called in errors, where it did not come from `-l`. */
  readonly name?: string;
}

interface Element {
  readonly text: string;
  readonly origin: Origin;
}

/**
 * The hosts a pattern selects, in the pattern’s order, each once. Without a pattern: all hosts.
 *
 * Elements are separated by `,` or, in a pattern without one, by `:`. An element is a host, a group, a glob over
 * both, a regular expression (`~…`, which therefore has neither separator in it), or `@FILE` with one element a line;
 * a subscript may follow (`web[0]`, `web[-1]`, `web[1:3]`, the end included). `&` intersects and `!` excludes, after
 * all others, wherever they stand; with only those, they apply to all hosts.
 *
 * Throws a UsageError for an element that matches nothing, for no hosts in the end, for a bad `@FILE`, and when a
 * selected host cannot be connected to (see `Inventory.unusable`).
 */
export function selectHosts(inventory: Inventory, pattern: string | undefined, options: SelectOptions): Host[] {
  const names = matchNames(inventory, pattern, options);
  const hosts: Host[] = [];
  for (const name of names) {
    const unusable = inventory.unusable.get(name);
    if (unusable !== undefined) throw new UsageError(`${unusable.message} (host ${name})`, unusable.hint);
    hosts.push(inventory.hosts.get(name)!);
  }
  return hosts;
}

/** As `selectHosts`, but only the names, and of hosts that cannot be connected to as well: for listings. */
export function matchNames(inventory: Inventory, pattern: string | undefined, options: SelectOptions): string[] {
  const origin: Origin = { file: options.name ?? '-l', line: undefined };
  if (inventory.hosts.size === 0)
    throw mistake({ file: 'inventory', line: undefined }, 'there is no host in it', 'Name at least one host.');
  if (pattern === undefined) return [...(inventory.groups.get('all')?.allHosts ?? [])];
  const elements = splitPattern(pattern, origin).flatMap((element) => fromFile(element, options));
  if (elements.length === 0)
    throw mistake(origin, `the pattern ${quoted(pattern)} is empty`, 'Say "all" for all hosts.');
  const plain = elements.filter(({ text }) => !/^[!&]/.test(text));
  if (plain.length === 0) plain.push({ text: 'all', origin });
  let selected = new Set(plain.flatMap((element) => matchElement(inventory, element)));
  for (const element of elements.filter(({ text }) => text.startsWith('&'))) {
    const others = new Set(matchElement(inventory, element));
    selected = new Set([...selected].filter((name) => others.has(name)));
  }
  for (const element of elements.filter(({ text }) => text.startsWith('!')))
    for (const name of matchElement(inventory, element)) selected.delete(name);
  if (selected.size === 0)
    throw mistake(
      origin,
      `the pattern ${quoted(pattern)} selects no host`,
      'Each part matches something, but together they leave nothing.',
    );
  return [...selected];
}

function splitPattern(pattern: string, origin: Origin): Element[] {
  return splitElements(pattern)
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => ({ text, origin }));
}

const IPV6_BEGINNING = /^[!&]?(?:(?:[0-9a-f]{1,4}:){1,6}:|::|(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4})/i;

function splitElements(pattern: string): readonly string[] {
  if (pattern.includes(',')) return pattern.split(',');
  // A colon separates, unless the pattern begins as an IPv6 address does (`2001:db8::*`) or it is in a subscript.
  if (IPV6_BEGINNING.test(pattern)) return [pattern];
  return pattern.match(/(?:[^\s:[\]]|\[[^\]]*\])+/g) ?? [];
}

function fromFile(element: Element, options: SelectOptions): Element[] {
  if (!element.text.startsWith('@')) return [element];
  const file = element.text.slice(1);
  const origin = { file, line: undefined };
  let text: string;
  try {
    text = readFileSync(isAbsolute(file) ? file : join(options.cwd, file), 'utf8');
  } catch (error) {
    throw mistake(origin, `cannot be read: ${(error as NodeJS.ErrnoException).code}`, 'Check the name after "@".');
  }
  const elements = text
    .split('\n')
    .map((line, index) => ({ text: line.trim(), origin: { file, line: index + 1 } }))
    .filter((each) => each.text !== '' && !each.text.startsWith('#'));
  // Nothing to limit to must not mean everything.
  if (elements.length === 0) throw mistake(origin, 'names no host', 'Write one host or pattern a line.');
  return elements;
}

function matchElement(inventory: Inventory, { text, origin }: Element): readonly string[] {
  if (inventory.hosts.has(text)) return [text];
  const bare = text.replace(/^[!&]/, '');
  if (bare === '')
    throw mistake(origin, `${quoted(text)} has nothing after it`, 'Name a host or a group after "!" or "&".');
  const { expression, subscript } = splitSubscript(bare);
  const found = enumerate(inventory, expression, origin);
  if (found === undefined) throw unmatched(inventory, bare, origin);
  if (subscript === undefined || found.length === 0) return found;
  const some = subscript(found);
  if (some.length === 0)
    throw mistake(
      origin,
      `${quoted(bare)} matches nothing: ${quoted(expression)} has ${found.length} hosts, counted from 0`,
    );
  return some;
}

type Subscript = (names: readonly string[]) => readonly string[];

function splitSubscript(text: string): { expression: string; subscript?: Subscript } {
  const match = text.startsWith('~') ? null : /^(.+)\[(?:(-?\d+)|(\d+)[:-](\d*))\]$/.exec(text);
  if (match === null) return { expression: text };
  const [, expression = '', index, start, end] = match;
  if (index !== undefined)
    return {
      expression,
      subscript: (names) =>
        names
          .slice(Number(index))
          .slice(0, 1)
          .filter(() => Number(index) >= -names.length),
    };
  const last = end === '' ? Number.POSITIVE_INFINITY : Number(end);
  return { expression, subscript: (names) => names.slice(Number(start), last + 1) };
}

/** The hosts of the groups it matches, then the hosts it matches; undefined when it matches neither. */
function enumerate(inventory: Inventory, expression: string, origin: Origin): readonly string[] | undefined {
  const matches: Matcher = expression.startsWith('~') ? regex(expression.slice(1), origin) : glob(expression);
  const groups = [...inventory.groups.values()].filter((group) => matches(group.name));
  const names = new Set(groups.flatMap((group) => group.allHosts));
  // A plain word that is a group does not also mean a host of that name (which is taken before).
  if (groups.length === 0 || /^~|[.?*[]/.test(expression))
    for (const name of inventory.hosts.keys()) if (matches(name)) names.add(name);
  return groups.length === 0 && names.size === 0 ? undefined : [...names];
}

function unmatched(inventory: Inventory, text: string, origin: Origin): UsageError {
  const near = didYouMean(text, [...inventory.groups.keys(), ...inventory.hosts.keys()]);
  return mistake(
    origin,
    `no host or group matches ${quoted(text)}`,
    near ?? 'See `fleetmask inventory list` for what there is.',
  );
}
