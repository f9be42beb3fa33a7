/** What commands print with -o, and what is kept of a run for others to read. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { type Operator, operator } from '../operator.ts';

const NAMES = ['deb-web1', 'el-local1', 'arch-down1'];

let fleet: Fleet;
let alice: Operator;
beforeAll(async () => {
  const specs = NAMES.map((name) => ({ ...DEMO_HOSTS.find((spec) => spec.name === name)!, group: 'fleet' }));
  fleet = await startFleet(specs, { path: process.env.PATH ?? '', tempDir: tmpdir() });
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
