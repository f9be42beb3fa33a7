import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Case } from './cases.ts';

/** What ansible-inventory makes of a case: its list and graph, or that it takes no such file. */
export type Verdict = { readonly list: string; readonly graph: string } | { readonly rejected: true };

interface Call {
  readonly argv: readonly string[];
  readonly cwd: string;
}

interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The Python that ansible-inventory runs under, or undefined where it is not installed. */
export const python = findPython();

function findPython(): string | undefined {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    try {
      const first = readFileSync(join(directory, 'ansible-inventory'), 'utf8').split('\n', 1)[0] ?? '';
      return /^#!\s*(\S*python\S*)/.exec(first)?.[1];
    } catch {}
  }
  return undefined;
}

function ask(calls: readonly Call[]): Answer[] {
  const result = spawnSync(python ?? 'python3', [join(import.meta.dirname, 'oracle.py')], {
    input: JSON.stringify(calls),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: {
      PATH: process.env.PATH,
      HOME: '/nonexistent',
      LC_ALL: 'C.UTF-8',
      ANSIBLE_LOCAL_TEMP: join(process.env.TMPDIR ?? '/tmp', 'fleetmask-oracle'),
      ANSIBLE_CONFIG: join(import.meta.dirname, 'oracle.cfg'),
      ANSIBLE_NOCOLOR: '1',
      // Otherwise a file it cannot read is a warning, and an empty inventory.
      ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: '1',
      ANSIBLE_INVENTORY_UNPARSED_IS_FAILED: '1',
    },
  });
  if (result.status !== 0) throw new Error(`the oracle failed: ${result.stderr}`);
  return JSON.parse(result.stdout) as Answer[];
}

export function askInventories(cases: readonly Case[]): Verdict[] {
  const calls = cases.flatMap(({ sources, cwd }) =>
    ['--list', '--graph'].map((action) => ({
      argv: ['ansible-inventory', ...sources.flatMap((source) => ['-i', source]), action],
      cwd,
    })),
  );
  const answers = ask(calls);
  return cases.map((_, index) => {
    const [list, graph] = answers.slice(2 * index, 2 * index + 2);
    if (list?.status !== 0 || graph?.status !== 0) return { rejected: true };
    return { list: list.stdout.trimEnd(), graph: graph.stdout.trimEnd() };
  });
}

/** The hosts each pattern selects, or "nothing" where Ansible warns, fails or selects none. */
export function askPatterns(
  source: string,
  cwd: string,
  patterns: readonly string[],
): (readonly string[] | 'nothing')[] {
  return ask(patterns.map((pattern) => ({ argv: ['ansible', '-i', source, '--list-hosts', '--', pattern], cwd }))).map(
    ({ status, stdout, stderr }) => {
      const hosts = stdout
        .split('\n')
        .slice(1)
        .map((line) => line.trim());
      const names = hosts.filter((host) => host !== '');
      return status !== 0 || names.length === 0 || /Could not match/.test(stderr) ? 'nothing' : names;
    },
  );
}
