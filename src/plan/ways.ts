/** What a mask covers besides the unit's name, and what it does not: whatever else can be seen to run the same. */
import {
  type Ask,
  baseOf,
  dirOf,
  type Facts,
  type Hit,
  isTemplate,
  isUnitName,
  printable,
  templateOf,
} from '../model/index.ts';
import { aliasesOf, aliasSteps, calledPastMask, sameFile } from './aliases.ts';
import { groups, once, some } from './by-name.ts';
import type { Meant } from './resolve.ts';

/** Aliases, D-Bus names for which systemd is asked, and instances: none of them starts while the unit is masked. */
export function coveredWith(ask: Ask, meant: Meant, host: Facts): string[] {
  const { unit, facts, instances } = meant;
  const { hits } = host;
  const open = new Set(aliasSteps(ask, meant, host).open);
  const known = isTemplate(unit) ? [] : facts.names.filter((name) => name !== unit);
  const aliases = [...new Set([...known, ...aliasesOf(meant, host)])].filter((name) => !open.has(name));
  const own = new Set([unit, ...aliases]);
  const names = busServices(hits)
    .filter((service) => asksFor(service, own, facts.busName))
    .map(({ name }) => name);
  return [...new Set([...aliases, ...instances.map(({ id }) => id), ...names])];
}

/** So many are told of a unit; a program that more run is a shell. */
const MOST_WAYS = 20;

/** In an operator's words; `all`: what is masked by the same run. */
export function waysRound(ask: Ask, meant: Meant, all: readonly Meant[], facts: Facts): string[] {
  const own = maskedBy(all);
  const found = [
    ...otherNames(ask, meant, own, facts),
    ...copies(meant, own, facts),
    ...services(meant, own, facts),
    ...scripts(meant, facts),
  ];
  return some(found, MOST_WAYS).map((way) => printable(way));
}

const maskedBy = once(
  (all: readonly Meant[]) =>
    new Set(all.flatMap(({ unit, facts: { names } }) => [unit, ...names]).flatMap(withTemplate)),
);

function withTemplate(name: string): string[] {
  const template = templateOf(name);
  return template === null ? [name] : [name, template];
}

/** Aliases in whose place no mask of ours would hold, and links to the same file that are units of their own. */
function otherNames(ask: Ask, meant: Meant, own: ReadonlySet<string>, facts: Facts): string[] {
  const open = aliasSteps(ask, meant, facts).open.map((name) => `${calledPastMask(name)} still loads the unit file`);
  const same = sameFile(meant, facts).filter((name) => !own.has(name));
  return [...open, ...same.map((name) => `${name} is a link to the same unit file`)];
}

/** Other units that run the same program, transient ones too. */
function copies({ facts: { programs } }: Meant, own: ReadonlySet<string>, { hits }: Facts): string[] {
  const distinct = new Map(programs.toReversed().map((program) => [inUsr(program), program]));
  const found = [...distinct].flatMap(([key, program]) =>
    (programsRun(hits).get(key) ?? []).flatMap(({ path, other }) =>
      own.has(other) ? [] : [`${path} runs ${program} too`],
    ),
  );
  return [...new Set(found)];
}

/** Which units run a program, by its path. */
const programsRun = once((hits: readonly Hit[]) => {
  const units = hits.flatMap(({ path, key, value }) => {
    const program = programOf(value);
    const other = key === 'ExecStart' && program !== '' ? unitOf(path) : null;
    return other === null ? [] : [{ path, other, program: inUsr(program) }];
  });
  return groups(units, ({ program }) => program);
});

/** D-Bus starts them without asking systemd, or asks for another unit. */
function services(meant: Meant, own: ReadonlySet<string>, facts: Facts): string[] {
  const { busName, names } = meant.facts;
  const programs = new Set(meant.facts.programs.map(inUsr));
  const asked = new Set([...names, ...aliasesOf(meant, facts)]);
  return busServices(facts.hits)
    .filter(({ systemd }) => systemd === undefined || !own.has(systemd))
    .filter((service) => !asksFor(service, asked, busName))
    .filter(({ name, program }) => isOwn(name, busName) || programs.has(program))
    .map(({ path, name, systemd }) => `D-Bus starts ${systemd ?? 'a program'} for ${name} (${path})`);
}

/** One that reads the distribution's functions asks systemd, which refuses. */
function scripts({ unit, facts: { source } }: Meant, { hits, scripts }: Facts): string[] {
  const asking = readingFunctions(hits);
  const named = scripts.filter((path) => `${baseOf(path)}.service` === unit && !asking.has(path));
  const generated = source.startsWith('/etc/init.d/') && !asking.has(source) ? [source] : [];
  return [...new Set([...named, ...generated])].map((path) => `${path} can still be run by hand`);
}

const readingFunctions = once(
  (hits: readonly Hit[]) => new Set(hits.filter(({ key }) => key === 'functions').map(({ path }) => path)),
);

interface BusService {
  readonly path: string;
  readonly name: string;
  readonly systemd: string | undefined;
  readonly program: string;
}

/** The activation files of D-Bus among the hits. */
const busServices = once((hits: readonly Hit[]): BusService[] => {
  const files = groups(
    hits.filter(({ path }) => path.includes('/dbus-1/')),
    ({ path }) => path,
  );
  return [...files].map(([path, lines]) => {
    const value = (key: Hit['key']) => lines.find((hit) => hit.key === key)?.value;
    const name = value('Name') ?? baseOf(path).replace(/\.service$/, '');
    return { path, name, systemd: value('SystemdService'), program: inUsr(programOf(value('Exec') ?? '')) };
  });
});

/** By one of its names, or by the alias that goes with its D-Bus name, which systemd need not have read yet. */
function asksFor({ name, systemd }: BusService, own: ReadonlySet<string>, busName: string): boolean {
  if (systemd === undefined) return false;
  return own.has(systemd) || (isOwn(name, busName) && systemd === `dbus-${name}.service`);
}

function isOwn(name: string, busName: string): boolean {
  return busName !== '' && name === busName;
}

/** `-"/usr/sbin/x"`: prefixes and quotes do not matter. Empty where there is none. */
function programOf(value: string): string {
  const path = value.replace(/^["@:+!|-]*/, '');
  const quote = path.indexOf('"');
  return quote < 0 ? path : path.slice(0, quote);
}

/** /usr/bin and /bin are one on most hosts. */
function inUsr(path: string): string {
  return path.startsWith('/usr/') ? path.slice('/usr'.length) : path;
}

/** The unit that a unit file or a drop-in of it is of. */
function unitOf(path: string): string | null {
  const dir = baseOf(dirOf(path));
  const name = dir.endsWith('.d') ? dir.slice(0, -2) : baseOf(path);
  return isUnitName(name) && !path.includes('/dbus-1/') ? name : null;
}
