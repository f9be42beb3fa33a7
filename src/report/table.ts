import { createRequire } from 'node:module';
import type { Screen } from './output.ts';
import { paint, type Style } from './paint.ts';
import { type Breaks, longestPiece, safeCell, shorten, widthOf, wrap } from './text.ts';

export type Cell = string | { readonly text: string; readonly style: Style };

/** One column: what it shows of a row, and how it gives way when the rows do not fit. */
export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => Cell;
  readonly align?: 'left' | 'right';
  /**
   * `text`: first wrapped between words, then shortened. `name`: the last to give way, first wrapped after a dot or dash,
   * then shortened in the middle. `word`: kept whole.
   */
  readonly as: 'text' | 'name' | 'word';
  /** Among columns of text: lower gives way first, equal together. */
  readonly rank?: number;
  /** Not shortened below this many columns unless nothing else is left. */
  readonly min: number;
}

/** Without a terminal to tell. */
const DEFAULT_WIDTH = 80;
const GAP = 2;
/** Below this no table can be read. */
const MIN_WIDTH = 40;
/** cli-table3 lays out in quadratic time; the widths are fixed here, so long tables are drawn in parts. */
const PART = 25;
/** With so many different names the width of their column is not sought column by column. */
const MANY = 1_000;

/**
 * Rows as a table that fits the screen, one newline at its end; the empty string where there are no rows.
 *
 * Every line is at most `screen.columns` wide (40 where there are fewer). Where the width is unknown (a pipe, a file) it
 * is 80, except that names are then neither wrapped nor shortened: the table gets wider instead, for grep's sake.
 * Cells may hold anything: they are made safe here.
 */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], screen: Screen): string {
  if (rows.length === 0) return '';
  const cells = rows.map((row) => columns.map((column) => safely(column.of(row))));
  const widths = widthsFor(columns, cells, screen.columns);
  const drawn = cells.map((row) => row.map((cell, i) => lay(cell, widths[i]!, columns[i]!, screen)));
  const lines = draw(columns, widths, drawn).map((line) => line.trimEnd());
  const [head = '', rule = '', ...body] = lines;
  const end = body.pop() ?? '';
  const framed = [paint(screen, 'title', head), paint(screen, 'quiet', rule), ...body, paint(screen, 'quiet', end)];
  return `${framed.join('\n')}\n`;
}

interface SafeCell {
  readonly text: string;
  readonly style: Style | undefined;
}

function safely(cell: Cell): SafeCell {
  return typeof cell === 'string'
    ? { text: safeCell(cell), style: undefined }
    : { text: safeCell(cell.text), style: cell.style };
}

function lay(cell: SafeCell, width: number, column: Column<never>, screen: Screen): string {
  const lines = column.as === 'word' ? [shorten(cell.text, width)] : wrap(cell.text, width, breaksOf(column));
  const { style } = cell;
  return (style === undefined ? lines : lines.map((line) => paint(screen, style, line))).join('\n');
}

function breaksOf(column: Column<never>): Breaks {
  return column.as === 'name' ? 'name' : 'words';
}

