/** Facts in, plan out: every file in cases/ is a situation with the plan that belongs to it. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Ask, Plan } from '../../src/model/index.ts';
import { assemble } from '../../src/plan/assemble.ts';
import { parseQuery } from '../../src/plan/resolve.ts';
import { MASK } from '../ask.ts';
import { factsOf, type Situation } from './situation.ts';

const DIR = new URL('./cases/', import.meta.url);

interface Case {
  readonly ask: Partial<Ask> & Pick<Ask, 'verb' | 'units'>;
  readonly host: Situation;
  readonly expect: Record<string, unknown>;
}

/** What a case says of a plan, one key each. */
function summary(plan: Plan): Record<string, unknown> {
  const units = plan.units.map(({ unit }) => unit);
  const triggers = plan.units.flatMap((unit) => unit.triggers);
  const notes = plan.units.flatMap((unit) => unit.notes);
  const ways = plan.units.flatMap((unit) => unit.ways ?? []);
  const covers = plan.units.flatMap((unit) => unit.covers ?? []);
  const notCovered = plan.units.flatMap((unit) => unit.notCovered ?? []);
  const stopsToo = plan.units.flatMap((unit) => unit.stopsToo ?? []);
  const absent = plan.absent?.map(({ unit }) => unit);
  const common = { kind: plan.kind, units, absent, triggers, notes, ways, covers, notCovered, stopsToo };
  if (plan.kind === 'refusal') {
    const { kind: fault, message, hint, chain } = plan.fault;
    return { ...common, fault, message, hint, chain };
  }
  if (plan.kind === 'no-op') return common;
  const { change, prior } = plan;
  return {
    ...common,
    ...change,
    queued: prior.states.flatMap(({ id, queued }) => (queued ? [`${id} ${queued}`] : [])),
    unread: prior.states.filter(({ unread }) => unread).map(({ id }) => id),
    restarts: prior.states.filter(({ active }) => active === 'active').map(({ id }) => id),
  };
}

describe('a plan for', () => {
  for (const file of readdirSync(DIR).sort()) {
    it(file.replace(/\.yaml$/, '').replaceAll('-', ' '), () => {
      const { ask, host, expect: expected } = parse(readFileSync(new URL(file, DIR), 'utf8')) as Case;
      const whole: Ask = { ...MASK, now: false, ...ask };
      const plan = assemble(whole, whole.units.map(parseQuery), factsOf(host));
      const found = summary(plan);
      expect(Object.fromEntries(Object.keys(expected).map((key) => [key, found[key]]))).toEqual(expected);
    });
  }
});
