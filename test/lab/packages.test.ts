/**
 * Real daemons from Debian's packages, whose service is not one unit: postfix.service runs nothing itself, redis-server@.service is tied
 * to redis-server.service by its name alone. Everything listens on the host's own address, for hosts share this machine's network.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { howItWent, Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, dumps, sh, until } from './inside.ts';
import type { LabHost } from './lab.ts';

/** `$1` is the address. Nothing starts before it is set up. */
const INSTALL = `
  export DEBIAN_FRONTEND=noninteractive
  printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
  apt-get -qq -o APT::Sandbox::User=root update
  apt-get -qq -o APT::Sandbox::User=root -o Dpkg::Options::=--force-unsafe-io install --yes --no-install-recommends postfix redis-server
  rm /usr/sbin/policy-rc.d
  [ -f /etc/postfix/main.cf ] || cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf
  postconf -e 'inet_interfaces = loopback-only' 'inet_protocols = ipv4' 'mydestination = localhost' 'alias_maps =' 'alias_database ='
  sed -i "s/^smtp  *inet/$1:smtp inet/" /etc/postfix/master.cf
  sed -i "s/^bind .*/bind $1/; s/^# *supervised .*/supervised systemd/" /etc/redis/redis.conf
  sed 's/^port .*/port 6380/; s#^pidfile .*#pidfile /run/redis-two/redis-server.pid#' /etc/redis/redis.conf >/etc/redis/redis-two.conf
  chown redis: /etc/redis/redis-two.conf
  systemctl daemon-reload
  systemctl start postfix redis-server redis-server@two`;

describeLab('real daemons', (lab) => {
  const operator = new Operator(lab);
  let host: LabHost;
  beforeAll(async () => {
    host = await lab.host('debian12');
    await host.writeFile('/etc/resolv.conf', readFileSync('/etc/resolv.conf'));
    const { code, stdout, stderr } = await host.exec(['sh', '-ec', INSTALL, 'install', host.address], {
      timeoutMs: 300_000,
    });
    expect(code, `${stdout.slice(-2000)}${stderr}`).toBe(0);
  }, 330_000);
  afterAll(() => operator.forget());

  const listens = (port: number) =>
    new Promise<boolean>((resolve) => {
      const socket = connect({ host: host.address, port });
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
  const listening = (port: number) => until(() => listens(port), Boolean);
  const cases = [
    {
      ask: 'mail',
      units: ['postfix.service', 'postfix@.service'],
      dumped: ['postfix.service', 'postfix@-.service'],
      ports: [25],
      starts: ['postfix', 'postfix@-', 'postfix@other'],
      processes: 'postfix',
    },
    {
      ask: 'redis',
      units: ['redis-server.service', 'redis-server@.service'],
      dumped: ['redis-server.service', 'redis-server@two.service'],
      ports: [6379, 6380],
      starts: ['redis', 'redis-server', 'redis-server@two', 'redis-server@three'],
      processes: 'redis',
    },
  ] as const;
  it.each(cases)('$ask is masked with all that runs for it, and put back', async (each) => {
    for (const port of each.ports) await listening(port);
    const before = await dumps(host, each.dumped);
    const masked = await operator.do(`mask ${each.ask} --now`, [host]);
    expect(howItWent(masked.on(host)), masked.said).toBe('masked');
    expect(
      masked
        .on(host)
        .units.map(({ unit }) => unit)
        .sort(),
    ).toEqual(each.units);
    for (const port of each.ports) expect(await listens(port), `port ${port}`).toBe(false);
    expect(await sh(host, `grep -l '${each.processes}' /proc/[0-9]*/cgroup || :`)).toBe('');
    for (const name of each.starts) {
      expect((await host.exec(['systemctl', 'start', name])).code, name).not.toBe(0);
    }
    expect((await operator.do(`status ${each.ask}`, [host])).on(host).outcome).toBe('masked');
    const back = await operator.undo(masked);
    expect(howItWent(back.on(host)), back.said).toBe('restored');
    for (const port of each.ports) await listening(port);
    expect(await changes(host, before)).toEqual([]);
  });
});
