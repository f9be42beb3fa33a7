/** Runs and hosts that are cut short: what may have been changed is on record, and it can be put back. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { start } from './executable.ts';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import {
  changes,
  daemon,
  dumps,
  ENABLED,
  finished,
  HELD,
  hold,
  letGo,
  property,
  sh,
  stopping,
  unit,
  unlinked,
  until,
  waiting,
} from './inside.ts';
import type { LabHost } from './lab.ts';
import { outcomes } from './situation.ts';

describeLab('a run', (lab) => {
  const operator = new Operator(lab);
  let debian11: LabHost;
  let debian12: LabHost;
  let debian13: LabHost;
  let arch: LabHost;
  beforeAll(async () => {
    const hosts = await Promise.all(['debian11', 'debian12', 'debian13', 'arch-like'].map((kind) => lab.host(kind)));
    [debian11, debian12, debian13, arch] = hosts as [LabHost, LabHost, LabHost, LabHost];
  });
  afterAll(() => operator.forget());

  /** What the journal of the newest run says of its hosts. */
  async function lastRun(): Promise<{ run: { id: string }; inDoubt: string[] }> {
    return JSON.parse((await operator.run(['runs', 'show', 'last', '-o', 'json'])).stdout);
  }

  it('that is killed mid-change names its hosts as in doubt, and is put back exactly', async () => {
    const hosts = [debian11, debian12];
    await Promise.all(hosts.map((host) => sh(host, waiting('doubted'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['doubted.service'])));
    const { child, ended } = start(operator, operator.argv('mask doubted --now', hosts));
    await Promise.all(hosts.map((host) => stopping(host, 'doubted.service')));
    child.kill('SIGKILL');
    await ended;
    const { run, inDoubt } = await lastRun();
    expect(inDoubt.sort()).toEqual(hosts.map(({ name }) => name));
    // the hosts finish what they began
    await letGo(...hosts);
    await Promise.all(hosts.map((host) => finished(host, run.id)));
    for (const host of hosts) expect(await hold(host, 'doubted.service')).toBe(HELD);

    const undone = await operator.undo(run.id);
    expect(outcomes(undone)).toEqual(Object.fromEntries(hosts.map(({ name }) => [name, 'restored'])));
    for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
    expect((await lastRun()).inDoubt).toEqual([]);
  });

  it('that is killed and put back at once does not wait for the request that still runs', async () => {
    await sh(debian13, waiting('hasty'));
    const before = await dumps(debian13, ['hasty.service']);
    const { child, ended } = start(operator, operator.argv('mask hasty --now', [debian13]));
    await stopping(debian13, 'hasty.service');
    child.kill('SIGKILL');
    await ended;
    const undone = operator.undo((await lastRun()).run.id);
    await unlinked(debian13, 'hasty.service');
    await letGo(debian13);
    expect(outcomes(await undone)).toEqual({ [debian13.name]: 'restored' });
    expect(await changes(debian13, before)).toEqual([]);
  });

  it('whose connection breaks mid-change calls the host again and puts it back', async () => {
    await sh(debian12, waiting('cut-off'));
    const before = await dumps(debian12, ['cut-off.service']);
    const running = operator.do('mask cut-off --now', [debian12]);
    await stopping(debian12, 'cut-off.service');
    await sh(debian12, "pkill -KILL -f '^sshd: root@notty'");
    await unlinked(debian12, 'cut-off.service');
    await letGo(debian12);
    expect((await running).on(debian12)).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'lost' } });
    expect(await changes(debian12, before)).toEqual([]);
  });

  it('whose host hangs mid-change gives up in time, and puts it back once it answers', async () => {
    await sh(debian13, waiting('hung'));
    const before = await dumps(debian13, ['hung.service']);
    const started = performance.now();
    const running = operator.do('mask hung --now --host-timeout 15', [debian13]);
    await stopping(debian13, 'hung.service');
    await debian13.freeze();
    await until(
      async () => performance.now() - started,
      (ms) => ms > 16_000,
    );
    await debian13.thaw();
    await letGo(debian13);
    expect((await running).on(debian13)).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'timed-out' } });
    expect(await changes(debian13, before)).toEqual([]);
  });

  it('that is interrupted once ends the hosts in flight, begins no other, and exits 130', async () => {
    await Promise.all([debian11, debian12].map((host) => sh(host, waiting('polite-end'))));
    const { child, ended } = start(operator, operator.argv('mask polite-end --now --forks 1', [debian11, debian12]));
    await stopping(debian11, 'polite-end.service');
    child.kill('SIGINT');
    await letGo(debian11);
    const run = await ended;
    expect(run.exitCode, run.said).toBe(130);
    expect([run.on(debian11).outcome, run.on(debian12).outcome]).toEqual(['masked', 'not-started']);
    expect(await hold(debian11, 'polite-end.service')).toBe(HELD);
    expect(await property(debian12, 'polite-end.service', 'ActiveState')).toBe('active');
    expect(outcomes(await operator.undo(run))).toEqual({ [debian11.name]: 'restored' });
  });

  it('whose host loses its power calls it stranded, and puts it back when it has booted again', async () => {
    await Promise.all([sh(arch, waiting('powerless')), sh(debian12, waiting('powerless'))]);
    const before = await dumps(arch, ['powerless.service']);
    const running = operator.do('mask powerless --now --rollback-timeout 15s', [arch, debian12]);
    await Promise.all([stopping(arch, 'powerless.service'), letGo(debian12)]);
    await arch.powerCut();
    const run = await running;
    expect(run.exitCode, run.said).toBe(6);
    expect([run.on(arch).outcome, run.on(debian12).outcome]).toEqual(['stranded', 'masked']);
    await arch.boot();
    // the link is on its disk: it did not come up
    expect(await property(arch, 'powerless.service', 'LoadState')).toBe('masked');
    expect(outcomes(await operator.undo(run))).toEqual({ [arch.name]: 'restored', [debian12.name]: 'restored' });
    expect(await changes(arch, before)).toEqual([]);
  });

  it('until the boot is over after a reboot, and to put it back then is no more than to look', async () => {
    await sh(debian13, `${unit('brief.service', `${daemon()}\n${ENABLED}`)} systemctl enable -q --now brief`);
    const before = await dumps(debian13, ['brief.service']);
    const run = await operator.do('mask brief --now --runtime', [debian13]);
    expect(await hold(debian13, 'brief.service')).toBe(HELD);
    await debian13.powerCut();
    await debian13.boot();
    expect(await changes(debian13, before)).toEqual([]);
    expect(outcomes(await operator.undo(run))).toEqual({ [debian13.name]: 'restored' });
    expect(await changes(debian13, before)).toEqual([]);
  });
});
