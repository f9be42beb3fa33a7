/** Hosts in trouble: each gets a clear fault in bounded time, is left as it was, and the others do not notice. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, dumps, HELD, hold, letGo, property, sh, stopping, unit, waiting } from './inside.ts';
import type { LabHost } from './lab.ts';
import { leavesAlone, masksAndPutsBack } from './situation.ts';

const given = (name: string) => `${unit(`${name}.service`, daemon())} systemctl daemon-reload; systemctl start ${name}`;

describeLab('a host', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
  });
  afterAll(() => operator.forget());

  it('with a read-only or immutable unit directory is not touched', async () => {
    const dir = '/etc/systemd/system';
    const readonly = `mount --bind ${dir} ${dir}; mount -o remount,bind,ro ${dir}`;
    const able = await Promise.all(hosts.map((host) => host.exec('command -v chattr')));
    for (const [lock, unlock, on] of [
      [readonly, `umount ${dir}`, hosts],
      [`chattr +i ${dir}`, `chattr -i ${dir}`, hosts.filter((_, i) => able[i]?.code === 0)],
    ] as const) {
      expect(on.length).toBeGreaterThan(0);
      const run = await leavesAlone(
        operator,
        on,
        { given: `${given('walled')}; ${lock}`, ask: 'mask walled --now', compared: ['walled.service'] },
        'write-failed',
      ).finally(() => Promise.all(on.map((host) => sh(host, unlock))));
      for (const host of on) expect(run.on(host).fault?.message).toMatch(/Read-only|not permitted/);
    }
  });

  it('without room for a receipt is not touched', async () => {
    for (const room of ['nr_inodes=1', 'size=4k']) {
      const fill = 'cat /dev/zero >/var/lib/fleetmask/ballast 2>/dev/null || :';
      const run = await leavesAlone(
        operator,
        hosts,
        {
          given: `${given('roomless')}; mkdir -p /var/lib/fleetmask; mount -t tmpfs -o ${room} tmpfs /var/lib/fleetmask; ${fill}`,
          ask: 'mask roomless --now',
          compared: ['roomless.service'],
        },
        'write-failed',
      ).finally(() => Promise.all(hosts.map((host) => sh(host, 'umount /var/lib/fleetmask'))));
      for (const host of hosts) expect(run.on(host).fault?.message).toMatch('no receipt in /var/lib/fleetmask: ');
    }
  });

  it('whose receipt cannot be removed is rolled back, and the receipt is reported', async () => {
    const dir = '/var/lib/fleetmask';
    await Promise.all(hosts.map((host) => sh(host, given('lasting'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['lasting.service'])));
    const run = await operator.do('mask lasting --now', hosts);
    await Promise.all(hosts.map((host) => sh(host, `mount --bind ${dir} ${dir}; mount -o remount,bind,ro ${dir}`)));
    const undone = await operator
      .undo(run)
      .finally(() => Promise.all(hosts.map((host) => sh(host, `umount ${dir}; rm -rf ${dir}`))));
    for (const [i, host] of hosts.entries()) {
      expect(undone.on(host).outcome, undone.said).toBe('restored');
      expect(undone.on(host).units[0]?.notes.join()).toMatch(
        new RegExp(`rolled back, but the receipt ${dir}/${run.report.run.id} could not be removed .*Read-only`),
      );
      expect(await dumps(host, ['lasting.service'])).toEqual(before[i]);
    }
  });

  it('whose account may open too few files, or use too little memory, is not touched', async () => {
    await Promise.all(hosts.map((host) => sh(host, given('narrow'))));
    for (const [limit, says] of [
      ['-n 20', 'open files: 20 (ulimit -n)'],
      ['-v 60000', 'address space: 61440000 bytes (ulimit -v)'],
    ] as const) {
      await Promise.all(hosts.map((host) => sh(host, `sed -i '1iulimit ${limit}' /root/.bashrc`)));
      const run = await leavesAlone(
        operator,
        hosts,
        { given: ':', ask: 'mask narrow --now', compared: ['narrow.service'] },
        'no-shell',
      ).finally(() => Promise.all(hosts.map((host) => sh(host, "sed -i '/^ulimit/d' /root/.bashrc"))));
      for (const host of hosts) expect(run.on(host).fault?.message).toContain(says);
    }
  });

  it('whose systemd is frozen says so in time, and the others are masked meanwhile', async () => {
    const [frozen, ...others] = hosts as [LabHost, ...LabHost[]];
    await Promise.all(hosts.map((host) => sh(host, given('chilled'))));
    const before = await dumps(frozen, ['chilled.service']);
    // from outside: inside, PID 1 cannot be stopped
    const leader = Number(frozen.nsenter([])[2]);
    process.kill(leader, 'SIGSTOP');
    const started = performance.now();
    // less than a server has for opening a channel, for then that is told
    const run = await operator
      .do('mask chilled --now --host-timeout 13', hosts)
      .finally(() => process.kill(leader, 'SIGCONT'));
    expect(performance.now() - started).toBeLessThan(60_000);
    expect(run.exitCode, run.said).toBe(4);
    expect(['refused', 'unreachable'], run.said).toContain(run.on(frozen).outcome);
    expect(['no-systemd', 'timed-out'], run.said).toContain(run.on(frozen).fault?.kind);
    expect(await dumps(frozen, ['chilled.service'])).toEqual(before);
    for (const host of others) expect(await hold(host, 'chilled.service')).toBe(HELD);
  });

  it('without D-Bus is masked all the same', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${given('busless')}; systemctl stop dbus.socket dbus.service`,
      ask: 'mask busless --now',
      compared: ['busless.service'],
      meanwhile: async (host) =>
        void (await sh(host, 'systemctl start dbus.socket dbus.service; systemctl restart systemd-logind')),
    });
  });

  it('is masked through sudo by an account that may, and refuses one that may not', async () => {
    const as = (user: string, host: LabHost, ...words: string[]) => {
      const way = ['-u', user, '--private-key', lab.key, '--port', String(host.port), '--known-hosts', lab.knownHosts];
      return operator.run([...words, '-i', `${host.address},`, '-l', 'all', '-o', 'json', ...way]);
    };
    await Promise.all(
      hosts.map(async (host) => {
        await sh(host, given('private'));
        const before = await dumps(host, ['private.service']);
        const refused = await as('nopriv', host, 'mask', 'private', '--now', '-y');
        expect(refused.exitCode, refused.said).toBe(4);
        expect(refused.report.hosts[0]).toMatchObject({ outcome: 'refused', fault: { kind: 'no-privilege' } });
        expect(refused.report.hosts[0]?.fault?.hint).toMatch(/NOPASSWD|sudo -n/);
        expect((await as('nopriv', host, 'status', 'private')).report.hosts[0]?.outcome).toBe('not-masked');
        expect(await dumps(host, ['private.service'])).toEqual(before);

        const masked = await as('op', host, 'mask', 'private', '--now', '-y');
        expect(masked.exitCode, masked.said).toBe(0);
        expect(await hold(host, 'private.service')).toBe(HELD);
        // where nothing is to be changed no privilege is needed
        expect((await as('nopriv', host, 'mask', 'private', '--now', '-y')).report.hosts[0]?.outcome).toBe('unchanged');
        const undone = await operator.undo(masked);
        expect(undone.exitCode, undone.said).toBe(0);
        expect(await dumps(host, ['private.service'])).toEqual(before);
      }),
    );
  });

  it('that another run is at work on is refused, and the other run is told by its name', async () => {
    await Promise.all(hosts.map((host) => sh(host, `${waiting('slow')}; ${given('second')}`)));
    const first = operator.do('mask slow --now', hosts);
    await Promise.all(hosts.map((host) => stopping(host, 'slow.service')));
    const second = await operator.do('mask second --now', hosts);
    for (const host of hosts) {
      expect(second.on(host), second.said).toMatchObject({ outcome: 'refused', fault: { kind: 'locked' } });
      expect(await property(host, 'second.service', 'ActiveState')).toBe('active');
    }
    await letGo(...hosts);
    const run = await first;
    expect(run.exitCode, run.said).toBe(0);
    expect(second.on(hosts[0]!).fault?.message).toMatch(run.report.run.id);
  });
});
