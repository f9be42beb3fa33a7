import { EntryList, type Node } from './document.ts';
import type { Origin } from './mistake.ts';
import { float, integer } from './number.ts';

/** A document, or why and where the text is not JSON. */
export type JsonResult =
  | { readonly kind: 'document'; readonly root: Node }
  | { readonly kind: 'not-json'; readonly origin: Origin; readonly why: string };

const TOKEN = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|-?Infinity|NaN|true|false|null|[[\]{},:]/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none in a string
const STRING_RUN = /[^"\\\u0000-\u001f]*/y;
const STRING_ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const MAX_DEPTH = 500;

class NotJson extends Error {}

/**
 * Reads JSON with the line of every value, which JSON.parse does not give, and tells `1.0` from `1`.
 * NaN and Infinity are accepted, as Python's json does.
 * Throws a UsageError for a key that occurs twice in one object; anything else is `not-json`.
 */
export function readJson(text: string, file: string): JsonResult {
  const reader = new JsonReader(text, file);
  try {
    const root = reader.value(0);
    reader.end();
    return { kind: 'document', root };
  } catch (error) {
    if (error instanceof NotJson) return { kind: 'not-json', origin: reader.origin(), why: error.message };
    throw error;
  }
}

class JsonReader {
  private readonly text: string;
  private readonly file: string;
  private at = 0;
  private line = 1;

  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
  }

  origin(): Origin {
    return { file: this.file, line: this.line };
  }

  end(): void {
    this.space();
    if (this.at < this.text.length) throw new NotJson('something follows the end of the document');
  }

  value(depth: number): Node {
    if (depth > MAX_DEPTH) throw new NotJson('too deeply nested');
    const { token, float: isFloat } = this.token('a value');
    const origin = this.origin();
    if (token === '{') return this.object(origin, depth);
    if (token === '[') return this.array(origin, depth);
    return { kind: 'scalar', origin, value: scalar(token, isFloat) };
  }

  private object(origin: Origin, depth: number): Node {
    const entries = new EntryList();
    let { token } = this.token('a key or "}"');
    while (token !== '}') {
      const keyOrigin = this.origin();
      if (!token.startsWith('"')) throw new NotJson('a key has no double quotes');
      const key: unknown = JSON.parse(token);
      this.expect(':');
      entries.add({ key, origin: keyOrigin, value: this.value(depth + 1) });
      token = this.token('"," or "}"').token;
      if (token === ',') {
        token = this.token('a key').token;
        if (token === '}') throw new NotJson('a comma has nothing after it');
      } else if (token !== '}') throw new NotJson('"," or "}" is missing');
    }
    return { kind: 'map', origin, entries: entries.list() };
  }

  private array(origin: Origin, depth: number): Node {
    const items: Node[] = [];
    this.space();
    if (this.text.charAt(this.at) === ']') {
      this.at++;
      return { kind: 'list', origin, items };
    }
    for (;;) {
      items.push(this.value(depth + 1));
      const { token } = this.token('"," or "]"');
      if (token === ']') return { kind: 'list', origin, items };
      if (token !== ',') throw new NotJson('"," or "]" is missing');
    }
  }

  private expect(wanted: string): void {
    if (this.token(`"${wanted}"`).token !== wanted) throw new NotJson(`"${wanted}" is missing`);
  }

  private token(wanted: string): { token: string; float: boolean } {
    this.space();
    if (this.text.charAt(this.at) === '"') return { token: this.string(), float: false };
    const match = this.take(TOKEN);
    if (match === null) throw new NotJson(`${wanted} is missing`);
    return { token: match[0], float: match[1] !== undefined || match[2] !== undefined };
  }

  // Run by run rather than by one expression: a string may be as long as the document.
  private string(): string {
    const start = this.at++;
    do this.take(STRING_RUN);
    while (this.take(STRING_ESCAPE) !== null);
    if (this.text.charAt(this.at++) !== '"') throw new NotJson('a string is not closed, or has a bad character in it');
    return this.text.slice(start, this.at);
  }

  private take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match !== null) this.at = pattern.lastIndex;
    return match;
  }

  private space(): void {
    for (; ; this.at++) {
      const char = this.text.charAt(this.at);
      if (char === '\n') this.line++;
      else if (char !== ' ' && char !== '\t' && char !== '\r') return;
    }
  }
}

function scalar(token: string, isFloat: boolean): unknown {
  if (token.startsWith('"') || token === 'true' || token === 'false' || token === 'null') return JSON.parse(token);
  if (token === 'NaN' || token.endsWith('Infinity')) return float(Number(token));
  if (!/^-?\d/.test(token)) throw new NotJson('a value is missing');
  return isFloat ? float(Number(token)) : integer(BigInt(token));
}
