/** Whole runs in waves: where they stop, how the fleet is put back, and what an interrupt leaves. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import type { JournalRecord } from '../../src/journal/records.ts';
import { stateOfRun } from '../../src/journal/replay.ts';
import { readJournal } from '../../src/journal/store.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet, operatorsOn } from '../embedded.ts';
import type { Operator, Run } from '../operator.ts';

/** In the order of the inventory. The last three: masked already, its stop never ends, and down. */
const NAMES = ['deb-web1', 'deb-db1', 'el-app1', 'arch-ci1', 'el-masked1', 'el-stuck1', 'arch-down1', 'el-local1'];
const GOOD = ['deb-web1', 'deb-db1', 'el-app1', 'arch-ci1'];
const UNIT: Readonly<Record<string, string>> = { deb: 'cron', el: 'crond', arch: 'cronie' };

let fleet: Fleet;
const person = operatorsOn(() => fleet);

beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
afterAll(() => fleet.dispose());

const on = (hosts: readonly string[]) => [
  ...['-i', fleet.inventoryPath, '--known-hosts', fleet.knownHostsPath, '-F', 'none', '-o', 'json', '-y'],
  ...['-l', hosts.join(','), '--now', '--host-timeout', '20s', '--no-start-probe'],
];
const dirOf = (name: string) => fleet.hosts.find((host) => host.name === name)!.dir;
const masked = (name: string) =>
  existsSync(join(dirOf(name), 'etc/systemd/system', `${UNIT[name.split('-')[0]!]}.service`));
const dumps = (names: readonly string[]) => Promise.all(names.map((name) => dump(dirOf(name))));
const ends = (run: Run) => Object.fromEntries(run.report.hosts.map(({ host, outcome }) => [host, outcome]));

const recordsOf = ({ stateDir }: Operator) => (existsSync(join(stateDir, 'runs')) ? readJournal(stateDir, 'last') : []);

