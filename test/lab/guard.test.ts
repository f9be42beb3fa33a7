/** Nobody saws off the branch they sit on: what this session, or the boot, needs is refused with the reason, and untouched. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { converse, type Told } from '../contract/systemd-under-test.ts';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, receiptOf, reloadMark, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';
import { overSsh } from './over-ssh.ts';
import { leavesAlone, masksAndPutsBack, outcomes } from './situation.ts';

const RELOAD = 'systemctl daemon-reload;';
const message = (run: Run, host: LabHost) => run.on(host).fault?.message;

describeLab('a mask is refused', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  const refused = (given: string, ask: string, compared: readonly string[]) =>
    leavesAlone(operator, hosts, { given, ask, compared }, 'protected');
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'debian13']);
    await Promise.all(hosts.map(reloadMark));
  });
  afterAll(() => operator.forget());

  it.each(['ssh', 'ssh.service', 'sshd.service'])('of %s, in which the session runs', async (name) => {
    const run = await refused(':', `mask ${name} --now`, ['ssh.service', 'ssh.socket']);
    for (const host of hosts) {
      expect(message(run, host)).toBe('ssh.service, in which this session’s sshd runs');
      expect(run.on(host).fault?.chain).toEqual(['ssh.service']);
    }
  });

  it('of what sshd depends on, however far', async () => {
    const given = `${unit('vault.service', daemon())} ${unit('keys.service', `[Unit]\nBindsTo=vault.service\nAfter=vault.service\n${daemon()}`)}
      mkdir -p /etc/systemd/system/ssh.service.d
      printf '[Unit]\\nRequires=keys.service\\n' >/etc/systemd/system/ssh.service.d/keys.conf
      ${RELOAD} systemctl start keys`;
    const run = await refused(given, 'mask vault --now', ['vault.service', 'keys.service', 'ssh.service']);
    for (const host of hosts) {
      expect(message(run, host)).toBe(
        'vault.service ← keys.service (BindsTo) ← ssh.service (Requires), in which this session’s sshd runs',
      );
    }
    await Promise.all(hosts.map((host) => sh(host, `rm -r /etc/systemd/system/ssh.service.d; ${RELOAD}`)));
    await masksAndPutsBack(operator, hosts, {
      given: ':',
      ask: 'mask vault --now',
      compared: ['vault.service', 'keys.service'],
      held: ['vault.service'],
    });
  });

  it('of the last unit that needs an sshd with StopWhenUnneeded=', async () => {
    const given = `${unit('keeper.service', `[Unit]\nWants=ssh.service\n${daemon()}`)}
      systemctl disable -q ssh.service; mkdir -p /etc/systemd/system/ssh.service.d
      printf '[Unit]\\nStopWhenUnneeded=yes\\n' >/etc/systemd/system/ssh.service.d/unneeded.conf
      systemctl start keeper; ${RELOAD} systemctl start keeper`;
    const run = await refused(given, 'mask keeper --now', ['keeper.service', 'ssh.service']);
    for (const host of hosts) {
      expect(message(run, host)).toBe(
        'keeper.service ← ssh.service (StopWhenUnneeded), in which this session’s sshd runs',
      );
    }
    const back = `rm -r /etc/systemd/system/ssh.service.d; ${RELOAD} systemctl enable -q ssh.service; systemctl start ssh`;
    await Promise.all(hosts.map((host) => sh(host, back)));
  });

  it('of what hands its stop on to sshd; what it hands its stop on to else is put back with it', async () => {
    // since systemd 249
    const some = hosts.filter(({ kind }) => kind.systemd >= 249);
    const ends = (name: string) => `[Unit]\nPropagatesStopTo=${name}\n${daemon()}`;
    await Promise.all(
      some.map((host) =>
        sh(
          host,
          `${unit('cutter.service', ends('ssh.service'))} ${unit('hub.service', ends('spoke.service'))}
          ${unit('spoke.service', daemon())} ${RELOAD} systemctl start cutter hub spoke`,
        ),
      ),
    );
    const run = await operator.do('mask cutter --now', some);
    for (const host of some) {
      expect(message(run, host)).toBe(
        'cutter.service ← ssh.service (StopPropagatedFrom), in which this session’s sshd runs',
      );
    }
    await masksAndPutsBack(operator, some, {
      given: ':',
      ask: 'mask hub --now',
      compared: ['hub.service', 'spoke.service'],
      held: ['hub.service'],
    });
  });

  it('of what a target of the boot requires', async () => {
    for (const target of ['multi-user.target', 'sysinit.target']) {
      const given = `${unit('needed.service', `[Unit]\nDefaultDependencies=no\n${daemon()}`)}
        rm -rf /etc/systemd/system/*.target.requires; mkdir /etc/systemd/system/${target}.requires
        ln -s /usr/lib/systemd/system/needed.service /etc/systemd/system/${target}.requires/
        ${RELOAD} systemctl start needed`;
      const run = await refused(given, 'mask needed', ['needed.service', target]);
      for (const host of hosts) expect(message(run, host)).toBe(`needed.service ← ${target} (Requires) ← boot`);
    }
    await Promise.all(hosts.map((host) => sh(host, `rm -r /etc/systemd/system/*.target.requires; ${RELOAD}`)));
  });

  it('for a reason: a host on which it is masked by hand does not boot', async () => {
    await Promise.all(
      hosts.map(async (host) => {
        await sh(
          host,
          `${unit('needed.service', daemon())} mkdir -p /etc/systemd/system/multi-user.target.requires
          ln -s /usr/lib/systemd/system/needed.service /etc/systemd/system/multi-user.target.requires/
          ln -s /dev/null /etc/systemd/system/needed.service; sync`,
        );
        await host.powerCut();
        await expect(host.boot()).rejects.toThrow('Failed to isolate default target');
        await host.reset();
        await reloadMark(host);
      }),
    );
  });

  it.each([
    ['dbus.socket', /^dbus\.socket ← \S+ \(Requires\) ← boot$/],
    ['dbus.service', /boot/],
    ['systemd-logind.service', /boot/],
    ['systemd-journald.socket', /^systemd-journald\.socket ← systemd-journald\.service \(Requires\) ← boot$/],
    ['systemd-journald-dev-log.socket', /boot/],
    ['sysinit.target', /^sysinit\.target ← \S+ \(Requires\) ← boot$/],
    ['user-0.slice', /every login$/],
  ])('of %s, without which no host runs', async (name, says) => {
    const run = await refused(':', `mask ${name} --now`, [name]);
    for (const host of hosts) expect(message(run, host)).toMatch(says);
  });

  it('of a way in or the network while it is in use, not of one that is not', async () => {
    const name = 'NetworkManager.service';
    const given = `${unit(name, daemon())} ${RELOAD} systemctl start NetworkManager`;
    const run = await refused(given, `mask ${name} --now`, [name]);
    for (const host of hosts) {
      expect(message(run, host)).toBe('NetworkManager.service is in charge of network interfaces, and active');
    }
    await masksAndPutsBack(operator, hosts, {
      given: 'systemctl stop NetworkManager',
      ask: `mask ${name} ssh.socket --now`,
      compared: [name, 'ssh.socket'],
      meanwhile: async (host, run) => {
        const [first, second] = run.on(host).units;
        expect(first?.notes).toContain('in charge of network interfaces, not in use now');
        expect(second?.notes).toContain('a way into the host, not in use now');
      },
    });
  });

  it('not of a unit that has no part in it: with a socket, by a timer, or wanting the network', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('cupsy.socket', '[Socket]\nListenStream=/run/cupsy.sock')}
        ${unit('cupsy.service', `[Unit]\nWants=network.target\nAfter=network.target\nRequires=cupsy.socket\n${daemon()}`)}
        ${unit('cupsy.timer', '[Timer]\nOnCalendar=yearly')}
        ${RELOAD} systemctl start cupsy.timer cupsy.socket cupsy.service`,
      ask: 'mask cupsy.service cupsy.socket cupsy.timer --now',
      compared: ['cupsy.service', 'cupsy.socket', 'cupsy.timer'],
    });
  });
});

describeLab('where a socket takes the connections', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  /** As root, or as an account that sudo makes root. */
  const through = async (user: string, ask: string, port: number) => {
    const lines = hosts.map(
      ({ name, address }) =>
        `    ${name}: { ansible_host: ${address}, ansible_port: ${port}, ansible_user: ${user}, ansible_private_key_file: ${lab.key} }`,
    );
    const file = join(operator.stateDir, `${user}-${port}.yaml`);
    writeFileSync(file, `all:\n  hosts:\n${lines.join('\n')}\n`);
    const known = ['--host-key-checking', 'off', '-o', 'json'];
    const marks = await Promise.all(hosts.map(reloadMark));
    const run = await operator.run([...ask.split(' '), '-y', '-i', file, '-l', 'all', ...known]);
    expect(await Promise.all(hosts.map(reloadMark)), 'nobody was touched').toEqual(marks);
    for (const host of hosts) expect(await receiptOf(host, run.report.run.id)).toBe('');
    return run;
  };
  const protectedBy = (run: Run, says: (host: LabHost) => string | RegExp) => {
    for (const host of hosts) {
      expect(run.on(host), JSON.stringify(outcomes(run))).toMatchObject({
        outcome: 'refused',
        fault: { kind: 'protected' },
      });
      expect(message(run, host)).toMatch(says(host));
    }
  };
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'debian13']);
    await Promise.all(hosts.map(reloadMark));
  });
  afterAll(() => operator.forget());

  describe('one process each (Accept=yes)', () => {
    beforeAll(async () => {
      await Promise.all(
        hosts.map((host) =>
          sh(
            host,
            `${unit('lane.socket', `[Socket]\nListenStream=${host.address}:2200\nAccept=yes`)}
            ${unit('lane@.service', '[Unit]\nRequires=toll.service\n[Service]\nExecStart=-/usr/sbin/sshd -i\nStandardInput=socket\nRuntimeDirectory=sshd\nRuntimeDirectoryPreserve=yes')}
            ${unit('toll.service', daemon())}
            ${RELOAD} systemctl start lane.socket`,
          ),
        ),
      );
    });

    it.each(['root', 'op'])('the socket, the template and what they need are refused to %s', async (user) => {
      protectedBy(
        await through(user, 'mask lane.socket --now', 2200),
        () => 'lane.socket, which listens on port 2200, by which this session came',
      );
      protectedBy(
        await through(user, 'mask lane@.service', 2200),
        () => /^lane@\.service: lane@[^ ]+\.service, in which this session’s sshd(-session)? runs$/,
      );
      protectedBy(
        await through(user, 'mask toll --now', 2200),
        () => /^toll\.service ← lane@[^ ]+\.service \(Requires\), in which this session’s/,
      );
    });

    it('sshd, a way in that the session did not take, is refused as such', async () => {
      protectedBy(
        await through('root', 'mask ssh --now', 2200),
        () => 'ssh.service is a way into the host, and active',
      );
    });
  });

  it.each(['root', 'op'])('a program on the host that hands the connection on is refused to %s', async (user) => {
    await Promise.all(
      hosts.map((host) =>
        sh(
          host,
          `${unit('relay.socket', `[Socket]\nListenStream=${host.address}:2210`)}
          ${unit('relay.service', `[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd ${host.address}:${host.port}`)}
          ${RELOAD} systemctl start relay.socket`,
        ),
      ),
    );
    const ask = (name: string) => through(user, `mask ${name} --now`, 2210);
    const runs = 'relay.service, in which this session’s systemd-socket- runs';
    protectedBy(await ask('relay.service'), () => runs);
    protectedBy(await ask('relay.socket'), () => `relay.socket starts ${runs}`);
    protectedBy(await ask('ssh.service'), () => 'ssh.service, in which this session’s sshd runs');
  });

  it('the mount under which the keys of the account lie is refused to that account', async () => {
    const bind = (where: string) => `[Mount]\nWhat=/srv/homes\nWhere=${where}\nType=none\nOptions=bind`;
    await Promise.all(
      hosts.map((host) =>
        sh(
          host,
          `mkdir -p /srv/homes; cp -a /home/. /srv/homes
          ${unit('home.mount', bind('/home'))} ${unit('mnt.mount', bind('/mnt'))} ${RELOAD} systemctl start home.mount mnt.mount`,
        ),
      ),
    );
    const { port } = hosts[0]!;
    protectedBy(
      await through('op', 'mask home.mount --now', port),
      () => 'home.mount, under which /home/op lies, the home of the account that logged in',
    );
    for (const [user, ask] of [
      ['root', 'mask home.mount --now -C'],
      ['op', 'mask mnt.mount --now -C'],
    ] as const) {
      const run = await through(user, ask, port);
      for (const host of hosts) expect(run.on(host).outcome).toBe('planned');
    }
    await Promise.all(hosts.map((host) => sh(host, 'systemctl stop home.mount mnt.mount')));
  });

  it('for one process (Accept=no), its socket is refused with what it starts', async () => {
    // sshd of Debian 11 cannot take a socket
    hosts = hosts.filter(({ kind }) => kind.systemd > 247);
    await Promise.all(
      hosts.map((host) =>
        sh(
          host,
          `mkdir -p /etc/systemd/system/ssh.socket.d
          printf '[Socket]\\nListenStream=\\nListenStream=%s:%s\\n' ${host.address} ${host.port} >/etc/systemd/system/ssh.socket.d/here.conf
          rm /etc/systemd/system/multi-user.target.wants/ssh.service
          ${RELOAD} systemctl stop ssh; systemctl start ssh.socket`,
        ),
      ),
    );
    for (const user of ['root', 'op']) {
      protectedBy(
        await through(user, 'mask ssh.socket', hosts[0]!.port),
        (host) => `ssh.socket, which listens on port ${host.port}, by which this session came`,
      );
      protectedBy(
        await through(user, 'mask ssh --now', hosts[0]!.port),
        () => 'ssh.service, in which this session’s sshd runs',
      );
    }
  });
});

