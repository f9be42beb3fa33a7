import { printable } from '../model/index.ts';

/** One line of prose, safe for a screen whatever is in it. Its length was limited where it was read. */
export function safe(text: string): string {
  return printable(text, Number.POSITIVE_INFINITY);
}

/**
 * Characters about whose width terminals disagree among themselves and with cli-table3: emoji and other symbols newer
 * than its tables. In a cell they are shown escaped, so that a row is never wider than we think.
 */
const UNSETTLED = /[\u2630-\u2637\u268a-\u268f\u4dc0-\u4dff\u{10000}-\u{1ffff}\u{3fffe}-\u{10ffff}]/gu;

/** The text of a table cell: one line, safe, and of a width that is known. */
export function safeCell(text: string): string {
  return printable(text).replace(UNSETTLED, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

const ASCII = /^[\x20-\x7e]*$/;

/** An upper bound of the columns that `text` takes: exact for Latin text and our own marks, two for doubtful signs. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const char of text) width += charWidth(char.codePointAt(0)!);
  return width;
}

function charWidth(code: number): number {
  if (code >= 0x300 && code <= 0x36f) return 0;
  if (code < 0x1100) return code === 0xa9 || code === 0xae ? 2 : 1;
  if (code >= 0x1e00 && code < 0x2100) return code === 0x203c || code === 0x2049 ? 2 : 1;
  if (code === 0x2192 || code === 0x2264 || (code >= 0x2500 && code < 0x2580)) return 1;
  return 2;
}

/** `text` in at most `width` columns: both ends stay, an ellipsis stands for the middle. */
export function shorten(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const chars = [...text];
  const tail = Math.floor((width - 1) / 2);
  const end = take(chars.toReversed(), tail).toReversed();
  return `${take(chars, width - 1 - tail).join('')}…${end.join('')}`;
}

function take(chars: readonly string[], width: number): string[] {
  const taken: string[] = [];
  let used = 0;
  for (const char of chars) {
    used += widthOf(char);
    if (used > width) break;
    taken.push(char);
  }
  return taken;
}

/** Where a line may end: between words (an arrow, or a count, stays with what follows it), in a name after its dots. */
const BREAKS = { words: /(?<=(?<!→) )(?<!\b\d+ (?=[a-z]))/, name: /(?<=[-.@])|(?<= )(?=\()/ } as const;

export type Breaks = keyof typeof BREAKS;

/** A cell is not to fill the screen: what does not fit in so many lines gets an ellipsis. */
const MAX_LINES = 6;

/** `text` in lines of at most `width` columns; what is longer than a line even by itself is shortened. */
export function wrap(text: string, width: number, breaks: Breaks): string[] {
  if (widthOf(text) <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const piece of text.split(BREAKS[breaks])) {
    if (lines.length < MAX_LINES - 1 && line !== '' && widthOf((line + piece).trimEnd()) > width) {
      lines.push(line);
      line = '';
    }
    line += piece;
  }
  lines.push(line);
  return lines.map((each) => shorten(each.trimEnd(), width));
}

/** The narrowest column in which `wrap` cuts no piece. */
export function longestPiece(text: string, breaks: Breaks): number {
  return Math.max(...text.split(BREAKS[breaks]).map((piece) => widthOf(piece.trimEnd())));
}
