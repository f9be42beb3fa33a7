/** Plans that are kept, and carried out later, or not at all. */
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet } from '../embedded.ts';
import { type Operator, operator, type Run } from '../operator.ts';

const NAMES = ['deb-web1', 'el-app1', 'el-masked1', 'el-local1', 'arch-down1'];

let fleet: Fleet;
let alice: Operator;
let plan: string;
beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
beforeEach(() => {
  alice = operator();
  plan = join(alice.home, 'cron.plan');
  return async () => {
    if (existsSync(alice.stateDir)) await alice.run('rollback', 'last', '-y', '--known-hosts', fleet.knownHostsPath);
    alice.dispose();
  };
});
afterAll(() => fleet.dispose());

const WAY = () => ['--known-hosts', fleet.knownHostsPath, '-o', 'json'];
const make = (hosts: readonly string[], ...more: string[]) =>
  alice.run('plan', 'mask', 'cron', '--now', '--out', plan, '-F', 'none', ...fleetOn(hosts), ...WAY(), ...more);
const fleetOn = (hosts: readonly string[]) => ['-i', fleet.inventoryPath, '-l', hosts.join(',')];
const carryOut = (...more: string[]) => alice.run('apply', plan, '-y', ...WAY(), ...more);
const ends = (run: Run) => Object.fromEntries(run.report.hosts.map(({ host, outcome }) => [host, outcome]));
const dirOf = (name: string) => fleet.hosts.find((host) => host.name === name)!.dir;
const dumps = (names: readonly string[]) => Promise.all(names.map((name) => dump(dirOf(name))));

describe('a saved plan', () => {
  it('is carried out without the inventory, and the run can be rolled back', async () => {
    const hosts = ['deb-web1', 'el-app1', 'el-masked1'];
    const before = await dumps(hosts);
    const planned = await make(hosts);
    expect(planned.code, planned.stderr).toBe(3);
    expect(ends(planned)).toEqual({ 'deb-web1': 'planned', 'el-app1': 'planned', 'el-masked1': 'unchanged' });
    expect(lstatSync(plan).mode & 0o777).toBe(0o600);
    expect(readdirSync(alice.home).filter((name) => name.startsWith('cron.plan'))).toEqual(['cron.plan']);
    expect(await dumps(hosts)).toEqual(before);

    const run = await carryOut('--reason', 'CVE');
    expect(run.code, run.stderr).toBe(0);
    expect(ends(run)).toEqual({ 'deb-web1': 'masked', 'el-app1': 'masked', 'el-masked1': 'unchanged' });
    expect(run.report.run).toMatchObject({ command: 'mask', units: ['cron'], now: true, reason: 'CVE' });
    const back = await alice.run('rollback', run.report.run.id, '-y', ...WAY());
    expect(ends(back)).toEqual({ 'deb-web1': 'restored', 'el-app1': 'restored' });
    expect(await dumps(hosts)).toEqual(before);
  });

  it('is not carried out on a host that changed since, and that host is not touched', async () => {
    await make(['deb-web1', 'el-app1']);
    const bootId = join(dirOf('el-app1'), 'proc/sys/kernel/random/boot_id');
    const boot = readFileSync(bootId);
    writeFileSync(bootId, '99999999-9999-9999-9999-999999999999\n');
    const before = await dump(dirOf('el-app1'));
    const run = await carryOut();
    expect(ends(run)).toEqual({ 'deb-web1': 'masked', 'el-app1': 'refused' });
    expect(run.on('el-app1').fault).toMatchObject({
      kind: 'stale-plan',
      message: 'it has been rebooted since it was planned',
    });
    expect(run.code).toBe(4);
    expect(await dump(dirOf('el-app1'))).toEqual(before);
    writeFileSync(bootId, boot);
  });

  it('is stale where it has been carried out already', async () => {
    await make(['deb-web1']);
    expect(ends(await carryOut())).toEqual({ 'deb-web1': 'masked' });
    const again = await carryOut();
    expect(again.on('deb-web1')).toMatchObject({ outcome: 'refused', fault: { kind: 'stale-plan' } });
    expect(again.on('deb-web1').fault?.message).toContain('cron.service was loaded');
    // what the first did can be put back yet
    const [first] = readdirSync(join(alice.stateDir, 'runs')).sort();
    await alice.run('rollback', first!.replace('.ndjson', ''), '-y', ...WAY());
  });

  it('does nothing on hosts that could not be planned for, and says why', async () => {
    const planned = await make(['deb-web1', 'el-local1', 'arch-down1']);
    expect(planned.code).toBe(4);
    const run = await carryOut();
    expect(ends(run)).toEqual({ 'deb-web1': 'masked', 'el-local1': 'refused', 'arch-down1': 'unreachable' });
    expect(run.on('el-local1').fault?.message).toContain('there is no plan for it: /etc/systemd/system/crond.service');
  });

  it('is carried out on some of its hosts, in waves', async () => {
    await make(['deb-web1', 'el-app1', 'el-masked1']);
    const run = await carryOut('-l', 'deb-web1,el-app1', '--waves', '1,100%');
    expect(run.report.hosts.map(({ host, wave }) => [host, wave])).toEqual([
      ['deb-web1', 1],
      ['el-app1', 2],
    ]);
    const none = await carryOut('-l', 'el-other');
    expect([none.code, none.stdout]).toEqual([2, '']);
  });
});

describe('a plan file', () => {
  it('that was changed, is not there, or is no plan is refused, and nothing is touched', async () => {
    await make(['deb-web1']);
    const before = await dump(dirOf('deb-web1'));
    writeFileSync(plan, readFileSync(plan, 'utf8').replace('"now": true', '"now": false'));
    const changed = await carryOut();
    expect([changed.code, changed.stdout]).toEqual([2, '']);
    expect(changed.stderr).toContain(`${plan}: the plan was changed, or damaged, after it was made`);
    rmSync(plan);
    const missing = await carryOut();
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('there is no such plan file')]);
    expect(await dump(dirOf('deb-web1'))).toEqual(before);
  });

  it('never takes the place of anything but a plan', async () => {
    writeFileSync(plan, 'my notes\n');
    const run = await make(['deb-web1']);
    expect([run.code, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toContain('exists and is not a plan file');
    expect(readFileSync(plan, 'utf8')).toBe('my notes\n');
    rmSync(plan);
    expect((await make(['deb-web1'])).code).toBe(3);
    expect((await make(['el-app1'])).code).toBe(3);
    expect(readFileSync(plan, 'utf8')).toContain('el-app1');
  });

  it('that cannot be written is known before any host is visited', async () => {
    plan = join(alice.home, 'nowhere', 'cron.plan');
    const run = await make(['deb-web1']);
    expect([run.code, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toContain('cannot be written');
  });

  it('is asked about like any change: without consent nothing is touched', async () => {
    await make(['deb-web1']);
    const run = await alice.run('apply', plan, ...WAY());
    expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('consent')]);
  });
});