/** The width of each column. Nothing is shortened before everything that can be was wrapped. */
function widthsFor(
  columns: readonly Column<never>[],
  cells: readonly (readonly SafeCell[])[],
  screenWidth: number | undefined,
): number[] {
  const texts = columns.map((column, i) => [...new Set([column.title, ...cells.map((row) => row[i]!.text)])]);
  const widths = texts.map((column) => widest(column.map(widthOf)));
  const budget = Math.max(screenWidth ?? DEFAULT_WIDTH, MIN_WIDTH) - GAP * (columns.length - 1);
  const excess = () => widths.reduce((sum, width) => sum + width, 0) - budget;
  const groups = inOrder(columns, screenWidth !== undefined);

  const wrapTo = (i: number, width: number) => {
    const breaks = breaksOf(columns[i]!);
    widths[i] = widest(texts[i]!.flatMap((text) => wrap(text, width, breaks).map(widthOf)));
  };
  for (const group of groups) {
    const least = new Map(group.map((i) => [i, leastWhole(columns[i]!, texts[i]!)]));
    if (columns[group[0]!]!.as === 'text') {
      const share = Math.ceil(excess() / group.length);
      if (share > 0) for (const i of group) wrapTo(i, Math.max(least.get(i)!, widths[i]! - share));
    } else {
      // a name that stays whole is worth more than two that are a bit shorter
      while (excess() > 0) {
        const next = widestOf(widths, group, (i) => least.get(i)!);
        if (next === undefined) break;
        // of long lists all are laid out anew for each column that is gained
        const step = texts[next]!.length > MANY ? excess() : 1;
        wrapTo(next, Math.max(least.get(next)!, widths[next]! - step));
      }
    }
  }
  for (const group of groups) narrow(widths, group, (i) => columns[i]!.min, excess());
  if (screenWidth !== undefined) narrow(widths, [...columns.keys()], () => 1, excess());
  return widths;
}

/** Of as many as there are: a call takes no more than some ten thousand arguments. */
function widest(widths: readonly number[]): number {
  return widths.reduce((a, b) => Math.max(a, b), 0);
}

/** Columns by index, grouped, in the order in which they give way. */
function inOrder(columns: readonly Column<never>[], namesToo: boolean): number[][] {
  const groups = new Map<number, number[]>();
  for (const [i, column] of columns.entries()) {
    if (column.as === 'word' || (column.as === 'name' && !namesToo)) continue;
    const rank = column.as === 'name' ? Number.POSITIVE_INFINITY : (column.rank ?? 0);
    groups.set(rank, [...(groups.get(rank) ?? []), i]);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/** The narrowest width at which wrapping alone does. */
function leastWhole(column: Column<never>, texts: readonly string[]): number {
  return Math.max(column.min, widest(texts.map((text) => longestPiece(text, breaksOf(column)))));
}

/** Takes `excess` columns away, each from the widest of the group, none below its least width. */
function narrow(widths: number[], group: readonly number[], least: (i: number) => number, excess: number): void {
  for (let left = excess; left > 0; left--) {
    const widest = widestOf(widths, group, least);
    if (widest === undefined) return;
    widths[widest]! -= 1;
  }
}

function widestOf(widths: readonly number[], group: readonly number[], least: (i: number) => number) {
  const open = group.filter((i) => widths[i]! > least(i));
  return open.length === 0 ? undefined : open.reduce((a, b) => (widths[b]! > widths[a]! ? b : a));
}

type CliTable = typeof import('cli-table3');

function draw(columns: readonly Column<never>[], widths: number[], rows: readonly string[][]): string[] {
  // loaded when the first table is drawn: it costs more than 10 ms, and most output formats do without it
  const Table = createRequire(import.meta.url)('cli-table3') as CliTable;
  const lines: string[] = [];
  for (let from = 0; from < rows.length; from += PART) {
    const last = from + PART >= rows.length;
    const table = new Table({
      ...(from === 0 ? { head: columns.map(({ title }, i) => shorten(title, widths[i]!)) } : {}),
      colWidths: widths,
      colAligns: columns.map(({ align }) => align ?? 'left'),
      chars: last ? CHARS : { ...CHARS, bottom: '', 'bottom-mid': '' },
      // its own colours go into pipes too
      style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    });
    table.push(...rows.slice(from, from + PART));
    lines.push(...table.toString().split('\n'));
  }
  return lines;
}

/** A rule under the head and one at the end; columns are told apart by space. */
const CHARS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  left: '',
  'left-mid': '',
  right: '',
  'right-mid': '',
  middle: ' '.repeat(GAP),
  mid: '─',
  'mid-mid': '─'.repeat(GAP),
  bottom: '─',
  'bottom-mid': '─'.repeat(GAP),
  'bottom-left': '',
  'bottom-right': '',
};
