/** Hosts whose receipts lie: what one of them says moves no other host, names no run, and becomes nobody’s record. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { readJournal } from '../../src/journal/store.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet } from '../embedded.ts';
import { type Operator, operator } from '../operator.ts';

const HONEST = ['deb-web1', 'el-app1'];
const MALLORY = 'arch-ci1';
let fleet: Fleet;
let alice: Operator;
let bob: Operator;

beforeAll(async () => {
  fleet = await demoFleet([MALLORY, ...HONEST]);
});
afterAll(() => fleet.dispose());
beforeEach(() => {
  alice = operator();
  bob = operator({ actor: 'bob@laptop' });
});
afterEach(async () => {
  for (const who of [bob, alice]) {
    const runs = join(who.stateDir, 'runs');
    for (const file of existsSync(runs) ? readdirSync(runs).sort().reverse() : []) {
      await who.run('rollback', file.replace('.ndjson', ''), '-y', ...known());
    }
    who.dispose();
  }
  forget();
});

const dirOf = (name: string) => fleet.hosts.find((host) => host.name === name)!.dir;
const known = () => ['--known-hosts', fleet.knownHostsPath, '-o', 'json'];
const at = () => ['-i', fleet.inventoryPath, ...known()];
const mask = (who: Operator, ...more: string[]) => who.run('mask', 'cron', '--now', '-y', ...more, ...at());
const fromHosts = (who: Operator, ...more: string[]) => who.run('recover', '--from-hosts', ...more, ...at());
const honest = () => Promise.all(HONEST.map((name) => dump(dirOf(name))));
const receiptOf = (run: string) => join(dirOf(MALLORY), 'var/lib/fleetmask', run);

/** Mallory has a receipt of this run, which says what she likes. */
function forge(run: string, meta: string, words: string): void {
  const dir = receiptOf(run);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'log'), `request run=${run} where=etc stop-timeout=60 meta=${meta} kill=no ${words} end\n`);
}
/** Her receipt is true again, and what the forged one put there is gone. */
function mend(run: string, kept: string): void {
  rmSync(join(dirOf(MALLORY), 'etc/systemd/system/cron.service'), { force: true });
  mkdirSync(receiptOf(run), { recursive: true });
  writeFileSync(join(receiptOf(run), 'log'), kept);
}
function forget(): void {
  rmSync(join(dirOf(MALLORY), 'var/lib/fleetmask'), { recursive: true, force: true });
}
const UNMASK =
  'remove=/etc/systemd/system/cron.service read=cron.service was=cron.service,masked,masked,inactive had=/etc/systemd/system/cron.service';
const EVIL = 'actor=root%40mallory&started=2026-01-01T00%3A00%3A00.000Z&command=unmask&units=sshd&reason=forged';

