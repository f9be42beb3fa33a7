/** The rules of src/README.md, checked. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SRC = join(dirname(fileURLToPath(import.meta.url)), '..', 'src');

/** Which rooms a room may import; `transport/transport.ts` alone stands for its types. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: [],
  inventory: ['model'],
  plan: ['model'],
  report: ['model'],
  'ssh-config': ['model'],
  transport: ['model', 'ssh-config'],
  remote: ['model', 'transport/transport.ts'],
  journal: ['model', 'plan'],
  run: ['model', 'plan', 'journal', 'remote', 'transport/transport.ts'],
  demo: ['model'],
  operations: ['model', 'inventory', 'plan', 'journal', 'report', 'ssh-config', 'transport', 'remote', 'run'],
  cli: ['model', 'plan', 'report', 'operations', 'demo'],
  'main.ts': ['cli', 'operations', 'model', 'plan'],
};

/** Who alone may use a package. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  ssh2: ['transport', 'demo'],
  'p-limit': ['run', 'transport'],
  yargs: ['cli'],
  'cli-table3': ['report'],
  yaml: ['inventory', 'operations'],
  'node:child_process': ['ssh-config', 'transport', 'demo'],
  // the number of this process, and whether another is there: context/process-identity.ts
  'node:process': ['operations'],
};

interface Source {
  readonly room: string;
  readonly path: string;
  readonly text: string;
}

const sources: Source[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, room: path.split('/')[0] ?? '', text: readFileSync(join(SRC, path), 'utf8') }));

function imports({ text }: Source): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

/** The code without comments and strings. */
function code({ text }: Source): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/`(?:[^`\\]|\\.)*`|'(?:[^'\\\n]|\\.)*'/g, "''");
}

function offenders(test: (source: Source) => boolean): string[] {
  return sources.filter(test).map(({ path }) => path);
}

/** Files of src that a file imports. */
function within(source: Source): string[] {
  return imports(source)
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(SRC, resolve(dirname(join(SRC, source.path)), name)));
}

/** Groups of names that lead to each other, by Tarjan's algorithm; empty where no arrow leads back. */
function circles(names: readonly string[], next: (name: string) => readonly string[]): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const visit = (name: string): void => {
    order.set(name, order.size);
    lowest.set(name, order.get(name)!);
    path.push(name);
    for (const other of next(name)) {
      if (!order.has(other)) visit(other);
      if (path.includes(other)) lowest.set(name, Math.min(lowest.get(name)!, lowest.get(other)!));
    }
    if (lowest.get(name) !== order.get(name)) return;
    const circle = path.splice(path.indexOf(name));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const name of names) if (!order.has(name)) visit(name);
  return found;
}

/** The rows of the table of rooms in src/README.md. */
const ROWS = readFileSync(join(SRC, 'README.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| `[\w./-]+` \|/.test(line) && line.split('|').length === 6)
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, room = '', , may = '', owner = '']) => ({ room: room.replace(/[`/]/g, ''), may, owner }));

