/** Facts → what is true of the units now; for `status`. */
import {
  type AbsentUnit,
  type Ask,
  type Facts,
  type Fault,
  isRunning,
  type Outcome,
  stateOf,
  type UnitReport,
} from '../model/index.ts';
import { openNames } from './aliases.ts';
import { systemdFault } from './assemble.ts';
import { listed, some } from './by-name.ts';
import { unitsFault } from './excess.ts';
import { holderOf, sayHolder } from './holders.ts';
import { asksForService, notCovered, withMembers, withSiblings } from './members.ts';
import { absentFault, type Meant, type Missing, type Query, resolve } from './resolve.ts';
import { notesOnTriggers, triggersOf } from './triggers.ts';
import { unreadOf } from './unread.ts';
import { notesOnUsers } from './user-units.ts';

export interface Observation {
  readonly outcome: Extract<Outcome, 'masked' | 'not-masked' | 'mixed' | 'refused' | 'absent'>;
  readonly units: readonly UnitReport[];
  readonly fault: Fault | null;
}

/**
 * Masked means that systemd has read the mask: a link on disk that it has not read yet stops nobody. `now`: RFC 3339; `more`: what
 * there is to say of the run of a mask. Every unit is reported; one that is not installed is a fault unless `skipAbsent`.
 * `withMembers`: those of units that were named literally are asked, too.
 */
export function observe(
  queries: readonly Query[],
  facts: Facts,
  now: string,
  more: (run: string) => string,
  { skipAbsent = false, withMembers: withThem = false }: Pick<Ask, 'skipAbsent' | 'withMembers'> = {},
): Observation {
  const unusable = systemdFault(facts);
  if (unusable) return { outcome: 'refused', units: [], fault: unusable };
  const units: UnitReport[] = [];
  const missing: Missing[] = [];
  const asked = new Map<string, Meant>();
  /** Of those that are masked: what can still be started by another name. */
  let reachable = 0;
  let problem: Fault | null = null;
  for (const query of queries) {
    const resolution = resolve(query, 'status', facts, false);
    if (resolution.kind === 'fault') {
      problem ??= resolution.fault;
      continue;
    }
    if (resolution.kind === 'absent') {
      missing.push(resolution);
      continue;
    }
    const found =
      withThem || asksForService(query) ? withMembers(withSiblings(resolution.units, facts), facts) : resolution.units;
    const excess = unitsFault(queries, units.length + found.length);
    if (excess) return { outcome: 'refused', units, fault: excess };
    const named = new Set(units.map(({ unit }) => unit));
    for (const meant of found.filter(({ unit }) => !named.has(unit))) {
      const { unit, facts: shown, instances } = meant;
      const state = stateOf(shown);
      const running = instances.filter((instance) => isRunning(instance.active)).map(({ id }) => id);
      const receipt = holderOf(unit, facts.receipts);
      const notes = [
        ...(receipt ? [`${sayHolder(receipt, now)}${more(receipt.run)}`] : []),
        ...(shown.load === 'masked' && isRunning(shown.active) ? ['masked, and still running'] : []),
        ...(shown.load !== 'masked' && shown.file.startsWith('masked')
          ? ['masked on disk only: systemd has not read it']
          : []),
        ...(shown.load === 'masked' && unreadOf(shown, facts) === 'mask-gone'
          ? ['masked until systemd reloads: its mask is gone from the disk']
          : []),
        ...(running.length > 0 ? [`instances running: ${listed(running)}`] : []),
        ...(shown.load === 'masked' ? notesOnTriggers(meant, facts) : []),
        ...notesOnUsers(meant, facts),
      ];
      const open = shown.load === 'masked' ? openNames(meant, facts) : [];
      if (open.length > 0) {
        notes.push(`${listed(open)} may start it all the same: mask the unit again with fleetmask`);
        reachable++;
      }
      const triggers = some(triggersOf(meant, facts));
      units.push({
        asked: meant.asked,
        unit,
        before: state,
        after: state,
        startProbe: 'skipped',
        triggers,
        steps: [],
        leftovers: 0,
        notes,
        receipt,
      });
      asked.set(unit, meant);
    }
  }
  const seen = withUncovered(units, asked, facts);
  if (missing.length > 0 && !skipAbsent) problem ??= absentFault(missing, facts);
  const all = [...seen, ...missing.map(({ unit }) => absentReport(unit))];
  if (problem) return { outcome: 'refused', units: all, fault: problem };
  if (units.length === 0) return { outcome: 'absent', units: all, fault: null };
  const masked = seen.filter(({ after }) => after?.load === 'masked');
  const whole =
    masked.length === seen.length && masked.every(({ notCovered }) => notCovered === undefined) && reachable === 0;
  return { outcome: whole ? 'masked' : masked.length === 0 ? 'not-masked' : 'mixed', units: all, fault: null };
}

/** Each with its members that can be started, in so far as nobody asked for them. */
function withUncovered(
  units: readonly UnitReport[],
  asked: ReadonlyMap<string, Meant>,
  facts: Facts,
): readonly UnitReport[] {
  const named = new Set(asked.keys());
  return units.map((unit) => {
    const loose = notCovered(asked.get(unit.unit)!, named, facts);
    return loose.length === 0 ? unit : { ...unit, notCovered: some(loose) };
  });
}

/** What is reported of a unit that is not installed. */
export function absentReport({ asked, unit }: AbsentUnit): UnitReport {
  const state = { load: 'not-found', file: '', active: 'inactive' };
  return {
    asked,
    unit,
    before: state,
    after: state,
    startProbe: 'skipped',
    triggers: [],
    steps: [],
    leftovers: 0,
    notes: [],
  };
}
