/** Decisions about a run that still works on other hosts, and hosts whose time passes meanwhile. */
import { spawn } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { environmentOf } from '../../src/demo/image.ts';
import { stateOfRun } from '../../src/journal/replay.ts';
import { readJournal } from '../../src/journal/store.ts';
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
const dirOf = (name: string) => fleet.hosts.find((host) => host.name === name)!.dir;
const frozen = () => join(dirOf('el-app1'), 'sim/frozen');
const switchesOn = (name: string) =>
  readdirSync(join(dirOf(name), 'etc/systemd/system')).filter((file) => file.startsWith('fleetmask-undo-'));

/** Another process of the same account. */
const beside = (alice: Operator) =>
  person({
    env: { FLEETMASK_STATE_DIR: alice.stateDir },
    controller: { machine: 'bastion', pid: 2, bootId: null, namespace: null, started: null },
    lifeOf: () => 'alive',
  });

async function fire(name: string, run: string): Promise<void> {
  const env = environmentOf(dirOf(name), process.env.PATH ?? '');
  const shell = (text: string) => spawn('/bin/sh', ['-c', text], { cwd: '/', env });
  const script = `exec sh "$FLEETMASK_ROOT/var/lib/fleetmask/${run}/program" root`;
  const done = await command({ version: 0, reset: async () => {}, shell }, script);
  expect(done.code, done.output).toBe(0);
}

/** The second wave hangs, on a host whose systemd does not answer, until `meanwhile` has ended. */
async function whileAtWork(alice: Operator, terms: string[], meanwhile: (run: string) => Promise<void>) {
  writeFileSync(frozen(), '');
  const waves = ['--waves', '1', '--max-unreachable', '1', '--max-fail', '1'];
  const running = alice.run('mask', 'cron', '--now', '-y', ...waves, ...terms, ...fleetwide());
  try {
    for (;;) {
      const [id] = existing(alice);
      const known = id && stateOfRun(readJournal(alice.stateDir, id)).hosts.get('deb-web1')?.kind;
      if (id && known === 'changed') {
        await meanwhile(id);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    rmSync(frozen(), { force: true });
  }
  return running;
}

function existing(alice: Operator): string[] {
  try {
    const files = readdirSync(join(alice.stateDir, 'runs')).filter((file) => file.endsWith('.ndjson'));
    return files.map((file) => file.replace('.ndjson', ''));
  } catch {
    return [];
  }
}

it('a wave can be confirmed while the run works on the next one, and the run reports it', async () => {
  const alice = person();
  const run = await whileAtWork(alice, ['--confirm-within', '3m'], async (id) => {
    const confirmed = await beside(alice).run('confirm', id, ...ways());
    expect(confirmed.report.totals, confirmed.stderr).toEqual({ masked: 1 });
    expect(confirmed.stderr).toContain(`run ${id} is still at work`);
    expect(switchesOn('deb-web1')).toEqual([]);
    // anything else is refused as before
    const rollback = await beside(alice).run('rollback', id, '-y', ...ways());
    expect([rollback.code, rollback.stderr]).toEqual([2, expect.stringContaining('is still at work')]);
  });
  expect(run.report.totals).toEqual({ masked: 2 });
  expect(run.on('deb-web1').confirmBy).toBeUndefined();
  expect(run.on('el-app1').confirmBy).toBeDefined();
  const rest = await alice.run('confirm', 'last', ...ways());
  expect([rest.code, rest.report.hosts.map(({ host }) => host)]).toEqual([0, ['el-app1']]);
  const back = await alice.run('rollback', 'last', '-y', ...ways());
  expect(back.report.totals).toEqual({ restored: 2 });
});

it('a host whose time passes unconfirmed while the run is at work is not called masked', async () => {
  const alice = person();
  const run = await whileAtWork(alice, ['--confirm-within', '5s', '--host-timeout', '5s'], async (id) => {
    await new Promise((resolve) => setTimeout(resolve, 5_500));
    await fire('deb-web1', id);
  });
  expect(run.on('deb-web1')).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'unconfirmed' } });
  expect(run.code).toBe(5);
}, 30_000);

it('nor is one whose automatic rollback is overdue, and not done', async () => {
  const alice = person();
  const run = await whileAtWork(alice, ['--confirm-within', '5s', '--host-timeout', '5s'], async () => {
    await new Promise((resolve) => setTimeout(resolve, 5_500));
  });
  expect(run.on('deb-web1')).toMatchObject({ outcome: 'stranded', fault: { kind: 'unconfirmed' } });
  expect(run.code).toBe(6);
}, 60_000);

it('a window shorter than what one host may take is refused with one that would do', async () => {
  const refused = await person().run('mask', 'cron', '-y', '--confirm-within', '90s', ...fleetwide());
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/90 s is shorter.*180 s[\s\S]*--confirm-within 180s/),
  ]);
});
