import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { scratch } from './openssh.ts';

const files = scratch();
afterAll(() => files.close());

const PROCESSES = 4;
const EACH = 8;
const COUNTERS = ['a', 'b', 'c'];

/** On a machine that is slow between looking and acting: many that each add one to every counter, and would lose some if two were at it at once. */
const COUNT = `
  import fs, { readFile, writeFile } from 'node:fs/promises';
  import { syncBuiltinESMExports } from 'node:module';
  import { setTimeout as pause } from 'node:timers/promises';
  const { stat } = fs;
  fs.stat = async (...args) => {
    const found = await stat(...args);
    await pause(10);
    return found;
  };
  syncBuiltinESMExports();
  const { underLock } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/transport/host-keys/lock-file.ts'))});
  const add = (file) => underLock(file + '.lock', async () => {
    const count = Number(await readFile(file, 'utf8'));
    await pause(20);
    await writeFile(file, String(count + 1));
  });
  await Promise.all(process.argv.slice(2).flatMap((file) => Array.from({ length: ${EACH} }, () => add(file))));
`;

it('a lock that was left behind is taken over by one at a time, of many processes', async () => {
  const script = files.write('count.mts', COUNT);
  for (const name of COUNTERS) {
    files.write(name, '0');
    files.write(`${name}.lock`, '');
  }
  const count = promisify(execFile);
  const args = ['--import', 'tsx', script, ...COUNTERS.map((name) => files.path(name))];
  await Promise.all(Array.from({ length: PROCESSES }, () => count(process.execPath, args)));
  expect(COUNTERS.map((name) => files.read(name))).toEqual(COUNTERS.map(() => String(PROCESSES * EACH)));
  expect(readdirSync(files.dir).filter((name) => name.includes('.lock'))).toEqual([]);
});
