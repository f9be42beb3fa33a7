/** Saved plans on real hosts: bound to the boot and the state that they were made for. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, dumps, enabled, HELD, hold, sh } from './inside.ts';
import type { LabHost } from './lab.ts';
import { outcomes } from './situation.ts';

describeLab('a saved plan', (lab) => {
  const operator = new Operator(lab);
  const file = join(operator.stateDir, 'planned.plan');
  let hosts: LabHost[];
  beforeAll(async () => {
    hosts = await Promise.all(['debian11', 'debian12', 'debian13'].map((kind) => lab.host(kind)));
    await Promise.all(hosts.map((host) => sh(host, enabled('planned'))));
  });
  afterAll(() => operator.forget());

  const plan = () => operator.do(`plan mask planned --now --out ${file}`, hosts);
  const apply = () => operator.run(['apply', file, '-y', '--known-hosts', lab.knownHosts, '-o', 'json']);
  const all = (outcome: string) => Object.fromEntries(hosts.map(({ name }) => [name, outcome]));

  it('is refused by the host that was rebooted and the one that was touched, and carried out on the other', async () => {
    const [rebooted, touched, same] = hosts as [LabHost, LabHost, LabHost];
    expect(outcomes(await plan())).toEqual(all('planned'));
    await rebooted.powerCut();
    await Promise.all([rebooted.boot(), sh(touched, 'systemctl disable -q planned')]);
    const before = await Promise.all(hosts.map((host) => dumps(host, ['planned.service'])));
    const run = await apply();
    expect(run.on(rebooted).fault).toMatchObject({ kind: 'stale-plan', message: expect.stringContaining('rebooted') });
    expect(run.on(touched).fault).toMatchObject({
      kind: 'stale-plan',
      message: 'planned.service was loaded, enabled, active and is loaded, disabled, active since it was planned',
    });
    expect(run.exitCode, run.said).toBe(4);
    expect(run.on(same).outcome, run.said).toBe('masked');
    expect(await hold(same, 'planned.service')).toBe(HELD);
    for (const i of [0, 1]) expect(await changes(hosts[i]!, before[i]!)).toEqual([]);
    expect(outcomes(await operator.undo(run))).toEqual({ [same.name]: 'restored' });
  });

  it('that was made anew is carried out everywhere', async () => {
    await plan();
    const run: Run = await apply();
    expect(outcomes(run)).toEqual(all('masked'));
    for (const host of hosts) expect(await hold(host, 'planned.service')).toBe(HELD);
    expect(outcomes(await operator.undo(run))).toEqual(all('restored'));
  });
});
