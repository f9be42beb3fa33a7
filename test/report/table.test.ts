import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable } from '../../src/model/index.ts';
import { type Column, renderTable } from '../../src/report/index.ts';
import { columnsOf } from './fixtures.ts';
import { PAYLOADS } from './hostile.ts';

type Row = readonly string[];
const cell = (i: number) => (row: Row) => row[i] ?? '';
const COLUMNS: readonly Column<Row>[] = [
  { title: 'name', of: cell(0), as: 'name', min: 8 },
  { title: 'words', of: cell(1), as: 'text', rank: 0, min: 6 },
  { title: 'more', of: cell(2), as: 'text', rank: 1, min: 6 },
  { title: 'word', of: cell(3), as: 'word', align: 'right', min: 5 },
];
const show = (rows: readonly Row[], columns: number | undefined) =>
  renderTable(COLUMNS, rows, { columns, color: false });
const lines = (text: string) => text.split('\n').slice(0, -1);

test('a table that has room is neither wrapped nor shortened', () => {
  expect(show([['web1', 'enabled → masked', 'a b c', '1 s']], 80)).toBe(
    [
      'name  words             more   word',
      '───────────────────────────────────',
      'web1  enabled → masked  a b c   1 s',
      '───────────────────────────────────',
      '',
    ].join('\n'),
  );
});

test('text gives way first, between words, and an arrow stays with what it points to', () => {
  expect(show([['web-01.example.com', 'enabled → masked', 'a b c', '1 s']], 48)).toBe(
    [
      'name                words     more   word',
      '─────────────────────────────────────────',
      'web-01.example.com  enabled   a b c   1 s',
      '                    → masked',
      '─────────────────────────────────────────',
      '',
    ].join('\n'),
  );
});

test('a name is broken after its dots and dashes before anything of it is left out', () => {
  const text = show([['web-01.prod.example.com', 'ab', 'cd', '1 s']], 40);
  expect(text).not.toContain('…');
  expect(
    lines(text)
      .map((line) => line.slice(0, 20).trim())
      .join(''),
  ).toContain('web-01.prod.example.com');
});

test('a name that must be shortened keeps both its ends', () => {
  expect(show([['a'.repeat(50) + 'z'.repeat(50), 'ab', 'cd', '1 s']], 40)).toMatch(/^a+…z+ /m);
});

test('where no width is known names are whole, and everything else keeps to 80 columns', () => {
  const name = 'frontend-01.prod.eu-west-1.example.com';
  const text = show([[name, 'some words '.repeat(12), 'x'.repeat(90), '1 s']], undefined);
  expect(text).toContain(name);
  expect(Math.max(...lines(text).map(columnsOf))).toBeLessThanOrEqual(80);
  expect(show([['n'.repeat(120), 'ab', 'cd', '1 s']], undefined)).toContain('n'.repeat(120));
});

test('nothing is left out without an ellipsis', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z .-]{0,60}$/), { minLength: 4, maxLength: 4 }), (row) => {
      const text = show([row], 60);
      const squeeze = (s: string) => s.replaceAll(/[\s─]/g, '').split('').sort().join('');
      if (!text.includes('…')) expect(squeeze(text)).toBe(squeeze(`namewordsmoreword${row.join('')}`));
    }),
  );
});

test('no rows are no table', () => {
  expect(show([], 80)).toBe('');
});

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ maxLength: 60 }),
  fc.constantFrom(...PAYLOADS.map(([, text]) => text)),
);

test('no line of any table is wider than its screen', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(anyText, { minLength: 4, maxLength: 4 }), { maxLength: 8 }),
      fc.integer({ min: 40, max: 200 }),
      (rows, columns) => {
        for (const line of lines(show(rows, columns))) expect(columnsOf(line)).toBeLessThanOrEqual(columns);
      },
    ),
    { numRuns: 300 },
  );
});

test.each(PAYLOADS)('a cell comes out inert: %s', (_, payload) => {
  const text = show([[payload, payload, payload, payload]], 80);
  expect([...text].filter((char) => char !== '\n' && printable(char) !== char)).toEqual([]);
  // head, two rules, and at most six lines of one row
  expect(lines(text).length).toBeLessThanOrEqual(9);
});

test('a table longer than what is drawn at once has one head and even columns', () => {
  const rows = Array.from({ length: 250 }, (_, i) => [`n${i}`, 'a', 'b', '1 s']);
  const all = lines(show(rows, 80));
  expect(all).toHaveLength(253);
  expect(all.filter((line) => line.startsWith('name'))).toHaveLength(1);
  expect(new Set(all.slice(2, -1).map((line) => line.indexOf('1 s'))).size).toBe(1);
});