describe('a run in waves', () => {
  it('goes on while all is well, and the report and the journal tell the waves', async () => {
    const alice = person();
    const run = await alice.run('mask', 'cron', ...on(GOOD), '--waves', '1,50%');
    expect(run.code, run.stderr).toBe(0);
    expect(run.report.hosts.map(({ wave }) => wave)).toEqual([1, 2, 2, 3]);
    expect(run.report.run.waves).toEqual([1, 2, 1]);
    expect(recordsOf(alice)[0]).toMatchObject({ type: 'run', run: { waves: [1, 2, 1] } });
    const sent = recordsOf(alice).flatMap((record) => {
      if (record.type === 'intent') return [record.host];
      return record.type === 'settled' ? [`${record.report.host} settled`] : [];
    });
    for (const [i, host] of GOOD.entries()) {
      const before = GOOD.slice(0, i).filter((_, j) => [1, 2, 2, 3][j]! < [1, 2, 2, 3][i]!);
      for (const earlier of before) expect(sent.indexOf(`${earlier} settled`)).toBeLessThan(sent.indexOf(host));
    }
  });

  it('whose canary fails touches no other host, and exits 5', async () => {
    const before = await dumps(GOOD);
    const alice = person();
    const run = await alice.run('mask', 'cron', ...on(['el-stuck1', ...GOOD]), '--waves', '1,100%');
    expect(run.code).toBe(5);
    expect(ends(run)).toEqual({
      'el-stuck1': 'rolled-back',
      ...Object.fromEntries(GOOD.map((name) => [name, 'not-started'])),
    });
    expect(run.on('deb-web1')).toMatchObject({
      wave: 2,
      fault: { kind: 'budget', message: 'not begun: el-stuck1 failed, and --max-fail is 0' },
    });
    expect(await dumps(GOOD)).toEqual(before);
    const shown = JSON.parse((await alice.run('runs', 'show', 'last', '-o', 'json')).stdout);
    expect(shown.totals).toEqual({ 'rolled-back': 1, 'not-started': 4 });
  });

  it('whose canary is refused stops too, with nothing changed, and exits 4', async () => {
    const run = await person().run('mask', 'cron', ...on(['el-local1', ...GOOD]), '--waves', '1,100%');
    expect(run.code).toBe(4);
    expect(run.report.totals).toEqual({ refused: 1, 'not-started': 4 });
  });

  it('whose canary cannot be reached stops, unless --max-unreachable allows that', async () => {
    const waves = ['--waves', '1,100%'];
    const on2 = on(['arch-down1', 'deb-web1']);
    for (const flags of [[], ['--max-fail', '5'], ['--max-unreachable', '0']]) {
      const stopped = await person().run('mask', 'cron', ...on2, ...waves, ...flags);
      expect(stopped.code).toBe(4);
      expect(ends(stopped)).toEqual({ 'arch-down1': 'unreachable', 'deb-web1': 'not-started' });
      expect(stopped.on('deb-web1').fault?.hint).toMatch(/--max-unreachable|failed/);
    }
    const went = await person().run('mask', 'cron', ...on2, ...waves, '--max-unreachable', '1');
    expect(ends(went)).toEqual({ 'arch-down1': 'unreachable', 'deb-web1': 'masked' });
  });

  it('goes on past failures within --max-fail, and without waves and budget nothing stops it', async () => {
    const hosts = ['el-local1', 'el-stuck1', 'deb-web1', 'deb-db1'];
    const alice = person();
    const within = await alice.run('mask', 'cron', ...on(hosts), '--waves', '1', '--max-fail', '50%');
    expect(within.report.totals).toEqual({ refused: 1, 'rolled-back': 1, masked: 2 });
    await alice.run('rollback', 'last', '-y', '--known-hosts', fleet.knownHostsPath);
    const spent = await person().run('mask', 'cron', ...on(hosts), '-f', '1', '--max-fail', '1');
    expect(spent.report.totals).toEqual({ refused: 1, 'rolled-back': 1, 'not-started': 2 });
    const unlimited = await person().run('mask', 'cron', ...on(hosts), '-f', '1');
    expect(unlimited.report.totals).toEqual({ refused: 1, 'rolled-back': 1, masked: 2 });
  });

  it('tells of each wave on a terminal, and in the stream of events anywhere', async () => {
    const said: string[] = [];
    const terminal = {
      isTTY: true,
      lost: null,
      settled: async () => {},
      columns: 100,
      write: (text: string) => void said.push(text),
    };
    await person({ stderr: terminal, env: { NO_COLOR: '1' } }).run(
      'mask',
      'cron',
      ...on(['deb-web1', 'el-stuck1']),
      '--waves',
      '1',
    );
    expect(said.join('')).toContain('\r\u001b[Kwave 1/2, 1 host: 1 masked\n');
    expect(said.join('')).toContain('wave 2/2, 1 host: 1 rolled-back: el-stuck1\n');
    const words = on(['deb-web1', 'deb-db1']).map((word) => (word === 'json' ? 'ndjson' : word));
    const { stdout, stderr } = await person().run('mask', 'cron', ...words, '--waves', '1');
    const types = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).type)
      .filter((type) => type !== 'host-step');
    const wave = ['host-settled', 'wave-finished'];
    expect(types).toEqual(['run-started', ...wave, ...wave, 'run-finished']);
    expect(stderr).toBe('');
  });
});

