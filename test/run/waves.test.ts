/** Waves and budgets: sizes as Ansible's `serial` has them, and the published formula for when a run stops. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { HostReport, Outcome } from '../../src/model/index.ts';
import { budget, UNLIMITED, waveProof } from '../../src/plan/failure-budget.ts';
import { hostsIn, parseShare, type Share, shown } from '../../src/plan/host-count.ts';
import { inWaves, parseWaves, waveSizes } from '../../src/plan/waves.ts';

const SHARE: fc.Arbitrary<Share> = fc.oneof(
  fc.record({ kind: fc.constant('hosts' as const), count: fc.integer({ min: 0, max: 300 }) }),
  fc.record({ kind: fc.constant('percent' as const), percent: fc.integer({ min: 0, max: 100 }) }),
);
const SIZE = SHARE.filter((share) => shown(share) !== '0' && shown(share) !== '0%');
const OUTCOMES: readonly Outcome[] = ['masked', 'unchanged', 'refused', 'unreachable', 'rolled-back', 'stranded'];

describe('waves', () => {
  const cases: readonly (readonly [spec: string, total: number, sizes: readonly number[]])[] = [
    ['1,10%,100%', 50, [1, 5, 44]],
    ['1,10%,100%', 3, [1, 1, 1]],
    ['1,10%,100%', 1, [1]],
    ['5,50', 200, [5, 50, 50, 50, 45]],
    ['5,50', 4, [4]],
    ['1,5,25%,100%', 100, [1, 5, 25, 69]],
    ['25%', 10, [2, 2, 2, 2, 2]],
    ['30%', 10, [3, 3, 3, 1]],
    ['1%', 10, Array.from({ length: 10 }, () => 1)],
    ['100%', 7, [7]],
    [' 1 , 2 ', 4, [1, 2, 1]],
  ];
  test.each(cases)('%s of %i hosts are %j', (spec, total, sizes) => {
    expect(waveSizes(total, parseWaves(spec))).toEqual(sizes);
  });

  test('have every host once, in order, and none is empty', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(SIZE, { minLength: 1 }), (hosts, sizes) => {
        const waves = inWaves(hosts, waveSizes(hosts.length, sizes));
        expect(waves.flat()).toEqual(hosts);
        expect(waves.every(({ length }) => length > 0)).toBe(true);
      }),
    );
  });

  test('have the sizes that were asked for, the last again and again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.array(SIZE, { minLength: 1 }), (total, sizes) => {
        const waves = waveSizes(total, sizes);
        for (const [i, size] of waves.entries()) {
          const asked = Math.max(1, hostsIn(sizes[i] ?? sizes.at(-1)!, total));
          if (i < waves.length - 1) expect(size).toBe(asked);
          else expect(size).toBeLessThanOrEqual(asked);
        }
      }),
    );
  });

  test.each([
    '',
    ' ',
    '0',
    '1,0',
    '0%',
    '-1',
    '101%',
    '1,,2',
    ',1',
    '1,',
    'ten',
    '1.5',
    '10 %',
    '1e3',
    '%',
    '1;2',
    '٣',
  ])('%j is no list of sizes, and the error says what one is', (spec) => {
    expect(() => parseWaves(spec)).toThrow(/--waves: .*|hosts/);
    expect(() => parseWaves(spec)).toThrow(expect.objectContaining({ name: 'UsageError', hint: expect.any(String) }));
  });
});

it.each(['1,,2', ',1', '1,', ''])('a size that is missing in %j is told as missing', (spec) => {
  expect(() => parseWaves(spec)).toThrow(`--waves: a size is missing in ${JSON.stringify(spec)}`);
});

describe('a share', () => {
  test('of hosts is never rounded up, and is read as it is shown', () => {
    fc.assert(
      fc.property(SHARE, fc.integer({ min: 0, max: 100_000 }), (share, total) => {
        expect(parseShare('--max-fail', shown(share))).toEqual(share);
        const hosts = hostsIn(share, total);
        if (share.kind === 'hosts') expect(hosts).toBe(share.count);
        else {
          expect(hosts * 100).toBeLessThanOrEqual(share.percent * total);
          expect((hosts + 1) * 100).toBeGreaterThan(share.percent * total);
        }
      }),
    );
  });
});

const report = (outcome: Outcome, i: number): HostReport => ({
  host: `h${i}`,
  address: '',
  port: 22,
  outcome,
  seconds: 0,
  os: null,
  systemd: null,
  units: [],
  fault: null,
});
const reports = (outcome: Outcome, count: number) => Array.from({ length: count }, (_, i) => report(outcome, i));

describe('a budget', () => {
  // the examples of the docs
  const cases: readonly (readonly [max: string, total: number, stopsAt: number])[] = [
    ['0', 50, 1],
    ['3', 50, 4],
    ['10%', 50, 6],
    ['10%', 9, 1],
    ['0%', 50, 1],
    ['50%', 3, 2],
    ['99%', 100, 100],
  ];
  test.each(cases)('of --max-fail %s with %i hosts is spent by failure %i', (max, total, stopsAt) => {
    for (const outcome of ['rolled-back', 'stranded', 'refused'] as const) {
      const spent = budget({ maxFail: parseShare('--max-fail', max) }, total);
      expect(spent(reports(outcome, stopsAt - 1))).toBeNull();
      expect(spent(reports(outcome, stopsAt))).toContain(`--max-fail is ${max}`);
    }
  });

  it('says whose failure spent it', () => {
    const spent = budget({ maxFail: parseShare('--max-fail', '0') }, 9);
    expect(spent(reports('rolled-back', 1))).toBe('h0 failed, and --max-fail is 0');
    expect(spent(reports('rolled-back', 2))).toBe('h0 and h1 failed, and --max-fail is 0');
    expect(spent(reports('stranded', 5))).toBe('h0, h1 and 3 more failed, and --max-fail is 0');
    expect(budget({ maxUnreachable: parseShare('', '10%') }, 20)(reports('unreachable', 3))).toBe(
      'h0, h1 and 1 more could not be reached, and --max-unreachable is 10% of 20 hosts, 2',
    );
  });

  it('counts a host that cannot be reached for --max-unreachable alone', () => {
    expect(budget({ maxFail: parseShare('', '0') }, 9)(reports('unreachable', 9))).toBeNull();
    expect(budget({ maxUnreachable: parseShare('', '0') }, 9)(reports('stranded', 9))).toBeNull();
    expect(UNLIMITED(reports('stranded', 9))).toBeNull();
  });

  it('of no failed change is spent by a change that failed, not by a refusal', () => {
    const spent = budget({ maxFail: 'no-failed-change' }, 9);
    expect(spent([...reports('refused', 5), ...reports('unreachable', 2)])).toBeNull();
    expect(spent(reports('rolled-back', 1))).toBe('h0 failed');
  });

  const SOME = fc.array(fc.constantFrom(...OUTCOMES), { maxLength: 60 }).map((outcomes) => outcomes.map(report));
  test('once spent stays spent, and a larger one is not spent earlier', () => {
    fc.assert(
      fc.property(SOME, SOME, fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 }), (some, more, a, b) => {
        const of = (count: number) =>
          budget({ maxFail: { kind: 'hosts', count }, maxUnreachable: { kind: 'hosts', count } }, 99);
        const [small, large] = a < b ? [of(a), of(b)] : [of(b), of(a)];
        if (small(some) !== null) expect(small([...some, ...more])).not.toBeNull();
        if (large(some) !== null) expect(small(some)).not.toBeNull();
      }),
    );
  });

  test('in percent is spent exactly when more than its share, rounded down, has failed', () => {
    fc.assert(
      fc.property(SOME, fc.integer({ min: 0, max: 100 }), fc.integer({ min: 1, max: 1000 }), (some, percent, total) => {
        const failed = some.filter(({ outcome }) => ['rolled-back', 'stranded', 'refused'].includes(outcome)).length;
        const spent = budget({ maxFail: { kind: 'percent', percent } }, total)(some);
        expect(spent !== null).toBe(failed > Math.floor((percent * total) / 100));
      }),
    );
  });
});

describe('a wave', () => {
  const proof = waveProof({})!;

  it.each(['masked', 'unmasked', 'unchanged'] as const)('with one host that is %s proves the change', (outcome) => {
    expect(proof([report('unreachable', 0), report(outcome, 1)], 1)).toBeNull();
  });

  it.each(['unreachable', 'not-started', 'absent'] as const)(
    'with hosts that are %s alone proves nothing',
    (outcome) => {
      expect(proof([report(outcome, 0)], 2)).toBe(
        `the change was proved on no host of wave 2: h0 (${outcome}); --max-unreachable is not set`,
      );
    },
  );

  it('of which hosts failed is for --max-fail to judge, unless others told nothing', () => {
    expect(proof([report('refused', 0), report('rolled-back', 1), report('stranded', 2)], 1)).toBeNull();
    expect(proof([report('refused', 0), report('unreachable', 1)], 1)).toMatch(/on no host of wave 1: h1 \(unreach/);
  });

  it('need prove nothing where it was said how many hosts may be out of reach', () => {
    expect(waveProof({ maxUnreachable: parseShare('', '100%') })).toBeUndefined();
  });
});
