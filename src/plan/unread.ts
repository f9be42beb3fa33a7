/** What lies on disk under a unit's name and systemd has not read. Any reload reads it, ours too, and no undo takes that back. */
import {
  type Ask,
  baseOf,
  type Facts,
  type Fault,
  fault,
  isRunning,
  type PathFact,
  templateOf,
  type UnitFacts,
} from '../model/index.ts';
import { some } from './by-name.ts';
import { isMask, pathsOf } from './lying.ts';
import { isConnection } from './notes.ts';
import type { Meant } from './resolve.ts';

export type Unread =
  | 'nothing'
  /** Masked for systemd, and the mask is gone from the disk. */
  | 'mask-gone'
  /** A mask that systemd does not know. */
  | 'mask'
  /** The unit file is gone. */
  | 'file-gone'
  /** Another unit file, or another text of it or of its drop-ins. */
  | 'change';

export function unreadOf(unit: UnitFacts, facts: Facts): Unread {
  const lying = lyingUnder(unit, facts);
  const [top] = lying;
  if (unit.load === 'masked') return lying.length === 0 && isInstance(unit) ? 'nothing' : maskUnread(top, facts);
  if (top && isMask(top) && unit.load === 'loaded') return 'mask';
  if (unit.gone) return 'file-gone';
  const read = lying.findIndex(({ path }) => isSamePath(path, unit.fragment));
  const outranked = read > 0 && !isSamePath(lying[0]!.path, unit.fragment);
  return unit.needsReload || outranked ? 'change' : 'nothing';
}

function maskUnread(top: PathFact | undefined, facts: Facts): Unread {
  if (top === undefined) return 'mask-gone';
  if (isMask(top)) return 'nothing';
  // an alias is masked with the unit that it stands for
  const target = top.kind === 'link' ? pathsOf(baseOf(top.target), facts)[0] : undefined;
  return target !== undefined && isMask(target) ? 'nothing' : 'mask-gone';
}

/** What counts for an instance without a file of its own is what its template has; so it is for a template's witness. */
function lyingUnder({ id }: UnitFacts, facts: Facts): readonly PathFact[] {
  const own = pathsOf(id, facts);
  const template = templateOf(id);
  return own.length > 0 || template === null ? own : pathsOf(template, facts);
}

function isInstance({ id }: UnitFacts): boolean {
  return templateOf(id) !== null;
}

/** /lib may be /usr/lib. */
function isSamePath(one: string, other: string): boolean {
  const canonical = (path: string) => path.replace(/^\/lib\//, '/usr/lib/');
  return canonical(one) === canonical(other);
}

/** Why a mask of a unit that runs could not be undone: it would not start again, or not as what it is. */
export function unreadFault(ask: Ask, { facts: shown, instances }: Meant, facts: Facts): Fault | null {
  for (const unit of [shown, ...instances.filter((instance) => !isConnection(instance))]) {
    if (!isRunning(unit.active)) continue;
    const unread = unreadOf(unit, facts);
    if (unread === 'file-gone') return lostFault(`${unit.id} runs, and its unit file ${unit.fragment} is gone`);
    if (!ask.now) continue;
    if (
      unit.load === 'masked' &&
      [unit.id, templateOf(unit.id) ?? ''].every((name) => pathsOf(name, facts).every(isMask))
    )
      return lostFault(`${unit.id} runs under a mask, and no unit file of it lies beneath`);
    if (unit.load !== 'loaded' && unit.load !== 'masked') {
      return lostFault(`${unit.id} runs, and systemd has no unit file of it that it could start (${unit.load})`);
    }
    if (unread === 'change')
      return fault('not-reloaded', `${unit.id} runs, and its unit file was changed since it was read`);
  }
  return ask.now ? relatedFault([shown, ...instances], facts) : null;
}

/** Who stops with them would not come back either. What merely starts them does not stop. */
function relatedFault(units: readonly UnitFacts[], { related }: Facts): Fault | null {
  if (!units.some(({ active }) => isRunning(active))) return null;
  const wakers = new Set(units.flatMap(({ triggeredBy }) => triggeredBy));
  const lost = related.find(({ id, active, gone }) => gone && isRunning(active) && !wakers.has(id));
  return lost ? lostFault(`${lost.id} may stop with it, and its unit file is gone`) : null;
}

function lostFault(message: string): Fault {
  return fault('not-reloaded', `${message}: once stopped it could not be started again`, LOST);
}

const LOST =
  'Bring its unit file back and run `systemctl daemon-reload` on the host; or stop it there by hand, for good.';

/** What an operator should know of this before agreeing. */
export function notesOnUnread({ facts: shown, instances }: Meant, facts: Facts): string[] {
  const notes = [shown, ...instances].map((unit) =>
    noteOn(unit, unit.id === shown.id ? 'its' : `of ${unit.id} the`, facts),
  );
  return some([...new Set(notes.filter((note) => note !== ''))], 20);
}

function noteOn(unit: UnitFacts, whose: string, facts: Facts): string {
  switch (unreadOf(unit, facts)) {
    case 'nothing':
      return '';
    case 'mask-gone':
      return 'its mask was removed and systemd has not read that yet: a rollback leaves it unmasked';
    case 'mask':
      return 'a mask lies on disk that systemd has not read yet: the reload reads it, and a rollback leaves it';
    case 'file-gone':
      return `${whose} unit file is gone and systemd has not read that yet: a rollback leaves it without one`;
    case 'change':
      return `${whose} unit file was changed and systemd has not read that yet: the reload reads it, and a rollback does not take that back`;
  }
}

/** The other units, as far as they were seen, that a reload of ours would read anew. */
export function othersUnread(meant: readonly Meant[], { related }: Facts): string[] {
  const names = new Set(meant.flatMap(({ facts, instances }) => [facts, ...instances]).flatMap((unit) => unit.names));
  return related.filter(({ id, needsReload }) => needsReload && !names.has(id)).map(({ id }) => id);
}
