/** Hosts whose change must be confirmed: they put themselves back, whatever became of whoever asked for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { start } from './executable.ts';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, daemon, dumps, enabled, HELD, hold, property, receiptOf, sh, unit, until } from './inside.ts';
import type { LabHost } from './lab.ts';
import { kinds, outcomes } from './situation.ts';
import { putItselfBack, switchesOn } from './switches.ts';

/** Confirmed ever later, around the deadline. */
const ROUNDS = 4;

describeLab('a change that must be confirmed', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  let debian12: LabHost;
  beforeAll(async () => {
    hosts = await Promise.all(['debian11', 'debian12', 'debian13'].map((kind) => lab.host(kind)));
    debian12 = hosts[1]!;
  });
  afterAll(() => operator.forget());

  const everywhere = <T>(work: (host: LabHost, i: number) => Promise<T>) => Promise.all(hosts.map(work));
  const all = (outcome: string) => Object.fromEntries(hosts.map(({ name }) => [name, outcome]));

  it('is taken back by each host when fleetmask was killed right after it', async () => {
    await everywhere((host) => sh(host, enabled('orphaned')));
    const before = await everywhere((host) => dumps(host, ['orphaned.service']));
    const { child, ended } = start(operator, operator.argv('mask orphaned --now --confirm-within 30s', hosts));
    const done = (host: LabHost) => host.exec('ls /var/lib/fleetmask/*/result');
    await everywhere((host) =>
      until(
        () => done(host),
        ({ code }) => code === 0,
      ),
    );
    child.kill('SIGKILL');
    await ended;
    await everywhere(async (host) => expect(await hold(host, 'orphaned.service')).toBe(HELD));
    await everywhere((host, i) => putItselfBack(host, before[i]!));
    const lines = 'journalctl --sync; journalctl -q -t fleetmask -o cat | grep \'units="orphaned.service"\' || :';
    await everywhere(async (host) => {
      await until(
        () => sh(host, lines),
        (text) => text.includes('did="automatic rollback" outcome="rolled back, unconfirmed"'),
      );
      expect((await sh(host, lines)).split('\n')[0]).toMatch(/^run=\S+ did="mask" outcome="applied" actor="[^"]+@/);
    });
  });

  it('is taken back without sshd, without D-Bus, and with a masked sysinit.target', async () => {
    // whatever has the default dependencies cannot start then, switch or no switch
    const free = `${unit('cut.service', `[Unit]\nDefaultDependencies=no\n${daemon()}`)} systemctl daemon-reload; systemctl start cut`;
    await everywhere((host) => sh(host, free));
    const before = await everywhere((host) => dumps(host, ['cut.service']));
    const run = await operator.do('mask cut --now --confirm-within 20s', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    await everywhere((host) =>
      sh(
        host,
        `systemctl stop ssh.service ssh.socket 2>/dev/null || :
         systemctl stop dbus.socket dbus.service 2>/dev/null; rm -f /run/dbus/system_bus_socket
         ln -s /dev/null /etc/systemd/system/sysinit.target; systemctl daemon-reload`,
      ),
    );
    const back = everywhere((host, i) => putItselfBack(host, before[i]!));
    // logins hang on some hosts after that
    await back.finally(() => everywhere((host) => host.reset()));
  });

  it('is taken back by a host that was isolated to the rescue target meanwhile', async () => {
    const free = `${unit('cut.service', `[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n${daemon()}`)} systemctl daemon-reload; systemctl start cut`;
    await everywhere((host) => sh(host, free));
    const before = await everywhere((host) => dumps(host, ['cut.service']));
    const run = await operator.do('mask cut --now --confirm-within 20s', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    await everywhere((host) => sh(host, 'systemctl isolate --no-block rescue.target'));
    const back = everywhere((host, i) => putItselfBack(host, before[i]!));
    await back.finally(() => everywhere((host) => host.reset()));
  });

  it('is taken back after a reboot in between, and in time although systemd is reloaded again and again then', async () => {
    await everywhere((host) => sh(host, enabled('rebooted')));
    const before = await everywhere((host) => dumps(host, ['rebooted.service']));
    const run = await operator.do('mask rebooted --now --confirm-within 25s', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    await everywhere((host) => host.powerCut());
    await everywhere((host) => host.boot());
    // it counts anew
    await everywhere(async (host) => {
      expect(await property(host, 'rebooted.service', 'LoadState')).toBe('masked');
    });
    const reloads = everywhere((host) =>
      sh(host, 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do systemctl daemon-reload; sleep 3; done'),
    );
    await everywhere((host, i) => putItselfBack(host, before[i]!, 42));
    await reloads;
    const late = await operator.decide('confirm', run);
    expect(late.exitCode, late.said).toBe(5);
    expect(kinds(late), late.said).toEqual(all('rolled-back: unconfirmed'));
  });

  it('is taken back in time by hosts that reload systemd again and again', async () => {
    await everywhere((host) => sh(host, enabled('restless')));
    const before = await everywhere((host) => dumps(host, ['restless.service']));
    const run = await operator.do('mask restless --now --confirm-within 20s', hosts);
    const by = Math.max(...run.report.hosts.map(({ confirmBy }) => Date.parse(confirmBy!)));
    const reloads = everywhere((host) =>
      sh(host, 'for i in 1 2 3 4 5 6 7 8 9 10; do systemctl daemon-reload; sleep 2; done; systemctl daemon-reexec'),
    );
    await everywhere((host, i) => putItselfBack(host, before[i]!, (by - Date.now()) / 1000 + 15));
    await reloads;
  });

  it('whose switch somebody deleted can be confirmed, and one that expires is armed anew by extend', async () => {
    const taken = (more: string) => `find /etc/systemd/system -name 'fleetmask-undo-*' -delete; ${more}`;
    await everywhere((host) => sh(host, `${enabled('bared')}; ${enabled('revived')}`));
    const before = await everywhere((host) => dumps(host, ['bared.service', 'revived.service']));
    const bared = await operator.do('mask bared --now --confirm-within 5m', hosts);
    await everywhere((host) => sh(host, taken(':')));
    expect(outcomes(await operator.decide('confirm', bared))).toEqual(all('masked'));
    await everywhere(async (host) => expect(await switchesOn(host)).toEqual([]));
    const revived = await operator.do('mask revived --now --expires 1h', hosts);
    await everywhere((host) => sh(host, taken("systemctl daemon-reload; systemctl stop 'fleetmask-undo-*.timer'")));
    expect(outcomes(await operator.decide('extend', revived, '--expires', '15s'))).toEqual(all('masked'));
    expect(outcomes(await operator.undo(bared))).toEqual(all('restored'));
    await everywhere((host, i) => putItselfBack(host, before[i]!));
  });

  it('stays when it is confirmed in time, with nothing left of the switch, and can be rolled back', async () => {
    await everywhere((host) => sh(host, enabled('kept')));
    const before = await everywhere((host) => dumps(host, ['kept.service']));
    const run = await operator.do('mask kept --now --confirm-within 30s', hosts);
    expect(run.report.hosts.map(({ confirmBy }) => Date.parse(confirmBy ?? '') > Date.now())).toEqual(
      hosts.map(() => true),
    );
    await everywhere(async (host) => expect(await switchesOn(host)).not.toEqual([]));
    const confirmed = await operator.decide('confirm', run);
    expect(outcomes(confirmed)).toEqual(all('masked'));
    expect(confirmed.exitCode, confirmed.said).toBe(0);
    expect(confirmed.report.hosts.map(({ confirmBy }) => confirmBy)).toEqual(hosts.map(() => undefined));
    await everywhere(async (host) => expect(await switchesOn(host)).toEqual([]));
    await sleep(Date.parse(run.on(debian12).confirmBy!) - Date.now() + 3_000);
    await everywhere(async (host) => expect(await hold(host, 'kept.service')).toBe(HELD));
    expect((await operator.decide('confirm', run)).stderr).toMatch('nothing to confirm');
    expect(outcomes(await operator.undo(run))).toEqual(all('restored'));
    await everywhere(async (host, i) => expect(await changes(host, before[i]!)).toEqual([]));
  });

  it('can be confirmed on another machine, which knows the run by its receipts', async () => {
    await everywhere((host) => sh(host, enabled('shared')));
    const run = await operator.do('mask shared --now --confirm-within 5m', hosts);
    const elsewhere = new Operator(lab);
    try {
      const known = await elsewhere.do(`recover ${run.report.run.id} --from-hosts -y`, hosts);
      expect(known.report.hosts.map(({ confirmBy }) => typeof confirmBy)).toEqual(hosts.map(() => 'string'));
      expect(outcomes(await elsewhere.decide('confirm', run))).toEqual(all('masked'));
      await everywhere(async (host) => expect(await switchesOn(host)).toEqual([]));
      expect(outcomes(await elsewhere.undo(run))).toEqual(all('restored'));
    } finally {
      elsewhere.forget();
    }
  });

  it('is told truthfully when it is confirmed too late', async () => {
    await everywhere((host) => sh(host, enabled('late')));
    const before = await everywhere((host) => dumps(host, ['late.service']));
    const run = await operator.do('mask late --now --confirm-within 10s', hosts);
    await everywhere((host, i) => putItselfBack(host, before[i]!));
    const late = await operator.decide('confirm', run);
    expect(late.exitCode, late.said).toBe(5);
    for (const host of hosts) {
      const { outcome, fault, units } = late.on(host);
      expect([outcome, fault?.kind]).toEqual(['rolled-back', 'unconfirmed']);
      expect(fault?.message).toMatch(/too late: the host put itself back at 20\d\d-/);
      expect(units[0]?.after).toMatchObject({ load: 'loaded', active: 'active' });
    }
    expect((await operator.undo(run)).stderr).toMatch('nothing to put back');
  });

  it('has its switch taken away by a rollback before the time is up', async () => {
    await everywhere((host) => sh(host, enabled('undone')));
    const before = await everywhere((host) => dumps(host, ['undone.service']));
    const run = await operator.do('mask undone --now --confirm-within 5m', hosts);
    expect(outcomes(await operator.undo(run))).toEqual(all('restored'));
    await everywhere((host, i) => putItselfBack(host, before[i]!, 10));
  });

  it('in /run has its switch in /run', async () => {
    await everywhere((host) => sh(host, enabled('brief')));
    const before = await everywhere((host) => dumps(host, ['brief.service']));
    const run = await operator.do('mask brief --now --runtime --confirm-within 10s', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    await everywhere(async (host) => {
      expect(await sh(host, "find /etc/systemd /var/lib -name '*fleetmask*'")).toBe('');
    });
    await everywhere((host, i) => putItselfBack(host, before[i]!));
  });

  it('may be an unmask, too', async () => {
    await everywhere((host) => sh(host, `${enabled('unhidden')}; systemctl stop unhidden; systemctl mask -q unhidden`));
    const before = await everywhere((host) => dumps(host, ['unhidden.service']));
    const run = await operator.do('unmask unhidden --confirm-within 10s', hosts);
    expect(outcomes(run)).toEqual(all('unmasked'));
    await everywhere((host, i) => putItselfBack(host, before[i]!));
  });

  it('is put back where the host cannot be reached anew', async () => {
    const gate = 'ExecStop=/bin/systemctl stop ssh.service\nExecStartPost=/bin/systemctl start ssh.service';
    await sh(debian12, enabled('gate', gate));
    const before = await dumps(debian12, ['gate.service']);
    const run = await operator.do('mask gate --now --confirm-within 5m', [debian12]);
    expect(run.exitCode, run.said).toBe(5);
    expect(run.on(debian12), run.said).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'cut-off' } });
    await putItselfBack(debian12, before, 10);
  });

  it('may cut off ssh itself: by hand of fleetmask, or of the host alone, it comes back', async () => {
    const before = await everywhere((host) => dumps(host, ['ssh.service']));
    const noticed = await operator.do('mask ssh --now --allow-lockout --confirm-within 5m', hosts);
    expect(kinds(noticed), noticed.said).toEqual(all('rolled-back: cut-off'));
    await everywhere((host, i) => putItselfBack(host, before[i]!, 10));
    const left = await operator.do('mask ssh --now --allow-lockout --confirm-within 15s --rollback none', hosts);
    expect(kinds(left), left.said).toEqual(all('stranded: cut-off'));
    await everywhere((host, i) => putItselfBack(host, before[i]!));
  });

  it('that cannot be taken back yet is kept on record, told as such, and taken back when it can be', async () => {
    const file = '/usr/lib/systemd/system/moody.service';
    await sh(debian12, enabled('moody'));
    const before = await dumps(debian12, ['moody.service']);
    const run = await operator.do('mask moody --now --confirm-within 20s', [debian12]);
    await sh(debian12, `cp -p ${file} /root/moody; sed -i 's|^ExecStart=.*|ExecStart=/bin/false|' ${file}`);
    const log = `/var/lib/fleetmask/${run.report.run.id}/log`;
    await until(
      () => sh(debian12, `cat ${log}`),
      (text) => text.includes('not-restored'),
    );
    const late = await operator.decide('confirm', run);
    expect(late.on(debian12), late.said).toMatchObject({ outcome: 'stranded', fault: { kind: 'unconfirmed' } });
    await sh(debian12, `cp -p /root/moody ${file}; systemctl daemon-reload`);
    await putItselfBack(debian12, before);
  });

  it('that was not begun when the remote program was killed leaves nothing', async () => {
    await everywhere((host) => sh(host, enabled('unborn')));
    const before = await everywhere((host) => dumps(host, ['unborn.service']));
    // ends the program in the moment in which it looks whether the switch is armed
    await everywhere((host) =>
      host.writeFile(
        '/usr/local/bin/systemctl',
        `#!/bin/sh
case $* in *NextElapse*) while read -r key text; do [ "$key" = PPid: ] && kill -9 "$text"; done <"/proc/$PPID/status" ;; esac
exec /bin/systemctl "$@"
`,
        0o755,
      ),
    );
    const run = await operator.do('mask unborn --now --confirm-within 15s --rollback none', hosts);
    await everywhere((host) => sh(host, 'rm /usr/local/bin/systemctl'));
    expect(run.exitCode, run.said).toBe(6);
    for (const host of hosts) {
      expect(run.on(host), run.said).toMatchObject({
        outcome: 'stranded',
        fault: { message: expect.stringMatching('unless it is confirmed') },
      });
      expect(await receiptOf(host, run.report.run.id)).not.toBe('');
      expect(await property(host, 'unborn.service', 'ActiveState')).toBe('active');
    }
    await everywhere((host, i) => putItselfBack(host, before[i]!));
  });

  it('is not begun where no switch can be armed', async () => {
    await sh(debian12, enabled('unarmed'));
    const before = await dumps(debian12, ['unarmed.service']);
    // systemd has such a unit already, and will not start it
    await debian12.writeFile('/usr/local/bin/cksum', '#!/bin/sh\necho 1 2\n', 0o755);
    const run = await operator.do('mask unarmed --now --confirm-within 5m', [debian12]);
    await sh(debian12, 'rm /usr/local/bin/cksum');
    expect(run.on(debian12), run.said).toMatchObject({ outcome: 'refused', fault: { kind: 'not-armed' } });
    await putItselfBack(debian12, before, 10);
  });

  it('has one winner when it is confirmed at the last moment, and the report names it', async () => {
    await everywhere((host) => sh(host, enabled('raced')));
    const before = await everywhere((host) => dumps(host, ['raced.service']));
    const won = { masked: 0, 'rolled-back': 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const run = await operator.do('mask raced --now --confirm-within 12s', hosts);
      expect(outcomes(run)).toEqual(all('masked'));
      const [by] = run.report.hosts.map(({ confirmBy }) => Date.parse(confirmBy!)).sort();
      await sleep(Math.max(0, by! - Date.now() - 300 + round * 600));
      const confirmed = await operator.decide('confirm', run);
      await everywhere(async (host, i) => {
        const { outcome, fault } = confirmed.on(host);
        await until(
          () => switchesOn(host),
          (left) => left.length === 0,
        );
        if (outcome === 'masked') expect(await hold(host, 'raced.service')).toBe(HELD);
        else {
          expect(`${outcome}: ${fault?.kind}`).toBe('rolled-back: unconfirmed');
          expect(await changes(host, before[i]!)).toEqual([]);
        }
        won[outcome as keyof typeof won] += 1;
      });
      await operator.undo(run);
      await everywhere(async (host, i) => expect(await changes(host, before[i]!)).toEqual([]));
    }
    expect(won.masked + won['rolled-back']).toBe(ROUNDS * hosts.length);
  });
});
