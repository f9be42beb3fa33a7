import { expect, test } from 'vitest';
import { type Host, UsageError } from '../../src/model/index.ts';
import { describeAsk, inventoryTable, printError, runDetails, runsTable } from '../../src/report/index.ts';
import { recorded, typicalRun } from './fixtures.ts';

const SCREEN = { columns: 80, color: false };
const { finishedAt, ...run } = typicalRun().run;
const unfinished = { finishedAt: null, hosts: 3, totals: {} };

test('runs list', async () => {
  const { totals } = typicalRun();
  const text = runsTable(
    [
      { run, state: 'finished', finishedAt, hosts: 11, inDoubt: 1, totals },
      { run: { ...run, id: '20250102T040000-x1y2' }, ...unfinished, state: 'interrupted', inDoubt: 2 },
      { run: { ...run, id: '20250102T050000-x1y3', command: 'rollback' }, ...unfinished, state: 'running', inDoubt: 2 },
    ],
    SCREEN,
  );
  await expect(text).toMatchFileSnapshot('golden/runs.txt');
  expect(runsTable([], SCREEN)).toBe('no runs\n');
});

test('runs show', async () => {
  const { hosts, totals, exitCode } = typicalRun();
  const record = {
    run: { ...run, reason: 'CVE-2025-1 \u001b[2J' },
    state: 'finished' as const,
    finishedAt,
    hosts,
    totals,
    exitCode,
  };
  await expect(runDetails(record, SCREEN, { verbose: false })).toMatchFileSnapshot('golden/run.txt');
});

test('a run that did not finish says so', () => {
  const record = { run, finishedAt: null, hosts: [], totals: {}, exitCode: null };
  const text = runDetails({ ...record, state: 'interrupted' }, SCREEN, { verbose: false });
  expect(text).toContain('finished   no: this run was interrupted\n');
  expect(text).not.toContain('exit code');
  expect(runDetails({ ...record, state: 'running' }, SCREEN, { verbose: false })).toContain('no: still at work\n');
});

test('inventory list', async () => {
  const host = (name: string, rest: Partial<Host> = {}): Host => ({
    name,
    groups: ['web', 'prod'],
    vars: new Map(),
    connection: {},
    ...rest,
  });
  const hosts = [
    host('web1.example.com', { connection: { address: '10.0.0.1', port: 2222, user: 'admin' } }),
    host('__proto__', { groups: ['web', 'a-group-with-a-long-name', 'another-group', 'prod'] }),
  ];
  await expect(inventoryTable(hosts, SCREEN)).toMatchFileSnapshot('golden/inventory.txt');
  expect(inventoryTable([], SCREEN)).toBe('no hosts\n');
});

test('an error names the program, and what to do on a line of its own', () => {
  const err = recorded();
  printError(err, new UsageError('hosts.yaml:3: \u001b[2J is no host', 'Quote it.'));
  expect(err.text()).toBe('fleetmask: hosts.yaml:3: \\x1b[2J is no host\nhint: Quote it.\n');
});

test('an error of several lines keeps them', () => {
  const err = recorded();
  printError(err, { message: 'two mistakes:\na:1: x\nb:2: y' });
  expect(err.text()).toBe('fleetmask: two mistakes:\na:1: x\nb:2: y\n');
});

const hosts = (count: number) => Array.from({ length: count }, (_, i) => `web${i + 1}`);

test.each([
  [['cron'], true, false, 12, 'Mask cron (and stop it) on 12 hosts: web1 … web12? [y/N] '],
  [['cron', 'at', 'cups'], true, false, 1, 'Mask cron, at and cups (and stop them) on 1 host: web1? [y/N] '],
  [['cron'], false, true, 3, 'Mask cron on 3 hosts until the next boot: web1, web2, web3? [y/N] '],
])('the question names units %j and the number of hosts', (units, now, runtime, count, text) => {
  expect(describeAsk({ id: 'r1', command: 'mask', units, now, runtime }, hosts(count))).toBe(text);
});

test('the question of a rollback and of an unmask tell them apart', () => {
  const ask = { id: 'r1', units: ['cron'], now: false, runtime: false };
  expect(describeAsk({ ...ask, command: 'unmask' }, hosts(2))).toBe('Unmask cron on 2 hosts: web1, web2? [y/N] ');
  expect(describeAsk({ ...ask, command: 'rollback' }, hosts(2))).toBe(
    'Put 2 hosts back as before run r1 (cron): web1, web2? [y/N] ',
  );
});
