/**
 * A super-server is what a logical name means only where its configuration names the service, for it serves others with it. Pure;
 * the configuration is as the host shows it.
 */
import { type Facts, type Served, superServerOf } from '../model/index.ts';
import { listed } from './by-name.ts';
import type { Entry } from './catalog.ts';

/** Whether this unit may be meant by the logical name. */
export function isServedBy(unit: string, entry: Entry, facts: Facts): boolean {
  if (superServerOf(unit) === null || Object.values(entry.units).some((units) => units.includes(unit))) return true;
  return servicesOf(unit, facts).some(({ service, programs }) =>
    [service, ...programs].some((name) => entry.served.includes(name)),
  );
}

function servicesOf(unit: string, { served }: Facts): Served[] {
  const by = superServerOf(unit);
  return served?.services.filter((each) => each.by === by) ?? [];
}

/** Why a super-server of this host is not what is asked, for the error text; null where the host has none. */
export function notServed(found: readonly { readonly unit: string }[], { served }: Facts): string | null {
  if (found.length === 0) return null;
  const names = listed(found.map(({ unit }) => unit));
  return served?.whole ? `not served by ${names}` : `what ${names} serves could not be read`;
}

/** What stops with a super-server besides what was asked. */
export function notesOnServed(unit: string, facts: Facts): string[] {
  if (superServerOf(unit) === null || facts.served === undefined) return [];
  const names = [...new Set(servicesOf(unit, facts).map(({ service }) => service))];
  const notes = names.length > 0 ? [`it serves ${listed(names)}: its mask ends all of them`] : [];
  return facts.served.whole ? notes : [...notes, 'its configuration could not be read whole: it may serve more'];
}
