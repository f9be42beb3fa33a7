/** When a run is not to be rolled back before a later one. */
import { describe, expect, it } from 'vitest';
import type { Change, Prior, Receipt } from '../../src/model/index.ts';
import { standsOn } from '../../src/plan/succession.ts';

const NOTHING: Change = {
  ...{ where: 'etc', links: [], removes: [], displaces: [], stops: [], attempts: [], groups: [] },
  ...{ killLeftovers: false, reads: [], looks: [] },
};
const ETC = '/etc/systemd/system';
const prior = (...states: (readonly [id: string, load: string, active: string])[]): Prior => ({
  ...{ bootId: null, machineId: null, masks: [] },
  states: states.map(([id, load, active]) => ({ id, load, file: '', active })),
});
const receipt = (run: string, more: Partial<Receipt>): Receipt => ({
  ...{
    run,
    seq: 1,
    order: null,
    as: null,
    meta: { actor: 'bob@laptop', command: 'mask', units: 'cron' },
    change: NOTHING,
    prior: prior(),
  },
  ...{ holds: [], result: null, ...more },
});
const CRON = `${ETC}/cron.service`;
const OLD = { change: { ...NOTHING, links: [CRON] }, prior: prior(['cron.service', 'loaded', 'active']) };
const old = receipt('r1', { ...OLD, holds: [CRON] });

describe('a later run', () => {
  it('that holds other units stands on nothing, nor does a run on itself, or on a later one', () => {
    const other = receipt('r2', {
      change: { ...NOTHING, links: [`${ETC}/cups.service`] },
      holds: [`${ETC}/cups.service`],
    });
    expect(standsOn('r1', OLD, [old])).toBeNull();
    expect(standsOn('r1', OLD, [old, other])).toBeNull();
    expect(standsOn('r2', OLD, [receipt('r1', { holds: [CRON] })])).toBeNull();
  });

  it('that later holds the unit is named, the last of several', () => {
    const later = ['r3', 'r2'].map((run) => receipt(run, { holds: ['/run/systemd/system/cron.service'] }));
    expect(standsOn('r1', OLD, [...later, old])).toMatchObject({
      kind: 'newer-run',
      message: 'run r3 of bob@laptop (mask cron) came later and stands on what this run did here',
    });
  });

  it('whose mask somebody took away by hand holds nothing, and stands on nothing', () => {
    const gone = receipt('r2', { change: { ...NOTHING, links: ['/run/systemd/system/cron.service'] } });
    expect(standsOn('r1', OLD, [gone, old])).toBeNull();
    const beside = { ...prior(), masks: [CRON] };
    expect(standsOn('r1', OLD, [{ ...gone, prior: beside }, old])).toBeNull();
  });

  it('that holds what was stopped with the unit, or the template of an instance, is in the way', () => {
    const socket = receipt('r2', { change: { ...NOTHING, stops: ['cron.socket'] }, holds: [`${ETC}/cron.socket`] });
    const ran = { ...OLD, prior: prior(['cron.service', 'loaded', 'active'], ['cron.socket', '', 'active']) };
    expect(standsOn('r1', ran, [socket])?.kind).toBe('newer-run');
    const running = { ...socket, change: NOTHING };
    expect(standsOn('r1', ran, [running]), 'it was not stopped').toBeNull();
    const template = receipt('r2', { holds: [`${ETC}/getty@.service`] });
    expect(
      standsOn('r1', { change: NOTHING, prior: prior(['getty@a.service', 'loaded', 'active']) }, [template])?.kind,
    ).toBe('newer-run');
  });
});
