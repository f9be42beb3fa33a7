/** What a run did stays what it did, whoever comes later: their visits are a history of their own, in every format. */

import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { environmentOf } from '../../src/demo/image.ts';
import type { HostReport, Report } from '../../src/model/index.ts';
import { run as command } from '../contract/systemd-under-test.ts';
import { demoFleet, operatorsOn } from '../embedded.ts';
import type { Operator } from '../operator.ts';

const NAMES = ['deb-web1', 'el-app1'];
let fleet: Fleet;
const person = operatorsOn(() => fleet);
beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
afterAll(() => fleet.dispose());

const ways = () => ['--known-hosts', fleet.knownHostsPath, '-o', 'json'];
const fleetwide = () => ['-i', fleet.inventoryPath, '-l', NAMES.join(','), '-F', 'none', ...ways()];
const exported = async (alice: Operator, id: string) =>
  JSON.parse((await alice.run('runs', 'export', id)).stdout) as Report;
const on = (report: Report, name: string): HostReport => report.hosts.find(({ host }) => host === name)!;

const ENABLED = { load: 'loaded', file: 'enabled', active: 'active' };
const MASKED = { load: 'masked', file: 'masked', active: 'inactive' };

async function fire(name: string, run: string): Promise<void> {
  const { dir } = fleet.hosts.find((host) => host.name === name)!;
  const env = environmentOf(dir, process.env.PATH ?? '');
  const shell = (text: string) => spawn('/bin/sh', ['-c', text], { cwd: '/', env });
  const script = `exec sh "$FLEETMASK_ROOT/var/lib/fleetmask/${run}/program" root`;
  const done = await command({ version: 0, reset: async () => {}, shell }, script);
  expect(done.code, done.output).toBe(0);
}

describe('the evidence of a run', () => {
  it('keeps what the run did through a confirmation and a rollback, and tells of both', async () => {
    const alice = person();
    const { id } = (await alice.run('mask', 'cron', '--now', '-y', '--confirm-within', '5m', ...fleetwide())).report
      .run;
    const fresh = await exported(alice, id);
    for (const host of fresh.hosts) expect([host.outcome, host.history]).toEqual(['masked', undefined]);
    await alice.run('confirm', id, ...ways());
    const confirmed = on(await exported(alice, id), 'deb-web1');
    expect(confirmed.units[0]).toMatchObject({ before: ENABLED, after: MASKED });
    expect(confirmed).toMatchObject({
      outcome: 'masked',
      history: [{ actor: 'alice@bastion', command: 'confirm', outcome: 'masked', before: MASKED, after: MASKED }],
    });
    await alice.run('rollback', id, '-y', ...ways());
    const report = await exported(alice, id);
    for (const name of NAMES) {
      const host = on(report, name);
      expect(host.outcome).toBe('restored');
      expect(host.units).toEqual(on(fresh, name).units);
      expect(host.history).toMatchObject([
        { command: 'confirm', unit: host.units[0]!.unit, outcome: 'masked' },
        {
          command: 'rollback',
          actor: 'alice@bastion',
          outcome: 'restored',
          before: MASKED,
          after: ENABLED,
          fault: null,
        },
      ]);
      expect(host.history![1]!.at > host.history![0]!.at).toBe(true);
    }
    const told = /rollback by alice@bastion: restored; cron\.service masked, inactive → enabled, active/;
    for (const format of ['csv', 'junit', 'html']) {
      const { stdout } = await alice.run('runs', 'export', id, '-o', format);
      expect(stdout.replaceAll('&#39;', "'"), format).toMatch(told);
    }
    const html = (await alice.run('runs', 'export', id, '-o', 'html')).stdout;
    expect(html).toContain('<td>enabled → masked → enabled</td><td>active → inactive → active</td>');
    const table = (await alice.run('runs', 'show', id)).stdout;
    expect(table).toMatch(/→ masked/);
    expect(table).not.toMatch(/still running/);
    const shown = JSON.parse((await alice.run('runs', 'show', id, '-o', 'json')).stdout) as Report;
    expect(shown.hosts).toEqual(report.hosts);
  });

  it('tells of the automatic rollback at its own time, and of who found it', async () => {
    const alice = person();
    const { id } = (await alice.run('mask', 'cron', '--now', '-y', '--confirm-within', '5m', ...fleetwide())).report
      .run;
    await fire('el-app1', id);
    await alice.run('confirm', id, ...ways());
    const host = on(await exported(alice, id), 'el-app1');
    expect(host.outcome).toBe('rolled-back');
    expect(host.units[0]).toMatchObject({ before: ENABLED, after: MASKED });
    expect(host.history).toMatchObject([
      { command: 'automatic-rollback', actor: 'root@el-app1', outcome: 'rolled-back', before: MASKED, after: ENABLED },
      { command: 'confirm', actor: 'alice@bastion', outcome: 'rolled-back', before: ENABLED, after: ENABLED },
    ]);
    const [byItself, found] = host.history!.map(({ at }) => Date.parse(at));
    // the host's time is in whole seconds, by its own clock
    expect(byItself).toBeLessThan(found! + 2_000);
    expect(host).not.toHaveProperty('rolledBackAt');
  });

  it('has a visit that could not reach the host, and leaves the outcome what is true', async () => {
    const alice = person();
    const { id } = (await alice.run('mask', 'cron', '--now', '-y', ...fleetwide())).report.run;
    await alice.run('rollback', id, '-y', '-l', 'el-app1', '--port', '1', ...ways());
    const report = await exported(alice, id);
    expect(on(report, 'el-app1')).toMatchObject({
      outcome: 'masked',
      units: [{ before: ENABLED, after: MASKED }],
      history: [{ command: 'rollback', outcome: 'unreachable', after: null, fault: { kind: 'unreachable' } }],
    });
    expect(on(report, 'deb-web1').history).toBeUndefined();
  });

  it('of a host that the run did not settle has what its recovery read, and then what came later', async () => {
    const alice = person();
    const { id } = (await alice.run('mask', 'cron', '--now', '-y', ...fleetwide())).report.run;
    const records = (await alice.run('runs', 'export', id, '-o', 'ndjson')).stdout.trimEnd().split('\n');
    const { rmSync, writeFileSync } = await import('node:fs');
    const file = join(alice.stateDir, 'runs', `${id}.ndjson`);
    rmSync(file);
    writeFileSync(file, '', { mode: 0o600 });
    for (const line of records) {
      if (!/^\{"type":"(settled|finished|closed)"/.test(line)) appendFileSync(file, `${line}\n`);
    }
    await alice.run('recover', id, '-y', ...ways());
    await alice.run('rollback', id, '-y', ...ways());
    const host = on(await exported(alice, id), 'deb-web1');
    expect(host.units[0]).toMatchObject({ before: ENABLED, after: MASKED });
    expect(host.history).toMatchObject([
      { command: 'recover', outcome: 'masked', before: ENABLED, after: MASKED },
      { command: 'rollback', outcome: 'restored', before: MASKED, after: ENABLED },
    ]);
  });
});
