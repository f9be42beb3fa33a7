/** A chain convinces only when each of its hops is something that the host said. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Dependence, Need } from '../../src/model/index.ts';
import { type Chain, chainToBoot, chainToSession, inWords } from '../../src/plan/chain.ts';
import { type DependenceWords, dependenceOf } from './situation.ts';

const NAMES = [
  'a.service',
  'b.service',
  'c.socket',
  'd.socket',
  'e.target',
  'ssh.service',
  'basic.target',
  'dbus.service',
];
const NEEDS: readonly Need[] = ['Requires', 'Requisite', 'BindsTo', 'PartOf'];

const some = fc.uniqueArray(fc.constantFrom(...NAMES, 'gone.service'), { maxLength: 2 });
const words: fc.Arbitrary<DependenceWords> = fc.record({
  active: fc.constantFrom('active', 'inactive'),
  Requires: some,
  Requisite: some,
  BindsTo: some,
  PartOf: some,
  triggeredBy: some,
  triggers: some,
});
/** Every name, or not every one; in ssh.service this session runs. */
const dependence: fc.Arbitrary<Dependence> = fc
  .record(Object.fromEntries(NAMES.map((name) => [name, words])), { requiredKeys: [] })
  .map((depends) =>
    dependenceOf(depends as Record<string, DependenceWords>, {
      processes: [{ pid: 9, unit: 'ssh.service', name: 'sshd' }],
    }),
  );

/** Everything that can be reached, by the plainest means. */
function reach(from: string, { units }: Dependence, triggers: boolean): Set<string> {
  const reached = new Set([from]);
  for (const name of reached) {
    const unit = units.find(({ id }) => id === name);
    if (unit === undefined) continue;
    for (const { unit: dependent } of unit.dependents) reached.add(dependent);
    if (triggers) for (const trigger of unit.triggeredBy) reached.add(trigger);
    if (name.endsWith('.socket') && unit.active === 'active') for (const started of unit.triggers) reached.add(started);
  }
  return new Set([...reached].filter((name) => units.some(({ id }) => id === name)));
}

function isReal({ links }: Chain, from: string, { units }: Dependence): boolean {
  return links.every(({ unit, by }, index) => {
    if (index === 0) return unit === from && by === null;
    const before = units.find(({ id }) => id === links[index - 1]?.unit);
    if (before === undefined) return false;
    if (by === 'starts')
      return before.triggers.includes(unit) && before.active === 'active' && before.id.endsWith('.socket');
    if (by === 'started by') return before.triggeredBy.includes(unit);
    return NEEDS.includes(by as Need) && before.dependents.some((each) => each.unit === unit && each.by === by);
  });
}

describe('a chain', () => {
  it('to this session is a real path that meets no unit twice, and there is one whenever there is a path', () => {
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), dependence, (from, facts) => {
        const chain = chainToSession([from], facts);
        expect(chain !== null).toBe(reach(from, facts, true).has('ssh.service'));
        if (chain === null) return;
        expect(isReal(chain, from, facts)).toBe(true);
        expect(chain.links.at(-1)?.unit).toBe('ssh.service');
        expect(new Set(chain.links.map(({ unit }) => unit)).size).toBe(chain.links.length);
        expect(inWords(chain)).toContain('this session');
      }),
      { numRuns: 500 },
    );
  });

  it('to the boot is one as well, and starts from another unit than it ends at', () => {
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), dependence, (from, facts) => {
        const chain = chainToBoot([from], facts);
        const boot = ['basic.target', 'dbus.service'].filter((name) => name !== from);
        expect(chain !== null).toBe(boot.some((name) => reach(from, facts, false).has(name)));
        if (chain === null) return;
        expect(isReal(chain, from, facts)).toBe(true);
        expect(boot).toContain(chain.links.at(-1)?.unit);
      }),
      { numRuns: 500 },
    );
  });
});
