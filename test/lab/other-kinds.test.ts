/** Units that are no services, and units that stop or start with others. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, property, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';
import { masksAndPutsBack } from './situation.ts';

const echo = '[Service]\nExecStart=/usr/bin/sleep infinity';
/** A socket unit that listens on the host’s own address: hosts of the lab share one network. */
const listening = (name: string, port: number, ...more: string[]) =>
  `${unit(name, [`[Socket]`, `ListenStream=@ADDRESS@:${port}`, ...more].join('\n'))}
   sed -i "s/@ADDRESS@/$(getent hosts "$(hostname)" | cut -d ' ' -f 1)/" /usr/lib/systemd/system/${name};`;
const connects = async (host: LabHost, port: number) =>
  (await host.exec(['bash', '-c', `exec 3<>/dev/tcp/${host.address}/${port}`])).code === 0;

describeLab('a unit is masked, and put back', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'arch-like']);
  });
  afterAll(() => operator.forget());

  it('when it is a socket that listens', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${listening('ear.socket', 41001)} ${unit('ear.service', echo)}
        systemctl daemon-reload; systemctl start ear.socket`,
      ask: 'mask ear.socket --now',
      compared: ['ear.socket', 'ear.service'],
      held: ['ear.socket'],
      meanwhile: async (host) => {
        expect(await connects(host, 41001)).toBe(false);
      },
    });
  });

  it('when it is the template of a socket’s connections: those end, and nobody calls that a failure', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${listening('line.socket', 41003, 'Accept=yes')} ${unit('line@.service', '[Service]\nExecStart=/usr/bin/sleep infinity\nStandardInput=socket')}
        systemctl daemon-reload; systemctl restart line.socket
        (bash -c "exec 3<>/dev/tcp/$(hostname)/41003; sleep 60" >/dev/null 2>&1 </dev/null &)
        until systemctl list-units --plain 'line@*' | grep -q running; do sleep 0.1; done`,
      ask: 'mask line@.service --now',
      compared: ['line@new.service'],
      meanwhile: async (host, run) => {
        expect(run.on(host).units[0]?.triggers).toEqual(['line.socket']);
        expect(await sh(host, "systemctl list-units --plain --no-legend 'line@*' | grep -c running || :")).toBe('0');
      },
    });
    for (const host of hosts) expect(await connects(host, 41003)).toBe(true);
  });

  it('when it is a timer, or a path, that waits', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('tick.timer', '[Timer]\nOnActiveSec=1h')} ${unit('tick.service', echo)}
        ${unit('watch.path', '[Path]\nPathExists=/run/watched')} ${unit('watch.service', echo)}
        systemctl daemon-reload; systemctl start tick.timer watch.path`,
      ask: 'mask tick.timer watch.path --now',
      compared: ['tick.timer', 'tick.service', 'watch.path', 'watch.service'],
      held: ['tick.timer', 'watch.path'],
    });
  });

  it('when it is a mount, from a unit file or from fstab', async () => {
    const [file, fstab] = ['mnt-own.mount', 'mnt-tab.mount'];
    await masksAndPutsBack(operator, hosts, {
      given: `mkdir -p /mnt/own /mnt/tab; ${unit(file, '[Mount]\nWhat=tmpfs\nWhere=/mnt/own\nType=tmpfs')}
        grep -q /mnt/tab /etc/fstab || echo 'tmpfs /mnt/tab tmpfs noauto 0 0' >>/etc/fstab
        systemctl daemon-reload; systemctl restart ${file} ${fstab}`,
      ask: `mask ${file} ${fstab} --now`,
      compared: [file, fstab],
      meanwhile: async (host) => {
        expect((await host.exec('mountpoint -q /mnt/own || mountpoint -q /mnt/tab')).code).not.toBe(0);
      },
    });
  });

  it('when it is a target with what belongs to it', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('crew.target', '[Unit]\nWants=member.service')} ${unit('member.service', `[Unit]\nPartOf=crew.target\n${daemon()}`)}
        systemctl daemon-reload; systemctl start crew.target`,
      ask: 'mask crew.target --now',
      compared: ['crew.target', 'member.service'],
      held: ['crew.target'],
      meanwhile: async (host) => {
        expect(await property(host, 'member.service', 'ActiveState')).toBe('inactive');
      },
    });
  });

  it('while clients hammer the socket that starts it: it stays down, and the socket listens again', async () => {
    const hammer = '[Service]\nExecStart=/bin/bash -c "while :; do exec 3<>/dev/tcp/%H/41002; exec 3>&-; done"';
    await masksAndPutsBack(operator, hosts, {
      given: `${listening('busy.socket', 41002)} ${unit('busy.service', echo)} ${unit('hammer.service', hammer)}
        systemctl daemon-reload; systemctl start busy.socket busy.service hammer`,
      ask: 'mask busy --now',
      compared: ['busy.service', 'busy.socket'],
      held: ['busy.service'],
      meanwhile: async (host, run) => {
        expect(run.on(host).units[0]?.triggers).toEqual(['busy.socket']);
        await sh(host, 'systemctl stop hammer');
      },
    });
  });

  it('with the timer and the path that start it: what fails under the mask waits again', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('job.timer', '[Timer]\nOnCalendar=hourly')} ${unit('job.path', '[Path]\nPathExists=/run/job-wanted')} ${unit('job.service', echo)}
        rm -f /run/job-wanted; systemctl daemon-reload; systemctl start job.timer job.path job.service`,
      ask: 'mask job --now',
      compared: ['job.service', 'job.timer', 'job.path'],
      held: ['job.service'],
      meanwhile: async (host, run) => {
        expect([...(run.on(host).units[0]?.triggers ?? [])].sort()).toEqual(['job.path', 'job.timer']);
        // the path unit fails when it finds that it cannot start what it watches for
        await sh(host, 'touch /run/job-wanted; sleep 0.2; rm /run/job-wanted');
      },
    });
  });

  it('with everything that stops with it, however many steps away', async () => {
    const on = (text: string) => `[Unit]\n${text}\nAfter=base.service\n${daemon()}`;
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('base.service', daemon())} ${unit('needs.service', on('Requires=base.service'))}
        ${unit('bound.service', on('BindsTo=base.service'))} ${unit('part.service', on('PartOf=base.service'))}
        ${unit('wants.service', on('Wants=base.service'))} ${unit('far.service', on('Requires=needs.service'))}
        ${unit('idler.service', on('Requires=base.service'))}
        systemctl daemon-reload; systemctl start base needs bound part wants far`,
      ask: 'mask base --now',
      compared: [
        'base.service',
        'needs.service',
        'bound.service',
        'part.service',
        'wants.service',
        'far.service',
        'idler.service',
      ],
      held: ['base.service'],
      meanwhile: async (host) => {
        const states = await sh(host, 'systemctl is-active needs bound part far wants || :');
        expect(states.split('\n')).toEqual(['inactive', 'inactive', 'inactive', 'inactive', 'active']);
      },
    });
  });
});