describe('the rooms', () => {
  it('are those of the table in src/README.md', () => {
    const table = ROWS.map(({ room, may }) => [
      room,
      may === '–'
        ? []
        : may.split(', ').map((each) => (each === "transport's types" ? 'transport/transport.ts' : each)),
    ]);
    const sorted = (pairs: readonly (readonly [string, readonly string[]])[]) =>
      Object.fromEntries(pairs.map(([room, may]) => [room, [...may].sort()]));
    expect(sorted(table as [string, string[]][])).toEqual(sorted(Object.entries(MAY_IMPORT)));
  });

  it('own the packages that the table in src/README.md says', () => {
    const owned = ROWS.flatMap(({ room, owner }) =>
      [...owner.matchAll(/`([^`]+)`(?: \(with (\w+)\))?/g)].map(([, name = '', other]) => [
        name,
        [room, ...(other ? [other] : [])].sort(),
      ]),
    );
    const listed = Object.fromEntries(owned.filter(([name]) => name !== 'process'));
    const held = Object.fromEntries(Object.entries(OWNERS).map(([name, rooms]) => [name, [...rooms].sort()]));
    expect({ ...held, ...listed }).toEqual(held);
    expect(Object.keys(listed).length).toBeGreaterThan(3);
  });

  it('lead in no circle, neither of files nor of rooms', () => {
    const files = new Map(sources.map((source) => [source.path, within(source)]));
    expect(circles([...files.keys()], (path) => (files.get(path) ?? []).filter((other) => files.has(other)))).toEqual(
      [],
    );
    const rooms = new Map<string, string[]>();
    for (const source of sources) {
      const others = within(source).map((path) => path.split('/')[0] ?? '');
      rooms.set(source.room, [...(rooms.get(source.room) ?? []), ...others.filter((other) => other !== source.room)]);
    }
    expect(circles([...rooms.keys()], (room) => rooms.get(room) ?? [])).toEqual([]);
  });

  it('find a circle where there is one', () => {
    const arrows: Record<string, string[]> = { a: ['b'], b: ['c', 'd'], c: ['b'], d: ['e'], e: [] };
    expect(circles(Object.keys(arrows), (name) => arrows[name] ?? [])).toEqual([['b', 'c']]);
  });

  it('hold no more than a fifth of the files or lines each', () => {
    const lines = ({ text }: Source) => text.split('\n').length;
    const all = sources.reduce((sum, source) => sum + lines(source), 0);
    const large = Object.keys(MAY_IMPORT).filter((room) => {
      const own = sources.filter((source) => source.room === room);
      const share = own.reduce((sum, source) => sum + lines(source), 0) / all;
      return Math.max(share, own.length / sources.length) > 0.2;
    });
    expect(large).toEqual([]);
  });

  it('exist, each with its row in the table', () => {
    expect(new Set(sources.map(({ room }) => room))).toEqual(new Set(Object.keys(MAY_IMPORT)));
  });

  it('import only the rooms below them', () => {
    const wrong = sources.flatMap((source) =>
      within(source)
        .filter((target) => target.split('/')[0] !== source.room)
        .filter((target) => {
          const allowed = MAY_IMPORT[source.room] ?? [];
          return !allowed.includes(target) && !allowed.includes(target.split('/')[0] ?? '');
        })
        .map((target) => `${source.path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('leave each package to its owners', () => {
    const wrong = sources.flatMap((source) =>
      imports(source)
        .filter((name) => name in OWNERS && !OWNERS[name]?.includes(source.room))
        .map((name) => `${source.path} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it('have names that say what they are for', () => {
    expect(offenders(({ path }) => /(?:^|\/)(?:utils?|helpers?|common|shared|misc)(?:\.ts|\/)/.test(path))).toEqual([]);
  });
});

describe('effects', () => {
  it('on the process happen in main.ts alone', () => {
    expect(offenders((source) => source.room !== 'main.ts' && /(?<![#.\w])process\s*\./.test(code(source)))).toEqual(
      [],
    );
  });

  it('on the console happen nowhere', () => {
    expect(offenders((source) => /\bconsole\s*\./.test(code(source)))).toEqual([]);
  });

  it('of clocks are in main, transport and the world of programs alone', () => {
    // to write a time that is known is no clock
    const clocks = /\bDate\.now\b|\bnew Date\b(?!\([^)])|\bperformance\.now\b/;
    const own = ({ room, path }: Source) =>
      ['main.ts', 'transport'].includes(room) || path === 'operations/quiet-io.ts';
    expect(offenders((source) => !own(source) && clocks.test(code(source)))).toEqual([]);
  });
});

describe('shell', () => {
  it('is in .sh files: no TypeScript runs systemctl', () => {
    // words of help and faults may name it; a command line may not
    const commands =
      /systemctl[^.]*\s(?:mask|unmask|stop|start|show|daemon-reload|is-active|is-enabled|reset-failed)\s+["'$-]/;
    expect(offenders(({ text }) => commands.test(text))).toEqual([]);
  });
});

describe('files', () => {
  it('are short enough to do one thing', () => {
    expect(offenders(({ text }) => text.split('\n').length > 300)).toEqual([]);
  });
});
