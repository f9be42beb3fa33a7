/** Reports as CSV, JUnit and HTML: what a spreadsheet, a CI system and a browser make of them, whatever hosts say. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fault, type HostReport, type Outcome, type Report } from '../../src/model/index.ts';
import { documentSink, toCsv, toHtml, toJunit } from '../../src/report/index.ts';
import { ENABLED, host, MASKED, recorded, report, typicalRun, unit } from './fixtures.ts';
import { PAYLOADS } from './hostile.ts';

/** A report with `text` wherever a text from outside may stand. */
function saying(text: string): Report {
  const state = { load: text, file: text, active: text };
  const hostile: HostReport = {
    ...host(text, 'refused', { os: null }),
    address: text,
    os: { id: text, version: text, name: text },
    units: [
      unit(text, {
        ...{ asked: text, before: state, after: state, triggers: [text], steps: [text], notes: [text], covers: [text] },
        ways: [text],
        ...{ notCovered: [text], stopsToo: [text] },
        receipt: { run: text, actor: text, startedAt: text, reason: text, ticket: text },
      }),
    ],
    fault: {
      ...fault('protected', text, text, [text]),
      hostKey: { type: text, fingerprint: text, line: text },
    },
    confirmBy: text,
    expiresAt: text,
    switchOf: text,
    history: [
      {
        ...{ at: text, actor: text, command: 'rollback', outcome: 'restored', unit: text, before: state, after: null },
        fault: { kind: 'lost', message: text },
      },
    ],
  };
  return report([hostile, host('web2', 'masked')], {
    ...{ id: text, units: [text], actor: text, reason: text, ticket: text },
  });
}

const MARKUP: readonly (readonly [string, string])[] = [
  ['a script', '<script>alert(1)</script>'],
  ['an image that fails', '"><img src=x onerror=alert(1)>'],
  ['an attribute', "' onmouseover='alert(1)"],
  ['the end of the style sheet', '</style><script>alert(1)</script>'],
  ['the end of a comment', '--><b>'],
  ['the end of CDATA', ']]>'],
  ['an entity', '&lt;&#x3c;&xxe;'],
  ['a document type', '<!DOCTYPE x [<!ENTITY a "b">]>'],
];
const EVERYTHING = [...PAYLOADS, ...MARKUP];

