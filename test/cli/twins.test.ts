/** Which machine a host is: what it merely says of itself stops no other host, and what lies on it tells one machine under two names. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet } from '../embedded.ts';
import { type Operator, operator } from '../operator.ts';

const NAMES = ['deb-web1', 'deb-db1'];
const IDENTITY = ['etc/machine-id', 'proc/sys/kernel/random/boot_id'];
let fleet: Fleet;
let alice: Operator;

beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
afterAll(() => fleet.dispose());
beforeEach(() => {
  alice = operator();
});
afterEach(() => alice.dispose());

const dirOf = (name: string) => fleet.hosts.find((host) => host.name === name)!.dir;
const known = () => ['--known-hosts', fleet.knownHostsPath, '-o', 'json'];
const dumps = () => Promise.all(NAMES.map((name) => dump(dirOf(name))));

it('a host that claims the machine id and the boot id of another, as a copy has them, stops nobody', async () => {
  for (const file of IDENTITY) copyFileSync(join(dirOf('deb-web1'), file), join(dirOf('deb-db1'), file));
  const before = await dumps();
  const run = await alice.run('mask', 'cron', '--now', '-y', '-l', 'all', '-i', fleet.inventoryPath, ...known());
  expect(run.report.totals, run.stdout).toEqual({ masked: 2 });
  const back = await alice.run('rollback', 'last', '-y', ...known());
  expect(back.report.totals).toEqual({ restored: 2 });
  expect(await dumps()).toEqual(before);
});

it.each([[], ['-f', '1']])('a machine under two names is changed under one of them (%j)', async (...more) => {
  const before = await dumps();
  const inventory = join(alice.home, 'twice.yaml');
  const text = readFileSync(fleet.inventoryPath, 'utf8');
  const port = fleet.hosts.find(({ name }) => name === 'deb-web1')!.port;
  writeFileSync(inventory, text.replace(/deb-db1: .*/, `alias: { ansible_port: ${port} }`));
  const run = await alice.run('mask', 'cron', '--now', '-y', '-l', 'all', '-i', inventory, ...more, ...known());
  const { masked, refused = 0, unchanged = 0 } = run.report.totals;
  expect([masked, refused + unchanged], run.stdout).toEqual([1, 1]);
  for (const { outcome, fault } of run.report.hosts) {
    if (outcome !== 'refused') continue;
    expect(fault).toMatchObject({
      kind: 'locked',
      message: expect.stringMatching(/the machine that this run changes as/),
    });
  }
  const back = await alice.run('rollback', 'last', '-y', ...known());
  expect(back.report.totals).toEqual({ restored: 1 });
  expect(await dumps()).toEqual(before);
});
