/**
 * Whole runs against modelled hosts, each drawn from a seed: what is asked, of which hosts, and what goes wrong. FLEETMASK_SIM_SEEDS says
 * how many (20,000 otherwise), FLEETMASK_SIM_FROM after which (0), FLEETMASK_SIM_SEED=N replays one and prints all that happened in it.
 */
import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { simulate } from './simulate.ts';

const replayed = process.env.FLEETMASK_SIM_SEED;
const SEEDS = Number(process.env.FLEETMASK_SIM_SEEDS ?? 20_000);
/** The seeds before are left out. */
const FROM = Number(process.env.FLEETMASK_SIM_FROM ?? 0);
/** In how many seeds a mutant must be seen. */
const MUTANT_SEEDS = 3000;

/** The first seeds that violate something, and how to see why. */
async function violations(seeds: number): Promise<string[]> {
  const found: string[] = [];
  for (let seed = FROM + 1; seed <= FROM + seeds && found.length < 5; seed += 1) {
    const simulated = await simulate(seed);
    if (simulated.violations.length === 0) continue;
    found.push(`FLEETMASK_SIM_SEED=${seed} npx vitest run test/sim\n  ${simulated.violations.join('\n  ')}`);
  }
  return found;
}

describe.runIf(replayed !== undefined)('a seed', () => {
  it('is replayed', async () => {
    const { trace, violations } = await simulate(Number(replayed), { trace: true });
    process.stdout.write(`${trace.join('\n')}\n`);
    expect(violations).toEqual([]);
  });
});

describe.skipIf(replayed !== undefined)('a run among faults', () => {
  it(`leaves each host masked, as it was, or named as in doubt (${SEEDS} seeds)`, async () => {
    expect(await violations(SEEDS)).toEqual([]);
    // a minute and a half of CPU, which a busy machine shares out among many
  }, 2_400_000);
});

describe.skipIf(replayed !== undefined)('the simulation', () => {
  it('does the same again for the same seed', async () => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const [first, second] = [await simulate(seed, { trace: true }), await simulate(seed, { trace: true })];
      expect(second.trace).toEqual(first.trace);
    }
  });

  it.each(MUTANTS)('sees what is wrong with $name', async (mutant) => {
    for (let seed = 1; seed <= MUTANT_SEEDS; seed += 1) {
      const { violations } = await simulate(seed, { mutant });
      if (violations.length > 0) return;
    }
    expect.fail(`${mutant.name} was not seen in ${MUTANT_SEEDS} seeds`);
  });

  it('sees every outcome', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 1000; seed += 1)
      for (const outcome of (await simulate(seed)).outcomes) seen.add(outcome);
    expect([...seen].sort()).toEqual(
      expect.arrayContaining([
        ...['mask: masked', 'mask: refused', 'mask: rolled-back', 'mask: stranded', 'mask: unchanged'],
        ...['mask: unreachable', 'mask: not-started', 'rollback: restored', 'rollback: stranded'],
        ...['unmask: unmasked', 'unmask: rolled-back'],
      ]),
    );
  });
});
