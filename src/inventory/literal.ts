import { float, integer } from './number.ts';

/** Deeper nesting is text, as it is for Python. */
const MAX_DEPTH = 150;

/**
 * The value of an INI variable: what Python's `ast.literal_eval` makes of it, and the text itself where that makes
 * nothing of it. So `1`, `1.5`, `True`, `None`, `[1, 'a']`, `0x10`, `1_000` are values; `true`, `yes`, `01` are text.
 * Tuples and sets become arrays, dicts become null-prototype objects with JSON's keys. Never throws.
 */
export function literalValue(text: string): unknown {
  const reader = new LiteralReader(text);
  try {
    return reader.whole();
  } catch (error) {
    if (error === NO_LITERAL) return text;
    throw error;
  }
}

const NO_LITERAL = new Error('not a literal');
const NUMBER =
  /(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:\d(?:_?\d)*)?\.\d(?:_?\d)*(?:[eE][+-]?\d(?:_?\d)*)?|\d(?:_?\d)*\.?(?:[eE][+-]?\d(?:_?\d)*)?)(?![\w.])/y;
const STRING = /([rRuUbB]|[bB][rR]|[rR][bB])?('''|"""|'|")/y;
const NAME = /(?:True|False|None)(?!\w)/y;
const SPACES = /(?:[ \t\f]|#.*)*/y;

const SIMPLE_ESCAPES = new Map([
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|([^xuUN0-7]))/y;

class LiteralReader {
  private readonly text: string;
  private at = 0;
  private depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** A whole literal; several with commas between are a tuple, even without parentheses. */
  whole(): unknown {
    // A comment in front would leave nothing to evaluate; leading blanks alone are harmless.
    this.take(SPACES);
    const first = this.value();
    if (!this.punctuation(',')) return this.end(first);
    const values = [first];
    while (!this.atEnd()) {
      values.push(this.value());
      if (!this.punctuation(',')) break;
    }
    return this.end(values);
  }

  private end(value: unknown): unknown {
    if (!this.atEnd()) throw NO_LITERAL;
    return value;
  }

  private atEnd(): boolean {
    this.take(SPACES);
    return this.at === this.text.length;
  }

  private value(): unknown {
    this.take(SPACES);
    const char = this.text.charAt(this.at);
    if (char === '[' || char === '(' || char === '{') return this.container(char);
    const sign = char === '-' || char === '+' ? char : '';
    if (sign !== '') {
      this.at++;
      this.take(SPACES);
    }
    const digits = this.take(NUMBER);
    if (digits !== undefined) return numberValue(digits[0], sign);
    if (sign !== '') throw NO_LITERAL;
    const name = this.take(NAME);
    if (name !== undefined) return name[0] === 'None' ? null : name[0] === 'True';
    return this.strings();
  }

  private container(open: '[' | '(' | '{'): unknown {
    if (++this.depth > MAX_DEPTH) throw NO_LITERAL;
    this.at++;
    const close = open === '[' ? ']' : open === '(' ? ')' : '}';
    const items: unknown[] = [];
    const pairs: [unknown, unknown][] = [];
    let comma = false;
    while (!this.punctuation(close)) {
      if (items.length + pairs.length > 0 && !comma) throw NO_LITERAL;
      const item = this.value();
      if (open === '{' && this.punctuation(':')) pairs.push([item, this.value()]);
      else items.push(item);
      comma = this.punctuation(',');
    }
    this.depth--;
    if (open === '(' && items.length === 1 && !comma) return items[0];
    if (open !== '{') return items;
    if (pairs.length > 0 && items.length > 0) throw NO_LITERAL;
    return items.length > 0 ? items : dictionary(pairs);
  }

  /** Adjacent strings are one string; text and bytes do not mix. */
  private strings(): string {
    let all: string | undefined;
    let bytes: boolean | undefined;
    for (let start = this.take(STRING); start !== undefined; start = this.take(STRING)) {
      const [, prefix = '', quote = ''] = start;
      if (/b/i.test(prefix) !== (bytes ?? /b/i.test(prefix))) throw NO_LITERAL;
      bytes = /b/i.test(prefix);
      all = (all ?? '') + this.stringBody(quote, /r/i.test(prefix));
      this.take(SPACES);
    }
    if (all === undefined) throw NO_LITERAL;
    return all;
  }

  private stringBody(quote: string, raw: boolean): string {
    let body = '';
    while (!this.text.startsWith(quote, this.at)) {
      const char = this.text.charAt(this.at);
      if (char === '') throw NO_LITERAL;
      if (char !== '\\') {
        body += char;
        this.at++;
      } else if (raw) {
        body += this.text.slice(this.at, this.at + 2);
        this.at += 2;
      } else {
        body += this.escape();
      }
    }
    this.at += quote.length;
    return body;
  }

  private escape(): string {
    const match = this.take(ESCAPE);
    if (match === undefined) throw NO_LITERAL;
    const [, hex2, hex4, hex8, octal, other] = match;
    if (other !== undefined) return SIMPLE_ESCAPES.get(other) ?? `\\${other}`;
    const code = octal === undefined ? Number.parseInt(hex2 ?? hex4 ?? hex8 ?? '', 16) : Number.parseInt(octal, 8);
    if (code > 0x10ffff) throw NO_LITERAL;
    return String.fromCodePoint(code);
  }

  private punctuation(char: string): boolean {
    this.take(SPACES);
    if (this.text.charAt(this.at) !== char) return false;
    this.at++;
    return true;
  }

  private take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match === null) return undefined;
    this.at = pattern.lastIndex;
    return match;
  }
}

function numberValue(text: string, sign: string): unknown {
  const digits = text.replaceAll('_', '');
  const negative = sign === '-';
  if (!/^0[xob]/i.test(digits) && /[.eE]/.test(digits)) return float(negative ? -Number(digits) : Number(digits));
  // A leading zero is only allowed in zero itself: `01` is text. So are integers beyond Python's limit of digits.
  if (/^0+[1-9]/.test(digits) || digits.length > 4300) throw NO_LITERAL;
  const value = BigInt(digits);
  return integer(negative ? -value : value);
}

function dictionary(pairs: readonly [unknown, unknown][]): object {
  const result: Record<string, unknown> = Object.create(null);
  for (const [key, value] of pairs) {
    if (key !== null && typeof key === 'object' && !('text' in key)) throw NO_LITERAL;
    result[keyText(key)] = value;
  }
  return result;
}

/** A key as JSON has it: text. A value with a tag (`!vault x`) is none, and is told as it would be printed. */
export function keyText(key: unknown): string {
  if (typeof key !== 'object' || key === null) return String(key);
  return 'text' in key ? String(key.text) : JSON.stringify(key);
}
