import { at, printable, UsageError } from '../model/index.ts';

/** Where a setting was written. `line` is 0 for what came from the command line. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** One logical line: `Keyword value…`, `Keyword=value` or `"Keyword" value…`. */
export interface Line {
  /** As written, for messages. */
  readonly keyword: string;
  /** What follows the separator, as written. */
  readonly rest: string;
  readonly place: Place;
}

/** A mistake at a place in a configuration file. */
export function mistake({ file, line }: Place, message: string, hint: string): UsageError {
  return new UsageError(at(printable(file), line === 0 ? undefined : line, message), hint);
}

/** Quotes a piece of a file for a message. */
export function quoted(text: string): string {
  return `"${printable(text, 80)}"`;
}

const TRAILING_SPACE = /[ \t\r\n\f]+$/;

/** Splits a line into keyword and rest; `undefined` for blank lines and comments. */
export function readLine(raw: string, place: Place): Line | undefined {
  const text = raw.replace(TRAILING_SPACE, '').replace(/^[ \t\r]*=?[ \t\r]*/, '');
  if (text === '' || text.startsWith('#')) return undefined;
  const [keyword, rest] = text.startsWith('"') ? quotedKeyword(text) : plainKeyword(text);
  if (keyword === '') return undefined;
  return { keyword, rest, place };
}

function plainKeyword(text: string): [string, string] {
  const end = text.search(/[ \t\r\n"=]/);
  if (end < 0) return [text, ''];
  if (text[end] === '"') {
    const [tail, rest] = quotedKeyword(text.slice(end));
    return [tail === '' ? '' : text.slice(0, end) + tail, rest];
  }
  return [text.slice(0, end), text.slice(end).replace(/^[ \t\r]*=?[ \t\r]*/, '')];
}

/** ssh passes over a line whose first quote is never closed. */
function quotedKeyword(text: string): [string, string] {
  const close = text.indexOf('"', 1);
  return close < 0 ? ['', ''] : [text.slice(1, close), text.slice(close + 1).replace(/^[ \t\r]+/, '')];
}

/**
 * The arguments of a line. Both kinds of quotes group; a backslash escapes quotes and itself, and outside quotes a
 * space; `#` at the start of a word begins a comment. `undefined` when a quote is not closed.
 */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  let i = 0;
  for (;;) {
    while (text[i] === ' ' || text[i] === '\t') i++;
    if (i >= text.length || text[i] === '#') return words;
    let word = '';
    let quote = '';
    for (; i < text.length; i++) {
      const char = text[i]!;
      const next = text[i + 1];
      if (char === '\\' && next !== undefined && (`'"\\`.includes(next) || (next === ' ' && quote === ''))) {
        word += next;
        i++;
      } else if (quote === '' && (char === ' ' || char === '\t')) break;
      else if (quote === '' && (char === '"' || char === "'")) quote = char;
      else if (char === quote) quote = '';
      else word += char;
    }
    if (quote !== '') return undefined;
    words.push(word);
  }
}

/**
 * The next word of a Match line, which has rules of its own: only double quotes group, nothing is escaped, and one `=`
 * separates as a space does. `undefined` at the end.
 */
export function nextMatchWord(text: string): [word: string, rest: string] | undefined {
  if (text === '') return undefined;
  const end = text.search(/[ \t\r\n"=]/);
  if (end < 0) return [text, ''];
  const head = text.slice(0, end);
  if (text[end] === '"') {
    const close = text.indexOf('"', end + 1);
    if (close < 0) return undefined;
    return [head + text.slice(end + 1, close), text.slice(close + 1).replace(/^[ \t\r\n]+/, '')];
  }
  return [head, text.slice(end).replace(/^[ \t\r\n]*=?[ \t\r\n]*/, '')];
}
