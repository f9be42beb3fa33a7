import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { plain } from '../../src/inventory/document.ts';
import { loadInventory, matchNames, renderAnsibleList, toAnsibleList, toGraph } from '../../src/inventory/index.ts';
import { readJson } from '../../src/inventory/json.ts';
import { UsageError } from '../../src/model/index.ts';
import { runWithin } from '../../src/ssh-config/run-program.ts';
import {
  type Case,
  casesIn,
  expectedFile,
  PATTERN_DIRECTORY,
  PATTERN_EXPECTED,
  PATTERN_FLEET,
  patterns,
} from './cases.ts';
import { askInventories, askPatterns, python, type Verdict } from './oracle.ts';
import { select } from './reading.ts';

const corpus = casesIn('corpus');
const stricter = casesIn('stricter');

function expected(directory: 'corpus' | 'stricter', name: string): Verdict {
  return JSON.parse(readFileSync(expectedFile(directory, name), 'utf8')) as Verdict;
}

function load({ sources, cwd }: Case) {
  return loadInventory(sources, { cwd, env: { PATH: process.env.PATH }, run: runWithin });
}

async function verdict(inventory: Case): Promise<Verdict> {
  try {
    const loaded = await load(inventory);
    return { list: renderAnsibleList(toAnsibleList(loaded)), graph: toGraph(loaded).join('\n') };
  } catch (error) {
    if (error instanceof UsageError) return { rejected: true };
    throw error;
  }
}

/** The same document with keys and the lists of hosts and children sorted: Ansible's own order of them varies. */
function sorted(verdict: Verdict): Verdict {
  if ('rejected' in verdict) return verdict;
  const result = readJson(verdict.list, 'list');
  if (result.kind !== 'document') throw new Error(`${result.why}: ${verdict.list}`);
  const list = plain(result.root) as Record<string, { hosts?: string[]; children?: string[]; profile?: string }>;
  for (const group of Object.values(list)) {
    group.hosts?.sort();
    group.children?.sort();
    // Newer versions say here which format they print.
    delete group.profile;
  }
  return { list: renderAnsibleList(list), graph: verdict.graph.split('\n').sort().join('\n') };
}

describe('an inventory of the corpus reads as ansible-inventory reads it', () => {
  it.each(corpus)('$name', async (inventory) => {
    expect(sorted(await verdict(inventory))).toEqual(sorted(expected('corpus', inventory.name)));
  });

  it('the corpus is large, and every case has an answer that is not left over', () => {
    expect(corpus.length).toBeGreaterThan(120);
    const answers = readdirSync(`${import.meta.dirname}/expected/corpus`);
    expect(answers.sort()).toEqual(corpus.map(({ name }) => `${name}.json`).sort());
  });
});

describe('what Ansible takes and fleetmask does not', () => {
  const readme = readFileSync(`${import.meta.dirname}/../../inventory/README.md`, 'utf8');

  it.each(stricter)(
    '$name is rejected, with its place, a reason and a line in the table of the manual',
    async (inventory) => {
      // names and connection settings are judged when their host is selected
      const error = await load(inventory)
        .then((loaded) => select(loaded))
        .then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
      expect(error).toBeInstanceOf(UsageError);
      expect({ message: (error as UsageError).message, hint: (error as UsageError).hint }).toMatchSnapshot();
      expect(readme).toContain(`\`${inventory.name}\``);
    },
  );
});

describe('a pattern selects what ansible --list-hosts selects, in that order', async () => {
  const inventory = await loadInventory([PATTERN_FLEET], { cwd: PATTERN_DIRECTORY });
  const answers = JSON.parse(readFileSync(PATTERN_EXPECTED, 'utf8')) as {
    pattern: string;
    hosts: string[] | 'nothing';
  }[];
  const expectation = new Map(answers.map(({ pattern, hosts }) => [pattern, hosts]));

  function select(pattern: string): readonly string[] | 'nothing' {
    try {
      return matchNames(inventory, pattern, { cwd: PATTERN_DIRECTORY });
    } catch (error) {
      if (error instanceof UsageError) return 'nothing';
      throw error;
    }
  }

  it.each(patterns('patterns.txt'))('%s', (pattern) => {
    expect(select(pattern)).toEqual(expectation.get(pattern));
  });

  it.each(patterns('stricter.txt'))('%s selects nothing, because a part of it matches nothing', (pattern) => {
    expect(select(pattern)).toBe('nothing');
  });
});

const SAMPLE = 12;

describe.skipIf(python === undefined)(
  'the answers written down are those of the ansible-inventory here (skipped where it is not installed)',
  () => {
    // All of them take minutes: every run asks about some, and FLEETMASK_PARITY=all about all.
    const start = Math.floor(Math.random() * corpus.length);
    const sample =
      process.env.FLEETMASK_PARITY === 'all' ? corpus : [...corpus, ...corpus].slice(start, start + SAMPLE);

    it(`for ${sample.length} inventories from ${sample[0]?.name}`, () => {
      const verdicts = askInventories(sample).map(sorted);
      expect(verdicts).toEqual(sample.map(({ name }) => sorted(expected('corpus', name))));
    });

    it('for some patterns', () => {
      const all = patterns('patterns.txt');
      const some = process.env.FLEETMASK_PARITY === 'all' ? all : all.slice(start % all.length).slice(0, 5);
      const answers = JSON.parse(readFileSync(PATTERN_EXPECTED, 'utf8')) as { pattern: string; hosts: unknown }[];
      const written = some.map((pattern) => answers.find((each) => each.pattern === pattern)?.hosts);
      expect(askPatterns(PATTERN_FLEET, PATTERN_DIRECTORY, some)).toEqual(written);
    });
  },
);
