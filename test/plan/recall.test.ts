/** What a change of the past is made of again, where its record says little. */
import { describe, expect, it } from 'vitest';
import type { Change, Facts, Prior } from '../../src/model/index.ts';
import { isSameBoot, namesOf, unitsFrom } from '../../src/plan/recall.ts';

const CHANGE: Change = {
  ...{ where: 'etc', links: [], removes: [], displaces: [], stops: [], attempts: [], groups: [] },
  ...{ killLeftovers: false, reads: [], looks: [] },
};
const PRIOR: Prior = { bootId: null, machineId: null, states: [], masks: [] };
const etc = (name: string) => `/etc/systemd/system/${name}`;

it.each([
  ['b1', 'b1', true],
  ['b1', 'b2', false],
  [null, 'b2', true],
  ['b1', null, true],
])('a boot that was %s and is %s is the same: %s', (bootId, now, same) => {
  expect(isSameBoot({ ...PRIOR, bootId }, { bootId: now } as Facts)).toBe(same);
});

it('a host is asked once for each name that says whether a change holds, or is undone', () => {
  const change = { ...CHANGE, reads: ['a.service', 'b.service'], looks: ['t@.service'] };
  const states = ['a.service', 'a.socket'].map((id) => ({ id, load: '', file: '', active: '' }));
  expect(namesOf({ change, prior: { ...PRIOR, states } })).toEqual([
    'a.service',
    'b.service',
    't@.service',
    'a.socket',
  ]);
});

describe('of a change without a plan the units', () => {
  const from = (change: Partial<Change>, asked: readonly string[], states: Prior['states'] = []) =>
    unitsFrom({ change: { ...CHANGE, ...change }, prior: { ...PRIOR, states } }, asked).map(
      ({ asked: as, unit, shownAs, before }) => [as, unit, shownAs, before.active] as const,
    );

  it('are those that were linked, displaced or unmasked, each once, as they were before', () => {
    const change = {
      links: [etc('a.service'), etc('b.service')],
      displaces: [etc('a.service')],
      removes: [etc('c.service')],
    };
    const states = [{ id: 'a.service', load: 'loaded', file: 'enabled', active: 'active' }];
    expect(from(change, ['a', 'c'], states)).toEqual([
      ['a', 'a.service', 'a.service', 'active'],
      ['a', 'b.service', 'b.service', ''],
      ['c', 'c.service', 'c.service', ''],
    ]);
  });

  it('are those that were tried besides, and those that were stopped only where none was tried', () => {
    const links = [etc('a.service')];
    expect(
      from({ links, attempts: ['a.service', 'x.service'], stops: ['y.service'] }, ['a']).map(([, unit]) => unit),
    ).toEqual(['a.service', 'x.service']);
    expect(from({ stops: ['y.service'] }, ['y']).map(([, unit]) => unit)).toEqual(['y.service']);
  });

  it('are a template, and not the instance that it was shown by', () => {
    const change = { links: [etc('t@.service')], attempts: ['t@fleetmask-witness.service'] };
    expect(from(change, ['t@'])).toEqual([['t@', 't@.service', 't@fleetmask-witness.service', '']]);
  });

  it('are asked for by the longest name that fits them, the first of several, else by the first that was asked', () => {
    const links = [etc('a.b.service')];
    expect(from({ links }, ['z', 'a.b', 'a'])[0]?.[0]).toBe('a.b');
    expect(from({ links }, ['z', 'a'])[0]?.[0]).toBe('a');
    expect(from({ links }, ['z', 'y'])[0]?.[0]).toBe('z');
    expect(from({ links }, [])[0]?.[0]).toBe('a.b.service');
  });

  it('have no steps, notes or triggers, because nobody knows them', () => {
    expect(unitsFrom({ change: { ...CHANGE, links: [etc('a.service')] }, prior: PRIOR }, [])).toMatchObject([
      { steps: [], notes: [], triggers: [] },
    ]);
  });
});
