import type { HostRecord } from './blocks.ts';

/**
 * How much a host may say of each thing. What is built on an answer takes time and memory in proportion to these, so that one host
 * costs the controller no more than a tenth of a second; what is over a limit is a fault of that host alone.
 */

/** Records of a kind in one answer; several times what the largest hosts seen have. Kinds that are not named have no limit of their own. */
const MOST: Readonly<Record<string, number>> = {
  os: 200,
  path: 5_000,
  displaced: 1_000,
  alias: 1_000,
  wanted: 1_000,
  found: 5_000,
  script: 500,
  wrapper: 1_000,
  member: 1_000,
  user: 200,
  session: 200,
  served: 10_000,
  use: 200,
  // a receipt has its request, each link that was made, and what became of it
  log: 10_000,
  step: 2_000,
  left: 1_000,
  foreign: 1_000,
  escaped: 1_000,
  lacking: 1_000,
  logged: 200,
  started: 1_000,
  switch: 1_000,
  ended: 1_000,
  fence: 1_000,
};

/** Units with properties: asked for, related to those, and what those lead to. */
const MOST_UNITS = 2_500;
/** Names in all lists of all units. */
const MOST_NAMES = 20_000;
/** Of one unit; systemd takes a unit with hundreds of ExecStart= lines, nobody has them. */
const MOST_PROGRAMS = 500;

const UNIT_KINDS: ReadonlySet<string> = new Set(['unit', 'related', 'beyond']);

/** What there is more of than any host has, in words; null where all is within its limit. */
export function excessOf(records: readonly HostRecord[]): string | null {
  const counts = new Map<string, number>();
  let units = 0;
  let names = 0;
  let programs = 0;
  for (const { kind, text } of records) {
    if (UNIT_KINDS.has(kind)) {
      if (text === '') programs = 0;
      if (text.startsWith('Id=')) units++;
      else if (text.startsWith('Program=')) programs += blanksIn(text) + 1;
      else names += blanksIn(text);
      if (units > MOST_UNITS) return `more than ${MOST_UNITS} units`;
      if (names > MOST_NAMES) return `more than ${MOST_NAMES} names of units`;
      if (programs > MOST_PROGRAMS) return `a unit with more than ${MOST_PROGRAMS} programs`;
      continue;
    }
    const count = (counts.get(kind) ?? 0) + 1;
    if (count > (Object.hasOwn(MOST, kind) ? MOST[kind]! : Number.POSITIVE_INFINITY)) {
      return `more than ${MOST[kind]} records of kind ${kind}`;
    }
    counts.set(kind, count);
  }
  return null;
}

function blanksIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf(' '); at >= 0; at = text.indexOf(' ', at + 1)) count++;
  return count;
}
