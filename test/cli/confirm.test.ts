/** Changes that must be confirmed, or that expire, as an operator meets them. Timers do not elapse here: a test fires them. */

import { spawn } from 'node:child_process';
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { environmentOf } from '../../src/demo/image.ts';
import { run as command } from '../contract/systemd-under-test.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet, operatorsOn } from '../embedded.ts';

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
const dumps = () => Promise.all(NAMES.map((name) => dump(dirOf(name))));
const switchesOn = (name: string) =>
  readdirSync(join(dirOf(name), 'etc/systemd/system')).filter((file) => file.startsWith('fleetmask-undo-'));

async function onHost(name: string, script: string): Promise<void> {
  const env = environmentOf(dirOf(name), process.env.PATH ?? '');
  const shell = (text: string) => spawn('/bin/sh', ['-c', text], { cwd: '/', env });
  const done = await command({ version: 0, reset: async () => {}, shell }, script);
  expect(done.code, done.output).toBe(0);
}

/** What the timer of a run would do. */
const fire = (name: string, run: string) =>
  onHost(name, `exec sh "$FLEETMASK_ROOT/var/lib/fleetmask/${run}/program" root`);

describe('--confirm-within', () => {
  it('says until when and how, in JSON and in the table', async () => {
    const alice = person();
    const run = await alice.run('mask', 'cron', '--now', '-y', '--confirm-within', '5m', ...fleetwide());
    expect(run.code, run.stderr).toBe(0);
    const { id } = run.report.run;
    expect(run.report).toMatchObject({ confirm: `fleetmask confirm ${id}`, run: { confirmWithin: 300 } });
    for (const { confirmBy } of run.report.hosts) expect(confirmBy).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const { stdout } = await alice.run('runs', 'show', 'last');
    expect(stdout.replace(/\s+/g, ' ')).toMatch(`unless confirmed: fleetmask confirm ${id}`);
    expect(stdout).toMatch(/in 4 min \d+ s/);
  });

  it('comes to nothing where somebody deleted the timer, which whoever masks the same is told', async () => {
    const { report } = await person().run('mask', 'cron', '--now', '-y', '--confirm-within', '5m', ...fleetwide());
    const timer = `fleetmask-undo-${report.run.id}.timer`;
    await onHost(
      'el-app1',
      `systemctl stop ${timer}; rm "$FLEETMASK_ROOT"/etc/systemd/system/${timer}; systemctl daemon-reload`,
    );
    const again = await person().run('mask', 'cron', '-y', ...fleetwide());
    const notes = (name: string) => again.on(name).units[0]!.notes.join();
    expect(notes('deb-web1')).not.toMatch(/no timer/);
    expect(notes('el-app1')).toMatch(/, which was to take it back and has no timer that does/);
  });

  it('is told of by status, doctor and confirm where the host cannot read its terms, and is not confirmed there', async () => {
    const alice = person();
    const { report } = await alice.run('mask', 'cron', '--now', '-y', '--confirm-within', '5m', ...fleetwide());
    const receipt = `"$FLEETMASK_ROOT"/var/lib/fleetmask/${report.run.id}`;
    await onHost('deb-web1', `: >${receipt}/log`);
    await onHost('el-app1', `mv ${receipt} "$FLEETMASK_ROOT"/root-receipt`);
    const status = await alice.run('status', 'cron', ...fleetwide());
    const doctor = await alice.run('doctor', ...fleetwide());
    const confirmed = await alice.run('confirm', 'last', ...ways());
    expect([confirmed.code, confirmed.report.totals]).toEqual([6, { stranded: 2 }]);
    for (const name of NAMES) {
      const says = `the host cannot read the record of run ${report.run.id}`;
      const here = name === 'deb-web1' ? says : 'the host has no receipt of this run any more';
      expect(status.on(name).units[0]!.notes.join()).toContain(says);
      expect(doctor.stdout).toContain(says);
      expect(confirmed.on(name).fault?.message).toContain(here);
      expect(switchesOn(name)).not.toEqual([]);
    }
    await onHost('el-app1', `mv "$FLEETMASK_ROOT"/root-receipt ${receipt}`);
    for (const name of NAMES)
      await onHost(
        name,
        `cd "$FLEETMASK_ROOT"/etc/systemd/system; rm -rf fleetmask-undo-* timers.target.wants cron*.service ${receipt}; systemctl daemon-reload; systemctl start cron crond 2>/dev/null || :`,
      );
  });

  it('is not confirmed on hosts that were being put back when fleetmask was killed', async () => {
    const alice = person();
    const run = await alice.run('mask', 'cron', '--now', '-y', '--confirm-within', '5m', ...fleetwide());
    const journal = join(alice.stateDir, 'runs', `${run.report.run.id}.ndjson`);
    appendFileSync(journal, `${JSON.stringify({ type: 'rollback', at: '', actor: 'alice', hosts: NAMES })}\n`);
    const late = await alice.run('confirm', 'last', ...ways());
    expect([late.code, late.report.totals]).toEqual([4, { refused: 2 }]);
    expect(late.on('el-app1').fault?.message).toContain(
      'the run was to put this host back; the host is left to its switch',
    );
    for (const name of NAMES) expect(switchesOn(name)).not.toEqual([]);
  });

  it.each([
    [
      ['--expires', '2h'],
      ['extend', '--expires', '3h'],
    ],
    [['--expires', '2h'], ['release']],
  ])(
    '%j is decided about (%j) on a machine that knows the run by its receipts alone, too',
    async (terms, [verb, ...how]) => {
      const { report } = await person().run('mask', 'cron', '--now', '-y', ...terms, ...fleetwide());
      const elsewhere = person();
      const known = await elsewhere.run('recover', report.run.id, '--from-hosts', '-y', ...fleetwide());
      expect([known.code, known.report.totals], known.stderr).toEqual([0, { masked: 2 }]);
      const decided = await elsewhere.run(verb!, report.run.id, ...how, ...ways());
      expect([decided.code, decided.report.totals], decided.stderr).toEqual([0, { masked: 2 }]);
      for (const name of NAMES) expect(switchesOn(name).length > 0).toBe(verb === 'extend');
      await elsewhere.run('rollback', report.run.id, '-y', ...ways());
    },
  );

  it('is confirmed once; what was confirmed can be rolled back', async () => {
    const before = await dumps();
    const alice = person();
    await alice.run('mask', 'cron', '--now', '-y', '--confirm-within', '5m', ...fleetwide());
    const confirmed = await alice.run('confirm', 'last', ...ways());
    expect([confirmed.code, confirmed.report.totals, confirmed.report.confirm]).toEqual([0, { masked: 2 }, undefined]);
    for (const name of NAMES) expect(switchesOn(name)).toEqual([]);
    const again = await alice.run('confirm', 'last', ...ways());
    expect([again.code, again.report.hosts]).toEqual([0, []]);
    expect(again.stderr).toMatch('nothing to confirm');
    expect((await alice.run('rollback', 'last', '-y', ...ways())).code).toBe(0);
    expect(await dumps()).toEqual(before);
  });

  it('tells hosts that came back by themselves from those that stay', async () => {
    const alice = person();
    const { id } = (await alice.run('mask', 'cron', '--now', '-y', '--confirm-within', '5m', ...fleetwide())).report
      .run;
    await fire('deb-web1', id);
    const late = await alice.run('confirm', id, ...ways());
    expect(late.code).toBe(5);
    expect(late.on('deb-web1')).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'unconfirmed' } });
    expect(late.on('el-app1').outcome).toBe('masked');
    // and knows it from then on
    expect((await alice.run('rollback', id, '-y', ...ways())).report.hosts.map(({ host }) => host)).toEqual([
      'el-app1',
    ]);
  });

  it('of a host that cannot be reached says when it comes back, and asks it again next time', async () => {
    const alice = person();
    await alice.run('mask', 'cron', '--now', '-y', '--confirm-within', '5m', ...fleetwide());
    const away = ['-l', 'el-app1', '--port', '1', '--host-timeout', '2s'];
    const astray = await alice.run('confirm', 'last', ...away, ...ways());
    expect(astray.code).toBe(4);
    expect(astray.on('el-app1').fault?.message).toMatch(/; its automatic rollback is at 20\S+ unless it is confirmed$/);
    const confirmed = await alice.run('confirm', 'last', ...ways());
    expect(confirmed.report.totals).toEqual({ masked: 2 });
  });

  it('asks the person at the terminal, and a no leaves the hosts to themselves', async () => {
    for (const answer of ['y', 'n']) {
      const asked: string[] = [];
      const alice = person({
        prompt: async (question) => {
          asked.push(question);
          return asked.length === 1 ? 'y' : answer;
        },
      });
      const args = fleetwide().filter((word) => word !== '-o' && word !== 'json');
      expect((await alice.run('mask', 'cron', '--now', '--confirm-within', '5m', ...args)).code).toBe(0);
      expect(asked[1]).toMatch(/^Keep the change on 2 hosts\? If not, automatic rollback (at|from) 20.*\[y\/N\] $/);
      expect(NAMES.map((name) => switchesOn(name).length)).toEqual(answer === 'y' ? [0, 0] : [3, 3]);
      await alice.run('rollback', 'last', '-y', ...ways());
    }
  });

  it('is refused where a run awaits none, and as anything but a duration', async () => {
    const alice = person();
    await alice.run('mask', 'cron', '-y', ...fleetwide());
    const pointless = await alice.run('confirm', 'last', ...ways());
    expect([pointless.code, pointless.stderr]).toEqual([2, expect.stringMatching('awaits no confirmation')]);
    const wrong = await alice.run('mask', 'cron', '-y', '--confirm-within', 'soon', ...fleetwide());
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching('not a duration')]);
  });
});