describe('--rollback fleet', () => {
  const fleetwide = (hosts: readonly string[], ...more: string[]) => [...on(hosts), '--rollback', 'fleet', ...more];

  it('puts every changed host back exactly, the newest wave first, and exits 5', async () => {
    const hosts = ['deb-web1', 'el-app1', 'deb-db1', 'el-masked1', 'el-stuck1', 'arch-ci1'];
    const before = await dumps(hosts);
    const alice = person();
    const run = await alice.run('mask', 'cron', ...fleetwide(hosts, '--waves', '1,2,50%'));
    expect(run.code).toBe(5);
    expect(ends(run)).toEqual({
      'deb-web1': 'rolled-back',
      'el-app1': 'rolled-back',
      'deb-db1': 'rolled-back',
      'el-masked1': 'unchanged',
      'el-stuck1': 'rolled-back',
      'arch-ci1': 'rolled-back',
    });
    expect(await dumps(hosts)).toEqual(before);
    expect(run.on('el-stuck1').fault?.kind).toBe('still-running');
    expect(run.on('deb-web1')).toMatchObject({
      wave: 1,
      fault: { kind: 'fleet-rollback', message: 'put back: el-stuck1 failed, and --max-fail is 0' },
      units: [{ before: { load: 'loaded', active: 'active' }, after: { load: 'loaded', active: 'active' } }],
    });
    const records = recordsOf(alice);
    const from = records.findIndex(({ type }) => type === 'rollback');
    expect(records[from]).toMatchObject({ hosts: ['deb-web1', 'el-app1', 'deb-db1', 'arch-ci1'] });
    const undone = records.slice(from).flatMap((record) => (record.type === 'intent' ? [record.host] : []));
    expect(undone[0]).toBe('arch-ci1');
    expect(undone.slice(1, 3).sort()).toEqual(['deb-db1', 'el-app1']);
    expect(undone.slice(3)).toEqual(['deb-web1']);
    const states = [...stateOfRun(records).hosts.values()].map(({ kind }) => kind);
    expect(states).toEqual(['restored', 'restored', 'restored', 'untouched', 'restored', 'restored']);
    const again = await alice.run('rollback', 'last', '-y');
    expect(again.stderr).toContain('nothing to put back');
  });

  it('is begun by the first change that fails where no budget was named, not by a refusal', async () => {
    const refused = await person().run('mask', 'cron', ...fleetwide(['el-local1', 'deb-web1'], '-f', '1'));
    expect(ends(refused)).toEqual({ 'el-local1': 'refused', 'deb-web1': 'masked' });
    const hosts = ['deb-db1', 'el-stuck1', 'el-app1'];
    const alice = person();
    const failed = await alice.run('mask', 'cron', ...fleetwide(hosts, '-f', '1'));
    expect(failed.code).toBe(5);
    expect(ends(failed)).toEqual({ 'deb-db1': 'rolled-back', 'el-stuck1': 'rolled-back', 'el-app1': 'not-started' });
    expect(failed.on('deb-db1').fault?.message).toBe('put back: el-stuck1 failed');
    const shown = JSON.parse((await alice.run('runs', 'show', 'last', '-o', 'json')).stdout);
    expect(shown.totals).toEqual({ 'rolled-back': 2, 'not-started': 1 });
    expect([masked('deb-db1'), masked('el-stuck1'), masked('el-app1')]).toEqual([false, false, false]);
  });

  it('waits for the budget where one was named', async () => {
    const run = await person().run('mask', 'cron', ...fleetwide(['deb-db1', 'el-stuck1'], '--max-fail', '1'));
    expect(ends(run)).toEqual({ 'deb-db1': 'masked', 'el-stuck1': 'rolled-back' });
  });

  it('calls a host that cannot be put back stranded, exits 6, and a later rollback puts it back', async () => {
    const uid = join(dirOf('deb-web1'), 'sim/uid');
    let said = '';
    const alice = person({
      stderr: {
        isTTY: true,
        lost: null,
        settled: async () => {},
        columns: 100,
        write: (text) => {
          said += text;
          // from now on nobody is root there
          if (text.includes('wave 1/2')) writeFileSync(uid, '1000\n');
        },
      },
    });
    const run = await alice.run('mask', 'cron', ...fleetwide(['deb-web1', 'el-stuck1'], '--waves', '1'));
    rmSync(uid);
    expect(said).toContain('1 host to be put back: el-stuck1 failed, and --max-fail is 0');
    expect(run.code).toBe(6);
    expect(run.on('deb-web1')).toMatchObject({
      outcome: 'stranded',
      fault: { kind: 'lost', message: expect.stringMatching(/^put back: el-stuck1 failed.*no root privilege/) },
      units: [{ after: { load: 'masked' } }],
    });
    expect(masked('deb-web1')).toBe(true);
    const back = await alice.run('rollback', 'last', '-y', '--known-hosts', fleet.knownHostsPath, '-o', 'json');
    expect(back).toMatchObject({ code: 0 });
    expect(masked('deb-web1')).toBe(false);
  });

  it('that is cut short at any record is told as it was', async () => {
    const hosts = ['deb-web1', 'el-app1', 'el-stuck1'];
    const alice = person();
    await alice.run('mask', 'cron', ...fleetwide(hosts, '--waves', '1'));
    const whole = recordsOf(alice);
    for (let length = 1; length <= whole.length; length++) {
      const records = whole.slice(0, length);
      for (const host of hosts) {
        const own = records.filter((record) =>
          record.type === 'intent' ? record.host === host : record.type === 'settled' && record.report.host === host,
        );
        const last = own.at(-1);
        const told = stateOfRun(records).hosts.get(host)?.kind;
        if (last === undefined) expect(told).toBe('untouched');
        else if (last.type === 'intent') expect(told).toBe('in-doubt');
        else if (last.type === 'settled') expect(told).toBe(last.report.outcome === 'masked' ? 'changed' : 'restored');
      }
    }
  });

  it.each([
    ['once the host that is too much is on record', [], 5, { 'rolled-back': 2, refused: 1 }],
    ['also of hosts that were in flight then', ['el-app1'], 5, { 'rolled-back': 2, refused: 1 }],
    ['and not before', ['el-local1'], 4, { masked: 2, 'not-started': 1 }],
  ] as const)('that is killed before it begins is carried out by `recover`, %s', async (_, lost, code, totals) => {
    const hosts = ['deb-web1', 'el-app1', 'el-local1'];
    const alice = person();
    const run = await alice.run('mask', 'cron', ...fleetwide(hosts, '-f', '1', '--max-fail', '1'));
    expect(run.report.totals).toEqual({ masked: 2, refused: 1 });
    const kept = recordsOf(alice).flatMap((record): JournalRecord[] => {
      if (record.type === 'run') return [{ ...record, fleetRollback: { maxFail: { kind: 'hosts', count: 0 } } }];
      const isLost = record.type === 'settled' && lost.some((host) => host === record.report.host);
      return isLost || record.type === 'finished' || record.type === 'closed' ? [] : [record];
    });
    expect(recordsOf(alice)[0]).toMatchObject({ fleetRollback: { maxFail: { kind: 'hosts', count: 1 } } });
    const file = join(alice.stateDir, 'runs', `${run.report.run.id}.ndjson`);
    writeFileSync(file, kept.map((record) => `${JSON.stringify(record)}\n`).join(''));
    const known = ['-y', '-o', 'json', '--known-hosts', fleet.knownHostsPath];
    const { stdout } = await alice.run('runs', 'show', 'last');
    if (code === 5) expect(stdout).toContain('every host goes back (--rollback fleet): el-local1 failed');
    // one at a time, which ends nothing for the others
    await alice.run('recover', 'last', ...known, '-l', 'el-app1');
    const back = await alice.run('recover', 'last', ...known);
    expect([back.code, back.report.totals]).toEqual([code, totals]);
    if (code === 4) return;
    expect(back.stderr).toContain('goes back (--rollback fleet): el-local1 failed, and --max-fail is 0');
    expect(back.on('deb-web1').fault).toMatchObject({
      kind: 'fleet-rollback',
      message: 'put back: el-local1 failed, and --max-fail is 0',
    });
    expect([masked('deb-web1'), masked('el-app1')]).toEqual([false, false]);
  });

  it.each([
    [0, 'rollback', 0],
    [1, 'recover', 5],
    [2, 'rollback', 0],
  ] as const)('that is killed with %i hosts put back is finished by `%s`', async (settled, command, code) => {
    const hosts = ['deb-web1', 'el-app1', 'deb-db1', 'el-stuck1'];
    const before = await dumps(hosts);
    const alice = person();
    const main = join(import.meta.dirname, '../../src/main.ts');
    const start = `import(${JSON.stringify(main)}).then(({ main }) => main())`;
    const words = ['mask', 'cron', ...fleetwide(hosts, '--waves', '1')];
    const child = spawn(process.execPath, ['--import', 'tsx', '-e', start, '--', 'fleetmask', ...words], {
      env: { ...process.env, FLEETMASK_STATE_DIR: alice.stateDir, HOME: alice.home },
      stdio: 'ignore',
    });
    const ended = once(child, 'close');
    const reached = () => {
      const records = recordsOf(alice);
      const from = records.findIndex(({ type }) => type === 'rollback');
      return from >= 0 && records.slice(from).filter(({ type }) => type === 'settled').length >= settled;
    };
    await expect.poll(reached, { interval: 5 }).toBe(true);
    child.kill('SIGKILL');
    await ended;
    const back = await alice.run(command, 'last', '-y', '--known-hosts', fleet.knownHostsPath, '-o', 'json');
    expect(back.code, back.stderr).toBe(code);
    expect(await dumps(hosts)).toEqual(before);
    const states = [...stateOfRun(recordsOf(alice)).hosts.values()].map(({ kind }) => kind);
    expect(states).toEqual(hosts.map(() => 'restored'));
  });
});

