/** What commands print with -o, and what is kept of a run for others to read. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { demoFleet } from '../embedded.ts';
import { type Operator, operator } from '../operator.ts';

const NAMES = ['deb-web1', 'el-local1', 'arch-down1'];

let fleet: Fleet;
let alice: Operator;
beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
beforeEach(() => {
  alice = operator();
});
afterEach(async () => {
  if (existsSync(alice.stateDir)) await alice.run('rollback', 'last', '-y', '--known-hosts', fleet.knownHostsPath);
  alice.dispose();
});
afterAll(() => fleet.dispose());

const ON_ALL = () => ['-i', fleet.inventoryPath, '-l', NAMES.join(','), '--known-hosts', fleet.knownHostsPath];
const mask = (...more: string[]) => alice.run('mask', 'cron', '--now', '-y', ...ON_ALL(), ...more);

/** The first three fields of what names a host and how it ended. */
function csvOutcomes(csv: string): Record<string, string | undefined> {
  const [head, ...lines] = csv.split('\r\n').filter((line) => line !== '');
  expect(head).toMatch(/^"host","address","port","outcome",/);
  return Object.fromEntries(
    lines.map((line) => line.split(',').map((cell) => cell.replaceAll('"', ''))).map((row) => [row[0], row[3]]),
  );
}

const ENDED = { 'deb-web1': 'masked', 'el-local1': 'refused', 'arch-down1': 'unreachable' };

it('a change as CSV: a line for each host, and nothing else on stdout', async () => {
  const { code, stdout, stderr } = await mask('-o', 'csv');
  expect(code, stderr).toBe(4);
  expect(csvOutcomes(stdout)).toEqual(ENDED);
});

it('the way back, a recovery and a saved plan have the same formats', async () => {
  const plan = join(alice.home, 'cron.plan');
  const made = await alice.run('plan', 'mask', 'cron', '--out', plan, ...ON_ALL(), '-o', 'csv');
  expect(csvOutcomes(made.stdout)).toEqual({ ...ENDED, 'deb-web1': 'planned' });
  const known = ['--known-hosts', fleet.knownHostsPath];
  const applied = await alice.run('apply', plan, '-y', ...known, '-o', 'csv');
  expect(csvOutcomes(applied.stdout), applied.stderr).toMatchObject({ 'deb-web1': 'masked' });
  const recovered = await alice.run('recover', 'last', '-y', ...known, '-o', 'junit');
  expect(recovered.stdout).toContain('<testsuite name="fleetmask recover cron"');
  const back = await alice.run('rollback', 'last', '-y', ...known, '-o', 'csv');
  expect(csvOutcomes(back.stdout)).toEqual({ 'deb-web1': 'restored' });
});

it('a status as JUnit says what was asked for', async () => {
  const { stdout, code } = await alice.run('status', 'cron', '--expect', 'unmasked', ...ON_ALL(), '-o', 'junit');
  expect(code).toBe(4);
  expect(stdout).toMatch(/^<\?xml .*\n<testsuites name="fleetmask" tests="3" failures="0" errors="1" skipped="0"/);
});

it('a plan as HTML', async () => {
  const { stdout, code } = await alice.run('plan', 'mask', 'cron', ...ON_ALL(), '-o', 'html');
  expect(code).toBe(4);
  expect(stdout).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
  expect(stdout).toContain('<summary>deb-web1 <span class="badge good">planned</span></summary>');
});

it('a format in the settings is for the commands that have it', async () => {
  const bob = operator({ env: { FLEETMASK_OUTPUT: 'csv' } });
  try {
    const listed = await bob.run('inventory', 'list', '-i', fleet.inventoryPath);
    expect(listed.code, listed.stderr).toBe(0);
    expect(listed.stdout).toContain('deb-web1');
    const status = await bob.run('status', 'cron', ...ON_ALL());
    expect(Object.keys(csvOutcomes(status.stdout))).toEqual(NAMES);
  } finally {
    bob.dispose();
  }
});

/** Records of the only journal, as they lie on disk. */
const journalOf = (): { file: string; lines: string[] } => {
  const dir = join(alice.stateDir, 'runs');
  const file = join(dir, readdirSync(dir).find((name) => name.endsWith('.ndjson'))!);
  return { file, lines: readFileSync(file, 'utf8').trimEnd().split('\n') };
};

it('a run is exported as it was reported, with the intents and prior states behind it', async () => {
  const { report } = await mask('-o', 'json', '--ticket', 'OPS-7');
  const { code, stdout, stderr } = await alice.run('runs', 'export', 'last');
  expect(code, stderr).toBe(0);
  const { journal, state, inDoubt, ...document } = JSON.parse(stdout);
  const { finishedAt, ...run } = report.run;
  expect({ ...document, run: { ...document.run, finishedAt } }).toEqual({ ...report, run: { ...run, finishedAt } });
  expect({ state, inDoubt }).toEqual({ state: 'finished', inDoubt: [] });
  expect(document.run.finishedAt).toMatch(/Z$/);
  const recorded = journalOf().lines.map((line) => JSON.parse(line));
  expect(journal).toEqual(recorded);
  const intent = journal.find((record: { type: string }) => record.type === 'intent');
  expect(intent.prior.states).toContainEqual({ id: 'cron.service', load: 'loaded', file: 'enabled', active: 'active' });

  const ndjson = await alice.run('runs', 'export', 'last', '-o', 'ndjson');
  expect(
    ndjson.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(recorded);
  expect(csvOutcomes((await alice.run('runs', 'export', 'last', '-o', 'csv')).stdout)).toEqual(ENDED);
  expect((await alice.run('runs', 'export', 'last', '-o', 'junit')).stdout).toContain('value="OPS-7"');
  expect((await alice.run('runs', 'export', 'last', '-o', 'html')).stdout).toContain('<dd>OPS-7</dd>');
  expect((await alice.run('runs', 'export', 'last', '-o', 'table')).code).toBe(2);
});

it('of a run that was killed the export has every host, also those that nobody settled', async () => {
  await mask();
  const { file, lines } = journalOf();
  const intent = lines.findIndex((line) => line.startsWith('{"type":"intent"'));
  // killed right after the first intent was on disk, with a record half written
  const before = lines.slice(0, intent + 1).filter((line) => !line.startsWith('{"type":"settled"'));
  writeFileSync(file, `${before.join('\n')}\n{"type":"sett`);
  try {
    const { stdout, code } = await alice.run('runs', 'export', 'last');
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ state: 'interrupted', inDoubt: ['deb-web1'], exitCode: 6 });
    expect(document.run.finishedAt).toBe(null);
    expect(document.hosts.map(({ host, outcome }: { host: string; outcome: string }) => [host, outcome])).toEqual([
      ['deb-web1', 'stranded'],
      ['el-local1', 'not-started'],
      ['arch-down1', 'not-started'],
    ]);
    const [web1] = document.hosts;
    expect(web1.units[0].before).toEqual({ load: 'loaded', file: 'enabled', active: 'active' });
    expect(web1.units[0].after).toBe(null);
    expect(web1.fault.hint).toBe(`fleetmask recover ${document.run.id} settles it.`);
    const html = (await alice.run('runs', 'export', 'last', '-o', 'html')).stdout;
    expect(html).toContain('<dt>finished</dt><dd>no</dd>');
    const csv = (await alice.run('runs', 'export', 'last', '-o', 'csv')).stdout;
    expect(Object.keys(csvOutcomes(csv))).toEqual(NAMES);
  } finally {
    writeFileSync(file, `${lines.join('\n')}\n`);
  }
});
