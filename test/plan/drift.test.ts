/** What `watch` makes of what it reads, again and again. */
import { describe, expect, it } from 'vitest';
import { fault, type HostReport, type UnitState } from '../../src/model/index.ts';
import { canReassert, isAsAsked, newsOf, type Standings, standingsOf, type Wanted } from '../../src/plan/drift.ts';

const MASKED: Wanted = { state: 'masked', stopped: true };
const HELD = { load: 'masked', file: 'masked', active: 'inactive' };
const RUNS = { ...HELD, active: 'active' };
const FREE = { load: 'loaded', file: 'enabled', active: 'active' };
const UNREAD_GONE = { load: 'masked', file: 'enabled', active: 'inactive' };
const UNREAD_MADE = { load: 'loaded', file: 'masked', active: 'inactive' };

function report(units: Readonly<Record<string, UnitState | null>>, problem: HostReport['fault'] = null): HostReport {
  return {
    ...{ host: 'web1', address: '192.0.2.1', port: 22, seconds: 0, os: null, systemd: 252, fault: problem },
    outcome: problem === null ? 'masked' : problem.kind === 'unreachable' ? 'unreachable' : 'refused',
    units: Object.entries(units).map(([unit, after]) => ({
      ...{ asked: unit, unit, before: after, after, startProbe: 'skipped', triggers: [], steps: [] },
      ...{ leftovers: 0, notes: [] },
    })),
  };
}

const NOTHING: Standings = new Map();
const first = (state: UnitState | null, wanted = MASKED) => standingsOf(report({ a: state }), wanted, NOTHING);
const isOf = (standings: Standings) => standings.get('a')?.is;

describe('read once, a unit that is to be masked', () => {
  it.each([
    ['is as asked when it is masked and down', HELD, 'as-asked'],
    ['is unmasked when it can be started', FREE, 'unmasked'],
    ['is unmasked when systemd has not read its mask', UNREAD_MADE, 'unmasked'],
    ['is unmasked when its mask is gone from the disk', UNREAD_GONE, 'unmasked'],
    ['is running when it is masked and runs', RUNS, 'running'],
    ['is refused when it was not read', null, 'refused'],
  ])('%s', (_, state, is) => {
    expect(isOf(first(state))).toBe(is);
    expect(isAsAsked(first(state))).toBe(is === 'as-asked');
  });

  it('may run where nobody asked for it to be stopped, as long as it never was down', () => {
    const wanted: Wanted = { state: 'masked', stopped: false };
    const ran = first(RUNS, wanted);
    expect(isOf(ran)).toBe('as-asked');
    expect(isOf(standingsOf(report({ a: RUNS }), wanted, ran))).toBe('as-asked');
    const down = standingsOf(report({ a: HELD }), wanted, ran);
    const again = standingsOf(report({ a: RUNS }), wanted, down);
    expect(isOf(again)).toBe('running');
    expect(isOf(standingsOf(report({ a: RUNS }), wanted, again)), 'and stays so until it is down').toBe('running');
  });
});

it.each([
  ['loaded', FREE, 'as-asked'],
  ['masked', HELD, 'masked'],
  ['masked on disk, which systemd has not read', UNREAD_MADE, 'masked'],
  ['masked for systemd, and no more on disk', UNREAD_GONE, 'masked'],
])('a unit that is to be unmasked, and reads %s', (_, state, is) => {
  expect(isOf(first(state, { state: 'unmasked', stopped: false }))).toBe(is);
});

describe('a host that cannot be read', () => {
  const away = report({}, fault('unreachable', 'no route'));

  it('is told as that, and what was known of its units holds', () => {
    const standings = standingsOf(away, MASKED, first(HELD));
    expect(standings.get('')).toMatchObject({ is: 'unreachable', message: 'no route' });
    expect(isOf(standings)).toBe('as-asked');
    expect(isAsAsked(standings)).toBe(false);
  });

  it('is refused where it was reached and did not answer', () => {
    expect(standingsOf(report({}, fault('no-systemd', 'none')), MASKED, NOTHING).get('')?.is).toBe('refused');
  });

  it('is news once, and once more when it can be read again', () => {
    const before = first(HELD);
    const gone = standingsOf(away, MASKED, before);
    expect(newsOf(before, gone)).toEqual([{ unit: null, is: 'unreachable', message: 'no route' }]);
    expect(newsOf(gone, standingsOf(away, MASKED, gone))).toEqual([]);
    const back = standingsOf(report({ a: HELD }), MASKED, gone);
    expect(newsOf(gone, back)).toEqual([{ unit: null, is: 'as-asked', message: 'can be read again' }]);
  });

  it('is not masked again, for nobody can', () => {
    expect(canReassert(first(FREE))).toBe(true);
    expect(canReassert(first(RUNS))).toBe(true);
    expect(canReassert(standingsOf(away, MASKED, first(FREE)))).toBe(false);
    expect(canReassert(first(HELD))).toBe(false);
    expect(canReassert(first(null))).toBe(false);
  });
});

it('of a first reading only what is not as asked is news', () => {
  expect(newsOf(NOTHING, first(HELD))).toEqual([]);
  expect(newsOf(NOTHING, first(FREE))).toMatchObject([{ unit: 'a', is: 'unmasked' }]);
});

it('a unit that another has taken the place of is as asked, once it had not been', () => {
  const was = first(FREE);
  const now = standingsOf(report({ b: HELD }), MASKED, was);
  expect(now.get('a')).toMatchObject({ is: 'as-asked', message: 'is gone' });
  expect(standingsOf(report({ b: HELD }), MASKED, now).has('a'), 'and is forgotten after that').toBe(false);
});
