/** Controllers that are killed at any moment, on real hosts: after `recover` each host is masked and proved, or exactly as it was. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { start } from './executable.ts';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import {
  changes,
  type Dumps,
  dumps,
  enabled,
  finished,
  HELD,
  hold,
  letGo,
  property,
  sh,
  stopping,
  unlinked,
  until,
  waiting,
} from './inside.ts';
import type { LabHost } from './lab.ts';
import { outcomes } from './situation.ts';

/** Takes its time to stop, so that there are moments in between. */
const slow = (name: string) => enabled(name, 'ExecStop=/usr/bin/sleep 0.4');

describeLab('a run whose controller is killed', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  beforeAll(async () => {
    hosts = await Promise.all(['debian11', 'debian12', 'arch-like'].map((kind) => lab.host(kind)));
  });
  // a test that failed half-way would keep the lock for the next ones
  afterEach(() => Promise.all(hosts.map((host) => host.exec('touch /run/let-go'))));
  afterAll(() => operator.forget());

  const begin = (command: string, on: readonly LabHost[]) => start(operator, operator.argv(command, on));
  const known = () => ['--known-hosts', lab.knownHosts, '-o', 'json'];
  const recover = (...more: string[]) => operator.run(['recover', 'last', '-y', ...known(), ...more]);
  const journalled = async () =>
    JSON.parse((await operator.run(['runs', 'list', '-o', 'json'])).stdout).length as number;
  /** Each host is what the report says of it, as seen from inside. */
  async function expectTruth(run: Run, name: string, before: readonly Dumps[]): Promise<void> {
    for (const [i, host] of hosts.entries()) {
      const { outcome } = run.on(host);
      if (outcome === 'masked') expect(await hold(host, name)).toBe(HELD);
      else {
        expect(['rolled-back', 'not-started'], JSON.stringify(run.on(host))).toContain(outcome);
        expect(await changes(host, before[i]!)).toEqual([]);
      }
    }
  }

  it('on a machine that is lost too, is settled from another by what is on the hosts', async () => {
    await Promise.all(hosts.map((host) => sh(host, waiting('orphan'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['orphan.service'])));
    const { child, ended } = begin('mask orphan --now --ticket OPS-7', hosts);
    await Promise.all(hosts.map((host) => stopping(host, 'orphan.service')));
    const { run } = JSON.parse((await operator.run(['runs', 'show', 'last', '-o', 'json'])).stdout);
    // one of them gets done, the others still wait when they are looked at
    const [done] = hosts as [LabHost];
    await letGo(done);
    await finished(done, run.id);
    child.kill('SIGKILL');
    await ended;
    const bob = new Operator(lab);
    const at = ['-i', lab.inventory, '-l', hosts.map(({ name }) => name).join(','), ...known()];
    const list = JSON.parse((await bob.run(['recover', '--from-hosts', ...at])).stdout);
    expect(list.receipts).toMatchObject([{ id: run.id, ticket: 'OPS-7' }]);
    expect(list.receipts[0].hosts.sort()).toEqual(hosts.map(({ name }) => name).sort());
    const recovering = bob.run(['recover', '--from-hosts', run.id, '-y', ...at]);
    // a start waits for the stop that goes on
    await Promise.all(hosts.slice(1).map((host) => unlinked(host, 'orphan.service')));
    await letGo(...hosts);
    const recovered = await recovering;
    expect(recovered.exitCode, recovered.said).toBe(5);
    expect(
      hosts.map((host) => recovered.on(host).outcome),
      recovered.said,
    ).toEqual(['masked', 'rolled-back', 'rolled-back']);
    await expectTruth(recovered, 'orphan', before);
    const undone = await bob.run(['recover', '--from-hosts', run.id, '--undo', '-y', ...at]);
    expect(outcomes(undone)).toEqual({ [done.name]: 'rolled-back: interrupted: put back, as was asked' });
    for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
    bob.forget();
  });

  it('with SIGKILL, at moments spread over its life', async () => {
    await Promise.all(hosts.map((host) => sh(host, slow('spread'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['spread.service'])));
    /** From its first record on: there is nothing to recover before. */
    const alive = async () => {
      const runs = await journalled();
      const run = begin('mask spread --now', hosts);
      await until(journalled, (count) => count > runs);
      return run;
    };
    const whole = await alive();
    const began = performance.now();
    await whole.ended;
    const life = performance.now() - began;
    await operator.undo('last');
    const seen = new Set<string>();
    for (let moment = 0; moment < 24; moment++) {
      const { child, ended } = await alive();
      await sleep((life * moment) / 22);
      child.kill('SIGKILL');
      await ended;
      const recovered = await recover();
      for (const { outcome } of recovered.report.hosts) seen.add(outcome);
      await expectTruth(recovered, 'spread', before);
      const shown = JSON.parse((await operator.run(['runs', 'show', 'last', '-o', 'json'])).stdout);
      expect(shown).toMatchObject({ state: 'finished', inDoubt: [] });
      await operator.undo('last');
      for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
    }
    expect([...seen]).toContain('rolled-back');
  });

  it('and whose recoveries are killed too', async () => {
    await Promise.all(hosts.map((host) => sh(host, waiting('again'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['again.service'])));
    const { child, ended } = begin('mask again --now', hosts);
    await Promise.all(hosts.map((host) => stopping(host, 'again.service')));
    child.kill('SIGKILL');
    await ended;
    const argv = ['recover', 'last', '-y', ...known()];
    for (let moment = 0; moment < 8; moment++) {
      const attempt = start(operator, argv);
      const timer = setTimeout(() => attempt.child.kill('SIGKILL'), 400 + 150 * moment);
      await attempt.ended;
      clearTimeout(timer);
    }
    await letGo(...hosts);
    const recovered = await recover();
    await expectTruth(recovered, 'again', before);
    await operator.undo('last');
    for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
  });

  it('and whose host loses its power as well, is put back when it has booted again', async () => {
    const [host] = hosts as [LabHost];
    await sh(host, waiting('dark'));
    const before = await dumps(host, ['dark.service']);
    const { child, ended } = begin('mask dark --now', [host]);
    await stopping(host, 'dark.service');
    child.kill('SIGKILL');
    await ended;
    await host.powerCut();
    const away = await recover('--timeout', '2s', '--host-timeout', '4s');
    expect([away.exitCode, away.on(host).outcome], away.said).toEqual([6, 'stranded']);
    await host.boot();
    expect(await property(host, 'dark.service', 'LoadState')).toBe('masked');
    const recovered = await recover();
    expect(outcomes(recovered)).toEqual({
      [host.name]: 'rolled-back: interrupted: the run was interrupted while it changed this host',
    });
    expect(await changes(host, before)).toEqual([]);
  });

  it('after a change that is whole, and whose host boots before anybody looks, stays masked', async () => {
    const [, host] = hosts as [LabHost, LabHost];
    await sh(host, waiting('whole'));
    const { child, ended } = begin('mask whole --now', [host]);
    await stopping(host, 'whole.service');
    child.kill('SIGKILL');
    await ended;
    const id = JSON.parse((await operator.run(['runs', 'show', 'last', '-o', 'json'])).stdout).run.id as string;
    await letGo(host);
    await finished(host, id);
    await host.powerCut();
    await host.boot();
    const recovered = await recover();
    expect(outcomes(recovered)).toEqual({ [host.name]: 'masked' });
    expect(await hold(host, 'whole.service')).toBe(HELD);
    expect(outcomes(await operator.undo('last'))).toEqual({ [host.name]: 'restored' });
  });

  it('while its host hangs, is put back once the host answers, and the late request does nothing', async () => {
    const [, , host] = hosts as [LabHost, LabHost, LabHost];
    await sh(host, waiting('hanging'));
    const before = await dumps(host, ['hanging.service']);
    const { child, ended } = begin('mask hanging --now', [host]);
    await stopping(host, 'hanging.service');
    await host.freeze();
    child.kill('SIGKILL');
    await ended;
    const away = await recover('--timeout', '2s', '--host-timeout', '4s');
    expect([away.exitCode, away.on(host).outcome], away.said).toEqual([6, 'stranded']);
    await host.thaw();
    await letGo(host);
    const recovered = await recover();
    if (recovered.on(host).outcome === 'masked') expect(await hold(host, 'hanging.service')).toBe(HELD);
    else expect(await changes(host, before)).toEqual([]);
    await operator.undo('last');
    expect(await changes(host, before)).toEqual([]);
  });

  it('until a boot, is as it was after one', async () => {
    const [host] = hosts as [LabHost];
    await sh(host, waiting('fleeting'));
    const before = await dumps(host, ['fleeting.service']);
    const { child, ended } = begin('mask fleeting --now --runtime', [host]);
    await stopping(host, 'fleeting.service');
    child.kill('SIGKILL');
    await ended;
    await host.powerCut();
    await host.boot();
    const recovered = await recover();
    expect([recovered.exitCode, recovered.on(host).outcome], recovered.said).toEqual([5, 'rolled-back']);
    expect(await changes(host, before)).toEqual([]);
  });
});
