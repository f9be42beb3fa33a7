/** What a mask covers besides the unit's name, and what can be seen to get round it: both are tried from inside. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { property, sh, unit, until } from './inside.ts';
import type { LabHost } from './lab.ts';
import { masksAndPutsBack } from './situation.ts';

const BUS = '/usr/share/dbus-1/system-services';
const reload = 'systemctl daemon-reload;';
/** A program of its own: all other units of these tests run sleep. */
const program = (name: string) => `cp /usr/bin/sleep /opt/${name}; chmod 755 /opt/${name};`;
const service = (name: string, ...more: string[]) =>
  ['[Service]', `ExecStart=/opt/${name} infinity`, ...more].join('\n');
/** As a client of D-Bus does: the service is started, and would have to take the name. */
const ask = (name: string) =>
  `timeout 5 busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus StartServiceByName su ${name} 0`;

describeLab('a mask', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
  });
  afterAll(() => operator.forget());
  const active = (host: LabHost, name: string) => property(host, name, 'ActiveState');

  it('covers the D-Bus name of a service, and its aliases, and says so', async () => {
    const alias = 'dbus-org.example.Called.service';
    await masksAndPutsBack(operator, hosts, {
      given: `${program('called')} ${unit('called.service', `${service('called', 'Type=simple', 'BusName=org.example.Called')}\n[Install]\nAlias=${alias}`)}
        ${unit('org.example.Called.service', `[D-BUS Service]\nName=org.example.Called\nExec=/bin/false\nUser=root\nSystemdService=${alias}`, BUS)}
        systemctl enable -q called; ${reload} systemctl reload dbus; ${ask('org.example.Called')} & until systemctl is-active -q called; do sleep 0.1; done`,
      ask: 'mask called --now',
      compared: ['called.service'],
      meanwhile: async (host, run) => {
        expect(run.on(host).units[0]).toMatchObject({ covers: [alias, 'org.example.Called'], ways: [] });
        // refused, or kept waiting for what was asked for before the mask
        expect((await host.exec(ask('org.example.Called'))).code).not.toBe(0);
        expect(await active(host, 'called.service')).toBe('inactive');
      },
    });
  });

  it('does not cover copies, transient units and D-Bus services without systemd, and says so', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${program('rounds')} ${unit('rounds.service', service('rounds'))} ${unit('rounds-copy.service', service('rounds'))}
        ${unit('org.example.Rounds.service', '[D-BUS Service]\nName=org.example.Rounds\nExec=/opt/rounds 7777\nUser=root', BUS)}
        ${reload} systemctl reload dbus; systemctl start rounds; systemctl stop rounds-on 2>/dev/null || :
        systemd-run -q --unit=rounds-on /opt/rounds infinity`,
      ask: 'mask rounds --now',
      compared: ['rounds.service'],
      meanwhile: async (host, run) => {
        expect([...(run.on(host).units[0]?.ways ?? [])].sort()).toEqual([
          '/run/systemd/transient/rounds-on.service runs /opt/rounds too',
          '/usr/lib/systemd/system/rounds-copy.service runs /opt/rounds too',
          `D-Bus starts a program for org.example.Rounds (${BUS}/org.example.Rounds.service)`,
        ]);
        // and they do
        await sh(host, 'systemctl start rounds-copy; systemctl is-active rounds-on');
        await host.exec(`${ask('org.example.Rounds')} >/dev/null 2>&1 &`);
        await until(
          async () => (await host.exec(['pgrep', '-fx', '/opt/rounds 7777'])).code,
          (code) => code === 0,
        );
        await sh(host, "systemctl stop rounds-copy rounds-on; pkill -fx '/opt/rounds 7777'");
      },
    });
  });

  it('does not cover an init script beside the unit, unless it asks systemd', async () => {
    const script = (first: string) => `#!/bin/sh\n${first}\n[ "$1" != start ] || echo ran >>/run/ran`;
    const [debian] = hosts;
    for (const [name, first, ways] of [
      ['plain', ':', ['/etc/init.d/plain can still be run by hand']],
      ['asking', '. /lib/lsb/init-functions', []],
    ] as const) {
      await sh(
        debian!,
        `rm -f /run/ran; ${program(name)} ${unit(`${name}.service`, service(name))} ${unit(name, script(first), '/etc/init.d')}
         chmod 755 /etc/init.d/${name}; ${reload} systemctl start ${name}`,
      );
      const run = await operator.do(`mask ${name} --now`, [debian!]);
      expect(run.on(debian!).units[0]?.ways).toEqual(ways);
      await debian!.exec(`/etc/init.d/${name} start`);
      expect((await debian!.exec(['test', '-e', '/run/ran'])).code).toBe(ways.length > 0 ? 0 : 1);
    }
  });
});
