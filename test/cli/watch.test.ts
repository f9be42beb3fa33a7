/** `watch` as it is typed, on the embedded fleet. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet } from '../embedded.ts';
import { type Operator, operator } from '../operator.ts';

const NAMES = ['deb-web1', 'el-app1'];
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

const known = () => ['--known-hosts', fleet.knownHostsPath];
const at = () => ['-i', fleet.inventoryPath, ...known()];
const dir = (name: string) => fleet.hosts.find((host) => host.name === name)!.dir;
const link = () => join(dir('el-app1'), 'etc/systemd/system/crond.service');
const mask = () => alice.run('mask', 'cron', '--now', '-l', 'all', '-y', ...at());
const events = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'drift');

describe('watch', () => {
  it('of what is masked tells nothing and exits 0; of what is not, each unit in a line, and exits 3', async () => {
    const loose = await alice.run('watch', 'cron', '--count', '1', ...at());
    expect(loose.code).toBe(3);
    expect(loose.stdout).toMatch(
      /^\d\d:\d\d:\d\dZ deb-web1 cron\.service unmasked: is not masked: loaded, enabled, active$/m,
    );
    const run = await mask();
    expect(run.code, run.stderr).toBe(0);
    const held = await alice.run(
      'watch',
      '--run',
      'last',
      '--count',
      '2',
      '--every',
      '50ms',
      '-o',
      'ndjson',
      ...known(),
    );
    expect(held.code, held.stderr).toBe(0);
    expect(events(held.stdout)).toEqual([]);
    expect((await alice.run('rollback', 'last', '-y', ...known())).code).toBe(0);
  });

  it('tells of drift while it lasts, puts the mask back when asked to, on record, and ends with Ctrl-C', async () => {
    await mask();
    let press: (count: number) => void = () => {};
    const lines: string[] = [];
    const bob = operator({
      env: { FLEETMASK_STATE_DIR: alice.stateDir },
      stdout: {
        write: (text) => void lines.push(text),
        isTTY: false,
        lost: null,
        settled: async () => {},
        columns: undefined,
      },
      onInterrupt: (handler) => {
        press = handler;
        return () => {};
      },
    });
    const told = () => events(lines.join('') || '{}').map(({ host, what }) => `${host} ${what}`);
    const watching = bob.run(
      'watch',
      '--run',
      'last',
      '--every',
      '200ms',
      '--reassert',
      '-y',
      '-o',
      'ndjson',
      ...known(),
    );
    await expect.poll(() => lines.length).toBeGreaterThan(0);
    rmSync(link());
    await expect.poll(told).toContain('el-app1 as-asked');
    expect(told()).toEqual(['el-app1 unmasked', 'el-app1 reasserted', 'el-app1 as-asked']);
    expect(existsSync(link())).toBe(true);
    press(1);
    expect((await watching).code).toBe(0);
    const runs = readdirSync(join(alice.stateDir, 'runs')).length;
    expect(runs, 'the run, and the one that put it back').toBe(2);
    // newest first, as with any two runs
    for (const { id } of JSON.parse((await alice.run('runs', 'list', '-o', 'json')).stdout).toReversed()) {
      await alice.run('rollback', id, '-y', ...known());
    }
    bob.dispose();
    const status = await alice.run('status', 'cron', '--expect', 'unmasked', ...at());
    expect(status.code, status.stdout).toBe(0);
  });

  it('does not put back a runtime mask that is gone with its receipt, as after a reboot, and says so', async () => {
    await alice.run('mask', 'cron', '--runtime', '-l', 'el-app1', '-y', ...at());
    for (const left of ['run/systemd/system/crond.service', 'run/fleetmask']) {
      rmSync(join(dir('el-app1'), left), { recursive: true });
    }
    const args = ['--run', 'last', '--reassert', '-y', '--count', '1', '-o', 'ndjson'];
    const seen = await alice.run('watch', ...args, ...known());
    expect(events(seen.stdout).at(-1)).toMatchObject({
      what: 'given-up',
      message: expect.stringMatching(
        /^the host has no receipt of run \S+ any more: a rollback, an expiry or a reboot may have ended it on purpose;/,
      ),
    });
  });

  it('of nothing, of two things, or to mask again without a limit or consent, is a mistake that touches nothing', async () => {
    const before = await dump(dir('el-app1'));
    const wrong = (...args: string[]) =>
      alice.run('watch', ...args).then(({ code, stderr }) => [code, stderr.split('\n')[0]]);
    expect(await wrong()).toEqual([2, 'fleetmask: watch what? Name units, or a run with --run']);
    expect((await wrong('cron', '--run', 'last'))[0]).toBe(2);
    expect(await wrong('cron', '--reassert', ...at())).toEqual([2, 'fleetmask: a change needs a limit: which hosts?']);
    expect((await wrong('cron', '--reassert', '-l', 'all', ...at()))[1]).toContain('needs your consent');
    expect((await wrong('cron', '--every', '0', ...at()))[1]).toContain('--every: not a duration');
    expect(await dump(dir('el-app1'))).toEqual(before);
  });
});
