import { isIPv6 } from 'node:net';
import { mistake, type Origin, quoted } from './mistake.ts';

/** More hosts than this in one inventory are a mistake in a range, not a fleet. */
export const MAX_HOSTS = 100_000;

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const NUMERIC = /^(\d*):(\d+)(?::(\d+))?$/;
const ALPHABETIC = /^([a-zA-Z]):([a-zA-Z])(?::(\d+))?$/;

/** A label begins with no `-` and ends in neither `-` nor `_` (as Ansible has it), and may have ranges in it. */
const LABEL = String.raw`(?:[\p{L}\p{N}_]|\[[^\]]*\])(?:[\p{L}\p{M}\p{N}_-]|\[[^\]]*\])*(?<![_-])`;
const NAMED = new RegExp(String.raw`^${LABEL}(?:\.${LABEL})*$`, 'u');
const RANGE = /\[[^\]]*\]/g;

export interface HostPattern {
  readonly names: readonly string[];
  readonly port: number | undefined;
}

/**
 * The hosts and the port of one host entry: `web[01:20:2].example.com:2222`, `[2001:db8::1]:22`, `db-[a:c]`.
 * Names are not validated here. Throws a UsageError for a range or a port that is none.
 */
export function parseHostPattern(text: string, origin: Origin): HostPattern {
  const { host, port } = splitPort(text, origin);
  return { names: host.includes('[') ? expandRanges(host, origin) : [host], port };
}

function splitPort(text: string, origin: Origin): { host: string; port: number | undefined } {
  const match = /^\[(.+)\]:(\d+)$/.exec(text) ?? /^((?:[^:[\]]|\[[^\]]*\])*):(\d+)$/.exec(text);
  const host = match?.[1] ?? '';
  if (match === null || !isDialable(host)) return { host: text, port: undefined };
  const port = Number(match[2]);
  if (port < 1 || port > 65535)
    throw mistake(origin, `${match[2]} is not a port (in ${quoted(text)})`, 'A port is a number from 1 to 65535.');
  return { host, port };
}

/** A name or an address, perhaps with ranges in it: only then is what follows the colon a port. */
function isDialable(host: string): boolean {
  return NAMED.test(host) || isIPv6(host.replace(RANGE, '1'));
}

/**
 * Expands every `[begin:end]` and `[begin:end:step]`, the leftmost slowest. A begin of several digits with a
 * leading zero sets the width; an end below the begin gives nothing; a missing begin is 0.
 * Throws a UsageError for anything else in brackets, and for more than MAX_HOSTS names.
 */
export function expandRanges(text: string, origin: Origin): string[] {
  const open = text.indexOf('[');
  if (open < 0) return [text];
  const close = text.indexOf(']', open);
  if (close < 0) throw mistake(origin, `${quoted(text)} has a "[" without a "]"`, RANGE_HINT);
  const head = text.slice(0, open);
  const values = rangeValues(text.slice(open + 1, close), text, origin);
  if (values.length === 0) return [];
  const tails = expandRanges(text.slice(close + 1), origin);
  if (values.length * tails.length > MAX_HOSTS) throw tooMany(text, origin);
  return values.flatMap((value) => tails.map((tail) => `${head}${value}${tail}`));
}

const RANGE_HINT = 'A range is [1:9], [01:20:2] or [a:f].';

function rangeValues(range: string, text: string, origin: Origin): string[] {
  const letters = ALPHABETIC.exec(range);
  const numbers = NUMERIC.exec(range);
  const step = Number((letters ?? numbers)?.[3] ?? 1);
  if ((letters ?? numbers) === null) throw mistake(origin, `[${range}] in ${quoted(text)} is not a range`, RANGE_HINT);
  if (step === 0) throw mistake(origin, `the step of [${range}] in ${quoted(text)} is 0`, RANGE_HINT);
  if (letters !== null) {
    const [begin, end] = [LETTERS.indexOf(letters[1] ?? ''), LETTERS.indexOf(letters[2] ?? '')];
    if (begin > end) throw mistake(origin, `[${range}] in ${quoted(text)} runs backwards`, RANGE_HINT);
    return count(begin, end, step, text, origin).map((index) => LETTERS.charAt(index));
  }
  const [begin, end] = [numbers?.[1] || '0', numbers?.[2] ?? ''];
  const padded = begin.length > 1 && begin.startsWith('0');
  if (padded && begin.length !== end.length)
    throw mistake(
      origin,
      `begin and end of [${range}] in ${quoted(text)} differ in length`,
      'Pad both alike: [01:20].',
    );
  const width = padded ? begin.length : 0;
  return count(Number(begin), Number(end), step, text, origin).map((n) => String(n).padStart(width, '0'));
}

function count(begin: number, end: number, step: number, text: string, origin: Origin): number[] {
  if (!Number.isSafeInteger(begin) || !Number.isSafeInteger(end) || (end - begin) / step >= MAX_HOSTS)
    throw tooMany(text, origin);
  const values: number[] = [];
  for (let value = begin; value <= end; value += step) values.push(value);
  return values;
}

function tooMany(text: string, origin: Origin) {
  return mistake(origin, `${quoted(text)} is more than ${MAX_HOSTS} hosts`, 'Look for a mistyped range.');
}
