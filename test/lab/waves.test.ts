/** A fleet in waves, and its way back, on real hosts of every version: who fails, fails for real. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readJournal } from '../../src/journal/store.ts';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import {
  changes,
  deaf,
  dumps,
  ENABLED,
  enabled,
  HELD,
  hold,
  property,
  receiptOf,
  sh,
  stopping,
  unit,
} from './inside.ts';
import type { LabHost } from './lab.ts';

const unwilling = (name: string) =>
  `${unit(`${name}.service`, deaf('TimeoutStopSec=30', ENABLED))} systemctl daemon-reload; systemctl enable -q --now ${name}`;

describeLab('a fleet in waves', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  let canary: LabHost;
  let second: LabHost;
  let stubborn: LabHost;
  let last: LabHost;
  beforeAll(async () => {
    hosts = await lab.hosts(4, ['debian11', 'debian12', 'rhel-like', 'debian13']);
    [canary, second, stubborn, last] = hosts as [LabHost, LabHost, LabHost, LabHost];
  });
  afterAll(() => operator.forget());

  async function given(name: string, failing: LabHost) {
    await Promise.all(hosts.map((host) => sh(host, (host === failing ? unwilling : enabled)(name))));
    return Promise.all(hosts.map((host) => dumps(host, [`${name}.service`])));
  }

  it('is put back whole, newest wave first, when one host’s unit does not stop', async () => {
    const before = await given('marching', stubborn);
    const run = await operator.do('mask marching --now --waves 1,100% --rollback fleet --host-timeout 12', hosts);
    expect(run.exitCode, run.said).toBe(5);
    for (const host of hosts) {
      expect(run.on(host).outcome, JSON.stringify(run.on(host))).toBe('rolled-back');
      expect(run.on(host).fault?.kind, run.said).toBe(host === stubborn ? 'still-running' : 'fleet-rollback');
      expect(run.on(host).units[0]?.after).toEqual({ load: 'loaded', file: 'enabled', active: 'active' });
      expect(await changes(host, before[hosts.indexOf(host)]!)).toEqual([]);
      expect(await receiptOf(host, run.report.run.id)).toBe('');
    }
    expect(hosts.map((host) => run.on(host).wave)).toEqual([1, 2, 2, 2]);
    const records = readJournal(operator.stateDir, run.report.run.id);
    const back = records.slice(records.findIndex(({ type }) => type === 'rollback'));
    const undone = back.flatMap((record) => (record.type === 'intent' ? [record.host] : []));
    expect(undone.at(-1)).toBe(canary.name);
    expect(undone.slice(0, -1).sort()).toEqual([second.name, last.name].sort());
  });

  it('whose canary’s unit does not stop is masked nowhere else', async () => {
    const before = await given('halting', canary);
    const run = await operator.do('mask halting --now --waves 1,100% --host-timeout 12', hosts);
    expect(run.exitCode, run.said).toBe(5);
    expect(
      hosts.map((host) => run.on(host).outcome),
      run.said,
    ).toEqual(['rolled-back', ...Array(3).fill('not-started')]);
    for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
  });

  it('of which one has lost its power by then is put back but for that one, which is stranded until it has booted', async () => {
    const before = await given('faltering', stubborn);
    const running = operator.do(
      'mask faltering --now --waves 1,100% --rollback fleet --host-timeout 20 --rollback-timeout 20',
      hosts,
    );
    await stopping(stubborn, 'faltering.service');
    expect(await hold(canary, 'faltering.service')).toBe(HELD);
    await canary.powerCut();
    const run = await running;
    expect(run.exitCode, run.said).toBe(6);
    expect(
      hosts.map((host) => run.on(host).outcome),
      run.said,
    ).toEqual(['stranded', ...Array(3).fill('rolled-back')]);
    expect(run.on(canary).fault).toMatchObject({ kind: 'lost', message: expect.stringContaining(stubborn.name) });
    await canary.boot();
    expect(await property(canary, 'faltering.service', 'LoadState')).toBe('masked');
    const undone = await operator.undo(run);
    expect(undone.report.hosts.map(({ host, outcome }) => `${host} ${outcome}`)).toEqual([`${canary.name} restored`]);
    for (const [i, host] of hosts.entries()) expect(await changes(host, before[i]!)).toEqual([]);
  });
});
