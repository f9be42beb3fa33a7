/** `recover` as it is typed: after a run whose journal ends too early, and beside one that still runs. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import type { JournalRecord } from '../../src/journal/records.ts';
import { hostsInDoubt, stateOfRun } from '../../src/journal/replay.ts';
import { readJournal } from '../../src/journal/store.ts';
import type { Io } from '../../src/operations/io.ts';
import { dump } from '../demo/dump.ts';
import { type Operator, operator } from '../operator.ts';

const NAMES = ['deb-web1', 'el-app1', 'arch-ci1'];
let fleet: Fleet;
let alice: Operator;
let before: Record<string, string>[];

beforeAll(async () => {
  const specs = DEMO_HOSTS.filter(({ name }) => NAMES.includes(name));
  fleet = await startFleet(specs, { path: process.env.PATH ?? '', tempDir: tmpdir() });
});
afterAll(() => fleet.dispose());
beforeEach(async () => {
  alice = operator();
  before = await dumps();
});
afterEach(async () => {
  if (existsSync(alice.stateDir)) await alice.run('rollback', 'last', '-y', ...known());
  expect(await dumps()).toEqual(before);
  alice.dispose();
});

const known = () => ['--known-hosts', fleet.knownHostsPath];
const at = () => ['-i', fleet.inventoryPath, ...known()];
const dumps = () => Promise.all(fleet.hosts.map(({ dir }) => dump(dir)));
const mask = () => alice.run('mask', 'cron', '--now', '-l', 'all', '-y', '--ticket', 'OPS-7', ...at(), '-o', 'json');
const recover = (...args: string[]) => alice.run('recover', 'last', ...known(), '-o', 'json', ...args);
const journal = () => join(alice.stateDir, 'runs', readdirSync(join(alice.stateDir, 'runs')).sort().at(-1)!);
const records = () => readJournal(alice.stateDir, 'last');
const isMasked = (name: string) => {
  const { dir } = fleet.hosts.find((host) => host.name === name)!;
  return ['cron', 'crond', 'cronie'].some((unit) => existsSync(join(dir, `etc/systemd/system/${unit}.service`)));
};

/** What a crash leaves: the journal up to the first record that it did not get to write. */
function cutBefore(lost: (record: JournalRecord) => boolean): void {
  const all = records();
  const end = all.findIndex(lost);
  writeFileSync(
    journal(),
    all
      .slice(0, end)
      .map((record) => `${JSON.stringify(record)}\n`)
      .join(''),
  );
}

/** Another process. */
const beside = (life: 'alive' | 'unknown', world: Partial<Io> = {}) =>
  operator({
    lifeOf: () => life,
    controller: { machine: 'bastion', pid: 2, bootId: null, namespace: null, started: null },
    env: { FLEETMASK_STATE_DIR: alice.stateDir },
    ...world,
  });

