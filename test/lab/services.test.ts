/** Services as vendors, administrators and generators bring them: masked, and put back exactly. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { howItWent, Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, ENABLED, property, receiptOf, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';
import { masksAndPutsBack, outcomes } from './situation.ts';

describeLab('a service is masked, and put back', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    // systemd 247, 252 and 257; the last with bash as its sh
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
  });
  afterAll(() => operator.forget());

  it('when it is enabled and runs', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('enabled.service', `${daemon()}\n${ENABLED}`)} systemctl enable --now enabled`,
      ask: 'mask enabled --now',
      compared: ['enabled.service'],
    });
  });

  it('when it is disabled, static or idle, several at once', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('disabled.service', `${daemon()}\n${ENABLED}`)} ${unit('static.service', daemon())}
        ${unit('idle.service', daemon())} systemctl daemon-reload; systemctl start disabled static`,
      ask: 'mask disabled static.service idle --now',
      compared: ['disabled.service', 'static.service', 'idle.service'],
    });
  });

  it('when it is asked for by an alias: the unit itself is masked', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('real.service', `${daemon()}\n${ENABLED}\nAlias=etc-alias.service`)}
        ln -sf real.service /usr/lib/systemd/system/vendor-alias.service; systemctl enable --now real`,
      ask: 'mask vendor-alias --now',
      compared: ['real.service'],
      meanwhile: async (host, run) => {
        expect(run.on(host).units[0]?.unit).toBe('real.service');
        for (const alias of ['vendor-alias', 'etc-alias']) {
          expect((await host.exec(`systemctl start ${alias}`)).code, alias).not.toBe(0);
        }
      },
    });
  });

  it('when it is an instance, and its siblings run on', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('sibling@.service', daemon())} systemctl daemon-reload; systemctl start sibling@a sibling@b`,
      ask: 'mask sibling@a --now',
      compared: ['sibling@a.service', 'sibling@b.service', 'sibling@c.service'],
      held: ['sibling@a.service'],
      meanwhile: async (host) => {
        expect(await property(host, 'sibling@b.service', 'ActiveState')).toBe('active');
        await sh(host, 'systemctl start sibling@c; systemctl stop sibling@c');
      },
    });
  });

  it('when it is a template: every instance stops, and none starts', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('plate@.service', `${daemon()}\n${ENABLED}\nDefaultInstance=one`)}
        systemctl enable --now plate@one; systemctl start plate@two`,
      ask: 'mask plate@.service --now',
      compared: ['plate@one.service', 'plate@two.service', 'plate@new.service'],
    });
  });

  it('when it stands for instances, as Debian’s mail and database servers do: none of them starts', async () => {
    const instances = ['flock@a.service', 'flock@own.service'];
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('flock.service', `[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n${ENABLED}`)}
        ${unit('flock@.service', `[Unit]\nPartOf=flock.service\n${daemon()}`)}
        ${unit('flock@own.service', `[Unit]\nPartOf=flock.service\n${daemon()}`)}
        mkdir -p /etc/systemd/system-generators
        printf '#!/bin/sh\nmkdir -p $1/flock.service.wants && ln -s /usr/lib/systemd/system/flock@.service $1/flock.service.wants/flock@a.service\n' \
          >/etc/systemd/system-generators/flock
        chmod +x /etc/systemd/system-generators/flock
        systemctl daemon-reload; systemctl enable -q --now flock; systemctl start flock@own`,
      ask: 'mask flock --now',
      compared: ['flock.service', ...instances],
      meanwhile: async (host, run) => {
        expect(
          run
            .on(host)
            .units.map(({ unit }) => unit)
            .sort(),
        ).toEqual([...['flock.service', 'flock@.service', 'flock@own.service']]);
        expect((await host.exec('systemctl start flock@never-seen')).code).not.toBe(0);
      },
    });
    const literal = await operator.do('mask flock.service --now', hosts);
    for (const host of hosts) {
      const [alone] = literal.on(host).units;
      expect(alone?.stopsToo?.toSorted()).toEqual(instances);
      expect(alone?.notCovered?.toSorted()).toEqual(['flock@.service', ...instances]);
    }
    const seen = await operator.do('status flock.service', hosts);
    expect(outcomes(seen)).toEqual(Object.fromEntries(hosts.map(({ name }) => [name, 'mixed'])));
    expect(outcomes(await operator.undo(literal))).toEqual(
      Object.fromEntries(hosts.map(({ name }) => [name, 'restored'])),
    );
  });

  it('when its name has escapes in it', async () => {
    const name = String.raw`dev-disk\x2dby\x2dlabel@a\x20b.service`;
    await masksAndPutsBack(operator, hosts, {
      given: `${unit(name, daemon())} systemctl daemon-reload; systemctl start '${name}'`,
      ask: `mask ${name} --now`,
      compared: [name],
    });
  });

  it('when it comes from a SysV script', async () => {
    const script = `#!/bin/sh
### BEGIN INIT INFO
# Provides: oldstyle
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
case $1 in start) sleep infinity & ;; stop) pkill -x -P 1 sleep ;; esac`;
    await masksAndPutsBack(operator, hosts, {
      given: `mkdir -p /etc/init.d; cat >/etc/init.d/oldstyle <<'INIT'\n${script}\nINIT
        chmod 755 /etc/init.d/oldstyle; systemctl daemon-reload; systemctl start oldstyle`,
      ask: 'mask oldstyle --now',
      compared: ['oldstyle.service'],
      meanwhile: async (host, run) => {
        expect(run.on(host).units[0]?.ways).toEqual(['/etc/init.d/oldstyle can still be run by hand']);
      },
    });
  });

  it('when its file is in /run', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('volatile.service', daemon(), '/run/systemd/system')} systemctl daemon-reload; systemctl start volatile`,
      ask: 'mask volatile --now',
      compared: ['volatile.service'],
    });
  });

  it('with --runtime: the link and the receipt are in /run', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('tillboot.service', `${daemon()}\n${ENABLED}`)} systemctl enable --now tillboot`,
      ask: 'mask tillboot --now --runtime',
      compared: ['tillboot.service'],
      meanwhile: async (host, run) => {
        expect(await property(host, 'tillboot.service', 'UnitFileState')).toBe('masked-runtime');
        expect(await sh(host, 'ls -d /etc/systemd/system/tillboot.service 2>/dev/null || :')).toBe('');
        expect(await receiptOf(host, run.report.run.id)).toBe(`/run/fleetmask/runs/${run.report.run.id}`);
      },
    });
  });

  it('when it has drop-ins, in /etc and of the whole type', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('dropped.service', daemon())} ${unit('x.conf', '[Service]\nNice=5', '/etc/systemd/system/dropped.service.d')}
        ${unit('y.conf', '[Service]\nEnvironment=A=b', '/run/systemd/system/dropped.service.d')}
        systemctl daemon-reload; systemctl start dropped`,
      ask: 'mask dropped --now',
      compared: ['dropped.service'],
    });
  });

  it('when it always restarts', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('phoenix.service', daemon('Restart=always', 'RestartSec=0'))} systemctl daemon-reload; systemctl start phoenix`,
      ask: 'mask phoenix --now',
      compared: ['phoenix.service'],
    });
  });

  it('when it crashes again and again', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('crasher.service', '[Service]\nExecStart=/usr/bin/false\nRestart=always\nRestartSec=600')}
        systemctl daemon-reload; systemctl start crasher
        until systemctl show -p SubState crasher | grep -q auto-restart; do sleep 0.1; done`,
      ask: 'mask crasher --now',
      compared: ['crasher.service'],
    });
  });

  it('when it was still starting, which may take for ever: nobody waits for that, and nothing is left', async () => {
    const began = performance.now();
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('unready.service', '[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/usr/bin/sleep infinity')}
        ${unit('long.service', '[Service]\nType=oneshot\nExecStart=/usr/bin/sleep infinity')} ${unit('quick.service', daemon())}
        systemctl daemon-reload; systemctl start --no-block unready long; systemctl start quick
        until [ "$(systemctl is-active unready long | tr '\\n' ' ')" = 'activating activating ' ]; do sleep 0.1; done`,
      ask: 'mask unready long quick --now',
      compared: ['unready.service', 'long.service', 'quick.service'],
      // a oneshot that is ended has failed
      held: ['unready.service', 'quick.service'],
    });
    // to wait for the starts would take until the undo's time is up
    expect(performance.now() - began).toBeLessThan(100_000);
  });

  it('when it is a oneshot that remains', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('once.service', '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\nExecStop=/usr/bin/touch /run/once-stopped')}
        systemctl daemon-reload; systemctl start once`,
      ask: 'mask once --now',
      compared: ['once.service'],
      meanwhile: async (host) => void (await sh(host, 'rm /run/once-stopped')),
    });
  });

  it('when it failed before: it is failed again', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('broken.service', '[Service]\nExecStart=/usr/bin/false')} systemctl daemon-reload; systemctl start broken
        while systemctl is-active -q broken; do sleep 0.1; done`,
      ask: 'mask broken --now',
      compared: ['broken.service'],
      held: [],
      meanwhile: async (host) => {
        expect(await property(host, 'broken.service', 'LoadState')).toBe('masked');
        expect((await host.exec('systemctl start broken')).stderr).toMatch('is masked');
      },
    });
  });

  it('when its stop starts others: what systemd started stops again, the rest is named', async () => {
    // OnSuccess= is of 249 and later
    const given = `${unit('primary.service', `[Unit]\nOnSuccess=standby.service told.service\n${daemon('ExecStopPost=/usr/bin/systemctl start --no-block stray')}`)}
      ${unit('dependent.service', `[Unit]\nBindsTo=primary.service\nAfter=primary.service\nOnFailure=alarm.service\n${daemon('ExecStop=/usr/bin/false')}`)}
      ${unit('told.service', '[Service]\nType=oneshot\nExecStart=/usr/bin/true')}
      ${['standby', 'stray', 'alarm'].map((name) => unit(`${name}.service`, daemon())).join(' ')}
      systemctl daemon-reload; systemctl start primary dependent`;
    await Promise.all(hosts.map((host) => sh(host, given)));
    const run = await operator.do('mask primary --now', hosts);
    expect(outcomes(run), run.said).toEqual(Object.fromEntries(hosts.map(({ name }) => [name, 'masked'])));
    const undone = await operator.undo(run);
    for (const host of hosts) {
      const modern = !host.name.startsWith('debian11');
      const started = [...(modern ? ['standby.service'] : []), 'alarm.service'];
      const notes = run.on(host).units[0]?.notes ?? [];
      expect(notes, host.name).toContain(
        `${started.join(', ')}: started by the stop (OnSuccess=, OnFailure=); a rollback stops it`,
      );
      const ended =
        'told.service: started by the stop (OnSuccess=, OnFailure=) and has ended; no rollback undoes what it did';
      expect(notes.includes(ended), notes.join('\n')).toBe(modern);
      expect(howItWent(undone.on(host)), undone.said).toBe('restored');
      for (const name of ['standby', 'alarm']) {
        expect(await property(host, `${name}.service`, 'ActiveState'), name).toBe('inactive');
      }
      expect(await property(host, 'stray.service', 'ActiveState')).toBe('active');
      expect(undone.on(host).units[0]?.notes).toContain(
        'stray.service: came to run during the stop, and still runs; check whether it is to stay',
      );
    }
  });

  it('with the stop settings of its own: its ExecStop, its signal, its ExecStopPost', async () => {
    const settings = ['KillSignal=SIGINT', 'KillMode=mixed', 'ExecStop=/bin/sh -c "echo stop >>/run/polite"'];
    const program = `/bin/sh -c 'trap "echo INT >>/run/polite; exit 0" INT; trap "echo TERM >>/run/polite; exit 0" TERM; : >/run/polite; while :; do sleep 0.1; done'`;
    await masksAndPutsBack(operator, hosts, {
      given: `rm -f /run/polite; ${unit('polite.service', ['[Service]', `ExecStart=${program}`, ...settings, 'ExecStopPost=/bin/sh -c "echo post >>/run/polite"'].join('\n'))}
        systemctl daemon-reload; systemctl start polite
        until [ -e /run/polite ]; do sleep 0.1; done`,
      ask: 'mask polite --now',
      compared: ['polite.service'],
      meanwhile: async (host) => {
        expect(await sh(host, 'cat /run/polite')).toBe('stop\nINT\npost');
      },
    });
  });
});
