/** What the documents name is there: a promise whose test was moved or deleted is a promise without one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SECURITY = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8');
const TESTS = readFileSync(join(ROOT, 'test', 'README.md'), 'utf8');

function rowsOf(text: string, heading: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(heading));
  const table = lines.slice(start < 0 ? lines.length : start + 2);
  const end = table.findIndex((line) => !line.startsWith('|'));
  return table.slice(0, end < 0 ? undefined : end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** What is in backticks. */
function named(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
}

describe('SECURITY.md', () => {
  const rows = rowsOf(SECURITY, '| promise |');

  it('names at least one test for each promise', () => {
    expect(rows.length).toBeGreaterThan(15);
    const without = rows.filter(
      (cells) => cells.length !== 3 || !named(cells[2] ?? '').some((name) => name.startsWith('test/')),
    );
    expect(without).toEqual([]);
  });

  it('names tests that exist', () => {
    expect(rows.flatMap((cells) => named(cells[2] ?? '')).filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

describe('docs/connections.md', () => {
  const text = readFileSync(join(ROOT, 'docs', 'connections.md'), 'utf8');
  const rows = ['| way in |', '| method |'].flatMap((heading) => rowsOf(text, heading));

  it('names for each way the test that shows it, and that exists', () => {
    expect(rows.length).toBeGreaterThan(15);
    const shown = rows.map((cells) => named(cells.at(-1) ?? ''));
    expect(shown.filter((files) => files.length === 0 || files.some((file) => !existsSync(join(ROOT, file))))).toEqual(
      [],
    );
  });
});

describe('test/README.md', () => {
  it('names tests and directories that exist', () => {
    const places = rowsOf(TESTS, '| where |').flatMap(([where = '']) => named(where));
    const faults = rowsOf(TESTS, '| fault |').flatMap((cells) => named(cells.at(-1) ?? ''));
    const files = [...TESTS.matchAll(/`(test\/[\w/.-]+)`/g)].map((match) => match[1] ?? '');
    expect(Math.min(places.length, faults.length, files.length)).toBeGreaterThan(5);
    const paths = [...places, ...files, ...faults.map((name) => `test/lab/${name}.test.ts`)];
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

describe('src/README.md', () => {
  const text = readFileSync(join(ROOT, 'src', 'README.md'), 'utf8');

  it('is short enough to be read', () => {
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(120);
  });
});

describe('docs/decisions', () => {
  const dir = join(ROOT, 'docs', 'decisions');
  const subjects = readdirSync(dir).filter((file) => file !== 'README.md');
  /** What is no decision in a file of decisions. */
  const FACTS = ['What systemd does, as seen in the lab'];
  const decisions = subjects
    .filter((file) => file !== 'dependencies.md')
    .flatMap((file) =>
      readFileSync(join(dir, file), 'utf8')
        .split('\n## ')
        .slice(1)
        .map((text) => ({ file, title: text.slice(0, text.indexOf('\n')), text })),
    )
    .filter(({ title }) => !FACTS.includes(title));

  it('lists every subject', () => {
    const listed = [...readFileSync(join(dir, 'README.md'), 'utf8').matchAll(/\]\(([\w-]+\.md)\)/g)];
    expect(listed.map((match) => match[1]).sort()).toEqual(subjects.sort());
  });

  it('says of each decision when it was made, whether it holds, and what would change it', () => {
    expect(decisions.length).toBeGreaterThan(100);
    const form = /\n\n20\d\d-\d\d-\d\d · (?:in force|replaced .+?) · reconsider if .+\.\n\n\S/;
    expect(decisions.filter(({ text }) => !form.test(text)).map(({ file, title }) => `${file}: ${title}`)).toEqual([]);
  });

  it('makes no decision twice', () => {
    const titles = decisions.map(({ title }) => title);
    expect(titles.filter((title, index) => titles.indexOf(title) !== index)).toEqual([]);
  });
});

describe('documents', () => {
  const SRC = join(ROOT, 'src');
  const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' });
  const written = [
    'src/README.md',
    'src/run/README.md',
    'SECURITY.md',
    'README.md',
    'docs/connections.md',
    'docs/hosts.md',
  ];
  const documents = written.concat(
    readdirSync(join(ROOT, 'docs', 'decisions')).map((file) => `docs/decisions/${file}`),
  );

  it.each(documents)('%s names source files that exist', (document) => {
    const text = readFileSync(join(ROOT, document), 'utf8');
    const files = [...text.matchAll(/`(?:src\/)?([\w-]+(?:\/[\w-]+)*\.(?:ts|sh))`/g)].map((match) => match[1] ?? '');
    const known = (file: string) =>
      existsSync(join(ROOT, file)) || sources.some((path) => path === file || path.endsWith(`/${file}`));
    expect(files.filter((file) => !known(file))).toEqual([]);
  });
});
