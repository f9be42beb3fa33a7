/** From a unit up through those that need it, to what must not be cut. Pure; every hop is something that the host said. */
import type { Dependence, Need, SessionFacts, UnitDependence } from '../model/index.ts';
import { isRunning } from '../model/index.ts';
import { once } from './by-name.ts';
import { isStorage, type Usage, usageOf } from './use.ts';
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
  readonly end:
    | { readonly kind: 'boot'; readonly why: string | null }
    | { readonly kind: 'session'; readonly why: string };
}

/**
 * The shortest way from one of the units to one that the boot needs; not the unit itself, whose name says so already. What can
 * start a unit does not need it for that.
 */
export function chainToBoot(from: readonly string[], dependence: Dependence): Chain | null {
  const graph = graphOf(dependence);
  const needed = ({ by }: Edge) => by !== 'started by';
  const to = (end: 'boot' | 'login') =>
    shortest(from, graph, needed, (node, hops) => hops > 0 && graph.bootEnds[node] === end);
  const links = to('boot') ?? to('login');
  return links && { links, end: { kind: 'boot', why: graph.storage.get(links.at(-1)!.unit)?.why ?? null } };
}

/** user@0.service and user-runtime-dir@0.service: the boot does without them, a login does not. */
function isOfLogins(name: string): boolean {
  return name.startsWith('user');
}

/** The shortest way from one of the units to one that this session depends on. */
export function chainToSession(from: readonly string[], dependence: Dependence): Chain | null {
  const graph = graphOf(dependence);
  const links = shortest(
    from,
    graph,
    () => true,
    (node) => graph.ties[node] !== null,
  );
  const last = graph.nodes.get(links?.at(-1)?.unit ?? '');
  const why = last === undefined ? null : graph.ties[last]!;
  return links && why !== null ? { links, end: { kind: 'session', why } } : null;
}

/** An edge from a unit to one that needs it, can start it, or is started by it. */
interface Edge {
  readonly to: number;
  readonly by: NonNullable<Link['by']>;
}

/** The units by number, for as many walks as there are units to be masked. */
interface Graph {
  readonly units: readonly UnitDependence[];
  readonly nodes: ReadonlyMap<string, number>;
  readonly edges: readonly (readonly Edge[])[];
  readonly bootEnds: readonly ('boot' | 'login' | null)[];
  readonly ties: readonly (string | null)[];
  /** How what they serve is used, by id, of those that serve storage. */
  readonly storage: ReadonlyMap<string, Usage>;
}

const graphOf = once(({ units, session, uses }: Dependence): Graph => {
  const storage = new Map(
    units.flatMap(({ id, names }) => {
      const usage = names.filter(isStorage).map((name) => usageOf(name, uses))[0];
      return usage == null ? [] : [[id, usage] as const];
    }),
  );
  // of two units that claim a name the later has it
  const nodes = new Map(units.flatMap(({ names }, node) => names.map((name) => [name, node] as const)));
  return {
    units,
    nodes,
    edges: units.map((unit) =>
      upwards(unit).flatMap(({ unit: name, by }) => {
        const to = nodes.get(name);
        return to === undefined || by === null ? [] : [{ to, by }];
      }),
    ),
    storage,
    bootEnds: units.map(({ id, names }) => {
      if (storage.get(id)?.kind === 'boot') return 'boot';
      const ends = names.filter(isBootUnit);
      if (ends.length === 0) return null;
      return ends.every(isOfLogins) ? 'login' : 'boot';
    }),
    ties: units.map((unit) => tieOf(unit, session) ?? whyUsed(storage.get(unit.id))),
  };
});

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

/** Storage that no mount of the boot is on, or of which nobody knows. */
function whyUsed(usage: Usage | undefined): string | null {
  return usage?.kind === 'used' || usage?.kind === 'unread' ? usage.why : null;
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

/** Breadth first, so that the chain is short; each unit is reached once, and remembers from where. */
function shortest(
  from: readonly string[],
  { units, nodes, edges }: Graph,
  follows: (edge: Edge) => boolean,
  isEnd: (node: number, hops: number) => boolean,
): Link[] | null {
  interface Step {
    readonly node: number;
    readonly by: Link['by'];
    readonly before: Step | null;
  }
  const reached = new Set<number>();
  const reach = (node: number, by: Link['by'], before: Step | null): Step[] => {
    if (reached.has(node)) return [];
    reached.add(node);
    return [{ node, by, before }];
  };
  let steps = from.flatMap((name) => {
    const node = nodes.get(name);
    return node === undefined ? [] : reach(node, null, null);
  });
  for (let hops = 0; steps.length > 0; hops++) {
    const end = steps.find(({ node }) => isEnd(node, hops));
    if (end !== undefined) {
      const links: Link[] = [];
      for (let step: Step | null = end; step !== null; step = step.before) {
        links.push({ unit: units[step.node]!.id, by: step.by });
      }
      return links.reverse();
    }
    steps = steps.flatMap((step) =>
      edges[step.node]!.flatMap((edge) => (follows(edge) ? reach(edge.to, edge.by, step) : [])),
    );
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

/** A chain is told whole up to so many units; of a longer one its ends. */
const MOST_LINKS = 12;

/** `keys.service ← ssh.service (Requires), in which this session’s sshd runs`. */
export function inWords({ links, end }: Chain): string {
  const words = ({ unit, by }: Link): string => {
    if (by === null) return unit;
    if (by === 'starts') return ` starts ${unit}`;
    return by === 'started by' ? ` ← ${unit} (starts it)` : ` ← ${unit} (${by})`;
  };
  const way = ends(links.map(words), (left) => ` ← … ${left} more …`).join('');
  if (end.kind === 'session') return `${way}, ${end.why}`;
  const last = isOfLogins(links.at(-1)!.unit) ? 'every login' : 'boot';
  return `${way} ← ${last}${end.why === null ? '' : ` (${end.why})`}`;
}

/** The units of a chain, in order, for a report. */
export function unitsOf({ links }: Chain): string[] {
  return ends(
    links.map(({ unit }) => unit),
    (left) => `… ${left} more …`,
  );
}

function ends(all: readonly string[], between: (left: number) => string): string[] {
  if (all.length <= MOST_LINKS) return [...all];
  const half = MOST_LINKS / 2;
  return [...all.slice(0, half), between(all.length - MOST_LINKS), ...all.slice(-half)];
}
