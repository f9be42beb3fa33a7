import { mistake, type Origin, quoted } from './mistake.ts';
import { hostNameMistake } from './names.ts';
import { MAX_HOSTS } from './range.ts';

const ORIGIN: Origin = { file: '-w', line: undefined };
const HINT = 'Write it as node[1-40,50] or node[001-128/2],db1.';

/**
 * The names of a node set as pdsh and ClusterShell write it: `node[1-40,50]`, `rack[1-2]-node[01-16]`, `a1,b[1-9/2]`;
 * a leading zero sets the width. Order is kept, and each name comes once.
 * Throws a UsageError for anything else, for names that are none, and for more than 100,000 of them.
 */
export function expandNodeRange(text: string): string[] {
  const names = new Set<string>();
  for (const part of topLevel(text)) {
    for (const name of expandPart(part)) {
      const wrong = hostNameMistake(name, ORIGIN);
      if (wrong !== undefined) throw wrong;
      names.add(name);
    }
    if (names.size > MAX_HOSTS) throw tooMany(text);
  }
  if (names.size === 0) throw mistake(ORIGIN, `${quoted(text)} names no host`, HINT);
  return [...names];
}

/** The parts between the commas that are not in brackets. */
function topLevel(text: string): string[] {
  const parts = text.match(/(?:[^,[\]]|\[[^[\]]*\])+/g) ?? [];
  const read = parts.reduce((length, part) => length + part.length, 0);
  const commas = text.replace(/\[[^[\]]*\]/g, '').split(',').length - 1;
  if (read + commas !== text.length) throw mistake(ORIGIN, `the brackets in ${quoted(text)} do not match`, HINT);
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function expandPart(part: string): string[] {
  const [, head = '', list, tail = ''] = /^([^[]*)(?:\[([^\]]*)\](.*))?$/s.exec(part) ?? [];
  if (list === undefined) return [head];
  const values = list.split(',').flatMap((range) => expandRange(range.trim(), part));
  const tails = expandPart(tail);
  if (values.length * tails.length > MAX_HOSTS) throw tooMany(part);
  return values.flatMap((value) => tails.map((rest) => `${head}${value}${rest}`));
}

function expandRange(range: string, part: string): string[] {
  const [, begin, end = begin, step = '1'] = /^(\d+)(?:-(\d+)(?:\/(\d+))?)?$/.exec(range) ?? [];
  if (begin === undefined || end === undefined)
    throw mistake(ORIGIN, `${quoted(range)} in ${quoted(part)} is not a range`, HINT);
  const [first, last, by] = [Number(begin), Number(end), Number(step)];
  if (by === 0) throw mistake(ORIGIN, `the step of ${quoted(range)} is 0`, HINT);
  if (first > last) throw mistake(ORIGIN, `${quoted(range)} in ${quoted(part)} runs backwards`, HINT);
  if (!Number.isSafeInteger(last) || (last - first) / by >= MAX_HOSTS) throw tooMany(part);
  const width = /^0\d/.test(begin) ? begin.length : 0;
  const values: string[] = [];
  for (let value = first; value <= last; value += by) values.push(String(value).padStart(width, '0'));
  return values;
}

function tooMany(text: string) {
  return mistake(ORIGIN, `${quoted(text)} is more than ${MAX_HOSTS} hosts`, 'Look for a mistyped range.');
}
