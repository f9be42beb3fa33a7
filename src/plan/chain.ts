/** From a unit up through those that need it, to what must not be cut. Pure; every hop is something that the host said. */
import type { Dependence, Need, SessionFacts, UnitDependence } from '../model/index.ts';
import { isRunning } from '../model/index.ts';
import { isBootUnit } from './vital-units.ts';

/** `by`: how the unit is tied to the one before; null for the first. */
export interface Link {
  readonly unit: string;
  readonly by: Need | 'started by' | 'starts' | null;
}

export interface Chain {
  /** At least one; the first is the unit itself, or an instance of it. */
  readonly links: readonly Link[];
  /** Why the last one must not be cut. */
  readonly end: { readonly kind: 'boot' } | { readonly kind: 'session'; readonly why: string };
}

/**
 * The shortest way from one of the units to one that the boot needs; not the unit itself, whose name says so already. What can
 * start a unit does not need it for that.
 */
export function chainToBoot(from: readonly string[], { units }: Dependence): Chain | null {
  const needs = units.map((unit) => ({ ...unit, triggeredBy: [] }));
  const to = (isEnd: (name: string) => boolean) =>
    shortest(from, needs, ({ names }, hops) => hops > 0 && names.some((name) => isBootUnit(name) && isEnd(name)));
  const links = to((name) => !isOfLogins(name)) ?? to(isOfLogins);
  return links && { links, end: { kind: 'boot' } };
}

/** user@0.service and user-runtime-dir@0.service: the boot does without them, a login does not. */
function isOfLogins(name: string): boolean {
  return name.startsWith('user');
}

/** The shortest way from one of the units to one that this session depends on. */
export function chainToSession(from: readonly string[], { units, session }: Dependence): Chain | null {
  const links = shortest(from, units, (unit) => tieOf(unit, session) !== null);
  const last = units.find(({ id }) => id === links?.at(-1)?.unit);
  const why = last === undefined ? null : tieOf(last, session);
  return links && why !== null ? { links, end: { kind: 'session', why } } : null;
}

/** How this session hangs on the very unit; null when it does not. */
function tieOf(
  unit: UnitDependence,
  { processes, server, listeners, networks, home, logins }: SessionFacts,
): string | null {
  // its monitor may have been moved to the session's scope: then it is known by its number
  const process =
    processes.find((each) => each.unit !== null && unit.names.includes(each.unit)) ??
    processes.find(({ pid }) => pid === unit.mainPid);
  // of the processes in a unit the outermost is the server
  const server_ = processes.findLast((each) => each.unit !== null && each.unit === process?.unit) ?? process;
  if (server_) return `in which this session’s ${server_.name || 'server'} runs`;
  const listens =
    listeners.includes(unit.mainPid) ||
    (isRunning(unit.active) &&
      unit.listens.some((end) => end.port === server?.port && answersAt(end.address, server.address)));
  if (server && listens) return `which listens on port ${server.port}, by which this session came`;
  const network = networks.find(({ owners }) => unit.names.some((name) => owners.includes(name)));
  if (network) return `which set up ${network.interface}, by which this session came`;
  if (home !== null && isRunning(unit.active) && mountsAbove(unit.id, home)) {
    return `under which ${home} lies, the home of the account that logged in`;
  }
  const login =
    isRunning(unit.active) && logins.find(({ sources }) => sources.some((source) => servesLogins(unit.id, source)));
  return login ? `which nsswitch.conf names for ${login.database}` : null;
}

function answersAt(listening: string | null, address: string): boolean {
  return listening === null || listening === address.replace(/%.*/, '');
}

/** `srv-my\\x2dhomes.mount` is /srv/my-homes. */
function mountsAbove(unit: string, path: string): boolean {
  const escaped = /^(.+)\.(?:auto)?mount$/.exec(unit)?.[1];
  if (escaped === undefined) return false;
  const place = `/${escaped.replaceAll('-', '/').replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))}`;
  return path === place || path.startsWith(`${place}/`);
}

/** The daemon behind a source of nsswitch.conf. */
export function servesLogins(unit: string, source: string): boolean {
  const daemon = { sss: /^sssd(?:-(?:nss|pam|pam-priv|sudo))?\./, ldap: /^nslcd\./, winbind: /^winbindd?\./ }[source];
  return daemon?.test(unit) ?? false;
}

/** Breadth first, so that the chain is short; a loop ends where it began. */
function shortest(
  from: readonly string[],
  units: readonly UnitDependence[],
  isEnd: (unit: UnitDependence, hops: number) => boolean,
): Link[] | null {
  const known = new Map(units.flatMap((unit) => unit.names.map((name) => [name, unit] as const)));
  const seen = new Set<UnitDependence>();
  let ways: Link[][] = from.map((unit) => [{ unit: known.get(unit)?.id ?? unit, by: null }]);
  for (let hops = 0; ways.length > 0; hops++) {
    const next: Link[][] = [];
    for (const way of ways) {
      const unit = known.get(way.at(-1)!.unit);
      if (unit === undefined || seen.has(unit)) continue;
      seen.add(unit);
      if (isEnd(unit, hops)) return way;
      for (const link of upwards(unit)) next.push([...way, { ...link, unit: known.get(link.unit)?.id ?? link.unit }]);
    }
    ways = next;
  }
  return null;
}

/** Who stops with it, can start it, or is started by it while it listens. */
function upwards({ id, active, dependents, triggeredBy, triggers }: UnitDependence): Link[] {
  const starts = id.endsWith('.socket') && isRunning(active) ? triggers : [];
  return [
    ...dependents,
    ...triggeredBy.map((unit) => ({ unit, by: 'started by' }) as const),
    ...starts.map((unit) => ({ unit, by: 'starts' }) as const),
  ];
}

/** `keys.service ← ssh.service (Requires), in which this session’s sshd runs`. */
export function inWords({ links, end }: Chain): string {
  const way = links.map(({ unit, by }) => {
    if (by === null) return unit;
    if (by === 'starts') return ` starts ${unit}`;
    return by === 'started by' ? ` ← ${unit} (starts it)` : ` ← ${unit} (${by})`;
  });
  if (end.kind === 'session') return `${way.join('')}, ${end.why}`;
  return `${way.join('')} ← ${isOfLogins(links.at(-1)!.unit) ? 'every login' : 'boot'}`;
}