describe('an interrupt', () => {
  /** Presses Ctrl-C when the first host is masked, and answers the question. */
  function interrupting(answer: string | undefined) {
    const asked: string[] = [];
    let press: (count: number) => void = () => {};
    let stdout = '';
    const each = person({
      onInterrupt: (handler) => {
        press = handler;
        return () => {};
      },
      stdout: {
        isTTY: false,
        lost: null,
        settled: async () => {},
        columns: undefined,
        write: (text) => {
          stdout += text;
          if (text.includes('"host-settled"') && text.includes('"masked"')) press(1);
        },
      },
      prompt: async (question) => {
        asked.push(question);
        return answer;
      },
    });
    const words = on(['deb-web1', 'deb-db1', 'el-app1']).map((word) => (word === 'json' ? 'ndjson' : word));
    const run = async () => {
      const { code, stderr } = await each.run('mask', 'cron', ...words, '--waves', '1');
      const { report } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
      return { code, stderr, asked, ends: ends({ report } as Run), id: report.run.id };
    };
    return { each, run };
  }

  it('offers to put back what was changed, and does it when told to', async () => {
    const { code, asked, ends } = await interrupting('y').run();
    expect(asked).toEqual(['1 host was changed: deb-web1. Put it back? [y/N] ']);
    expect(code).toBe(130);
    expect(ends).toEqual({ 'deb-web1': 'rolled-back', 'deb-db1': 'not-started', 'el-app1': 'not-started' });
    expect(masked('deb-web1')).toBe(false);
  });

  it('leaves it where that is refused or nobody is there, and prints the command that puts it back', async () => {
    for (const answer of ['', 'n', undefined]) {
      const { each, run } = interrupting(answer);
      const { code, stderr, ends, id } = await run();
      expect(code).toBe(130);
      expect(ends['deb-web1']).toBe('masked');
      expect(masked('deb-web1')).toBe(true);
      expect(stderr).toContain('interrupted: 1 host was changed and stays so: deb-web1');
      expect(stderr).toContain(`hint: fleetmask rollback ${id} puts it back.`);
      const back = await each.run('rollback', id, '-y', '--known-hosts', fleet.knownHostsPath);
      expect(back.code).toBe(0);
      expect(masked('deb-web1')).toBe(false);
    }
  });

  it('twice stops at once, names the hosts in doubt, and prints the commands for them', async () => {
    let press: (count: number) => void = () => {};
    let stop: (code: number) => void = () => {};
    const said: string[] = [];
    const stopped = new Promise<number>((resolve) => {
      stop = resolve;
    });
    const alice = person({
      onInterrupt: (handler) => {
        press = handler;
        return () => {};
      },
      stderr: {
        isTTY: false,
        lost: null,
        settled: async () => {},
        columns: undefined,
        write: (text) => void said.push(text),
      },
      // the real one ends the process
      abort: ((code: number) => stop(code)) as never,
    });
    const running = alice.run('mask', 'cron', ...on(['el-stuck1', 'deb-web1']), '-f', '1');
    const announced = () => recordsOf(alice).some(({ type }) => type === 'intent');
    await expect.poll(announced).toBe(true);
    press(1);
    press(2);
    expect(await stopped).toBe(130);
    const id = (recordsOf(alice)[0] as Extract<JournalRecord, { type: 'run' }>).run.id;
    expect(said.join('')).toContain('stopped at once; in doubt, they may have been changed: el-stuck1\n');
    expect(said.join('')).toContain(`hint: fleetmask recover ${id} settles them.`);
    expect(said.join('')).toContain(`fleetmask rollback ${id} puts back every host`);
    await running;
  });
});

describe('what cannot be meant', () => {
  const wrong: readonly (readonly [flags: string, says: RegExp])[] = [
    ['--waves 0', /--waves: a wave of no hosts/],
    ['--waves -1', /--waves|argument/],
    ['--waves 101%', /--waves: not a number of hosts: "101%"/],
    ['--waves 1,,2', /--waves: a size is missing/],
    ['--waves=', /--waves/],
    ['--max-fail -1', /max-fail/],
    ['--max-fail 101%', /--max-fail: not a number of hosts/],
    ['--max-fail few', /--max-fail: not a number of hosts/],
    ['--max-unreachable 1.5', /--max-unreachable: not a number of hosts/],
    ['--rollback all', /rollback|Invalid/],
  ];
  it.each(wrong)('%s is exit 2 with a hint, and touches nothing', async (flags, says) => {
    for (const also of [[], ['--check']]) {
      const alice = person();
      const { code, stdout, stderr } = await alice.run(
        'mask',
        'cron',
        ...on(['deb-web1']),
        ...flags.split(' '),
        ...also,
      );
      expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(says);
      expect(stderr).toMatch(/hint: /);
      expect(existsSync(alice.stateDir)).toBe(false);
    }
  });
});
