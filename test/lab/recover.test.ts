/** Controllers that are killed at any moment, on real hosts: after `recover` each host is masked and proved, or exactly as it was. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Operator, type Run, runOf } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, type Dumps, daemon, dumps, HELD, hold, property, sh, unit, until } from './inside.ts';
import type { LabHost } from './lab.ts';
import { outcomes } from './situation.ts';

const BIN = join(import.meta.dirname, '../../bin/fleetmask.js');
const ENABLED = '[Install]\nWantedBy=multi-user.target';
/** Takes its time to stop, so that there are moments in between. */
const slow = (name: string) =>
  `${unit(`${name}.service`, `${daemon('ExecStop=/usr/bin/sleep 0.4')}\n${ENABLED}`)} systemctl enable -q --now ${name}`;
/** A service whose stop waits until it is let go. */
const waiting = (name: string) =>
  `rm -f /run/let-go; ${unit(`${name}.service`, daemon('ExecStop=/bin/sh -c "while ! [ -e /run/let-go ]; do sleep 0.1; done"', ENABLED))}
   systemctl daemon-reload; systemctl enable -q --now ${name}`;
const LINK = '/etc/systemd/system/orphan.service';
const letGo = (host: LabHost) => sh(host, 'touch /run/let-go');

describeLab('a run whose controller is killed', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  beforeAll(async () => {
    hosts = await Promise.all(['debian11', 'debian12', 'arch-like'].map((kind) => lab.host(kind)));
  });
  // a test that failed half-way would keep the lock for the next ones
  afterEach(() => Promise.all(hosts.map((host) => host.exec('touch /run/let-go'))));
  afterAll(() => operator.forget());

  function start(argv: readonly string[]): { child: ChildProcess; ended: Promise<Run> } {
    const env = { ...process.env, FLEETMASK_STATE_DIR: operator.stateDir, HOME: operator.stateDir };
    const child = spawn(process.execPath, [BIN, ...argv], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk));
    child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk));
    return { child, ended: once(child, 'close').then(([code]) => runOf(Number(code ?? -1), said.stdout, said.stderr)) };
  }

  const known = () => ['--known-hosts', lab.knownHosts, '-o', 'json'];
  const recover = (...more: string[]) => operator.run(['recover', 'last', '-y', ...known(), ...more]);
  const journalled = async () =>
    JSON.parse((await operator.run(['runs', 'list', '-o', 'json'])).stdout).length as number;
  const stopping = (host: LabHost, name: string) =>
    until(
      () => property(host, `${name}.service`, 'ActiveState'),
      (state) => state === 'deactivating',
      30,
    );

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

  it('on a machine that is lost too, is settled from another by what is on the hosts', {
    timeout: 120_000,
  }, async () => {
    await Promise.all(hosts.map((host) => sh(host, waiting('orphan'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['orphan.service'])));
    const { child, ended } = start([...operator.argv('mask orphan --now --ticket OPS-7', hosts)]);
    await Promise.all(hosts.map((host) => stopping(host, 'orphan')));
    const { run } = JSON.parse((await operator.run(['runs', 'show', 'last', '-o', 'json'])).stdout);
    // one of them gets done, the others still wait when they are looked at
    const [done] = hosts as [LabHost];
    await letGo(done);
    await until(
      () => done.exec(['test', '-s', `/var/lib/fleetmask/${run.id}/result`]),
      ({ code }) => code === 0,
    );
    child.kill('SIGKILL');
    await ended;
    const bob = new Operator(lab);
    const at = ['-i', lab.inventory, '-l', hosts.map(({ name }) => name).join(','), ...known()];
    const list = JSON.parse((await bob.run(['recover', '--from-hosts', ...at])).stdout);
    expect(list.receipts).toMatchObject([{ id: run.id, ticket: 'OPS-7' }]);
    expect(list.receipts[0].hosts.sort()).toEqual(hosts.map(({ name }) => name).sort());
    const recovering = bob.run(['recover', '--from-hosts', 'last', '-y', ...at]);
    // a start waits for the stop that goes on
    const isUnlinked = async (host: LabHost) => (await host.exec(['test', '-L', LINK])).code !== 0;
    await Promise.all(hosts.slice(1).map((host) => until(() => isUnlinked(host), Boolean, 60)));
    await Promise.all(hosts.map(letGo));
    const recovered = await recovering;
    expect(recovered.exitCode).toBe(5);
    expect(hosts.map((host) => recovered.on(host).outcome)).toEqual(['masked', 'rolled-back', 'rolled-back']);
    await expectTruth(recovered, 'orphan', before);
    const undone = await bob.run(['recover', '--from-hosts', run.id, '--undo', '-y', ...at]);
    expect(outcomes(undone)).toEqual({ [done.name]: 'rolled-back: interrupted: put back, as was asked' });
    for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
    bob.forget();
  });

  it('with SIGKILL, at moments spread over its whole life', { timeout: 300_000 }, async () => {
    await Promise.all(hosts.map((host) => sh(host, slow('spread'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['spread.service'])));
    const ask = operator.argv('mask spread --now', hosts);
    const began = performance.now();
    await start(ask).ended;
    const life = performance.now() - began;
    await operator.undo('last');
    const seen = new Set<string>();
    let interrupted = 0;
    for (let moment = 0; moment < 24; moment++) {
      const runs = await journalled();
      const { child, ended } = start(ask);
      // the first half of a life is the start of the program
      const timer = setTimeout(() => child.kill('SIGKILL'), life * (0.25 + (0.8 * moment) / 24));
      await ended;
      clearTimeout(timer);
      if ((await journalled()) === runs) continue;
      const recovered = await recover();
      for (const { outcome } of recovered.report.hosts) seen.add(outcome);
      await expectTruth(recovered, 'spread', before);
      const shown = JSON.parse((await operator.run(['runs', 'show', 'last', '-o', 'json'])).stdout);
      expect(shown).toMatchObject({ state: 'finished', inDoubt: [] });
      interrupted += 1;
      await operator.undo('last');
      for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
    }
    expect(interrupted).toBeGreaterThan(3);
    expect([...seen]).toContain('rolled-back');
  });

  it('and whose recoveries are killed too', { timeout: 300_000 }, async () => {
    await Promise.all(hosts.map((host) => sh(host, waiting('again'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['again.service'])));
    const { child, ended } = start(operator.argv('mask again --now', hosts));
    await Promise.all(hosts.map((host) => stopping(host, 'again')));
    child.kill('SIGKILL');
    await ended;
    const argv = ['recover', 'last', '-y', ...known()];
    for (let moment = 0; moment < 8; moment++) {
      const attempt = start(argv);
      const timer = setTimeout(() => attempt.child.kill('SIGKILL'), 400 + 150 * moment);
      await attempt.ended;
      clearTimeout(timer);
    }
    await Promise.all(hosts.map(letGo));
    const recovered = await recover();
    await expectTruth(recovered, 'again', before);
    await operator.undo('last');
    for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
  });

  it('and whose host loses its power as well, is put back when it has booted again', { timeout: 120_000 }, async () => {
    const [host] = hosts as [LabHost];
    await sh(host, waiting('dark'));
    const before = await dumps(host, ['dark.service']);
    const { child, ended } = start(operator.argv('mask dark --now', [host]));
    await stopping(host, 'dark');
    child.kill('SIGKILL');
    await ended;
    await host.powerCut();
    const away = await recover('--timeout', '2s');
    expect([away.exitCode, away.on(host).outcome]).toEqual([6, 'stranded']);
    await host.boot();
    expect(await property(host, 'dark.service', 'LoadState')).toBe('masked');
    const recovered = await recover();
    expect(outcomes(recovered)).toEqual({
      [host.name]: 'rolled-back: interrupted: the run was interrupted while it changed this host',
    });
    expect(await changes(host, before)).toEqual([]);
  });

  it('after a change that is whole, and whose host boots before anybody looks, stays masked', {
    timeout: 120_000,
  }, async () => {
    const [, host] = hosts as [LabHost, LabHost];
    await sh(host, waiting('whole'));
    const { child, ended } = start(operator.argv('mask whole --now', [host]));
    await stopping(host, 'whole');
    child.kill('SIGKILL');
    await ended;
    const id = JSON.parse((await operator.run(['runs', 'show', 'last', '-o', 'json'])).stdout).run.id as string;
    await letGo(host);
    await until(
      () => host.exec(['test', '-s', `/var/lib/fleetmask/${id}/result`]),
      ({ code }) => code === 0,
    );
    await host.powerCut();
    await host.boot();
    const recovered = await recover();
    expect(outcomes(recovered)).toEqual({ [host.name]: 'masked' });
    expect(await hold(host, 'whole.service')).toBe(HELD);
    expect(outcomes(await operator.undo('last'))).toEqual({ [host.name]: 'restored' });
  });

  it('while its host hangs, is put back once the host answers, and the late request does nothing', {
    timeout: 120_000,
  }, async () => {
    const [, , host] = hosts as [LabHost, LabHost, LabHost];
    await sh(host, waiting('hanging'));
    const before = await dumps(host, ['hanging.service']);
    const { child, ended } = start(operator.argv('mask hanging --now', [host]));
    await stopping(host, 'hanging');
    await host.freeze();
    child.kill('SIGKILL');
    await ended;
    const away = await recover('--timeout', '2s', '--host-timeout', '4s');
    expect([away.exitCode, away.on(host).outcome]).toEqual([6, 'stranded']);
    await host.thaw();
    await letGo(host);
    const recovered = await recover();
    if (recovered.on(host).outcome === 'masked') expect(await hold(host, 'hanging.service')).toBe(HELD);
    else expect(await changes(host, before)).toEqual([]);
    await operator.undo('last');
    expect(await changes(host, before)).toEqual([]);
  });

  it('until a boot, is as it was after one', { timeout: 120_000 }, async () => {
    const [host] = hosts as [LabHost];
    await sh(host, slow('fleeting'));
    const before = await dumps(host, ['fleeting.service']);
    const { child, ended } = start(operator.argv('mask fleeting --now --runtime', [host]));
    await stopping(host, 'fleeting');
    child.kill('SIGKILL');
    await ended;
    await host.powerCut();
    await host.boot();
    const recovered = await recover();
    expect([recovered.exitCode, recovered.on(host).outcome]).toEqual([5, 'rolled-back']);
    expect(await changes(host, before)).toEqual([]);
  });
});
