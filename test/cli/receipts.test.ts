/** What runs leave on the hosts for others to know: whose mask it is, and who is at work. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet } from '../embedded.ts';
import { type Operator, operator } from '../operator.ts';

const NAMES = ['deb-web1', 'el-app1'];
let fleet: Fleet;
let alice: Operator;
let bob: Operator;
let before: Record<string, string>[];

beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
afterAll(() => fleet.dispose());
beforeEach(async () => {
  alice = operator();
  bob = operator({ actor: 'bob@laptop' });
  before = await dumps();
});
afterEach(() => {
  alice.dispose();
  bob.dispose();
});

const dumps = () => Promise.all(fleet.hosts.map(({ dir }) => dump(dir)));
const known = () => ['--known-hosts', fleet.knownHostsPath, '-o', 'json'];
const at = () => ['-i', fleet.inventoryPath, ...known()];
const mask = (who: Operator, ...args: string[]) => who.run('mask', 'cron', '-l', 'all', '-y', ...args, ...at());
const unmask = (who: Operator) => who.run('unmask', 'cron', '-l', 'all', '-y', ...at());
const rollback = (who: Operator) => who.run('rollback', 'last', '-y', ...known());
const WHY = ['--now', '--reason', 'CVE-2025-1', '--ticket', 'OPS-7'];
const unitOn = async (host: string) => (await bob.run('status', 'cron', ...at())).on(host).units[0];

describe('status', () => {
  it('tells whose mask it is and why, to root alone, as long as it is that run’s', async () => {
    expect((await unitOn('el-app1'))?.receipt).toBeNull();
    const { report } = await mask(alice, ...WHY);
    expect(await unitOn('el-app1')).toMatchObject({
      receipt: {
        ...{ run: report.run.id, actor: 'alice@bastion', startedAt: report.run.startedAt },
        ...{ reason: 'CVE-2025-1', ticket: 'OPS-7' },
      },
      notes: [expect.stringMatching(/^masked by run \S+ of alice@bastion \d+ s ago for ‘CVE-2025-1’ \(OPS-7\)$/)],
    });
    const table = await bob.run('status', 'cron', '-i', fleet.inventoryPath, '--known-hosts', fleet.knownHostsPath);
    expect(table.stdout).toContain('crond.service: masked by run');

    const link = join(fleet.hosts.find(({ name }) => name === 'el-app1')!.dir, 'etc/systemd/system/crond.service');
    // both exist for a moment, so that it has another inode
    symlinkSync('/dev/null', `${link}.theirs`);
    renameSync(`${link}.theirs`, link);
    expect((await unitOn('el-app1'))?.receipt, 'somebody else’s link').toBeNull();
    rmSync(link);
    await rollback(alice);
    expect((await unitOn('deb-web1'))?.receipt).toBeNull();
    expect(await dumps()).toEqual(before);
  });
});

describe('a second run', () => {
  it('is told that a unit is masked already, and by whom', async () => {
    await mask(alice, ...WHY);
    const plan = await bob.run('plan', 'mask', 'cron', ...at());
    expect(plan.on('deb-web1')).toMatchObject({
      outcome: 'unchanged',
      units: [{ notes: [expect.stringMatching(/^already masked by run \S+ of alice@bastion .* \(OPS-7\)$/)] }],
    });
    await rollback(alice);
  });

  it('that unmasks, and is rolled back before the first, leaves nothing of either', async () => {
    await mask(alice, ...WHY);
    expect((await unmask(bob)).report.totals).toEqual({ unmasked: 2 });
    expect((await rollback(bob)).report.totals).toEqual({ restored: 2 });
    expect((await unitOn('el-app1'))?.receipt?.actor, 'the mask is alice’s again').toBe('alice@bastion');
    expect((await rollback(alice)).report.totals).toEqual({ restored: 2 });
    expect(await dumps()).toEqual(before);
  });

  it.each([
    ['unmasks', 'mask cron --now', 'unmask cron', 0],
    ['masks for good what was masked until the next boot', 'mask cron --runtime --now', 'mask cron', 0],
    ['stops what is masked', 'mask cron', 'mask cron --now', 0],
    ['masks what was unmasked', 'unmask cron', 'mask cron', 0],
    ['unmasks, by a clock that is a day behind,', 'mask cron --now', 'unmask cron', -86_400_000],
    ['masks what was unmasked, by a clock that is a day behind,', 'unmask cron', 'mask cron', -86_400_000],
  ])('that %s keeps the first from being rolled back before it, and is named', async (_, first, second, off) => {
    bob.dispose();
    bob = operator({ actor: 'bob@laptop', date: () => new Date(Date.now() + off) });
    const carol = operator({ actor: 'carol@console' });
    // what lies in receipts and locks is the runs' own affair
    const units = async () =>
      (await dumps()).map((each) => Object.entries(each).filter(([path]) => !path.includes('fleetmask')));
    const told = (who: Operator, words: string) => who.run(...words.split(' '), '-l', 'all', '-y', ...at());
    if (first.startsWith('unmask')) await told(carol, 'mask cron');
    const former = await units();
    expect((await told(alice, first)).code).toBe(0);
    const between = await units();
    const later = await told(bob, second);
    expect(later.code, later.stdout).toBe(0);
    const now = await units();
    const early = await rollback(alice);
    expect([early.code, early.report.totals]).toEqual([4, { refused: 2 }]);
    const { id } = later.report.run;
    expect(early.on('deb-web1').fault).toMatchObject({
      kind: 'newer-run',
      message: expect.stringMatching(`^run ${id} of bob@laptop \\(${second.split(' --')[0]}\\) came later`),
      hint: expect.stringContaining(`fleetmask rollback ${id} `),
    });
    expect(await units(), 'nothing was touched').toEqual(now);
    expect((await rollback(bob)).report.totals).toEqual({ restored: 2 });
    expect(await units()).toEqual(between);
    expect((await rollback(alice)).report.totals).toEqual({ restored: 2 });
    expect(await units()).toEqual(former);
    if (first.startsWith('unmask')) await rollback(carol);
    expect(await dumps()).toEqual(before);
    carol.dispose();
  });

  it('keeps an interrupted first one from being put back by recover, which names the order and touches nothing', async () => {
    const { id } = (await mask(alice, ...WHY)).report.run;
    const file = join(alice.stateDir, 'runs', `${id}.ndjson`);
    // as if the controller had died before it heard of the change
    const lines = readFileSync(file, 'utf8').split('\n');
    const end = lines.findIndex((line) => line.includes('"settled"'));
    writeFileSync(file, `${lines.slice(0, end).join('\n')}\n`);
    const newer = (await unmask(bob)).report.run.id;
    const now = await dumps();
    const recover = (...more: string[]) => alice.run('recover', id, '-y', ...more, ...known());
    for (const more of [[], ['--undo']]) {
      const early = await recover(...more);
      expect([early.code, early.report.totals], early.stdout).toEqual([4, { refused: 2 }]);
      expect(early.on('deb-web1').fault).toMatchObject({
        kind: 'newer-run',
        hint: expect.stringContaining(`fleetmask rollback ${newer} `),
      });
      expect(await dumps()).toEqual(now);
    }
    expect((await rollback(bob)).report.totals).toEqual({ restored: 2 });
    expect((await recover('--undo')).report.totals).toEqual({ 'rolled-back': 2 });
    expect(await dumps()).toEqual(before);
  });

  it('that masks another unit does not keep the first from being rolled back', async () => {
    await mask(alice, ...WHY);
    await bob.run('mask', 'cups', '-l', 'all', '-y', '--allow-absent', ...at());
    expect((await rollback(alice)).report.totals).toEqual({ restored: 2 });
    expect((await rollback(bob)).report.totals).toEqual({ restored: 2 });
  });

  it('is told who is at work on the host, why, and since when', async () => {
    const host = fleet.hosts.find(({ name }) => name === 'el-app1')!;
    const state = join(host.dir, 'run/fleetmask');
    mkdirSync(state, { recursive: true });
    const script = `exec 9>>"$0/lock"; flock 9; echo "$$ 20261122-031500123-a1b2c3 actor=alice%40bastion&command=mask&units=cron&ticket=OPS-7" >"$0/lock"; echo held; read -r _`;
    const holder = spawn('sh', ['-c', script, state], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    const run = await mask(bob, '--now');
    expect(run.on('el-app1')).toMatchObject({
      outcome: 'refused',
      fault: {
        kind: 'locked',
        message: expect.stringMatching(
          /^run 20261122-031500123-a1b2c3 of alice@bastion \(mask cron, OPS-7\) has been at work on this host since \d\d:\d\d:\d\dZ \(\d+ s\)$/,
        ),
      },
    });
    holder.stdin.end('\n');
    await once(holder, 'close');
    await rollback(bob);
    expect(await dumps()).toEqual(before);
  });
});
