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
  cli: ['model', 'inventory', 'plan', 'journal', 'report', 'transport', 'run', 'operations', 'demo'],
  'main.ts': ['cli', 'operations', 'model', 'plan'],
};

/** Who alone may use a package. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  ssh2: ['transport', 'demo'],
  'p-limit': ['run', 'transport'],
  yargs: ['cli'],
  'cli-table3': ['report'],
  yaml: ['inventory', 'cli'],
  'node:child_process': ['ssh-config', 'transport', 'demo'],
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

describe('the rooms', () => {
  it('exist, each with its row in the table', () => {
    expect(new Set(sources.map(({ room }) => room))).toEqual(new Set(Object.keys(MAY_IMPORT)));
  });

  it('import only the rooms below them', () => {
    const wrong = sources.flatMap((source) =>
      imports(source)
        .filter((name) => name.startsWith('.'))
        .map((name) => relative(SRC, resolve(dirname(join(SRC, source.path)), name)))
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

  it('of clocks are in main, cli and transport alone', () => {
    // to write a time that is known is no clock
    const clocks = /\bDate\.now\b|\bnew Date\b(?!\([^)])|\bperformance\.now\b/;
    expect(
      offenders((source) => !['main.ts', 'cli', 'transport'].includes(source.room) && clocks.test(code(source))),
    ).toEqual([]);
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
