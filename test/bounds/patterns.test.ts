/**
 * No pattern that a host's words can meet takes more than linear time. Checkers of patterns give up on some of ours after seconds, so
 * each is tried instead: on what its own parts make when they are repeated, which is what drives it back and forth if anything does.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { parseAst } from 'vite';
import { describe, expect, it } from 'vitest';

const SRC = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src');
/** Rooms that hosts are heard in. What is below is read from files of the operator, and what a host says never gets there. */
const ROOMS = ['model', 'plan', 'remote', 'report', 'run', 'transport'];
const FILES_OF_THE_OPERATOR = /^transport\/ssh-config\//;

interface Pattern {
  readonly where: string;
  readonly source: string;
  readonly flags: string;
}

const paths = ROOMS.flatMap((room) =>
  readdirSync(join(SRC, room), { recursive: true, encoding: 'utf8' }).map((path) => `${room}/${path}`),
).filter((path) => path.endsWith('.ts') && !FILES_OF_THE_OPERATOR.test(path));

const parsed = paths.map((path) => {
  const { code } = transformSync(readFileSync(join(SRC, path), 'utf8'), { loader: 'ts' });
  const patterns: Pattern[] = [];
  let built = 0;
  walk(parseAst(code), (node) => {
    if (node.regex) patterns.push({ where: path, source: node.regex.pattern, flags: node.regex.flags });
    if (node.type === 'NewExpression' && node.callee?.name === 'RegExp') built++;
  });
  return { path, patterns, built };
});

interface Node {
  readonly type?: string;
  readonly regex?: { readonly pattern: string; readonly flags: string };
  readonly callee?: { readonly name?: string };
}

function walk(node: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(node)) for (const each of node) walk(each, visit);
  else if (typeof node === 'object' && node !== null) {
    visit(node as Node);
    for (const each of Object.values(node)) walk(each, visit);
  }
}

/** Characters that the classes of a pattern stand for, and its words: what it can be fed with. */
function foodFor(source: string): string[] {
  const words = source
    .replace(/\(\?(?:[:=!]|<[=!])/g, '(')
    .replace(/\\[xu]\{?[0-9a-f]+\}?/g, (code) =>
      String.fromCodePoint(Number.parseInt(code.replace(/[^0-9a-f]/g, ''), 16)),
    )
    .replace(/\[\^(?:[^\]\\]|\\.)*\]/g, 'a')
    .replace(/\[(?:[^\]\\]|\\.)*\]/g, (group) => /[A-Za-z0-9 =.-]/.exec(group)?.[0] ?? 'a')
    .replace(/\\d/g, '1')
    .replace(/\\w/g, 'a')
    .replace(/\\s/g, ' ')
    .replace(/\\b/g, '')
    .replace(/\\r/g, '\r')
    .replace(/\\n/g, '\n')
    .replace(/\\(.)/g, '$1')
    .replace(/[*+?^$]|\{\d+(?:,\d*)?\}/g, '')
    .split(/[()|]/)
    .filter((word) => word !== '');
  const all = [...words, words.join(''), ...words.flatMap((word) => [...word])];
  return [...new Set([...all, ' ', 'a', '1', '.', '=', '/', ':', '"', '\\', '\n', '-', '@'])].slice(0, 120);
}

/** The most that one try takes, in ms. It grows by steps, so that what doubles with each character is seen before it takes for ever. */
function worst({ source, flags }: Pattern): { readonly ms: number; readonly food: string } {
  let most = { ms: 0, food: '' };
  for (const food of foodFor(source)) {
    for (const length of [24, 300, 3_000, 24_000]) {
      for (const [before, after] of [
        ['', '\0'],
        ['', ''],
        [leadIn(source), '\0'],
      ] as const) {
        const text = `${before}${food.repeat(Math.ceil(length / food.length)).slice(0, length)}${after}`;
        const pattern = new RegExp(source, flags.replace(/[gy]/g, ''));
        let ms = Number.POSITIVE_INFINITY;
        // the machine may be busy, and the first time it is compiled
        for (let i = 0; i < 3 && ms > MOST_MS; i++) {
          const start = process.cpuUsage();
          pattern.exec(text);
          ms = Math.min(ms, process.cpuUsage(start).user / 1000);
        }
        if (ms > most.ms) most = { ms, food };
        if (ms > MOST_MS) return most;
      }
    }
  }
  return most;
}

/** What an anchored pattern begins with, as written. */
function leadIn(source: string): string {
  return /^\^((?:[A-Za-z0-9 :_/@-]|\\[./-])*)/.exec(source)?.[1]?.replaceAll('\\', '') ?? '';
}

/** 24,000 characters take a linear pattern less than one; the square of that is 576 million steps, and more than a second. */
const MOST_MS = 40;

describe('patterns', () => {
  it('of known badness are found out', () => {
    const bad = [
      '(?:account|password)[^\\n]* expired',
      '=+$',
      '(a+)+$',
      '^(a|a)*$',
      '\\s+$',

      'x*y',
      '([^ ]+)[^\\n]*\\n',
    ];
    for (const source of bad) expect(worst({ where: '', source, flags: 'i' }).ms, source).toBeGreaterThan(MOST_MS);
  });

  const all = [
    ...new Map(
      parsed.flatMap(({ patterns }) => patterns).map((each) => [`${each.source}/${each.flags}`, each]),
    ).values(),
  ];

  it('are found', () => expect(all.length).toBeGreaterThan(80));

  it.each(all.map((each) => [`${each.where}: /${each.source.slice(0, 60)}/`, each] as const))(
    'take linear time: %s',
    (_, each) => {
      const { ms, food } = worst(each);
      expect(ms, JSON.stringify(food)).toBeLessThan(MOST_MS);
    },
  );

  it('are put together in few places, each looked at: from marks of ours, from the catalogue, and from constants', () => {
    const built = parsed.filter((each) => each.built > 0).map((each) => `${each.path} ${each.built}`);
    expect(built.toSorted()).toEqual([
      'model/unit.ts 1',
      'plan/resolve.ts 1',
      'remote/password-dialogue.ts 2',
      'remote/switch.ts 2',
    ]);
  });
});
