/** The remote program as it is sent: its parts, and which of them a request needs. */
import { readFileSync } from 'node:fs';

/** What a host can be asked for after its probe. */
export type Verb = 'apply' | 'undo' | 'keep';

/** A part of the remote program: a file in `program/`. */
export type Part = `${string}.sh`;

const PROBE: readonly Part[] = ['fleetmask.sh', 'units.sh', 'probe.sh', 'traces.sh'];

/** What a probe needs besides, for what it is asked to tell. */
const ASKED_FOR: Readonly<Record<string, Part>> = {
  'receipts=': 'past-runs.sh',
  'ways=': 'ways.sh',
  'superservers=': 'superservers.sh',
  'guard=': 'guard.sh',
  'uses=': 'uses.sh',
  'members=': 'members.sh',
};

const LATER: Readonly<Record<Verb, readonly Part[]>> = {
  apply: ['read-back.sh', 'receipt.sh', 'switches.sh', 'apply.sh', 'starts.sh', 'audit.sh'],
  undo: ['read-back.sh', 'receipt.sh', 'switches.sh', 'starts.sh', 'undo.sh', 'audit.sh'],
  keep: ['read-back.sh', 'receipt.sh', 'switches.sh', 'audit.sh'],
};

/** What an automatic rollback runs, beside `switch.sh`. */
const ROLLBACK: readonly Part[] = ['fleetmask.sh', 'units.sh', 'traces.sh', ...LATER.undo];

export function partsOfProbe(wishes: readonly string[]): Part[] {
  const asked = Object.entries(ASKED_FOR).filter(([wish]) => wishes.some((each) => each.startsWith(wish)));
  return [...PROBE, ...asked.map(([, part]) => part)];
}

/** What a later request needs, whatever was sent before it. */
export function partsOf(verb: Verb): readonly Part[] {
  return LATER[verb];
}

/** The program that a host stores to roll a run back by itself. */
export function rollbackProgram(): string {
  return source(ROLLBACK);
}

/** All that any host is ever sent. */
export function wholeProgram(): string {
  const parts = [...partsOfProbe(Object.keys(ASKED_FOR)), ...Object.values(LATER).flat()];
  return source([...new Set<Part>(['shells.sh', ...parts, 'switch.sh'])]);
}

export function source(parts: readonly Part[]): string {
  return parts.map(part).join('\n');
}

const parts = new Map<Part, string>();

/**
 * Without comments, indentation and blanks that mean nothing (no text of it has any around `||`, `&&` or `|`, or a semicolon,
 * none two quotes after a name).
 */
export function part(file: Part): string {
  const text =
    parts.get(file) ??
    readFileSync(new URL(`./program/${file}`, import.meta.url), 'utf8')
      .split('\n')
      .map((line) =>
        line
          .trimStart()
          .replaceAll(/ ?;; ?/g, ';;')
          .replaceAll('*) ', '*)')
          .replaceAll(/; (?=(?:then|do|else|fi|done|esac)\b)/g, ';')
          .replaceAll(' || ', '||')
          .replaceAll(' && ', '&&')
          .replaceAll(' | ', '|')
          .replaceAll('; }', ';}')
          .replaceAll(/(?<=^| )([a-z_]+=)''(?= |$)/g, '$1')
          .replace(/^([^()'"$]+\)) /, '$1'),
      )
      .filter((line) => line !== '' && !line.startsWith('#'))
      .join('\n');
  parts.set(file, text);
  return text;
}
