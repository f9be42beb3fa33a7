/** Asks the ssh on PATH about the whole corpus and writes expected.json: `npx tsx test/ssh-config/record.ts`, as root. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, askSsh, difference, HERE, RECORDED, unpackCorpus } from './oracle.ts';

const { directory, situations } = unpackCorpus();
const empty = join(directory, 'empty.conf');
const expected: Record<string, Record<string, Answer>> = {};

async function record(): Promise<void> {
  if (HERE.home !== RECORDED.home || HERE.localHost !== RECORDED.localHost) {
    throw new Error(`Record as root on a machine called ${RECORDED.localHost}: the names are part of the answers.`);
  }
  const plain = await askSsh(empty, 'plain');
  if ('errorAtLine' in plain) throw new Error('ssh refuses an empty file');
  for (const { name, file, hosts } of situations) {
    const answers: Record<string, Answer> = {};
    for (const host of hosts) {
      const answer = await askSsh(file, host);
      answers[host] = 'errorAtLine' in answer ? answer : difference(answer, plain, directory);
    }
    expected[name] = answers;
  }
  writeFileSync(join(import.meta.dirname, 'expected.json'), `${JSON.stringify(expected, null, 1)}\n`);
}

void record();