describe('a host whose receipt is gone', () => {
  const receiptOf = (run: string) => `"$FLEETMASK_ROOT"/var/lib/fleetmask/${run}`;
  /** The timer that a lost receipt leaves behind. */
  const sweep = (run: string) => {
    const files = ['.service', '.timer', '-boot.service'].map(
      (kind) => `"$FLEETMASK_ROOT"/etc/systemd/system/fleetmask-undo-${run}${kind}`,
    );
    return onHost('el-app1', `systemctl stop fleetmask-undo-${run}.timer || :; rm -f ${files.join(' ')}`);
  };
  const masked = async (...terms: string[]) => {
    const alice = person();
    const { id } = (await alice.run('mask', 'cron', '--now', '-y', ...terms, ...fleetwide())).report.run;
    return { alice, id };
  };

  it.each([
    [['--confirm-within', '5m'], ['confirm']],
    [
      ['--expires', '2h'],
      ['extend', '--expires', '3h'],
    ],
    [['--expires', '2h'], ['release']],
  ])(
    'and that is masked is not called rolled back (%j, %j), nor forgotten by rollback',
    async (terms, [verb, ...how]) => {
      const { alice, id } = await masked(...terms);
      await onHost('el-app1', `mv ${receiptOf(id)} "$FLEETMASK_ROOT"/lost`);
      const late = await alice.run(verb!, id, ...how, ...ways());
      expect([late.code, late.on('deb-web1').outcome, late.on('el-app1').outcome]).toEqual([6, 'masked', 'stranded']);
      expect(late.on('el-app1')).toMatchObject({
        units: [{ after: { load: 'masked' } }],
        fault: {
          kind: 'no-receipt',
          message: expect.stringMatching(/no receipt of this run any more.*crond\.service is masked by \/etc/),
          hint: expect.stringContaining('fleetmask unmask'),
        },
      });
      const back = await alice.run('rollback', id, '-y', ...ways());
      expect([back.code, back.report.totals]).toEqual([6, { restored: 1, stranded: 1 }]);
      expect(back.on('el-app1').fault?.message).toContain('is still there, and the host has no receipt of it');
      await onHost('el-app1', `mv "$FLEETMASK_ROOT"/lost ${receiptOf(id)}`);
      const again = await alice.run('rollback', id, '-y', ...ways());
      expect([again.code, again.report.totals]).toEqual([0, { restored: 1 }]);
    },
  );

  it('and that reads as before the run is rolled back, whoever did it', async () => {
    const { alice, id } = await masked('--confirm-within', '5m');
    const unit = 'crond.service';
    await onHost(
      'el-app1',
      `rm -rf ${receiptOf(id)}; rm "$FLEETMASK_ROOT"/etc/systemd/system/${unit}; systemctl daemon-reload; systemctl start ${unit}`,
    );
    const late = await alice.run('confirm', id, ...ways());
    expect(late.on('el-app1')).toMatchObject({
      outcome: 'rolled-back',
      fault: { message: 'too late: the host is as before the run' },
    });
    await sweep(id);
  });

  it('and whose unit somebody left stopped is not as before', async () => {
    const { alice, id } = await masked('--confirm-within', '5m');
    await onHost(
      'el-app1',
      `rm -rf ${receiptOf(id)}; rm "$FLEETMASK_ROOT"/etc/systemd/system/crond.service; systemctl daemon-reload`,
    );
    const late = await alice.run('confirm', id, ...ways());
    expect(late.on('el-app1')).toMatchObject({
      outcome: 'stranded',
      fault: { message: expect.stringMatching('crond.service was active and is inactive') },
    });
    await sweep(id);
    await onHost('el-app1', 'systemctl start crond.service');
  });

  it('and that somebody masked anew after it had rolled back is told as masked', async () => {
    const { alice, id } = await masked('--confirm-within', '5m');
    await fire('el-app1', id);
    const mask = '"$FLEETMASK_ROOT"/etc/systemd/system/crond.service';
    await onHost('el-app1', `ln -s /dev/null ${mask}; systemctl daemon-reload`);
    const late = await alice.run('confirm', id, ...ways());
    expect(late.on('el-app1')).toMatchObject({
      outcome: 'stranded',
      fault: { message: expect.stringMatching(/is masked by .*; it had rolled back by itself at 20/) },
    });
    await onHost('el-app1', `rm ${mask}; systemctl daemon-reload; systemctl start crond.service`);
  });
});

