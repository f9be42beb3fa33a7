import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { didYouMean, type UsageError } from '../model/index.ts';
import { glob, type Matcher, regex } from './glob.ts';
import type { Inventory } from './inventory.ts';
import { mistake, type Origin, quoted } from './mistake.ts';

export interface SelectOptions {
  /** `@file` elements are relative to this. */
  readonly cwd: string;
  /** How the pattern is called in errors, where it did not come from `-l`. */
  readonly name?: string;
}

interface Element {
  /** `&`, `!`, or nothing. */
  readonly sign: string;
  readonly text: string;
  /** A name, and no pattern; then with the subscript that follows it, or nothing. */
  readonly exact: false | { readonly subscript: string };
  readonly origin: Origin;
}

/**
 * The hosts that a pattern selects, in the pattern’s order, each once. Without a pattern: all hosts. Hosts that cannot be
 * connected to are among them: see `usableHosts`.
 *
 * Elements are separated by `,` or, in a pattern without one, by `:`. An element is a host, a group, a glob over
 * both, a regular expression (`~…`, which therefore has neither separator in it), or `@FILE` with one element a line;
 * a subscript may follow (`web[0]`, `web[-1]`, `web[1:3]`, the end included). In quotes it is a host or a group of exactly that
 * name, with blanks or whatever else is in it. `&` intersects and `!` excludes, after all others, wherever they stand;
 * with only those, they apply to all hosts.
 *
 * Throws a UsageError for an element that matches nothing, for no hosts in the end, and for a bad `@FILE`.
 */
export function matchNames(inventory: Inventory, pattern: string | undefined, options: SelectOptions): string[] {
  const origin: Origin = { file: options.name ?? '-l', line: undefined };
  if (inventory.hosts.size === 0)
    throw mistake({ file: 'inventory', line: undefined }, 'there is no host in it', 'Name at least one host.');
  if (pattern === undefined) return [...(inventory.groups.get('all')?.allHosts ?? [])];
  const elements = splitPattern(pattern, origin).flatMap((element) => fromFile(element, options));
  if (elements.length === 0)
    throw mistake(origin, `the pattern ${quoted(pattern)} is empty`, 'Use "all" for all hosts.');
  const plain = elements.filter(({ sign }) => sign === '');
  if (plain.length === 0) plain.push({ sign: '', text: 'all', exact: false, origin });
  let selected = new Set(plain.flatMap((element) => matchElement(inventory, element)));
  for (const element of elements.filter(({ sign }) => sign === '&')) {
    const others = new Set(matchElement(inventory, element));
    selected = new Set([...selected].filter((name) => others.has(name)));
  }
  for (const element of elements.filter(({ sign }) => sign === '!'))
    for (const name of matchElement(inventory, element)) selected.delete(name);
  if (selected.size === 0)
    throw mistake(
      origin,
      `the pattern ${quoted(pattern)} selects no host`,
      'Each part matches something, but together they leave nothing.',
    );
  return [...selected];
}

/** A name as an element that selects it and nothing else. */
export function patternFor(name: string): string {
  if (/^[\p{L}\p{N}_][\p{L}\p{M}\p{N}._-]*$/u.test(name)) return name;
  return name.includes('"') ? `'${name}'` : `"${name}"`;
}

function splitPattern(pattern: string, origin: Origin): Element[] {
  return splitElements(pattern, origin)
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => element(text, origin));
}

function element(text: string, origin: Origin): Element {
  const [, sign = '', rest = ''] = /^([!&]?)(.*)$/s.exec(text) ?? [];
  const exact = QUOTED.exec(rest);
  if (exact !== null) return { sign, text: exact[1] ?? exact[2] ?? '', exact: { subscript: exact[3] ?? '' }, origin };
  return { sign, text: rest, exact: false, origin };
}

const QUOTED = /^(?:"([^"]*)"|'([^']*)')((?:\[[-:\d]*\])?)$/;
const IPV6_BEGINNING = /^[!&]?(?:(?:[0-9a-f]{1,4}:){1,6}:|::|(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4})/i;

function splitElements(pattern: string, origin: Origin): readonly string[] {
  // A quotation begins an element: a quote within a name is part of it.
  const parts: readonly string[] =
    pattern.match(/[!&]?(?:"[^"]*"|'[^']*')(?:\[[^\]]*\])?(?=[\s,:]|$)|\[[^\]]*\]|[\s,:]|[^\s,:[]+|\[/g) ?? [];
  const quotes = parts.filter((part) => /^[!&]?["']/.test(part));
  const open = quotes.find((part) => !QUOTED.test(part.replace(/^[!&]/, '')));
  if (open !== undefined)
    throw mistake(origin, `the quotation in ${quoted(pattern)} is not closed`, 'Quote a whole name: all:!"rack 1".');
  if (quotes.length > 0) {
    const separator = parts.includes(',') ? /^,$/ : /^[\s:]$/;
    return joined(parts, separator);
  }
  if (pattern.includes(',')) return pattern.split(',');
  // A colon separates, unless the pattern begins as an IPv6 address does (`2001:db8::*`) or it is in a subscript.
  if (IPV6_BEGINNING.test(pattern)) return [pattern];
  return pattern.match(/(?:[^\s:[\]]|\[[^\]]*\])+/g) ?? [];
}

function joined(parts: readonly string[], separator: RegExp): string[] {
  const elements = [''];
  for (const part of parts) {
    if (separator.test(part)) elements.push('');
    else elements.push(`${elements.pop()}${part}`);
  }
  return elements;
}

function fromFile(from: Element, options: SelectOptions): Element[] {
  if (from.exact || from.sign !== '' || !from.text.startsWith('@')) return [from];
  const file = from.text.slice(1);
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
    .filter((each) => each.text !== '' && !each.text.startsWith('#'))
    .map((each) => element(each.text, each.origin));
  // Nothing to limit to must not mean everything.
  if (elements.length === 0) throw mistake(origin, 'names no host', 'Write one host or pattern a line.');
  return elements;
}

function matchElement(inventory: Inventory, { sign, text, exact, origin }: Element): readonly string[] {
  if (inventory.hosts.has(text)) return [text];
  if (text === '')
    throw mistake(
      origin,
      sign === '' ? 'the pattern has an empty name' : `${quoted(sign)} has nothing after it`,
      'Name a host or a group after "!" or "&".',
    );
  const { expression, subscript } = exact ? exactly(text, exact.subscript) : splitSubscript(text);
  const found = exact ? inventory.groups.get(text)?.allHosts : enumerate(inventory, expression, origin);
  if (found === undefined) throw unmatched(inventory, text, origin);
  if (subscript === undefined || found.length === 0) return found;
  const some = subscript(found);
  if (some.length === 0)
    throw mistake(
      origin,
      `${quoted(text)} matches nothing: ${quoted(expression)} has ${found.length} hosts, counted from 0`,
    );
  return some;
}

type Subscript = (names: readonly string[]) => readonly string[];

function exactly(name: string, subscript: string): ReturnType<typeof splitSubscript> {
  return { ...splitSubscript(`x${subscript}`), expression: name };
}

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
  const near = didYouMean(text, [...inventory.groups.keys(), ...inventory.hosts.keys()], patternFor);
  return mistake(
    origin,
    `no host or group matches ${quoted(text)}`,
    near ?? 'See `fleetmask inventory list` for what there is.',
  );
}
