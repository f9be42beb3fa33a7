/** What the guardrails of this machine ask of a whole run; what they ask of units is in plan/guardrails.ts. */
import { UsageError } from '../model/index.ts';
import type { Guardrails } from '../plan/guardrails.ts';
import type { RunFlags } from './fleet-run.ts';

/** Throws UsageError for a run that they forbid, before anything is connected to. `waves`: how many hosts each has. */
export function assertWithinGuardrails(
  { require, maxHostsWithoutWaves: most }: Guardrails,
  flags: RunFlags,
  hosts: number,
  waves: readonly number[] | undefined,
): void {
  const missing = require.find(({ flag }) => !flags[flag]?.trim());
  if (missing !== undefined) {
    throw new UsageError(`a change needs --${missing.flag}: ${missing.at} requires it`, `Add --${missing.flag} TEXT.`);
  }
  const first = waves?.[0] ?? hosts;
  if (most === null || first <= most.count) return;
  const what = waves === undefined ? `${hosts} hosts without waves` : `${first} hosts in the first wave`;
  throw new UsageError(
    `${what} are more than ${most.count}: ${most.at} forbids it (max-hosts-without-waves)`,
    `Use --waves ${most.count},100%, or fewer hosts.`,
  );
}
