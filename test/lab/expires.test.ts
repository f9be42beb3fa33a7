/** Masks for a time: hosts put themselves back when it is up, reboot or not, unless it is moved or taken away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { dumps, enabled, HELD, hold, property, receiptOf, sh, until } from './inside.ts';
import type { LabHost } from './lab.ts';
import { kinds, outcomes } from './situation.ts';
import { putItselfBack, switchesOn } from './switches.ts';

describeLab('a mask for a time', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  beforeAll(async () => {
    hosts = await Promise.all(['debian11', 'debian12', 'debian13'].map((kind) => lab.host(kind)));
  });
  afterAll(() => operator.forget());

  const everywhere = <T>(work: (host: LabHost, i: number) => Promise<T>) => Promise.all(hosts.map(work));
  const all = (outcome: string) => Object.fromEntries(hosts.map(({ name }) => [name, outcome]));
  const secondsTo = (run: Run) => run.report.hosts.map(({ expiresAt }) => (Date.parse(expiresAt!) - Date.now()) / 1000);
  const arrange = async (name: string) => {
    await everywhere((host) => sh(host, enabled(name)));
    return everywhere((host) => dumps(host, [`${name}.service`]));
  };

  it('ends by itself, exactly, and not before', async () => {
    const before = await arrange('timed');
    const run = await operator.do('mask timed --now --expires 30s', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    const status = await operator.do('status timed', hosts);
    expect(status.report.hosts.map(({ switchOf }) => switchOf)).toEqual(hosts.map(() => run.report.run.id));
    expect(Math.max(...secondsTo(status))).toBeLessThan(30);
    await everywhere(async (host) => expect(await hold(host, 'timed.service')).toBe(HELD));
    await everywhere((host, i) => putItselfBack(host, before[i]!));
    await everywhere(async (host) => {
      const started = Number(await sh(host, 'date +%s -d "$(systemctl show -p ActiveEnterTimestamp --value timed)"'));
      // both clocks were read in whole seconds
      expect(started).toBeGreaterThanOrEqual(Math.floor(Date.parse(run.on(host).expiresAt!) / 1000) - 1);
    });
  });

  it('outlives a reboot, and ends at the same time', async () => {
    const before = await arrange('rebooted');
    const run = await operator.do('mask rebooted --now --expires 40s', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    await everywhere((host) => host.powerCut());
    await everywhere((host) => host.boot());
    await everywhere(async (host) => {
      expect(await property(host, 'rebooted.service', 'LoadState')).toBe('masked');
    });
    await everywhere((host, i) => putItselfBack(host, before[i]!));
    expect(secondsTo(run)[0]).toBeLessThan(0);
  });

  it('ends at the next boot of a host that was down at that time', async () => {
    const before = await arrange('down');
    const run = await operator.do('mask down --now --expires 15s', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    await everywhere((host) => host.powerCut());
    await sleep(Math.max(0, secondsTo(run)[0]! + 3) * 1000);
    await everywhere((host) => host.boot());
    await everywhere((host, i) => putItselfBack(host, before[i]!));
  });

  it('that a power cut interrupts goes on at the next boot, wherever it was', async () => {
    const before = await arrange('interrupted');
    const run = await operator.do('mask interrupted --now --expires 12s', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    // by host: the link has gone; about to start the unit; the timer is taken away
    const steps = ['daemon-reload', 'start -- interrupted.service', 'stop -- fleetmask-undo-'];
    await everywhere((host, i) =>
      host.writeFile(
        '/usr/local/bin/systemctl',
        `#!/bin/sh
case $* in *'${steps[i]}'*) if rm /root/armed 2>/dev/null; then touch /run/cut; exec sleep 1000; fi ;; esac
exec /bin/systemctl "$@"
`,
        0o755,
      ),
    );
    await everywhere((host) => sh(host, 'touch /root/armed'));
    await everywhere((host) =>
      until(
        () => host.exec('ls /run/cut'),
        ({ code }) => code === 0,
      ),
    );
    await everywhere((host) => host.powerCut());
    await everywhere((host) => host.boot());
    await everywhere((host, i) => putItselfBack(host, before[i]!, 90));
    await everywhere((host) => sh(host, 'rm /usr/local/bin/systemctl'));
  });

  it('whose record is damaged ends as a failed unit, which status tells of, also after a reboot', async () => {
    const before = await arrange('damaged');
    const run = await operator.do('mask damaged --now --expires 12s', hosts);
    const service = `fleetmask-undo-${run.report.run.id}.service`;
    const receipt = `/var/lib/fleetmask/${run.report.run.id}`;
    // by host: all is lost; cut off within the request; the program itself
    const damage = [`: >log`, `cp log /root; truncate -s 50 log`, `cp program /root; truncate -s 999 program`];
    await everywhere((host, i) => sh(host, `cd ${receipt}; ${damage[i]}`));
    const failed = () =>
      everywhere((host) =>
        until(
          () => host.exec(`systemctl is-failed ${service}`),
          ({ stdout }) => stdout.trim() === 'failed',
        ),
      );
    const told = async () => {
      const status = await operator.do('status damaged', hosts);
      for (const host of hosts)
        expect(status.on(host).units[0]!.notes.join()).toMatch(/automatic rollback of run \S+ failed/);
    };
    await failed();
    await told();
    await everywhere((host) => host.powerCut());
    await everywhere((host) => host.boot());
    await everywhere(async (host) => expect(await property(host, 'damaged.service', 'LoadState')).toBe('masked'));
    const extended = await operator.decide('extend', run, '--expires', '1h', '-l', hosts[0]!.name);
    expect(extended.on(hosts[0]!), extended.said).toMatchObject({ outcome: 'stranded', fault: { kind: 'read-back' } });
    await hosts[0]!.reset();
    await sh(hosts[1]!, `cp /root/log ${receipt}/log; systemctl start ${service}`);
    await putItselfBack(hosts[1]!, before[1]!, 30);
    await sh(hosts[2]!, `cp /root/program ${receipt}/program; systemctl start ${service}`);
    await putItselfBack(hosts[2]!, before[2]!, 30);
  });

  it('for a runtime mask ends under a later mask, which then starts what ran; after a reboot nothing of it is left', async () => {
    const before = await arrange('twice');
    await operator.do('mask twice --now --runtime --expires 12s', hosts);
    const second = await operator.do('mask twice --expires 30s', hosts);
    expect(outcomes(second)).toEqual(all('masked'));
    await everywhere(async (host) => {
      await until(
        () => host.exec('ls /run/fleetmask/runs /run/systemd/system/twice.service'),
        ({ stdout }) => stdout === '',
      );
      expect(await property(host, 'twice.service', 'LoadState')).toBe('masked');
    });
    await everywhere((host, i) => putItselfBack(host, before[i]!, 90));

    await operator.do('mask twice --now --runtime --expires 1h', hosts);
    await everywhere((host) => host.powerCut());
    await everywhere((host) => host.boot());
    await everywhere((host, i) => putItselfBack(host, before[i]!, 30));
  });

  it('is prolonged by extend, and stays after release, with nothing left of the switch', async () => {
    const before = await arrange('moved');
    const run = await operator.do('mask moved --now --expires 20s', hosts);
    const extended = await operator.decide('extend', run, '--expires', '2h');
    expect(outcomes(extended)).toEqual(all('masked'));
    for (const left of secondsTo(extended)) expect(left).toBeGreaterThan(7_000);
    await sleep(Math.max(0, secondsTo(run)[0]! + 3) * 1000);
    await everywhere(async (host) => expect(await hold(host, 'moved.service')).toBe(HELD));
    const shown = await operator.run(['runs', 'show', run.report.run.id]);
    expect(shown.stdout).toMatch(/expires in 1 h 5\d min/);

    const released = await operator.decide('release', run);
    expect(outcomes(released)).toEqual(all('masked'));
    expect(released.report.hosts.map(({ expiresAt }) => expiresAt)).toEqual(hosts.map(() => undefined));
    await everywhere(async (host) => expect(await switchesOn(host)).toEqual([]));
    await everywhere(async (host) => expect(await receiptOf(host, run.report.run.id)).not.toBe(''));
    expect(outcomes(await operator.undo(run))).toEqual(all('restored'));
    await everywhere((host, i) => putItselfBack(host, before[i]!, 10));
  });

  it('can be confirmed, and then still expires', async () => {
    const before = await arrange('both');
    const run = await operator.do('mask both --now --confirm-within 15s --expires 40s', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    const confirmed = await operator.decide('confirm', run);
    expect(confirmed.report.hosts.map(({ confirmBy, expiresAt }) => [confirmBy, expiresAt !== undefined])).toEqual(
      hosts.map(() => [undefined, true]),
    );
    await sleep(Date.parse(run.on(hosts[0]!).confirmBy!) - Date.now() + 3_000);
    await everywhere(async (host) => expect(await hold(host, 'both.service')).toBe(HELD));
    await everywhere((host, i) => putItselfBack(host, before[i]!));
    const late = await operator.decide('extend', run, '--expires', '1h');
    expect(kinds(late), late.said).toEqual(all('rolled-back: expired'));
  });

  it('ends with an unmask, without a switch left to start anything', async () => {
    const before = await arrange('superseded');
    const run = await operator.do('mask superseded --now --expires 20s', hosts);
    const unmask = await operator.do('unmask superseded', hosts);
    expect(outcomes(unmask)).toEqual(all('unmasked'));
    await everywhere(async (host) => expect(await switchesOn(host)).toEqual([]));
    await sleep(Math.max(0, secondsTo(run)[0]! + 4) * 1000);
    await everywhere(async (host) => {
      expect(await property(host, 'superseded.service', 'ActiveState')).toBe('inactive');
    });
    // a mask that comes back after its time is up does not stay
    await operator.undo(unmask);
    await everywhere((host, i) => putItselfBack(host, before[i]!));
  });

  it('counts by the clock of the host, and the table says where that is off', async () => {
    // the lab's hosts share one clock: only what asks `date` is told another time
    const before = await arrange('skewed');
    const ahead = 3600;
    const lie = `#!/bin/sh\nexec /bin/date -d '${ahead} seconds' "$@"\n`;
    await everywhere((host) => host.writeFile('/usr/local/bin/date', lie, 0o755));
    const asked = Date.now() / 1000;
    const run = await operator.do('mask skewed --now --expires 20m', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    for (const left of secondsTo(run)) expect(left).toBeLessThan(1200);
    for (const host of hosts) {
      expect(run.on(host).units[0]!.notes.join()).toMatch(
        /^the host’s clock is 3(?:59|60)\d s ahead; its expiry moves/,
      );
      const next = await sh(
        host,
        'date -d "$(systemctl show -pNextElapseUSecRealtime \'fleetmask-undo-*.timer\' | cut -d= -f2)" +%s',
      );
      expect(Number(next) - ahead - asked, 'on its own clock').toBeGreaterThan(1190);
      expect(Number(next) - ahead - asked).toBeLessThan(1230);
    }
    const status = await operator.do('status skewed', hosts);
    for (const left of secondsTo(status)) expect(left, 'by our clock').toBeLessThan(1200);
    const extended = await operator.decide('extend', run, '--expires', '40m');
    for (const left of secondsTo(extended)) expect(Math.abs(left - 2400)).toBeLessThan(30);
    await everywhere((host) => sh(host, 'rm /usr/local/bin/date'));
    expect(outcomes(await operator.undo(run))).toEqual(all('restored'));
    await everywhere((host, i) => putItselfBack(host, before[i]!, 1));
  });

  it('is told of to whoever asks for the same mask, and whether anything will end it', async () => {
    const before = await arrange('shared');
    const run = await operator.do('mask shared --now --expires 1h', hosts);
    const again = await operator.do('mask shared --now', hosts);
    expect(outcomes(again)).toEqual(all('unchanged'));
    const note = (said: Run, host: LabHost) => said.on(host).units[0]!.notes.join();
    for (const host of hosts) expect(note(again, host)).toMatch(/; its automatic rollback is at 20\S+Z$/);
    await everywhere((host) => sh(host, "systemctl stop 'fleetmask-undo-*.timer'"));
    const status = await operator.do('status shared', hosts);
    for (const host of hosts)
      expect(note(status, host)).toMatch(/, which was to take it back and has no timer that does$/);
    expect(outcomes(await operator.undo(run))).toEqual(all('restored'));
    await everywhere((host, i) => putItselfBack(host, before[i]!, 10));
  });

  it('that somebody took away by hand is not touched when its time is up', async () => {
    await arrange('by-hand');
    const run = await operator.do('mask by-hand --now --expires 15s', hosts);
    await everywhere((host) => sh(host, 'systemctl unmask -q by-hand'));
    await sleep(Math.max(0, secondsTo(run)[0]! + 5) * 1000);
    await everywhere(async (host) => {
      expect(await property(host, 'by-hand.service', 'ActiveState')).toBe('inactive');
      expect(await switchesOn(host)).toEqual([]);
      expect(await receiptOf(host, run.report.run.id)).toBe('');
    });
  });

  it('has its switch back when the unmask is rolled back', async () => {
    const before = await arrange('handed-back');
    await operator.do('mask handed-back --now --expires 30s', hosts);
    const unmask = await operator.do('unmask handed-back', hosts);
    expect(outcomes(await operator.undo(unmask))).toEqual(all('restored'));
    await everywhere(async (host) => expect(await switchesOn(host)).not.toEqual([]));
    await everywhere((host, i) => putItselfBack(host, before[i]!));
  });
});
