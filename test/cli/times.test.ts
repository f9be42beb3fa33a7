/** Times and durations as operators write them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { confirmWithin, expiry } from '../../src/operations/durations.ts';

const NOW = new Date('2026-11-22T14:30:00Z');
const at = (text: string) => new Date(expiry(text, NOW)).toISOString();

describe('--expires', () => {
  it.each([
    ['4h', '2026-11-22T18:30:00.000Z'],
    ['90d', '2027-02-20T14:30:00.000Z'],
    ['1.5h', '2026-11-22T16:00:00.000Z'],
    ['90', '2026-11-22T14:31:30.000Z'],
    ['2026-12-01T06:00Z', '2026-12-01T06:00:00.000Z'],
    ['2026-12-01T06:00:30+02:00', '2026-12-01T04:00:30.000Z'],
    ['2026-12-01 06:00', new Date('2026-12-01T06:00').toISOString()],
  ])('%s is %s', (text, time) => {
    expect(at(text)).toBe(time);
  });

  it('as a time of day is the next such local time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), (hours, minutes) => {
        const text = `${hours}:${String(minutes).padStart(2, '0')}`;
        fc.pre(!(NOW.getHours() === hours && NOW.getMinutes() === minutes));
        const time = new Date(expiry(text, NOW));
        expect([time.getHours(), time.getMinutes(), time.getSeconds()]).toEqual([hours, minutes, 0]);
        expect(time.getTime()).toBeGreaterThan(NOW.getTime());
        expect(time.getTime()).toBeLessThanOrEqual(NOW.getTime() + 25 * 3_600_000);
      }),
    );
  });

  it.each([
    '',
    '4',
    '1s',
    '91d',
    '4w',
    '24:00',
    '6:5',
    'tomorrow',
    '-4h',
    '2026-11-22T14:00Z',
    '2027-12-01T06:00Z',
    '2026-12-01',
    '2026-13-01T06:00Z',
    '2026-11-31T06:00Z',
  ])('refuses %j', (text) => {
    expect(() => expiry(text, NOW)).toThrow('--expires');
  });
});

describe('--confirm-within', () => {
  it.each([
    ['5m', 300],
    ['90', 90],
    ['0.5h', 1800],
    ['24h', 86_400],
  ])('%s is %d s', (text, seconds) => {
    expect(confirmWithin(text)).toBe(seconds);
  });

  it.each(['', '4s', '25h', 'soon', '06:00', '5 m'])('refuses %j', (text) => {
    expect(() => confirmWithin(text)).toThrow('--confirm-within');
  });
});
