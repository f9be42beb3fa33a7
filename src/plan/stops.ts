/** Which units a mask with --now stops, and which it keeps down. */
import { instancesOf, isRunning, isTemplate, type UnitFacts } from '../model/index.ts';

/** Before the mask is read, with their own settings. */
export function stopsOf(units: readonly UnitFacts[]): string[] {
  return units.filter(runsOrWill).map(({ id }) => id);
}

/** Under the mask. A client may start a unit after the probe, and any number of instances. */
export function downsOf(unit: string, every: readonly UnitFacts[]): string[] {
  const idle = every.filter((each) => !runsOrWill(each)).map(({ id }) => id);
  return isTemplate(unit) ? [instancesOf(unit)] : idle;
}

/** A start that waits for its turn is cancelled by a stop. */
function runsOrWill({ active, queued }: UnitFacts): boolean {
  return isRunning(active) || queued === 'start';
}