describe('--expires', () => {
  it('is shown by status, moved by extend, taken away by release', async () => {
    const alice = person();
    const run = await alice.run('mask', 'cron', '--now', '-y', '--expires', '4h', ...fleetwide());
    const expiries = (hosts: typeof run.report.hosts) => hosts.map(({ expiresAt }) => Date.parse(expiresAt ?? ''));
    const [first] = expiries(run.report.hosts);
    const status = await alice.run('status', 'cron', ...fleetwide());
    expect(status.report.hosts.map(({ switchOf }) => switchOf)).toEqual([run.report.run.id, run.report.run.id]);
    for (const time of expiries(status.report.hosts)) expect(Math.abs(time - first!)).toBeLessThan(5_000);
    const extended = await alice.run('extend', 'last', '--expires', '8h', ...ways());
    for (const time of expiries(extended.report.hosts)) expect(Math.round((time - first!) / 3_600_000)).toBe(4);
    const released = await alice.run('release', 'last', ...ways());
    expect(released.report.hosts.map(({ outcome, expiresAt }) => [outcome, expiresAt])).toEqual([
      ['masked', undefined],
      ['masked', undefined],
    ]);
    for (const name of NAMES) expect(switchesOn(name)).toEqual([]);
    expect((await alice.run('extend', 'last', '--expires', '8h', ...ways())).stderr).toMatch('nothing to extend');
  });

  it('is never silent about what was masked before, on which nothing will expire', async () => {
    const alice = person();
    const one = fleetwide().map((word) => (word === NAMES.join(',') ? 'deb-web1' : word));
    await alice.run('mask', 'cron', '--now', '-y', ...one);
    for (const [flags, says] of [
      [['--expires', '2h'], 'nothing will expire here: --expires does not apply to it'],
      [['--confirm-within', '5m'], 'nothing will roll back here: --confirm-within does not apply to it'],
      [['-C', '--expires', '2h'], 'nothing will expire here: --expires does not apply to it'],
    ] as const) {
      const run = await alice.run('mask', 'cron', '--now', '-y', ...flags, ...fleetwide());
      expect(run.on('deb-web1').outcome).toBe('unchanged');
      expect(run.on('deb-web1').units[0]!.notes.join()).toContain(says);
      expect(run.on('el-app1').units[0]!.notes.join()).not.toContain('nothing will');
      const shown = await alice.run('runs', 'show', 'last');
      if (flags[0] !== '-C') expect(shown.stdout.replace(/\s+/g, ' ')).toContain(says);
      if (flags[0] !== '-C') await alice.run('rollback', 'last', '-y', ...ways());
    }
    await alice.run('unmask', 'cron', '-y', ...fleetwide());
  });

  it('of a plain run cannot be extended', async () => {
    const alice = person();
    await alice.run('mask', 'cron', '-y', ...fleetwide());
    expect((await alice.run('extend', 'last', '--expires', '8h', ...ways())).code).toBe(2);
    expect((await alice.run('extend', 'last', ...ways())).stderr).toMatch('until when?');
  });
});