/** The remote program alone, over the host’s own sshd. */
describeLab('a session', (lab) => {
  let hosts: LabHost[];
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'debian13']);
  });

  const probe = async (host: LabHost, login: string, before: string, name: string): Promise<Told> => {
    const [, told] = await converse(overSsh(lab, host, login, before), [], ['probe', 'guard=yes', `name=${name}`]);
    return told!;
  };
  const sessionOf = ({ rest }: Told) => rest.filter((record) => record.startsWith('session '));

  it('under sudo knows the port that it came by, from the environment of sudo', async () => {
    for (const host of hosts) {
      const told = await probe(
        host,
        'op',
        'exec sudo -n sh -c \'shift; [ -z "$SSH_CONNECTION" ] && exec "$@"\' x',
        'cron.service',
      );
      expect(sessionOf(told)).toContain(`session server ${host.address} ${host.port}`);
    }
  });

  it('that outlived its sshd finds the new one by the port', async () => {
    for (const host of hosts) {
      const told = await probe(host, 'root', 'systemctl restart ssh;', 'ssh.service');
      const main = told.units.get('ssh.service')?.MainPID;
      const session = sessionOf(told);
      expect(session.filter((record) => record.endsWith(' ssh.service sshd'))).toEqual([]);
      expect(session, 'the listener is the service’s main process').toContain(`session listener ${main}`);
    }
  });
});
