/** Two operators at work on the same hosts: what the later one builds on is not rolled back from under it, at whatever moment it comes. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, HELD, hold } from './inside.ts';
import type { LabHost } from './lab.ts';
import { kinds, outcomes } from './situation.ts';
import { holdAt, rehearse, release, stepsOf, unstageSteps, untilHeld } from './steps.ts';

describeLab('a rollback', (lab) => {
  const [first, second] = [new Operator(lab), new Operator(lab)];
  let hosts: LabHost[];
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
  });
  afterAll(async () => {
    await unstageSteps(hosts);
    first.forget();
    second.forget();
  });
  const everywhere = <T>(work: (host: LabHost, i: number) => Promise<T>): Promise<T[]> => Promise.all(hosts.map(work));
  const all = (outcome: string) => Object.fromEntries(hosts.map(({ name }) => [name, outcome]));

  it('is refused where another run masked the unit between its probe and its lock, and can be done after that one', async () => {
    const { before } = await rehearse(first, hosts, 'order', 'mask order');
    const rehearsed = await first.do('mask order', hosts);
    await everywhere((host) => holdAt(host, { number: 0, when: 'before' }));
    await first.undo(rehearsed);
    // the last step before the lock is taken
    const numbers = hosts.map((host) => stepsOf(host).findIndex((line) => line.startsWith('mkdir')) + 1);
    expect(numbers).not.toContain(0);

    const run = await first.do('mask order', hosts);
    await everywhere((host, i) => holdAt(host, { number: numbers[i]!, when: 'before' }));
    const undoing = first.undo(run);
    await everywhere((host) => untilHeld(host));
    const later = await second.do('mask order --now', hosts);
    expect(outcomes(later), later.said).toEqual(all('masked'));
    hosts.forEach(release);
    const refused = await undoing;
    expect(kinds(refused), refused.said).toEqual(all('refused: newer-run'));
    expect(refused.report.hosts[0]?.fault?.hint).toContain(`fleetmask rollback ${later.report.run.id}`);
    expect(await everywhere((host) => hold(host, 'order.service'))).toEqual(hosts.map(() => HELD));

    for (const [operator, each] of [
      [second, later],
      [first, run],
    ] as const) {
      const undone = await operator.undo(each);
      expect(outcomes(undone), undone.said).toEqual(all('restored'));
    }
    for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
  });
});
