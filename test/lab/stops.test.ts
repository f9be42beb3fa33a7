/** What stops badly, what is left behind, and what was masked already: counted, ended, put back. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, deaf, dumps, HELD, hold, property, receiptOf, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';
import { failsAndRollsBack, masksAndPutsBack, outcomes } from './situation.ts';

const reload = 'systemctl daemon-reload;';
const link = 'ln -sf /dev/null';
/** Leaves a child of its own behind at each stop. */
const litter = (name: string) =>
  unit(name, `[Service]\nKillMode=process\nExecStart=/bin/sh -c "sleep infinity & exec sleep infinity"`);

describeLab('masking', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'arch-like']);
  });
  afterAll(() => operator.forget());

  it('a unit that does not stop in time rolls back: it runs again as it did', async () => {
    await failsAndRollsBack(
      operator,
      hosts,
      {
        given: `${unit('deaf.service', deaf('TimeoutStopSec=20'))} ${reload} systemctl start deaf`,
        ask: 'mask deaf --now --host-timeout 12',
        compared: ['deaf.service'],
      },
      'still-running',
    );
  });

  it('without --now leaves it running, says so, and keeps it from starting again', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('onward.service', daemon('Restart=always'))} ${reload} systemctl start onward`,
      ask: 'mask onward',
      compared: ['onward.service'],
      held: [],
      meanwhile: async (host, run) => {
        expect(await property(host, 'onward.service', 'ActiveState')).toBe('active');
        expect(await property(host, 'onward.service', 'LoadState')).toBe('masked');
        expect(run.on(host).units[0]).toMatchObject({ after: { load: 'masked', active: 'active' } });
        expect(run.on(host).units[0]?.notes.join()).toMatch('still running');
      },
    });
  });

  it('counts what a unit leaves behind, and ends it only when asked', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${litter('litter.service')} ${reload} systemctl start litter`,
      ask: 'mask litter --now',
      compared: ['litter.service'],
      held: [],
      meanwhile: async (host, run) => {
        expect(run.on(host).units[0]?.leftovers).toBe(1);
        expect(await hold(host, 'litter.service')).toBe(HELD.replace('0', '1'));
      },
    });
    await Promise.all(hosts.map((host) => sh(host, 'systemctl kill -s KILL litter; systemctl stop litter')));
    await masksAndPutsBack(operator, hosts, {
      given: 'systemctl start litter',
      ask: 'mask litter --now --kill-leftovers',
      compared: ['litter.service'],
      meanwhile: async (host, run) => expect(run.on(host).units[0]?.leftovers).toBe(0),
    });
  });

  it('makes systemd read a mask that lies on the disk unread, and leaves that mask there', async () => {
    const run = await masksAfter(
      `${unit('unread.service', daemon())} ${reload} systemctl start unread; ${link} /etc/systemd/system/unread.service`,
      'mask unread --now',
      'unread.service',
    );
    await operator.undo(run);
    for (const host of hosts) {
      expect(await sh(host, 'readlink /etc/systemd/system/unread.service')).toBe('/dev/null');
      expect(await receiptOf(host, run.report.run.id)).toBe('');
    }
  });

  it('for good what was masked until the boot adds its own link, and takes only that away', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('both.service', daemon())} ${link} /run/systemd/system/both.service; ${reload}`,
      ask: 'mask both --now',
      compared: ['both.service'],
    });
  });

  it('a masked unit that still runs stops it, and its mask stays through the rollback', async () => {
    const run = await masksAfter(
      `${unit('undead.service', daemon())} ${reload} systemctl start undead; ${link} /etc/systemd/system/undead.service; ${reload}`,
      'mask undead --now',
      'undead.service',
    );
    const undone = await operator.undo(run);
    for (const host of hosts) {
      expect(await property(host, 'undead.service', 'LoadState'), JSON.stringify(outcomes(undone))).toBe('masked');
      expect(await property(host, 'undead.service', 'ActiveState')).toBe('active');
    }
    expect(undone.exitCode, undone.said).toBe(0);
  });

  it('a unit that is not installed, with --allow-absent: it cannot start once it is', async () => {
    await Promise.all(hosts.map((host) => sh(host, `rm -f /usr/lib/systemd/system/later.service; ${reload}`)));
    await masksAndPutsBack(operator, hosts, {
      given: ':',
      ask: 'mask later --now --allow-absent',
      compared: ['later.service'],
      meanwhile: async (host) => {
        await sh(host, `${unit('later.service', `${daemon()}\n[Install]\nWantedBy=multi-user.target`)} ${reload}`);
        expect(await hold(host, 'later.service')).toBe(HELD);
        await sh(host, `rm /usr/lib/systemd/system/later.service; ${reload}`);
      },
    });
  });

  it('what a unit has started by systemd-run, and runs on, is reported; what ran before it is not', async () => {
    const asks =
      'systemd-run -q --unit=walker sleep 3000; systemd-run -q --scope --unit=strider sleep 3001 & exec sleep 3002';
    await given(
      `systemd-run -q --unit=older sleep 4000; sleep 2; ${unit('escapes.service', `[Service]\nExecStart=/bin/sh -c "${asks}"`)} ${reload} systemctl start escapes; until systemctl -q is-active walker && systemctl -q is-active strider.scope; do sleep 0.1; done`,
    );
    const run = await operator.do('mask escapes --now', hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    for (const host of hosts) {
      const notes = run.on(host).units.flatMap((each) => each.notes);
      expect(notes).toContainEqual(
        expect.stringMatching(
          /systemd-run .*running: (?:walker\.service, strider\.scope|strider\.scope, walker\.service);/,
        ),
      );
    }
    await given('systemctl stop walker older strider.scope');
  });

  it('twice does nothing the second time, and unmask restores what was there', async () => {
    const before = await given(
      `${unit('again.service', `${daemon()}\n[Install]\nWantedBy=multi-user.target`)} systemctl enable -q again`,
    );
    expect(outcomes(await operator.do('mask again --now', hosts))).toEqual(all('masked'));
    expect(outcomes(await operator.do('mask again --now', hosts))).toEqual(all('unchanged'));
    const lifted = await operator.do('unmask again', hosts);
    expect(outcomes(lifted)).toEqual(all('unmasked'));
    expect(await given(':')).toEqual(before);
    expect(outcomes(await operator.undo(lifted))).toEqual(all('restored'));
    for (const host of hosts) expect(await hold(host, 'again.service')).toBe(HELD);
    expect(outcomes(await operator.do('unmask again', hosts))).toEqual(all('unmasked'));
  });

  it('is put back host by host, once each', async () => {
    const [first, ...others] = hosts as [LabHost, ...LabHost[]];
    await given(`${unit('piecemeal.service', daemon())} ${reload} systemctl start piecemeal`);
    const run = await operator.do('mask piecemeal --now', hosts);
    expect(outcomes(await operator.undo(run, '-l', first.name))).toEqual({ [first.name]: 'restored' });
    expect(await property(first, 'piecemeal.service', 'ActiveState')).toBe('active');
    for (const host of others) expect(await hold(host, 'piecemeal.service')).toBe(HELD);
    expect(Object.keys(outcomes(await operator.undo(run)))).toEqual(others.map(({ name }) => name));
    const nothing = await operator.undo(run);
    expect([nothing.exitCode, nothing.report.hosts]).toEqual([0, []]);
    expect(nothing.stderr).toMatch('nothing to put back');
  });

  it('leaves a mask alone that somebody made anew after the run', async () => {
    await given(`${unit('anew.service', daemon())} ${reload} systemctl start anew`);
    const run = await operator.do('mask anew --now', hosts);
    await given('cd /etc/systemd/system; sleep 1.1; rm anew.service; ln -s /dev/null anew.service');
    const undone = await operator.undo(run);
    for (const host of hosts) {
      expect(undone.on(host), undone.said).toMatchObject({ outcome: 'stranded', fault: { kind: 'not-restored' } });
      expect(undone.on(host).fault?.message).toMatch('anew.service was made anew by somebody else');
      expect(await hold(host, 'anew.service')).toBe(HELD);
    }
  });

  it('a unit whose stop kills the shell that asked for it rolls back', async () => {
    const kills = 'ExecStop=/bin/sh -c "read pid rest </run/fleetmask/lock; kill -9 $pid"'.replace('$', '$$');
    const before = await given(`${unit('killer.service', daemon(kills))} ${reload} systemctl start killer`);
    const run = await operator.do('mask killer --now', hosts);
    expect(outcomes(run)).toEqual(all('rolled-back: lost: the remote program ended early (signal SIGKILL)'));
    expect(await given(':')).toEqual(before);
  });

  it('leaves a unit file alone that the unit itself puts in the place of the mask, until that is accepted', async () => {
    const copies =
      'ExecStop=/bin/sh -c "cp --remove-destination /usr/lib/systemd/system/own.service /etc/systemd/system"';
    await given(`${unit('own.service', daemon(copies))} ${reload} systemctl start own`);
    const run = await operator.do('mask own --now', hosts);
    for (const host of hosts) {
      expect(run.on(host)).toMatchObject({ outcome: 'stranded', fault: { kind: 'ineffective' } });
      expect(run.on(host).fault?.message).toMatch('own.service was put there by somebody else and was left alone');
      expect(await property(host, 'own.service', 'ActiveState')).toBe('active');
    }
    const accepted = await operator.run([
      'recover',
      run.report.run.id,
      '-y',
      '--known-hosts',
      lab.knownHosts,
      '-o',
      'json',
    ]);
    expect(outcomes(accepted)).toEqual(
      all('rolled-back: interrupted: the run was interrupted, and nothing of it is in effect here'),
    );
    for (const host of hosts)
      await sh(host, `test -s /etc/systemd/system/own.service; ! test -e /var/lib/fleetmask/${run.report.run.id}`);
  });

  it('with --runtime and in /etc come off one by one, or together', async () => {
    await given(
      `${unit('twice.service', daemon())} ${link} /etc/systemd/system/twice.service; ${link} /run/systemd/system/twice.service; ${reload}`,
    );
    const [half] = [await operator.do('unmask twice --runtime', hosts)];
    expect(half.on(hosts[0]!).fault?.kind, half.said).toBe('masked-elsewhere');
    expect(outcomes(await operator.do('unmask twice', hosts))).toEqual(all('unmasked'));
    for (const host of hosts) expect(await property(host, 'twice.service', 'LoadState')).toBe('loaded');
  });

  const all = (outcome: string) => Object.fromEntries(hosts.map(({ name }) => [name, outcome]));

  async function given(script: string) {
    await Promise.all(hosts.map((host) => sh(host, script)));
    return Promise.all(hosts.map((host) => dumps(host, ['again.service'])));
  }

  async function masksAfter(script: string, ask: string, name: string) {
    await given(`rm -f /etc/systemd/system/${name}; ${script}`);
    const run = await operator.do(ask, hosts);
    expect(outcomes(run)).toEqual(all('masked'));
    for (const host of hosts) expect(await hold(host, name)).toBe(HELD);
    return run;
  }
});
