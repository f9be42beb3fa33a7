import { baseOf, dirOf, type Plan, type UnitReport } from '../model/index.ts';

/**
 * What a plan would do, a text for each unit of the host, in the order in which it would be done. Steps that concern
 * the whole host (stops of other units, the reload) stand with the last unit. Empty where there is no plan to tell.
 */
export function stepsOf(plan: Plan | undefined, units: readonly Pick<UnitReport, 'unit'>[]): string[] {
  if (plan === undefined) return [];
  if (plan.kind !== 'change') return units.map(() => 'nothing');
  const { change } = plan;
  const names = new Set(units.map(({ unit }) => unit));
  const others = change.stops.filter((stop) => !names.has(stop));
  return units.map(({ unit }, i) => {
    const shownAs = plan.units.find((each) => each.unit === unit)?.shownAs ?? unit;
    const last = i === units.length - 1;
    const steps = [
      ...change.links.filter((path) => baseOf(path) === unit).map((path) => `link in ${root(path)}`),
      ...change.removes.filter((path) => baseOf(path) === unit).map((path) => `unlink in ${root(path)}`),
      ...(change.stops.includes(unit) ? ['stop'] : []),
      ...(last ? others.map((stop) => `stop ${stop}`) : []),
      ...(last ? ['reload'] : []),
      ...(change.attempts.includes(shownAs) ? ['try start'] : []),
    ];
    return steps.join(', ');
  });
}

/** `/etc` of `/etc/systemd/system/cron.service`. */
function root(path: string): string {
  const second = dirOf(path).indexOf('/', 1);
  return second === -1 ? dirOf(path) : path.slice(0, second);
}
