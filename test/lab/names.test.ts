/** The unit that a name means on each host: what is there decides, and the unit itself is what is masked. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { converse } from '../contract/systemd-under-test.ts';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, dumps, HELD, hold, property, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';
import { overSsh } from './over-ssh.ts';
import { leavesAlone, masksAndPutsBack, outcomes, putsBack } from './situation.ts';

describeLab('a name', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(5);
  });
  afterAll(() => operator.forget());

  const of = (family: string) => hosts.filter(({ kind }) => kind.family === family);

  it('like cron is another unit on each family, and each is masked and put back', async () => {
    const before = await Promise.all(
      hosts.map(async (host) => [host.name, await dumps(host, [host.kind.cron])] as const),
    );
    const run = await operator.do('mask cron --now', hosts);
    expect(outcomes(run)).toEqual(Object.fromEntries(hosts.map(({ name }) => [name, 'masked'])));
    for (const host of hosts) {
      const { os, systemd, units } = run.on(host);
      expect([os?.id, os?.version ?? undefined, systemd]).toEqual([
        host.kind.osRelease.ID,
        host.kind.osRelease.VERSION_ID,
        host.kind.systemd,
      ]);
      expect(units.map((each) => each.unit)).toEqual([host.kind.cron]);
      expect(await hold(host, host.kind.cron)).toBe(HELD);
      const masks = await sh(host, 'find /etc/systemd/system /run/systemd/system -lname /dev/null -name "*cron*"');
      expect(masks).toBe(`/etc/systemd/system/${host.kind.cron}`);
    }
    await putsBack(operator, run, hosts, Object.fromEntries(before));
  });

  it('that is an alias in /etc masks the unit that it stands for', async () => {
    await masksAndPutsBack(operator, of('debian'), {
      given: `${unit('play.service', `${daemon()}\n[Install]\nWantedBy=multi-user.target\nAlias=playd.service`)}
        systemctl enable -q --now play; test -L /etc/systemd/system/playd.service`,
      ask: 'mask playd.service',
      compared: ['play.service'],
      held: [],
      meanwhile: async (host, run) => {
        expect(run.on(host).units[0]?.unit).toBe('play.service');
        expect(await property(host, 'play.service', 'LoadState')).toBe('masked');
        expect(await sh(host, 'readlink /etc/systemd/system/playd.service')).toMatch(/play\.service$/);
      },
    });
  });

  it('that is an alias means its unit also while that is masked, or while only the alias is', async () => {
    const names = ['true-name.service', 'stage-name.service', 'pen-name.service'] as const;
    const [real, vendors, admins] = names;
    const debian = of('debian');
    const all = (outcome: string) => Object.fromEntries(debian.map(({ name }) => [name, outcome]));
    const given = `${unit(real, `${daemon()}\n[Install]\nWantedBy=multi-user.target\nAlias=${admins}`)}
      ln -sf ${real} /usr/lib/systemd/system/${vendors}; systemctl enable -q --now ${real}`;
    await masksAndPutsBack(operator, debian, { given, ask: `mask ${vendors}`, compared: [real], held: [] });

    // masked, and running on: neither name may pass for what is as asked
    expect(outcomes(await operator.do(`mask ${real}`, debian))).toEqual(all('masked'));
    expect((await operator.do(`status ${vendors} ${admins}`, debian)).exitCode).toBe(0);
    expect(outcomes(await operator.do(`mask ${admins}`, debian))).toEqual(all('unchanged'));
    expect(outcomes(await operator.do(`mask ${vendors} --now`, debian))).toEqual(all('masked'));
    for (const host of debian) expect(await hold(host, real)).toBe(HELD);
    expect(outcomes(await operator.do(`unmask ${admins}`, debian))).toEqual(all('unmasked'));
    for (const host of debian) {
      expect(await property(host, real, 'LoadState')).toBe('loaded');
      expect(await property(host, vendors, 'Id')).toBe(real);
    }

    await masksAndPutsBack(operator, debian, {
      given: `systemctl start ${real}; ln -s /dev/null /etc/systemd/system/${vendors}; systemctl daemon-reload`,
      ask: `mask ${vendors} --now`,
      compared: [real],
    });
    expect(outcomes(await operator.do(`unmask ${vendors}`, debian))).toEqual(all('unmasked'));
    for (const host of debian) expect(await property(host, vendors, 'Id')).toBe(real);
  });

  it('with two services of it running is not guessed', async () => {
    const debian13 = of('debian').slice(-1);
    const run = await leavesAlone(
      operator,
      debian13,
      {
        given: `${unit('cronie.service', daemon())} systemctl daemon-reload; systemctl start cronie`,
        ask: 'mask cron --now',
        compared: ['cron.service', 'cronie.service'],
      },
      'ambiguous-unit',
    );
    expect(run.on(debian13[0]!).fault?.message).toMatch(/cron.service or cronie.service/);
    // the one that runs is meant once the other does not
    await masksAndPutsBack(operator, debian13, {
      given: 'systemctl disable -q --now cron',
      ask: 'mask cron --now',
      compared: ['cron.service', 'cronie.service'],
      held: ['cronie.service'],
      // asked again, it is not the other one's turn
      meanwhile: async (host) => {
        expect(outcomes(await operator.do('mask cron --now', [host]))).toEqual({ [host.name]: 'unchanged' });
      },
    });
    await sh(
      debian13[0]!,
      'systemctl stop cronie; rm /usr/lib/systemd/system/cronie.service; systemctl enable -q --now cron',
    );
  });

  it('of several services at once means all that are there', async () => {
    await masksAndPutsBack(operator, of('debian'), {
      given: `${unit('smbd.service', daemon())} ${unit('nmbd.service', daemon())} systemctl daemon-reload; systemctl start smbd nmbd`,
      ask: 'mask samba --now',
      compared: ['smbd.service', 'nmbd.service'],
    });
    await masksAndPutsBack(operator, of('debian'), {
      given: `${unit('postgresql.service', '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true')}
        ${unit('postgresql@.service', `[Unit]\nPartOf=postgresql.service\n${daemon()}`)}
        systemctl daemon-reload; systemctl start postgresql postgresql@15-main postgresql@16-other`,
      ask: 'mask postgresql --now',
      compared: [
        'postgresql.service',
        'postgresql@15-main.service',
        'postgresql@16-other.service',
        'postgresql@17-new.service',
      ],
    });
  });

  it('like ssh ends the sessions of others when asked to end what is left, never the one that asks', async () => {
    const debian = of('debian');
    // without PAM a session stays in the service’s own control group
    await Promise.all(
      debian.map((host) =>
        sh(
          host,
          `echo 'UsePAM no' >/etc/ssh/sshd_config.d/a.conf; systemctl restart ssh
          sleep infinity >/dev/null 2>&1 </dev/null & echo $! >/run/other
          echo $! >/sys/fs/cgroup/system.slice/ssh.service/cgroup.procs`,
        ),
      ),
    );
    // no command masks a session's own service without a way back; the program could
    const words = ['run=own', 'where=etc', 'stop-timeout=30', 'meta=-', 'read=ssh.service'];
    const mask = [
      'link=/etc/systemd/system/ssh.service',
      'stop=ssh.service',
      'group=/system.slice/ssh.service',
      'kill=yes',
    ];
    for (const host of debian) {
      const [, masked, undone] = await converse(
        overSsh(lab, host),
        ['ssh.service'],
        ['apply', ...words, ...mask, 'try=ssh.service'],
        async () => expect((await host.exec('kill -0 $(cat /run/other)')).code).not.toBe(0),
        ['undo', ...words, 'start=ssh.service'],
      );
      expect(masked?.steps).toMatchObject({ stop: '0', 'try:ssh.service': '1' });
      expect(masked?.rest.find((record) => record.startsWith('left '))).toMatch(/^left ([1-9]\d*) \1 /);
      expect(undone?.steps).toMatchObject({ start: '0' });
      await sh(host, 'rm /etc/ssh/sshd_config.d/a.conf; systemctl restart ssh');
    }
  });
});
