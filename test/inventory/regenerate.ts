/**
 * Asks ansible-inventory and ansible about the corpus and writes down what they answer:
 * `npx tsx test/inventory/regenerate.ts` for what is new, `… all` for everything, `… NAME` for the names with NAME in.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { casesIn, expectedFile, PATTERN_DIRECTORY, PATTERN_EXPECTED, PATTERN_FLEET, patterns } from './cases.ts';
import { askInventories, askPatterns, python } from './oracle.ts';

if (python === undefined) throw new Error('ansible-inventory is not on the PATH');
const wanted = process.argv[2];
const due = (name: string, file: string) =>
  wanted === undefined ? !existsSync(file) : wanted === 'all' || name.includes(wanted);

function write(file: string, content: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(content, undefined, 2)}\n`);
}

for (const directory of ['corpus', 'stricter'] as const) {
  const cases = casesIn(directory).filter(({ name }) => due(name, expectedFile(directory, name)));
  const verdicts = askInventories(cases);
  for (const [index, { name }] of cases.entries()) write(expectedFile(directory, name), verdicts[index]);
}
if (due('patterns', PATTERN_EXPECTED)) {
  const all = [...patterns('patterns.txt'), ...patterns('stricter.txt')];
  const answers = askPatterns(PATTERN_FLEET, PATTERN_DIRECTORY, all);
  write(
    PATTERN_EXPECTED,
    all.map((pattern, index) => ({ pattern, hosts: answers[index] })),
  );
}
