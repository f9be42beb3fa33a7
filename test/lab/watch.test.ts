/** What is undone behind our back on real hosts is seen, and masked again. */
import { afterAll, expect, it } from 'vitest';
import { start } from './executable.ts';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, dumps, enabled, HELD, hold, sh, until } from './inside.ts';
import type { LabHost } from './lab.ts';
import { outcomes } from './situation.ts';
import { putItselfBack } from './switches.ts';

/** What whole lines say of the drift of a host. */
const told = (lines: string, host: LabHost) =>
  lines
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
    .filter((event) => event.type === 'drift' && event.host === host.name)
    .map(({ what }) => what as string);

describeLab('a watch', (lab) => {
  const operator = new Operator(lab);
  afterAll(() => operator.forget());

  it('masks again what was unmasked and started, and tells of a host that hangs', async () => {
    const [free, hung] = await Promise.all([lab.host('debian12'), lab.host('arch-like')]);
    const hosts = [free, hung];
    await Promise.all(hosts.map((host) => sh(host, enabled('seen'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['seen.service'])));
    const run = await operator.do('mask seen --now', hosts);
    expect(outcomes(run)).toEqual({ [free.name]: 'masked', [hung.name]: 'masked' });

    const patience = ['--every', '500ms', '--timeout', '10s', '--host-timeout', '20s'];
    const argv = ['watch', '--run', 'last', '--reassert', '-y', ...patience, '--known-hosts', lab.knownHosts];
    const { child, said, ended } = start(operator, [...argv, '-o', 'ndjson']);
    const hears = (host: LabHost, what: string) =>
      until(
        async () => told(said.stdout, host),
        (kinds) => kinds.includes(what),
      );
    await until(
      async () => said.stdout,
      (text) => text.includes('run-started'),
    );
    await sh(free, 'systemctl unmask -q seen; systemctl start seen');
    await hung.freeze();
    await Promise.all([hears(free, 'as-asked'), hears(hung, 'unreachable')]);
    await hung.thaw();
    await hears(hung, 'as-asked');
    child.kill('SIGINT');
    const { exitCode, stderr } = await ended;
    expect(exitCode, stderr).toBe(0);
    expect(told(said.stdout, free)).toEqual(['unmasked', 'reasserted', 'as-asked']);
    expect(told(said.stdout, hung)).toEqual(['unreachable', 'as-asked']);
    for (const host of hosts) expect(await hold(host, 'seen.service')).toBe(HELD);

    // what the watch did is a run too: the newest first
    const runs: { id: string }[] = JSON.parse((await operator.run(['runs', 'list', '-o', 'json'])).stdout);
    expect(runs).toHaveLength(2);
    for (const { id } of runs.toReversed()) await operator.undo(id);
    for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
  });

  it('does not fight a rollback of somebody else, nor an expiry', async () => {
    const hosts = await Promise.all(['debian12', 'arch-like'].map((kind) => lab.host(kind)));
    const [drifting, left] = hosts as [LabHost, LabHost];
    await Promise.all(hosts.map((host) => sh(host, enabled('lent'))));
    const before = await Promise.all(hosts.map((host) => dumps(host, ['lent.service'])));
    const watching = (run: Run) =>
      operator.run([
        ...['watch', '--run', run.report.run.id, '--reassert', '-y', '--every', '1s', '--for', '30s'],
        ...['-l', 'all', '--known-hosts', lab.knownHosts, '-o', 'ndjson'],
      ]);

    const lent = await operator.do('mask lent --now --expires 20s', hosts);
    const watch = watching(lent);
    await sh(drifting, 'systemctl unmask -q lent');
    const seen = await watch;
    // a mask that is put back in the moment of the expiry is refused, for nothing would take it back
    for (const host of hosts) {
      expect(told(seen.stdout, host)[0]).toBe('unmasked');
      expect(told(seen.stdout, host).at(-1)).toBe('given-up');
    }
    expect(told(seen.stdout, drifting)).toContain('reasserted');
    // by hand it was unmasked and not started, which the mask in its place has found so
    await sh(drifting, 'systemctl start lent');
    await Promise.all(hosts.map((host, i) => putItselfBack(host, before[i]!, 10)));

    const undone = await operator.do('mask lent --now', hosts);
    const other = watching(undone);
    expect(outcomes(await operator.undo(undone))).toEqual({ [drifting.name]: 'restored', [left.name]: 'restored' });
    const rest = await other;
    for (const host of hosts) expect(told(rest.stdout, host).at(-1)).toBe('given-up');
    await Promise.all(hosts.map((host, i) => putItselfBack(host, before[i]!, 10)));
  });
});
