import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandRanges, parseHostPattern } from '../../src/inventory/range.ts';
import { UsageError } from '../../src/model/index.ts';

const origin = { file: 'f', line: 7 };

describe('ranges', () => {
  it('count from begin to end by step, both ends included, padded to the width of a begin with a zero', () => {
    const numbers = fc.record({
      begin: fc.nat(500),
      length: fc.nat(200),
      step: fc.integer({ min: 1, max: 9 }),
      width: fc.nat(4),
    });
    fc.assert(
      fc.property(numbers, ({ begin, length, step, width }) => {
        const end = begin + length;
        const digits = Math.max(width, String(end).length);
        const [b, e] = width > 0 ? [begin, end].map((n) => String(n).padStart(digits, '0')) : [begin, end].map(String);
        const names = expandRanges(`a[${b}:${e}:${step}]z`, origin);
        expect(names.length).toBe(Math.floor(length / step) + 1);
        expect(names[0]).toBe(`a${b}z`);
        for (const [index, name] of names.entries()) expect(Number(name.slice(1, -1))).toBe(begin + index * step);
        const padded = b?.startsWith('0') && b.length > 1;
        if (padded) expect(new Set(names.map((name) => name.length)).size).toBe(1);
      }),
    );
  });

  it('two ranges multiply, the left one slowest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), (m, n) => {
        const names = expandRanges(`a[1:${m}]-[1:${n}]`, origin);
        const all = [...Array(m).keys()].flatMap((i) => [...Array(n).keys()].map((j) => `a${i + 1}-${j + 1}`));
        expect(names).toEqual(all);
      }),
    );
  });

  it('any text gives names or a UsageError with the line, quickly', () => {
    const text = fc.string({
      unit: fc.constantFrom('[', ']', ':', '0', '1', '9', 'a', 'Z', '-', '.', '_', ' '),
      maxLength: 30,
    });
    fc.assert(
      fc.property(text, (pattern) => {
        try {
          for (const name of parseHostPattern(pattern, origin).names) expect(name).not.toContain('[');
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          expect((error as UsageError).message).toMatch(/^f:7: /);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a range beyond 100,000 hosts is refused before it is expanded', () => {
    expect(() => expandRanges('h[0:99999999999]', origin)).toThrow(/more than 100000 hosts/);
    expect(() => expandRanges('h[1:400]-[1:400]', origin)).toThrow(/more than 100000 hosts/);
    expect(() => expandRanges('h[1:99999999999999999999]', origin)).toThrow(/more than 100000 hosts/);
  });
});