describe('a run that was killed before its hosts were settled', () => {
  it('is told of by the next commands, and recovered as a whole: hosts that are proved stay masked', async () => {
    await mask();
    cutBefore(({ type }) => type === 'settled');
    const list = await alice.run('runs', 'list');
    expect(list.stdout).toMatch(/interrupted,[\s\S]*3 in doubt/);
    expect(list.stderr).toMatch(/^note: run \S+ was interrupted, with 3 hosts in doubt: fleetmask recover \S+\n$/);
    const show = await alice.run('runs', 'show', 'last');
    expect(show.stdout).toContain('in doubt, they may have been changed: deb-web1, el-app1, arch-ci1');
    expect(show.stderr, 'not of the run that is looked at').toBe('');

    const run = await recover('-y');
    expect(run.code, run.stderr).toBe(0);
    expect(run.report).toMatchObject({
      run: { command: 'recover', ticket: 'OPS-7' },
      totals: { masked: 3 },
      exitCode: 0,
    });
    expect(run.on('el-app1').units).toMatchObject([
      { asked: 'cron', unit: 'crond.service', after: { load: 'masked', active: 'inactive' }, startProbe: 'blocked' },
    ]);
    const after = await alice.run('runs', 'show', 'last', '-o', 'json');
    expect(JSON.parse(after.stdout)).toMatchObject({
      state: 'finished',
      totals: { masked: 3 },
      inDoubt: [],
      exitCode: 0,
    });

    const lines = records().length;
    const again = await recover();
    expect(again.stderr).toMatch(/^note: no host of run \S+ is in doubt: this is how they were left\n$/);
    expect([again.code, again.report.totals], 'without a word of consent: there is nothing to do').toEqual([
      0,
      { masked: 3 },
    ]);
    expect(records().length).toBe(lines);
    expect((await alice.run('runs', 'list')).stderr).toBe('');
  });

  it('is put back with --undo, and never exits 0', async () => {
    await mask();
    cutBefore(({ type }) => type === 'settled');
    const run = await recover('-y', '--undo');
    expect([run.code, run.report.totals]).toEqual([5, { 'rolled-back': 3 }]);
    expect(await dumps()).toEqual(before);
    expect((await recover()).code, 'nor a second time').toBe(5);
  });

  it('is not put back by --undo where it is settled: the operator is told what does that', async () => {
    await mask();
    const lines = records().length;
    const { id } = (await recover()).report.run;
    const run = await recover('-y', '--undo');
    expect([run.code, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toContain('nothing was put back: 3 hosts that it changed are not in doubt');
    expect(run.stderr).toContain(`hint: fleetmask rollback ${id} puts back what it changed.`);
    expect(records()).toHaveLength(lines);
    cutBefore((record) => record.type === 'settled' && record.report.host === 'el-app1');
    const some = await recover('-y', '--undo');
    const back = some.report.totals['rolled-back']!;
    expect([some.code, back]).toEqual([5, expect.any(Number)]);
    if (back < 3) expect(some.stderr).toMatch(/^note: \d hosts? that it changed (is|are) not in doubt .*rollback/);
    expect((await recover('--undo', '-l', 'el-app1')).code, 'what is back is back').toBe(5);
  });

  it('is recovered host by host too, and hosts it never came to are not-started', async () => {
    await mask();
    const intents = records().filter((record) => record.type === 'intent');
    const last = intents.at(-1)!.host;
    // as if the crash had come before the last host's turn
    await alice.run('rollback', 'last', '-y', '-l', last, ...known());
    const kept = records().filter(
      (record) => ['run', 'opened'].includes(record.type) || (record.type === 'intent' && record.host !== last),
    );
    writeFileSync(journal(), kept.map((record) => `${JSON.stringify(record)}\n`).join(''));
    const first = intents[0]!.host;
    const one = await recover('-y', '-l', first);
    expect([one.code, one.report.totals]).toEqual([0, { masked: 1 }]);
    expect((await alice.run('runs', 'list')).stderr).toContain('1 host in doubt');
    const rest = await recover('-y');
    expect([rest.code, rest.report.totals]).toEqual([4, { masked: 2, 'not-started': 1 }]);
    expect(rest.on(last)).toMatchObject({ outcome: 'not-started', fault: { kind: 'cancelled' } });
    const show = JSON.parse((await alice.run('runs', 'show', 'last', '-o', 'json')).stdout);
    expect(show).toMatchObject({ totals: { masked: 2, 'not-started': 1 }, exitCode: 4, inDoubt: [] });
  });

  it('while it put the whole fleet back goes on putting it back', async () => {
    await mask();
    const undone = await alice.run('rollback', 'last', '-y', '-f', '1', '-l', 'deb-web1', ...known());
    expect(undone.code).toBe(0);
    // as if that had been a rollback of all, killed after its first host
    cutBefore((record) => record.type === 'settled' && record.report.outcome === 'restored');
    const all = records().map((record) => (record.type === 'rollback' ? { ...record, hosts: NAMES } : record));
    writeFileSync(journal(), all.map((record) => `${JSON.stringify(record)}\n`).join(''));
    expect(hostsInDoubt(stateOfRun(records()))).toEqual(expect.arrayContaining(NAMES));
    // nothing is decided anew for a host in whose place another machine answers
    const id = join(fleet.hosts.find(({ name }) => name === 'el-app1')!.dir, 'etc/machine-id');
    const own = readFileSync(id, 'utf8');
    writeFileSync(id, 'f'.repeat(32));
    const other = await recover('-y', '-l', 'el-app1');
    writeFileSync(id, own);
    expect(other.on('el-app1')).toMatchObject({ outcome: 'refused', fault: { kind: 'stale-plan' } });
    const run = await recover('-y');
    expect([run.code, run.report.totals]).toEqual([5, { 'rolled-back': 3 }]);
    expect(await dumps()).toEqual(before);
  });

  it('and whose recovery is interrupted leaves hosts in doubt that had no turn, and says so', async () => {
    await mask();
    cutBefore(({ type }) => type === 'settled');
    const bob = operator({
      env: { FLEETMASK_STATE_DIR: alice.stateDir },
      // as soon as anybody listens
      onInterrupt: (handler) => {
        queueMicrotask(() => handler(1));
        return () => {};
      },
    });
    const run = await bob.run('recover', 'last', '-y', '-f', '1', ...known(), '-o', 'json');
    expect(run.code).toBe(6);
    expect(run.report.totals['not-started']).toBeUndefined();
    expect(run.report.totals.stranded).toBeGreaterThan(0);
    expect(hostsInDoubt(stateOfRun(records()))).toHaveLength(run.report.totals.stranded!);
    expect((await recover('-y')).report.totals).toEqual({ masked: 3 });
  });

  it('is not touched without consent', async () => {
    await mask();
    cutBefore(({ type }) => type === 'settled');
    expect(await recover()).toMatchObject({ code: 2, stderr: expect.stringContaining('needs your consent') });
    const asked: string[] = [];
    const bob = operator({
      env: { FLEETMASK_STATE_DIR: alice.stateDir },
      prompt: async (question) => {
        asked.push(question);
        return 'y';
      },
    });
    expect((await bob.run('recover', 'last', ...known())).code).toBe(0);
    expect(asked).toEqual([expect.stringMatching(/^Settle 3 hosts of run \S+ \(cron\): .*\? \[y\/N\] $/)]);
  });
});

describe('a host in doubt that will not return', () => {
  const forget = (who: Operator, ...args: string[]) =>
    who.run('recover', 'last', '--forget', ...known(), '-o', 'json', ...args);

  it('is given up on the word of a person, which is on record; nothing is asked of it', async () => {
    await mask();
    cutBefore(({ type }) => type === 'settled');
    const hosts = await dumps();
    const run = await forget(alice, '-l', 'el-app1', '-y', '--private-key', '/nowhere');
    expect([run.code, run.report.totals], run.stderr).toEqual([0, { forgotten: 1 }]);
    expect(await dumps()).toEqual(hosts);
    expect(records().slice(-4)).toMatchObject([
      { type: 'forget', actor: 'alice@bastion', at: expect.stringMatching(/^20\S+Z$/), hosts: ['el-app1'] },
      { type: 'settled', report: { host: 'el-app1', outcome: 'forgotten', fault: { kind: 'forgotten' } } },
      { type: 'finished', inDoubt: 2, exitCode: 6 },
      { type: 'closed' },
    ]);
    expect(hostsInDoubt(stateOfRun(records())).sort()).toEqual(['arch-ci1', 'deb-web1']);
    const rest = await recover('-y');
    expect([rest.code, rest.report.totals]).toEqual([0, { masked: 2, forgotten: 1 }]);
    expect((await alice.run('runs', 'list')).stderr, 'nobody is reminded of it').toBe('');
    const show = await alice.run('runs', 'show', 'last');
    expect(show.stdout).toMatch(/el-app1 .*forgotten/);
    expect(show.stdout.replace(/\s+/g, ' ')).toMatch(
      /el-app1: given up by alice@bastion at 20\S+Z, and not asked: it may have been changed/,
    );
    expect(show.stdout).toMatch(/exit code +0/);
    const back = await alice.run('rollback', 'last', '-y', ...known(), '-o', 'json');
    expect([back.code, back.report.totals]).toEqual([0, { restored: 2 }]);
    expect(back.stderr).toContain('note: given up, and left out: el-app1 (fleetmask recover --from-hosts ');
    // it is back after all
    const found = await alice.run(
      'recover',
      '--from-hosts',
      'last',
      '-l',
      'el-app1',
      '--undo',
      '-y',
      ...at(),
      '-o',
      'json',
    );
    expect([found.code, found.report.totals], found.stderr).toEqual([5, { 'rolled-back': 1 }]);
  });

  it('is not given up unasked, unnamed, or where it is not in doubt', async () => {
    await mask();
    expect(await forget(alice, '-l', 'el-app1', '-y')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('none of these hosts is in doubt'),
    });
    cutBefore(({ type }) => type === 'settled');
    const lines = records().length;
    expect(await forget(alice, '-y')).toMatchObject({ code: 2, stderr: expect.stringContaining('needs a limit') });
    expect(await forget(alice, '-l', 'el-app1')).toMatchObject({ code: 2, stderr: expect.stringContaining('consent') });
    for (const flags of [['--undo'], ['--from-hosts', ...at()]])
      expect((await forget(alice, '-l', 'el-app1', '-y', ...flags)).stderr).toContain('Say one of the two');
    const asked: string[] = [];
    const prompt = async (question: string) => {
      asked.push(question);
      return 'n';
    };
    const bob = operator({ env: { FLEETMASK_STATE_DIR: alice.stateDir }, prompt });
    expect((await forget(bob, '-l', 'el-app1')).stderr).toContain('not agreed');
    expect(asked).toEqual([
      expect.stringMatching(
        /^Give up 1 host of run \S+: el-app1\? Nothing is asked of it, and it may stay changed\. \[y\/N\] $/,
      ),
    ]);
    expect(records()).toHaveLength(lines);
  });
});

describe('a run that may still be at work', () => {
  it('is neither recovered nor rolled back, and the operator is told who is at it and since when', async () => {
    await mask();
    cutBefore(({ type }) => type === 'settled');
    for (const command of ['recover', 'rollback']) {
      const refused = await beside('alive').run(command, 'last', '-y', ...known());
      expect(refused.code).toBe(2);
      expect(refused.stderr).toMatch(
        /run \S+ is still at work: process 1 on bastion \(mask by alice@bastion, since 20\S+Z\)/,
      );
    }
    expect(NAMES.every(isMasked)).toBe(true);
    const list = await beside('alive').run('runs', 'list', '-o', 'json');
    expect(JSON.parse(list.stdout)).toMatchObject([{ state: 'running', inDoubt: 3 }]);
    expect(list.stderr, 'it is nobody’s to recover yet').toBe('');
  });

  it('on a machine that cannot be looked at is taken over by who says so', async () => {
    await mask();
    cutBefore(({ type }) => type === 'settled');
    const refused = await beside('unknown').run('recover', 'last', '-y', ...known());
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--take-over') });
    const taken = await beside('unknown').run('recover', 'last', '-y', '--take-over', ...known());
    expect(taken.code, taken.stderr).toBe(0);
  });
});

describe('two recoveries at once', () => {
  it('do not get into each other’s way: one of them settles the run, the other is told', async () => {
    await mask();
    cutBefore(({ type }) => type === 'settled');
    const person = (pid: number) =>
      operator({
        lifeOf: () => 'alive',
        controller: { machine: 'bastion', pid, bootId: null, namespace: null, started: null },
        env: { FLEETMASK_STATE_DIR: alice.stateDir },
      });
    // the run itself is over
    const run = records().map((record) => (record.type === 'opened' ? { ...record, type: 'closed' } : record));
    writeFileSync(journal(), run.map((record) => `${JSON.stringify(record)}\n`).join(''));
    const both = await Promise.all(
      [2, 3].map((pid) => person(pid).run('recover', 'last', '-y', '-o', 'json', ...known())),
    );
    const codes = both.map(({ code }) => code).sort();
    const told = both.find(({ code }) => code === 2);
    expect(codes).toEqual([0, 2]);
    expect(told?.stderr).toMatch(/still at work: process [23] on bastion \(recover by alice@bastion/);
    expect(hostsInDoubt(stateOfRun(records()))).toEqual([]);
  });
});

describe('where the journal is lost', () => {
  const fromHosts = (who: Operator, ...args: string[]) => who.run('recover', '--from-hosts', ...args, ...at());
  let bob: Operator;
  beforeEach(() => {
    bob = operator({ actor: 'bob@laptop' });
    return async () => {
      for (const file of existsSync(bob.stateDir) ? readdirSync(join(bob.stateDir, 'runs')) : []) {
        await bob.run('rollback', file.replace('.ndjson', ''), '-y', ...known());
      }
      bob.dispose();
    };
  });

  it('the hosts tell which runs left receipts, who began them, and why', async () => {
    const none = await fromHosts(bob);
    expect([none.code, none.stdout]).toEqual([0, 'no receipts\n']);
    const { report } = await mask();
    const list = await fromHosts(bob);
    expect(list.code).toBe(0);
    expect(list.stdout).toMatch(new RegExp(`${report.run.id}.*mask cron.*alice@bastion.*OPS-7.*deb-web1 \\(\\+2`));
    const json = JSON.parse((await fromHosts(bob, '-o', 'json')).stdout);
    expect(json).toMatchObject({
      schema: 'fleetmask.receipts/1',
      receipts: [
        { id: report.run.id, command: 'mask', units: ['cron'], now: true, actor: 'alice@bastion', ticket: 'OPS-7' },
      ],
      unread: [],
    });
    expect(existsSync(bob.stateDir), 'nothing is written here').toBe(false);
  });

  it('a run is settled by its receipts, with a journal of its own that a rollback can go by', async () => {
    const { report } = await mask();
    const run = await fromHosts(bob, report.run.id.slice(0, 15), '-l', 'all', '-y', '-o', 'json');
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain('note: 3 of 3 hosts hold a receipt');
    expect(run.report).toMatchObject({ run: { id: report.run.id, actor: 'bob@laptop' }, totals: { masked: 3 } });
    expect(run.on('el-app1').units).toMatchObject([
      { asked: 'cron', unit: 'crond.service', before: { active: 'active' } },
    ]);
    const back = await bob.run('rollback', report.run.id, '-y', ...known(), '-o', 'json');
    expect(back.report.totals).toEqual({ restored: 3 });
    expect(await dumps()).toEqual(before);
  });

  it('a run is put back with --undo, some hosts first and the others later', async () => {
    const { report } = await mask();
    const one = await fromHosts(bob, report.run.id, '-l', 'el-app1', '--undo', '-y', '-o', 'json');
    expect([one.code, one.report.totals]).toEqual([5, { 'rolled-back': 1 }]);
    const rest = await fromHosts(bob, report.run.id, '-l', 'all', '--undo', '-y', '-o', 'json');
    expect([rest.code, rest.report.totals]).toEqual([5, { 'rolled-back': 2 }]);
    expect(await dumps()).toEqual(before);
    const gone = await fromHosts(bob, report.run.id, '-l', 'all', '-y');
    expect(gone).toMatchObject({ code: 2, stderr: expect.stringContaining('no host holds a receipt') });
  });

  it('the machine that has the journal may go by the hosts as well', async () => {
    await mask();
    cutBefore(({ type }) => type === 'settled');
    const run = await fromHosts(alice, 'last', '-l', 'all', '-y', '-o', 'json');
    expect([run.code, run.report.totals]).toEqual([0, { masked: 3 }]);
    expect(hostsInDoubt(stateOfRun(records()))).toEqual([]);
  });

  it('the machine whose journal was damaged goes by the hosts, and keeps the journal aside', async () => {
    await mask();
    writeFileSync(journal(), readFileSync(journal(), 'utf8').replace(/\n.{20}/, '\n'));
    const stuck = await alice.run('recover', 'last', '-y', ...known());
    expect(stuck).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/ndjson:2: not a journal record\n.*--from-hosts/),
    });
    const run = await fromHosts(alice, 'last', '-l', 'all', '-y', '-o', 'json');
    expect([run.code, run.report.totals]).toEqual([0, { masked: 3 }]);
    expect(run.stderr).toMatch(/not a journal record; that journal is now .*\.ndjson\.damaged-1/);
    expect(hostsInDoubt(stateOfRun(records()))).toEqual([]);
  });

  it('a journal of a newer version is left to that', async () => {
    await mask();
    const text = readFileSync(journal(), 'utf8');
    const newer = text.replace('fleetmask.journal/1', 'fleetmask.journal/2');
    writeFileSync(journal(), newer);
    for (const command of ['rollback', 'recover']) {
      const run = await alice.run(command, 'last', '-y', ...known());
      expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('another form: "fleetmask.journal/2"') });
    }
    expect((await fromHosts(alice, 'last', '-l', 'all', '-y')).code).toBe(2);
    expect(readFileSync(journal(), 'utf8')).toBe(newer);
    writeFileSync(journal(), text);
  });

  it('a host that cannot be asked is named, and no limit is a mistake', async () => {
    const { report } = await mask();
    const wrongPort = ['-i', 'deb-web1,', '--port', '1', '-o', 'json'];
    const run = await bob.run('recover', '--from-hosts', ...wrongPort, ...known());
    expect([run.code, JSON.parse(run.stdout).unread]).toMatchObject([
      4,
      [{ host: 'deb-web1', outcome: 'unreachable' }],
    ]);
    const all = await fromHosts(bob, report.run.id, '-y');
    expect(all).toMatchObject({ code: 2, stderr: expect.stringContaining('-l all') });
  });
});