/** The fields of RFC 4180, strictly: CRLF at the end of each line, quotes only around whole fields. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  let row: string[] = [];
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (match === null) throw new Error(`not CSV at ${at}: ${text.slice(at, at + 40)}`);
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\r\n') {
      rows.push(row);
      row = [];
    }
  }
  return rows;
}

describe('csv', () => {
  test('a line for each host and unit', async () => {
    await expect(toCsv(typicalRun())).toMatchFileSnapshot('golden/mask.csv');
    const two = report([host('web1', 'masked', { wave: 2, units: [unit('a.service'), unit('b.socket')] })]);
    const [heads, ...rows] = parseCsv(toCsv(two));
    const at = (name: string) => rows.map((row) => row[heads!.indexOf(name)]);
    expect(at('host')).toEqual(['web1', 'web1']);
    expect(at('unit')).toEqual(['a.service', 'b.socket']);
    expect(at('wave')).toEqual(['2', '2']);
    expect(at('before.file')).toEqual(['enabled', 'enabled']);
    expect(at('run')).toEqual([two.run.id, two.run.id]);
  });

  test.each(EVERYTHING)('one line stays one line, of printable characters: %s', (_, payload) => {
    const rows = parseCsv(toCsv(saying(payload)));
    expect(rows).toHaveLength(3);
    expect(new Set(rows.map((row) => row.length)).size).toBe(1);
    expect(rows.flat().join('')).not.toMatch(/[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069]/u);
  });

  test.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\\x09=1"],
    ['\r=1', "'\\x0d=1"],
    ['\n=1', "'\\x0a=1"],
    ['  =1', "'  =1"],
    ['＝1', "'＝1"],
    ['=cmd|"/c calc"!A1', '\'=cmd|"/c calc"!A1'],
    ['a;=1+1', "a;'=1+1"],
    ['a; @x', "a;' @x"],
    ['a "b", c', 'a "b", c'],
    ['a=b', 'a=b'],
    ['web-1', 'web-1'],
    ['', ''],
  ])('a cell %j is %j to a spreadsheet', (text, shown) => {
    const [heads, row] = parseCsv(toCsv(saying(text)));
    expect(row![heads!.indexOf('host')]).toBe(shown);
  });

  test('no text begins a formula', () => {
    const sign = fc.constantFrom(...'=+-@＝＋－＠\t\r\n ;"\',');
    fc.assert(
      fc.property(fc.array(fc.oneof(sign, fc.string({ unit: 'binary', maxLength: 2 }))), (parts) => {
        for (const cell of parseCsv(toCsv(saying(parts.join('')))).flat()) {
          for (const piece of cell.split(';')) expect(piece).not.toMatch(/^\s*[=+\-@＝＋－＠\t\r]/u);
        }
      }),
    );
  });
});

const python = spawnSync('python3', ['-c', 'import xml.dom.minidom']).status === 0;

/** What an XML parser finds: of each element in order, its name, attributes and text. */
function parsedXml(documents: readonly string[]): [name: string, attributes: Record<string, string>, text: string][][] {
  const program = [
    'import json, sys, xml.etree.ElementTree as tree',
    'print(json.dumps([[[e.tag, e.attrib, e.text or ""] for e in tree.fromstring(d.encode()).iter()] for d in json.load(sys.stdin)]))',
  ].join('\n');
  const { stdout, stderr, status } = spawnSync('python3', ['-c', program], {
    input: JSON.stringify(documents),
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** Which elements each case holds. */
function verdicts(result: Report): Record<string, string> {
  const cases = toJunit(result).matchAll(/<testcase name="([^"]*)"[^>]*>\s*<([\w-]+)/g);
  return Object.fromEntries([...cases].map(([, name, first]) => [name, first === 'system-out' ? 'passed' : first]));
}

describe('junit', () => {
  test('a suite for the run, a case for each host', async () => {
    await expect(toJunit(typicalRun())).toMatchFileSnapshot('golden/mask.junit.xml');
  });

  test('what was not reached is an error, what was not begun is skipped, what failed is a failure', () => {
    const all: Outcome[] = ['masked', 'unmasked', 'restored', 'unchanged', 'planned', 'refused', 'unreachable'];
    const rest: Outcome[] = ['not-started', 'rolled-back', 'stranded', 'not-masked', 'mixed'];
    expect(verdicts(report([...all, ...rest].map((outcome) => host(outcome, outcome))))).toEqual({
      ...{ masked: 'passed', unmasked: 'passed', restored: 'passed', unchanged: 'passed', planned: 'passed' },
      ...{ refused: 'failure', unreachable: 'error', 'not-started': 'skipped', 'rolled-back': 'failure' },
      ...{ stranded: 'failure', 'not-masked': 'failure', mixed: 'failure' },
    });
  });

  test('a status that was to be unmasked fails where it is masked', () => {
    const hosts = [host('a', 'masked'), host('b', 'not-masked')];
    expect(verdicts(report(hosts, { command: 'status', expected: 'unmasked' }))).toEqual({ a: 'failure', b: 'passed' });
    expect(verdicts(report(hosts, { command: 'status', expected: 'masked' }))).toEqual({ a: 'passed', b: 'failure' });
  });

  test.skipIf(!python)('is well-formed XML with the same elements, whatever hosts say', () => {
    const texts = [...EVERYTHING.map(([, text]) => text), ...fc.sample(fc.string({ unit: 'binary' }), 200)];
    const parsed = parsedXml(texts.map((text) => toJunit(saying(text))));
    const tags = (elements: (typeof parsed)[number]) => elements.map(([name]) => name);
    for (const elements of parsed) expect(tags(elements)).toEqual(tags(parsed[0]!));
    const script = parsed[texts.indexOf(MARKUP[0]![1])]!;
    const [, attributes, text] = script.find(([name]) => name === 'failure')!;
    expect(attributes).toEqual({ type: 'protected', message: '<script>alert(1)</script>' });
    expect(text).toContain('hint: <script>alert(1)</script>');
  });

  test.skipIf(!python)('counts as its cases do', () => {
    const [elements] = parsedXml([toJunit(typicalRun())]);
    const count = (tag: string) => String(elements!.filter(([name]) => name === tag).length);
    const [, suite] = elements!.find(([name]) => name === 'testsuite')!;
    expect(suite).toMatchObject({ tests: count('testcase'), failures: count('failure'), errors: count('error') });
    expect(suite).toMatchObject({ skipped: count('skipped'), timestamp: '2025-01-02T03:04:05', hostname: 'bastion' });
    expect(Number(count('failure'))).toBe(3);
  });
});

/** Every tag, without what stands in its attributes; fails on what is no tag. */
function tagsOf(html: string): string[] {
  const body = html.replace(/<style>[^<]*<\/style>/, '');
  const tags = body.match(/<[^>]*>/g) ?? [];
  for (const tag of tags) expect(tag).toMatch(/^<(?:!doctype html|\/?[a-z][a-z0-9]*(?: [a-z-]+="[^"<>]*"| open)*)>$/);
  return tags.map((tag) => tag.replace(/ (?:content|name)="[^"]*"/g, ''));
}

describe('html', () => {
  test('one page', async () => {
    await expect(toHtml(typicalRun())).toMatchFileSnapshot('golden/mask.html');
  });

  test.each(EVERYTHING.filter(([, text]) => text !== ''))('holds our own tags and no others: %s', (_, payload) => {
    const html = toHtml(saying(payload));
    expect(tagsOf(html)).toEqual(tagsOf(toHtml(saying('x'))));
    expect(html.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069]/u);
  });

  test('allows nothing but its one style sheet, by the hash of it', () => {
    const html = toHtml(typicalRun());
    const [style, ...others] = [...html.matchAll(/<style>([\s\S]*?)<\/style>/g)].map(([, text]) => text!);
    const hash = createHash('sha256').update(style!).digest('base64');
    expect(others).toEqual([]);
    expect(html).toContain(
      `content="default-src &#39;none&#39;; style-src &#39;sha256-${hash}&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;"`,
    );
    expect(html).not.toMatch(/ style="|<script|<link|\b(?:src|href)=|url\(|@import| on[a-z]+=/);
    // before anything that it is to govern
    expect(html.indexOf('Content-Security-Policy')).toBeLessThan(html.indexOf('<style>'));
  });

  test('tags are closed where they were opened', () => {
    const open: string[] = [];
    for (const tag of tagsOf(toHtml(typicalRun()))) {
      const [, slash, name] = /^<(\/?)([a-z0-9]+)/.exec(tag) ?? [];
      if (name === undefined || name === 'meta') continue;
      if (slash === '') open.push(name);
      else expect(open.pop(), tag).toBe(name);
    }
    expect(open).toEqual([]);
  });

  test('shows every fault with its hint, before → after, and the evidence of each host', () => {
    const html = toHtml(typicalRun());
    for (const each of typicalRun().hosts) {
      expect(html).toContain(`<summary>${each.host} `);
      if (each.fault) expect(html).toContain(each.fault.hint.replaceAll("'", '&#39;'));
    }
    expect(html).toContain('<td>enabled → masked</td><td>active → inactive</td>');
    expect(html.indexOf('<th scope="rowgroup">edge1')).toBeLessThan(html.indexOf('<th scope="rowgroup">web1'));
  });

  test('of a run that was rolled back it is not said that hosts are as asked', () => {
    const back = toHtml(report([host('web1', 'restored', { units: [unit('x', { before: MASKED, after: ENABLED })] })]));
    expect(back).toContain('>1 host. What was changed is as it was before. Exit code 0.<');
    expect(toHtml(report([host('web1', 'masked')]))).toContain('>1 host. Every host is as asked. Exit code 0.<');
  });

  test('of many hosts only those that failed unfold their evidence', () => {
    const hosts = Array.from({ length: 50 }, (_, i) => host(`web${i}`, 'masked'));
    const still = fault('still-running', 'still active');
    const html = toHtml(
      report([...hosts, host('db1', 'rolled-back', { units: [unit('x', { after: ENABLED })], fault: still })]),
    );
    expect(html.match(/<details open>/g)).toHaveLength(1);
    expect(html.match(/<details>/g)).toHaveLength(50);
  });
});

test.each([toCsv, toJunit, toHtml])('the document is written once, when the run has finished', (render) => {
  const out = recorded();
  const sink = documentSink(out, render);
  const result = typicalRun();
  sink.event({ type: 'run-started', run: result.run, hosts: [] });
  for (const each of result.hosts) sink.event({ type: 'host-settled', report: each });
  expect(out.written).toEqual([]);
  sink.event({ type: 'run-finished', report: result });
  expect(out.written).toEqual([render(result)]);
});
