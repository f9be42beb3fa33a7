/** What can start a unit by itself, masked together with it: nothing gets through, and all of it works again afterwards. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, HELD, hold, property, sh, stopping, unit, until, WAITS } from './inside.ts';
import type { LabHost } from './lab.ts';
import { masksAndPutsBack } from './situation.ts';

const PORT = 4711;
const reload = 'systemctl daemon-reload;';
const states = (host: LabHost, ...names: string[]) =>
  Promise.all(names.map((name) => property(host, name, 'ActiveState')));

describeLab('with --with-triggers', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
  });
  afterAll(() => operator.forget());

  /** Every host listens on its own address; the port is the same. */
  const onEach = (text: (host: LabHost) => string) =>
    Promise.all(hosts.map((host) => sh(host, text(host)))).then(() => undefined);
  const connect = (host: LabHost) => `bash -c 'exec 3<>/dev/tcp/${host.address}/${PORT}' 2>/dev/null`;
  const listens = async (host: LabHost) => (await host.exec(connect(host))).code === 0;
  const socket = (host: LabHost, ...more: string[]) =>
    ['[Socket]', `ListenStream=${host.address}:${PORT}`, ...more].join('\n');
  /** Clients in a row, until /run/hammer goes. */
  const hammer = (host: LabHost) =>
    sh(host, `touch /run/hammer; (while [ -e /run/hammer ]; do ${connect(host)}; done) >/dev/null 2>&1 &`);
  const rest = (host: LabHost) => sh(host, 'rm -f /run/hammer');

  it('a service with its socket, like docker, under a rain of clients', async () => {
    const service = `[Unit]\nRequires=whale.socket\nAfter=whale.socket\n${daemon('Restart=always')}\n[Install]\nWantedBy=multi-user.target`;
    await onEach(
      (host) => `${unit('whale.socket', `${socket(host)}\n[Install]\nWantedBy=sockets.target`)}
        ${unit('whale.service', service)} systemctl enable -q --now whale.socket whale.service`,
    );
    await Promise.all(hosts.map(hammer));
    await masksAndPutsBack(operator, hosts, {
      given: ':',
      ask: 'mask whale --now --with-triggers',
      compared: ['whale.service', 'whale.socket'],
      meanwhile: async (host, run) => {
        expect(await listens(host)).toBe(false);
        const { units } = run.on(host);
        expect(units.map(({ asked, unit, startProbe }) => [asked, unit, startProbe])).toEqual([
          ['whale', 'whale.service', 'blocked'],
          ['whale', 'whale.socket', 'blocked'],
        ]);
        expect(units[1]?.before).toMatchObject({ load: 'loaded', active: 'active' });
        expect(units[1]?.after).toMatchObject({ load: 'masked', active: 'inactive' });
        await rest(host);
      },
    });
    for (const host of hosts) expect(await listens(host)).toBe(true);
    await onEach(() => 'systemctl disable -q --now whale.socket whale.service');
  });

  it('a service that only clients start, while they try', async () => {
    await onEach(
      (host) => `${unit('shy.socket', `${socket(host)}\nTriggerLimitIntervalSec=0`)}
        ${unit('shy.service', `[Unit]\nStartLimitIntervalSec=0\n${daemon()}`)} ${reload} systemctl start shy.socket`,
    );
    await masksAndPutsBack(operator, hosts, {
      given: ':',
      ask: 'mask shy.service --now --with-triggers',
      compared: ['shy.service', 'shy.socket'],
      meanwhile: async (host) => void (await hammer(host)),
    });
    for (const host of hosts) {
      await rest(host);
      expect(await listens(host)).toBe(true);
      await until(
        () => states(host, 'shy.service'),
        ([state]) => state === 'active',
      );
    }
    await onEach(() => 'systemctl stop shy.socket shy.service');
  });

  it('a timer, a path, and a timer that starts the path', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `rm -f /run/wake; ${unit('woken.service', daemon())} ${unit('woken.path', '[Path]\nPathExists=/run/wake')}
        ${unit('woken.timer', '[Timer]\nOnCalendar=yearly\nPersistent=true\n[Install]\nWantedBy=timers.target')}
        ${unit('dawn.timer', '[Timer]\nOnCalendar=yearly\nUnit=woken.path')}
        ${reload} systemctl enable -q --now woken.timer; systemctl start dawn.timer woken.path`,
      ask: 'mask woken --now --with-triggers',
      compared: ['woken.service', 'woken.path', 'woken.timer', 'dawn.timer'],
      meanwhile: async (host) => {
        await sh(host, 'touch /run/wake; sleep 0.3; rm /run/wake');
        expect(await states(host, 'woken.service', 'woken.path')).toEqual(['inactive', 'inactive']);
      },
    });
    for (const host of hosts) {
      expect(await sh(host, 'systemctl list-timers --no-legend woken.timer dawn.timer | wc -l')).toBe('2');
      expect(await property(host, 'woken.timer', 'NextElapseUSecRealtime')).toMatch(/\d/);
      await sh(host, 'touch /run/wake');
      await until(
        () => states(host, 'woken.service'),
        ([state]) => state === 'active',
      );
    }
  });

  it('a timer whose service had been masked before waits again, and the service is masked again', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('asleep.service', daemon())} ${unit('asleep.timer', '[Timer]\nOnCalendar=yearly')}
        ${reload} systemctl start asleep.timer; ln -s /dev/null /etc/systemd/system/asleep.service; ${reload}`,
      ask: 'mask asleep --now --with-triggers',
      compared: ['asleep.service', 'asleep.timer'],
    });
  });

  it('a template of connections, by the socket of its name', async () => {
    await onEach(
      (host) => `${unit('talk.socket', socket(host, 'Accept=yes'))}
        ${unit('talk@.service', `${daemon()}\nStandardInput=socket`)} ${reload} systemctl start talk.socket`,
    );
    await masksAndPutsBack(operator, hosts, {
      given: ':',
      ask: 'mask talk@.service --now --with-triggers',
      compared: ['talk.socket'],
      meanwhile: async (host) => {
        expect(await listens(host)).toBe(false);
        expect(await hold(host, 'talk@any.service')).toBe(HELD);
      },
    });
    for (const host of hosts) expect(await listens(host)).toBe(true);
    await onEach(() => 'systemctl stop talk.socket');
  });

  it('without --now: sockets and timers go off at once, and all of it works again after the rollback', async () => {
    await onEach(
      (host) => `${unit('soft.socket', socket(host))} ${unit('soft.service', daemon())}
        ${unit('soft.timer', '[Timer]\nOnCalendar=yearly')} ${unit('soft.path', '[Path]\nPathExists=/run/soften')}
        ${reload} systemctl start soft.socket soft.timer soft.path soft.service`,
    );
    await masksAndPutsBack(operator, hosts, {
      given: ':',
      ask: 'mask soft --with-triggers',
      compared: ['soft.service', 'soft.socket', 'soft.timer', 'soft.path'],
      held: [],
      meanwhile: async (host, run) => {
        expect(await states(host, 'soft.service', 'soft.timer')).toEqual(['active', 'failed']);
        const notes = run.on(host).units.flatMap((each) => each.notes);
        expect(notes).toContain('a masked socket stops listening at once');
        expect(notes).toContain('a rollback restarts soft.service, or the socket could not listen again');
      },
    });
    for (const host of hosts) {
      await sh(host, 'systemctl stop soft.service');
      expect(await listens(host)).toBe(true);
      await until(
        () => states(host, 'soft.service'),
        ([state]) => state === 'active',
      );
    }
    await onEach(() => 'systemctl stop soft.socket soft.service soft.timer soft.path');
  });

  it('a host is put back as well when the shell at work on it is killed between two steps', async () => {
    await onEach(
      (host) => `rm -f /run/let-go; ${unit('cut.socket', socket(host))} ${unit('cut.service', daemon(WAITS))}
        ${reload} systemctl start cut.socket cut.service`,
    );
    const before = await Promise.all(hosts.map((host) => host.dumpUnit('cut.socket')));
    const running = operator.do('mask cut --now --with-triggers --rollback none', hosts);
    await Promise.all(
      hosts.map(async (host) => {
        await stopping(host, 'cut.service');
        await sh(host, 'read -r pid _ </run/fleetmask/lock; kill -9 "$pid"; touch /run/let-go');
      }),
    );
    const run = await running;
    expect(run.exitCode, run.said).toBe(6);
    const undone = await operator.undo(run);
    expect(undone.report.hosts.map(({ outcome, fault }) => fault?.message ?? outcome)).toEqual(
      hosts.map(() => 'restored'),
    );
    expect(await Promise.all(hosts.map((host) => host.dumpUnit('cut.socket')))).toEqual(before);
    for (const host of hosts) expect(await states(host, 'cut.service', 'cut.socket')).toEqual(['active', 'active']);
    await onEach(() => 'systemctl stop cut.socket cut.service');
  });
});

describeLab('without --with-triggers', (lab) => {
  const operator = new Operator(lab);
  afterAll(() => operator.forget());

  it('what can start the unit is named, with what starts that, in the plan, after the mask and by status', async () => {
    const host = await lab.host('debian12');
    await sh(
      host,
      `${unit('named.service', daemon())} ${unit('named.path', '[Path]\nPathExists=/run/never')}
       ${unit('early.timer', '[Timer]\nOnCalendar=yearly\nUnit=named.path')} ${reload}
       systemctl start named.path early.timer`,
    );
    for (const ask of ['plan mask named', 'mask named --now', 'status named']) {
      const run = await operator.do(ask, [host]);
      expect(run.on(host).units[0]?.triggers, ask).toEqual(['named.path', 'early.timer']);
    }
  });

  it('unmask does not know what belonged to a unit, and says so', async () => {
    const run = await operator.do('unmask named --with-triggers', [await lab.host('debian12')]);
    expect([run.exitCode, run.stderr]).toEqual([2, expect.stringContaining('rollback RUN')]);
  });
});