describe('a receipt that is forged', () => {
  it('is shown beside the honest ones, and nothing is touched until the operator selects hosts that agree', async () => {
    const { id } = (await mask(alice, '-l', 'all', '--ticket', 'OPS-7')).report.run;
    const kept = readFileSync(join(receiptOf(id), 'log'), 'utf8');
    forge(id, EVIL, UNMASK);
    const before = await honest();

    const refused = await fromHosts(bob, id, '-l', 'all', '-y');
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    const said = refused.stderr.replace(/\s+/g, ' ');
    expect(said).toContain('do not agree, and nothing was touched');
    expect(said).toContain('deb-web1, el-app1: mask cron --now by alice@bastion');
    expect(said).toContain('arch-ci1: unmask sshd by root@mallory');
    expect(existsSync(bob.stateDir), 'nothing is written here').toBe(false);
    const list = JSON.parse((await fromHosts(bob)).stdout);
    expect(list.receipts).toMatchObject([
      { id, command: 'mask', actor: 'alice@bastion', hosts: HONEST },
      { id, command: 'unmask', actor: 'root@mallory', hosts: [MALLORY] },
    ]);

    const some = await fromHosts(bob, id, '-l', HONEST.join(','), '-y');
    expect([some.code, some.report.totals], some.stderr).toEqual([0, { masked: 2 }]);
    expect(await honest()).toEqual(before);
    // she alone: she is judged by her own receipt, beside hosts that are on record already
    const alone = await fromHosts(bob, id, '-l', MALLORY, '--undo', '-y');
    expect(alone.report.hosts.map(({ host }) => host)).toEqual([MALLORY]);
    expect(await honest()).toEqual(before);

    // nor does the record of the run, or what later commands do to others, hold a word of hers, or of any host
    const [start] = readJournal(bob.stateDir, id);
    expect(start).toMatchObject({
      type: 'run',
      run: { from: 'receipts', units: [], actor: 'bob@laptop', reason: null },
    });
    for (const args of [['show', id], ['export', id], ['list']]) {
      const { run = JSON.parse((await bob.run('runs', ...args, '-o', 'json')).stdout)[0] } = JSON.parse(
        (await bob.run('runs', ...args, '-o', 'json')).stdout,
      );
      expect(run).toMatchObject({ command: 'recover', from: 'receipts', units: [], actor: 'bob@laptop' });
      expect(JSON.stringify(run)).not.toMatch(/mallory|sshd|forged/);
    }
    expect((await bob.run('watch', '--run', id, ...known())).code).toBe(2);
    mend(id, kept);
    const back = await alice.run('rollback', id, '-y', ...known());
    expect(back.report.totals).toEqual({ restored: 3 });
  });

  it('is shown, and not believed, where this controller has the journal', async () => {
    const { id } = (await mask(alice, '-l', 'all')).report.run;
    const log = join(receiptOf(id), 'log');
    const kept = readFileSync(log, 'utf8');
    writeFileSync(
      log,
      kept.replace(/^request .*/, (line) => line.replace('link=', 'remove=').replace(/meta=\S+/, `meta=${EVIL}`)),
    );
    const lines = readJournal(alice.stateDir, id).length;
    const run = await fromHosts(alice, id, '-l', 'all', '-y');
    expect(run.stderr.replace(/\s+/g, ' ')).toMatch(
      /warning: arch-ci1: its receipt tells of another change than this run asked for: remove .*; the journal here counts/,
    );
    expect(run.report.run.units).toEqual(['cron']);
    for (const name of HONEST) expect(run.on(name).outcome).toBe('masked');
    expect(run.on(MALLORY)).toMatchObject({ fault: { kind: 'bad-reply' } });
    const added = readJournal(alice.stateDir, id).slice(lines);
    const hers = added.find((record) => record.type === 'intent' && record.host === MALLORY);
    expect(hers).toMatchObject({ change: { links: ['/etc/systemd/system/cronie.service'], removes: [] } });
    expect(hers).not.toHaveProperty('told');
    mend(id, kept);
  });

  it('that agrees in words but not in deeds moves its own host alone', async () => {
    const { id } = (await mask(alice, '-l', 'all')).report.run;
    const log = join(receiptOf(id), 'log');
    const kept = readFileSync(log, 'utf8');
    const meta = /meta=(\S+)/.exec(kept)![1]!;
    forge(id, meta, `link=/etc/systemd/system/sshd.service stop=cron.service ${UNMASK}`);
    const before = await honest();
    const run = await fromHosts(bob, id, '-l', 'all', '-y');
    for (const name of HONEST) expect(run.on(name)).toMatchObject({ outcome: 'masked', units: [{ asked: 'cron' }] });
    expect(await honest()).toEqual(before);
    mkdirSync(receiptOf(id), { recursive: true });
    mend(id, kept);
  });
});

describe('the id of a run that a host made up', () => {
  const IDS = [
    'zzzzzz',
    '99999999-999999999-ffffff',
    '20260231-000000000-aaaaaa',
    '20261201-110000000-ABCDEF',
    '-rf',
    'last',
  ];

  it('is none of ours, or of a time that has not come: it is not listed, not chosen and never the last', async () => {
    for (const id of [...IDS, '29991231-235959999-ffffff']) forge(id, EVIL, UNMASK);
    const list = await fromHosts(bob);
    expect(JSON.parse(list.stdout).receipts).toEqual([]);
    expect(list.stderr.replace(/\s+/g, ' ')).toContain(
      'warning: arch-ci1: left out: receipt of run 29991231-235959999-ffffff, which would have begun after now',
    );
    for (const id of ['zzzzzz', '29991231', 'last']) {
      expect((await fromHosts(bob, id, '-l', 'all', '-y')).code, id).toBe(2);
    }
    expect(existsSync(bob.stateDir)).toBe(false);
  });

  it('may come into the journals here by name, and is not the last run all the same', async () => {
    const own = (await mask(bob, '-l', 'el-app1')).report.run.id;
    const theirs = (await mask(alice, '-l', 'deb-web1')).report.run.id;
    expect(theirs > own).toBe(true);
    expect((await fromHosts(bob, theirs, '-l', 'deb-web1', '-y')).code).toBe(0);
    expect(JSON.parse((await bob.run('runs', 'show', 'last', '-o', 'json')).stdout).run.id).toBe(own);
    const back = await bob.run('rollback', 'last', '-y', ...known());
    expect(back.report.hosts.map(({ host }) => host)).toEqual(['el-app1']);
  });
});

it('the last run is the one that came last, whatever the clock said then', async () => {
  const early = operator({
    date: () => new Date(Date.now() + 86_400_000),
    env: { FLEETMASK_STATE_DIR: alice.stateDir },
  });
  const ahead = (await mask(early, '-l', 'el-app1')).report.run.id;
  const now = (await mask(alice, '-l', 'deb-web1')).report.run.id;
  expect(ahead > now).toBe(true);
  expect(JSON.parse((await alice.run('runs', 'show', 'last', '-o', 'json')).stdout).run.id).toBe(now);
  const list = JSON.parse((await alice.run('runs', 'list', '-o', 'json')).stdout);
  expect(list.map(({ id }: { id: string }) => id)).toEqual([ahead, now]);
  early.dispose();
});
