/** Hosts on which a mask cannot or need not do what was asked: they say why, and nothing on them is touched. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, reloadMark, unit } from './inside.ts';
import type { LabHost } from './lab.ts';
import { leavesAlone } from './situation.ts';

const reload = 'systemctl daemon-reload;';

describeLab('a host is left alone', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
    await Promise.all(hosts.map(reloadMark));
  });
  afterAll(() => operator.forget());

  it('when the unit file is the administrator’s, or a link of theirs', async () => {
    await leavesAlone(
      operator,
      hosts,
      {
        given: `${unit('own.service', daemon(), '/etc/systemd/system')} ${reload} systemctl start own`,
        ask: 'mask own --now',
        compared: ['own.service'],
      },
      'local-unit',
    );
    await leavesAlone(
      operator,
      hosts,
      {
        given: `${unit('linked.service', daemon(), '/opt')} systemctl link -q /opt/linked.service; systemctl start linked`,
        ask: 'mask linked --now',
        compared: ['linked.service'],
      },
      'local-unit',
    );
  });

  it('when a unit runs under a mask and has no file beneath, so that it could not be started again', async () => {
    const file = '/usr/lib/systemd/system/groundless.service';
    const run = await leavesAlone(
      operator,
      hosts,
      {
        given: `${unit('groundless.service', daemon())} ${reload} systemctl start groundless
          ln -s /dev/null /etc/systemd/system/groundless.service; rm ${file}; ${reload}`,
        ask: 'mask groundless --now',
        compared: ['groundless.service'],
      },
      'not-reloaded',
    );
    expect(run.on(hosts[0]!).fault?.message).toContain('runs under a mask, and no unit file of it lies beneath');
  });

  it('when --runtime would be outranked by a file of the same rank or higher', async () => {
    for (const [name, dir] of [
      ['rank-etc.service', '/etc/systemd/system'],
      ['rank-run.service', '/run/systemd/system'],
    ] as const) {
      await leavesAlone(
        operator,
        hosts,
        { given: `${unit(name, daemon(), dir)} ${reload}`, ask: `mask ${name} --runtime`, compared: [name] },
        'local-unit',
      );
    }
  });

  it('when one of several units cannot be masked: the others are not masked either', async () => {
    await leavesAlone(
      operator,
      hosts,
      {
        given: `${unit('fine.service', daemon())} ${unit('mine.service', daemon(), '/etc/systemd/system')} ${reload} systemctl start fine`,
        ask: 'mask fine mine --now',
        compared: ['fine.service', 'mine.service'],
      },
      'local-unit',
    );
  });

  it('when a mask has no effect: transient units, and what outranks /etc', async () => {
    await leavesAlone(
      operator,
      hosts,
      {
        given: 'systemctl is-active -q passing || systemd-run -q --unit=passing sleep infinity',
        ask: 'mask passing --now',
        compared: ['passing.service'],
      },
      'ineffective',
    );
    for (const dir of ['/run/systemd/system.control', '/etc/systemd/system.control', '/run/systemd/transient']) {
      const name = `above-${dir.replace(/\W+/g, '-').slice(1)}.service`;
      await leavesAlone(
        operator,
        hosts,
        {
          given: `${unit(name, daemon(), dir)} ${reload} systemctl start ${name}`,
          ask: `mask ${name}`,
          compared: [name],
        },
        'ineffective',
      );
    }
  });

  it('when --now would be refused by the unit itself', async () => {
    await leavesAlone(
      operator,
      hosts,
      {
        given: `${unit('stubborn.service', `[Unit]\nRefuseManualStop=yes\n${daemon()}`)} ${reload} systemctl start stubborn`,
        ask: 'mask stubborn --now',
        compared: ['stubborn.service'],
      },
      'stop-refused',
    );
  });

  it('when there is no such unit', async () => {
    const run = await leavesAlone(
      operator,
      hosts,
      { given: ':', ask: 'mask no-such-thing --now', compared: ['no-such-thing.service'] },
      'no-unit',
    );
    expect(run.on(hosts[0]!).fault?.hint).toMatch('--allow-absent');
  });

  it('when the host needs the unit to boot or to be reached at all', async () => {
    for (const name of [
      'dbus.socket',
      'systemd-journald.service',
      'init.scope',
      'user@1000.service',
      'multi-user.target',
    ]) {
      await leavesAlone(operator, hosts, { given: ':', ask: `mask ${name}`, compared: [name] }, 'protected');
    }
  });

  it('when it is as asked: masked in /etc, by a vendor’s empty file, or until the boot', async () => {
    const link = 'ln -sf /dev/null';
    await leavesAlone(
      operator,
      hosts,
      {
        given: `${unit('done.service', daemon())} ${link} /etc/systemd/system/done.service; : >/usr/lib/systemd/system/void.service; ${reload}`,
        ask: 'mask done void --now',
        compared: ['done.service', 'void.service'],
      },
      'unchanged',
    );
    await leavesAlone(
      operator,
      hosts,
      {
        given: `${unit('brief.service', daemon())} ${link} /run/systemd/system/brief.service; ${reload}`,
        ask: 'mask brief --runtime --now',
        compared: ['brief.service'],
      },
      'unchanged',
    );
  });

  it('when it is to be unmasked and is not masked, or by something that no unmask removes', async () => {
    await leavesAlone(
      operator,
      hosts,
      { given: `${unit('bare.service', daemon())} ${reload}`, ask: 'unmask bare', compared: ['bare.service'] },
      'unchanged',
    );
    await leavesAlone(
      operator,
      hosts,
      { given: `: >/usr/lib/systemd/system/void.service; ${reload}`, ask: 'unmask void', compared: ['void.service'] },
      'masked-elsewhere',
    );
    // systemctl unmask would delete this file
    await leavesAlone(
      operator,
      hosts,
      { given: `: >/etc/systemd/system/blank.service; ${reload}`, ask: 'unmask blank', compared: ['blank.service'] },
      'masked-elsewhere',
    );
  });

  it('by plan and by status, whatever they find', async () => {
    const given = `${unit('looked.service', daemon())} ${reload} systemctl start looked`;
    for (const [ask, exit, outcome] of [
      ['plan mask looked --now', 3, 'planned'],
      ['mask looked --now --check', 3, 'planned'],
      ['status looked', 3, 'not-masked'],
      ['status looked --expect unmasked', 0, 'not-masked'],
    ] as const) {
      await Promise.all(hosts.map((host) => host.exec(given)));
      const before = await Promise.all(
        hosts.map(async (host) => [await host.dumpUnit('looked.service'), await reloadMark(host)]),
      );
      const run = await operator.do(ask, hosts);
      expect([run.exitCode, ...run.report.hosts.map((host) => host.outcome)], ask).toEqual([
        exit,
        ...hosts.map(() => outcome),
      ]);
      const after = await Promise.all(
        hosts.map(async (host) => [await host.dumpUnit('looked.service'), await reloadMark(host)]),
      );
      expect(after.map(([dump]) => dump)).toEqual(before.map(([dump]) => dump));
    }
  });
});
