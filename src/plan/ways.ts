/** What a mask covers besides the unit's name, and what it does not: whatever else can be seen to run the same. */
import { baseOf, dirOf, type Facts, type Hit, isTemplate, isUnitName, templateOf } from '../model/index.ts';
import type { Meant } from './resolve.ts';

/** Aliases, D-Bus names for which systemd is asked, and instances: none of them starts while the unit is masked. */
export function coveredWith(meant: Meant, { hits }: Facts): string[] {
  const { unit, facts, instances } = meant;
  const aliases = isTemplate(unit) ? [] : facts.names.filter((name) => name !== unit);
  const names = busServices(hits)
    .filter((service) => asksFor(service, meant))
    .map(({ name }) => name);
  return [...new Set([...aliases, ...instances.map(({ id }) => id), ...names])];
}

/** In an operator's words; `all`: what is masked by the same run. */
export function waysRound(meant: Meant, all: readonly Meant[], facts: Facts): string[] {
  const own = new Set(all.flatMap(({ unit, facts: { names } }) => [unit, ...names]).flatMap(withTemplate));
  return [...copies(meant, own, facts), ...services(meant, own, facts), ...scripts(meant, facts)];
}

function withTemplate(name: string): string[] {
  const template = templateOf(name);
  return template === null ? [name] : [name, template];
}

/** Other units that run the same program, transient ones too. */
function copies({ facts: { programs } }: Meant, own: ReadonlySet<string>, { hits }: Facts): string[] {
  const found = hits.flatMap(({ path, key, value }) => {
    const other = unitOf(path);
    const program = programs.find((each) => key === 'ExecStart' && runs(value, each));
    return program === undefined || other === null || own.has(other) ? [] : [`${path} runs ${program} too`];
  });
  return [...new Set(found)];
}

/** D-Bus starts them without asking systemd, or asks for another unit. */
function services(meant: Meant, own: ReadonlySet<string>, { hits }: Facts): string[] {
  const { busName, programs } = meant.facts;
  return busServices(hits)
    .filter(({ systemd }) => systemd === undefined || !own.has(systemd))
    .filter((service) => !asksFor(service, meant))
    .filter(({ name, exec }) => isOwn(name, busName) || programs.some((program) => runs(exec, program)))
    .map(({ path, name, systemd }) => `D-Bus starts ${systemd ?? 'a program'} for ${name} (${path})`);
}

/** One that reads the distribution's functions asks systemd, which refuses. */
function scripts({ unit, facts: { source } }: Meant, { hits, scripts }: Facts): string[] {
  const asking = new Set(hits.filter(({ key }) => key === 'functions').map(({ path }) => path));
  const named = scripts.filter((path) => `${baseOf(path)}.service` === unit && !asking.has(path));
  const generated = source.startsWith('/etc/init.d/') && !asking.has(source) ? [source] : [];
  return [...new Set([...named, ...generated])].map((path) => `${path} can still be run by hand`);
}

interface BusService {
  readonly path: string;
  readonly name: string;
  readonly systemd: string | undefined;
  readonly exec: string;
}

/** The activation files of D-Bus among the hits. */
function busServices(hits: readonly Hit[]): BusService[] {
  const paths = [...new Set(hits.map(({ path }) => path))].filter((path) => path.includes('/dbus-1/'));
  return paths.map((path) => {
    const value = (key: Hit['key']) => hits.find((hit) => hit.path === path && hit.key === key)?.value;
    const name = value('Name') ?? baseOf(path).replace(/\.service$/, '');
    return { path, name, systemd: value('SystemdService'), exec: value('Exec') ?? '' };
  });
}

/** By one of its names, or by the alias that goes with its D-Bus name, which systemd need not have read yet. */
function asksFor({ name, systemd }: BusService, { facts }: Meant): boolean {
  if (systemd === undefined) return false;
  return facts.names.includes(systemd) || (isOwn(name, facts.busName) && systemd === `dbus-${name}.service`);
}

function isOwn(name: string, busName: string): boolean {
  return busName !== '' && name === busName;
}

/** `-"/usr/sbin/x"`: prefixes and quotes do not matter, nor does /usr, which most distributions have merged. */
function runs(value: string, program: string): boolean {
  const path = value.replace(/^["@:+!|-]*/, '').replace(/".*$/, '');
  return path !== '' && path.replace(/^\/usr\//, '/') === program.replace(/^\/usr\//, '/');
}

/** The unit that a unit file or a drop-in of it is of. */
function unitOf(path: string): string | null {
  const dir = baseOf(dirOf(path));
  const name = dir.endsWith('.d') ? dir.slice(0, -2) : baseOf(path);
  return isUnitName(name) && !path.includes('/dbus-1/') ? name : null;
}
