import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderAnsibleList } from '../../src/inventory/index.ts';
import { literalValue } from '../../src/inventory/literal.ts';
import { ExactNumber } from '../../src/inventory/number.ts';

const printed = (text: string) => renderAnsibleList(literalValue(text)).replace(/\s+/g, '');

describe('INI values', () => {
  it('a list, dict or number written as Python writes it comes back', () => {
    const scalar = fc.oneof(
      fc.integer(),
      fc.constantFrom(true, false, null),
      fc.string({ unit: fc.constantFrom('a', "'", '"', '#', ' ', '[', '\\'), maxLength: 6 }),
    );
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        scalar,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.string({ maxLength: 4 }), tie('value'), { maxKeys: 4, noNullPrototype: false }),
      ),
    })).value;
    const python = (v: unknown): string => {
      if (v === null) return 'None';
      if (typeof v === 'boolean') return v ? 'True' : 'False';
      if (Array.isArray(v)) return `[${v.map(python).join(', ')}]`;
      if (typeof v === 'object')
        return `{${Object.entries(v)
          .map(([k, x]) => `${JSON.stringify(k)}: ${python(x)}`)
          .join(', ')}}`;
      return JSON.stringify(v);
    };
    fc.assert(
      fc.property(value, (v) => {
        expect(JSON.parse(JSON.stringify(literalValue(python(v))))).toEqual(JSON.parse(JSON.stringify(v)));
      }),
    );
  });

  it('any text is a value or itself: nothing is thrown', () => {
    const text = fc.string({
      unit: fc.constantFrom(...`[](){}'",:\\ #-+.0123456789_eExXjrbuTrueNonFals\t\u00e9`),
      maxLength: 25,
    });
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ maxLength: 40 })), (each) => void literalValue(each)),
      { numRuns: 5000 },
    );
    expect(literalValue('['.repeat(100_000))).toBe('['.repeat(100_000));
    expect(literalValue(`${'1'.repeat(5000)}`)).toBe('1'.repeat(5000));
  });

  it('no key of a dict is special', () => {
    const value = literalValue("{'__proto__': {'polluted': 1}, 'constructor': 2}") as Record<string, unknown>;
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each([
    ['1.0', '1.0'],
    ['1e16', '1e+16'],
    ['1e-5', '1e-05'],
    ['123456789012345678901', '123456789012345678901'],
    ['-0.0', '-0.0'],
    ['1e400', 'Infinity'],
    ['0.1', '0.1'],
    ['1e22', '1e+22'],
    ['1234567890123456.0', '1234567890123456.0'],
    ['12345678901234567.0', '1.2345678901234568e+16'],
    ['0.00012', '0.00012'],
  ])('the number %s prints as %s, as Python prints it', (text, expected) => {
    expect(printed(text)).toBe(expected);
  });

  it('a number that prints otherwise is still a number in JSON', () => {
    expect(literalValue('1.0')).toBeInstanceOf(ExactNumber);
    expect(JSON.stringify({ a: literalValue('1.0') })).toBe('{"a":1}');
  });
});
