/** Unit types that systemd knows, as name suffixes. */
import { didYouMean } from './did-you-mean.ts';

const SUFFIXES = [
  'service',
  'socket',
  'timer',
  'path',
  'target',
  'mount',
  'automount',
  'swap',
  'slice',
  'scope',
  'device',
] as const;

/** systemd's limit for a unit name, in bytes (UNIT_NAME_MAX is 256 with the terminating NUL). */
const MAX_LENGTH = 255;

const NAME = new RegExp(`^[A-Za-z0-9:_\\\\][A-Za-z0-9:_.\\\\@-]*\\.(?:${SUFFIXES.join('|')})$`);

/**
 * Whether `name` is a whole unit name with a suffix, in systemd's own alphabet. systemctl itself accepts and escapes
 * almost anything (`v*` becomes `v\x2a.service`, exit 0), so names are validated here.
 */
export function isUnitName(name: string): boolean {
  if (name.length > MAX_LENGTH || !NAME.test(name)) return false;
  const stem = name.slice(0, name.lastIndexOf('.'));
  return stem !== '' && !stem.startsWith('@') && stem.split('@').length <= 2;
}

export function hasUnitSuffix(name: string): boolean {
  return SUFFIXES.some((suffix) => name.endsWith(`.${suffix}`));
}

/** The whole name that was meant by one whose suffix is mistyped (`cron.servce`); undefined where it ends like nothing of systemd's. */
export function nearSuffix(name: string): string | undefined {
  const dot = name.lastIndexOf('.') + 1;
  return dot === 0 ? undefined : didYouMean(name.slice(dot), SUFFIXES, (suffix) => `${name.slice(0, dot)}${suffix}`);
}

/** `foo@.service`: a name that stands for its instances and is never loaded itself. */
export function isTemplate(name: string): boolean {
  return /@\.[a-z]+$/.test(name);
}

/** `foo@bar.service` → `foo@.service`; null for what is no instance. */
export function templateOf(name: string): string | null {
  const match = /^([^@]+@)[^@]+(\.[a-z]+)$/.exec(name);
  return match ? `${match[1]}${match[2]}` : null;
}

/**
 * An instance name that nobody uses, through which systemd tells about a template: `show` refuses templates.
 */
export function witnessOf(template: string): string {
  return template.replace('@.', '@fleetmask-witness.');
}

export function isWitness(name: string): boolean {
  return name.includes('@fleetmask-witness.');
}

/** The name under which systemd tells of a unit. */
export function shownName(unit: string): string {
  return isTemplate(unit) ? witnessOf(unit) : unit;
}

/** The pattern of a template's loaded instances, in systemctl's own language. */
export function instancesOf(template: string): string {
  return template.replace('@.', '@*.');
}

/** Of a type that starts other units by itself. */
export function isTrigger(name: string): boolean {
  return /\.(?:socket|timer|path|automount)$/.test(name);
}

/** The socket whose connections are instances of this template, should there be one with Accept=yes. */
export function socketOf(template: string): string | null {
  return template.endsWith('@.service') ? template.replace(/@\.service$/, '.socket') : null;
}
