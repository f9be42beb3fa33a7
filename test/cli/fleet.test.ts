/** Whole commands against the embedded fleet: what is printed, what is exited with, and what is true on the hosts. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostTimeoutAfter } from '../../src/cli/commands/demo.ts';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { type Operator, operator } from '../operator.ts';

let fleet: Fleet;
let alice: Operator;

beforeAll(async () => {
  fleet = await startFleet(DEMO_HOSTS, { path: process.env.PATH ?? '', tempDir: tmpdir() });
  alice = operator();
});
afterAll(async () => {
  alice.dispose();
  await fleet.dispose();
});

const at = () => ['-i', fleet.inventoryPath, '--known-hosts', fleet.knownHostsPath];
const json = () => [...at(), '-o', 'json'];

function link(host: string, unit: string): boolean {
  const dir = fleet.hosts.find(({ name }) => name === host)?.dir ?? '';
  return existsSync(join(dir, 'etc/systemd/system', unit));
}

describe('mask on a dozen hosts', () => {
  it('ends each host as its story wants, and leaves with the gravest code', async () => {
    const plan = await alice.run('plan', 'mask', 'cron', '--now', ...json());
    expect(plan.code).toBe(4);
    expect(plan.report.totals).toEqual({ planned: 9, unchanged: 1, refused: 1, unreachable: 1 });
    expect(plan.on('deb-web1').units[0]?.steps).toEqual(['link in /etc', 'stop', 'reload', 'try start']);
    expect(link('deb-web1', 'cron.service')).toBe(false);
    expect(existsSync(alice.stateDir), 'a plan leaves no journal').toBe(false);

    const args = ['--now', '-l', 'all', '-y', '--host-timeout', '20s', '--reason', "it's 3 a.m.", '--ticket', 'OPS-7'];
    const run = await alice.run('mask', 'cron', ...args, ...json());
    expect(run.code, run.stderr).toBe(5);
    expect(run.report.totals).toEqual({ masked: 8, unchanged: 1, refused: 1, unreachable: 1, 'rolled-back': 1 });
    expect(run.report).toMatchObject({
      schema: 'fleetmask.report/1',
      exitCode: 5,
      run: {
        command: 'mask',
        units: ['cron'],
        now: true,
        runtime: false,
        actor: 'alice@bastion',
        reason: "it's 3 a.m.",
        ticket: 'OPS-7',
      },
    });
    expect(run.on('el-app1')).toMatchObject({
      outcome: 'masked',
      port: expect.any(Number),
      os: { id: 'rocky', version: '9.4', name: 'Rocky Linux 9.4 (Blue Onyx)' },
      systemd: 252,
      units: [
        {
          asked: 'cron',
          unit: 'crond.service',
          before: { load: 'loaded', file: 'enabled', active: 'active' },
          after: { load: 'masked', file: 'masked', active: 'inactive' },
          startProbe: 'blocked',
          leftovers: 0,
        },
      ],
      fault: null,
    });
    expect(run.on('el-local1').fault?.kind).toBe('local-unit');
    expect(run.on('arch-down1').fault?.kind).toBe('unreachable');
    expect(run.on('el-stuck1')).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'still-running' } });
    expect(run.on('deb-web2').units[0]?.leftovers).toBe(1);
    expect(link('el-app1', 'crond.service')).toBe(true);
    expect(link('el-stuck1', 'crond.service')).toBe(false);

    const again = await alice.run('mask', 'cron', '--now', '-l', 'deb-web1', '-y', ...json());
    expect(again).toMatchObject({ code: 0 });
    expect(again.on('deb-web1').outcome).toBe('unchanged');

    const status = await alice.run('status', 'cron', '-l', 'deb-web1,arch-ci1', ...json());
    expect(status).toMatchObject({ code: 0 });
    const unmasked = await alice.run('status', 'cron', '-l', 'deb-web1', '--expect', 'unmasked', ...json());
    expect(unmasked.code).toBe(3);

    const back = await alice.run(
      'rollback',
      run.report.run.id,
      '-y',
      '--known-hosts',
      fleet.knownHostsPath,
      '-o',
      'json',
    );
    expect(back.code, back.stderr).toBe(0);
    expect(back.report.totals).toEqual({ restored: 8 });
    expect(link('el-app1', 'crond.service')).toBe(false);
    expect(link('el-masked1', 'crond.service'), 'a mask that was there before stays').toBe(true);

    const twice = await alice.run('rollback', run.report.run.id, '-y', '-o', 'json');
    expect(twice).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing to put back') });
  });

  it('is on record, for its owner alone', async () => {
    const file = join(alice.stateDir, 'runs', readdirSync(join(alice.stateDir, 'runs')).sort()[0] ?? '');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(alice.stateDir, 'runs')).mode & 0o777).toBe(0o700);
    expect(readFileSync(file, 'utf8')).not.toContain('PRIVATE KEY');
    const list = await alice.run('runs', 'list');
    expect(list.stdout).toMatch(/mask cron +12 +8 restored/);
    const run = file.split('/').at(-1)?.replace('.ndjson', '') ?? '';
    const show = await alice.run('runs', 'show', run);
    expect(show.stdout).toContain("it's 3 a.m.");
    expect(show.stdout).toContain('restored');
  });
});

describe('unmask', () => {
  it('takes a mask away, starts nothing, and its rollback brings the mask back', async () => {
    const run = await alice.run('unmask', 'cron', '-l', 'el-masked1', '-y', ...json());
    expect(run).toMatchObject({ code: 0 });
    expect(run.on('el-masked1')).toMatchObject({ outcome: 'unmasked', units: [{ after: { active: 'inactive' } }] });
    expect(link('el-masked1', 'crond.service')).toBe(false);
    const back = await alice.run('rollback', 'last', '-y', '--known-hosts', fleet.knownHostsPath, '-o', 'json');
    expect(back.on('el-masked1')).toMatchObject({ outcome: 'restored', units: [{ after: { load: 'masked' } }] });
    expect(link('el-masked1', 'crond.service')).toBe(true);
  });
});

describe('an interrupt', () => {
  it('lets hosts in flight end, starts no others, and exits 130', async () => {
    let press: (count: number) => void = () => {};
    const bob = operator({
      onInterrupt: (handler) => {
        press = handler;
        return () => {};
      },
    });
    const running = bob.run('mask', 'cron', '-l', 'debian', '-y', '-f', '1', '--no-start-probe', ...json());
    const runs = join(bob.stateDir, 'runs');
    const journal = () =>
      existsSync(runs) ? readdirSync(runs).map((name) => readFileSync(join(runs, name), 'utf8')) : [];
    await expect.poll(() => journal().join(''), { interval: 5 }).toContain('"intent"');
    press(1);
    const run = await running;
    expect(run.code).toBe(130);
    const started = run.report.hosts.filter(({ outcome }) => outcome !== 'not-started');
    expect(started.length).toBeLessThan(4);
    expect(run.report.totals['not-started']).toBeGreaterThanOrEqual(1);
    expect((await bob.run('rollback', 'last', '-y', '--known-hosts', fleet.knownHostsPath)).code).toBe(0);
    bob.dispose();
  });
});

describe('doctor', () => {
  it('tells who is ready and exits 4 when somebody is not', async () => {
    const all = await alice.run('doctor', ...at());
    expect(all.code).toBe(4);
    expect(all.stdout).toMatch(/arch-down1.*unreachable/);
    const ready = await alice.run('doctor', '-l', 'debian', '-o', 'json', ...at());
    expect(ready.code).toBe(0);
    expect(JSON.parse(ready.stdout)).toMatchObject({ schema: 'fleetmask.doctor/1' });
  });
});

describe('the demonstration', () => {
  it('goes as it should, prints no control characters into a pipe, and leaves nothing behind', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('fleetmask-demo'));
    const { code, stdout, stderr } = await alice.run('demo');
    expect(code, stderr).toBe(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
    expect(stdout).toContain('rolled-back');
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('fleetmask-demo'))).toEqual(before);
  });

  it('gives its hosts eight seconds, and as much more as a slow machine needs', () => {
    expect([0, 300, 1_600, 5_100, 60_000].map(hostTimeoutAfter)).toEqual(['8s', '8s', '8s', '26s', '300s']);
  });
});
