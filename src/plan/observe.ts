/** Facts → what is true of the units now; for `status`. */
import {
  type AbsentUnit,
  type Facts,
  type Fault,
  isRunning,
  type Outcome,
  stateOf,
  type UnitReport,
} from '../model/index.ts';
import { systemdFault } from './assemble.ts';
import { listed, some } from './by-name.ts';
import { unitsFault } from './excess.ts';
import { holderOf, sayHolder } from './holders.ts';
import { absentFault, type Missing, type Query, resolve } from './resolve.ts';
import { triggersOf } from './triggers.ts';

export interface Observation {
  readonly outcome: Extract<Outcome, 'masked' | 'not-masked' | 'mixed' | 'refused' | 'absent'>;
  readonly units: readonly UnitReport[];
  readonly fault: Fault | null;
}

/**
 * Masked means that systemd has read the mask: a link on disk that it has not read yet stops nobody. `now`: RFC 3339; `more`: what
 * there is to say of the run of a mask. Every unit is reported; one that is not installed is a fault unless `skipAbsent`.
 */
export function observe(
  queries: readonly Query[],
  facts: Facts,
  now: string,
  more: (run: string) => string,
  skipAbsent = false,
): Observation {
  const unusable = systemdFault(facts);
  if (unusable) return { outcome: 'refused', units: [], fault: unusable };
  const units: UnitReport[] = [];
  const missing: Missing[] = [];
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
    const excess = unitsFault(queries, units.length + resolution.units.length);
    if (excess) return { outcome: 'refused', units, fault: excess };
    for (const meant of resolution.units) {
      const { asked, unit, facts: shown, instances } = meant;
      const state = stateOf(shown);
      const running = instances.filter((instance) => isRunning(instance.active)).map(({ id }) => id);
      const receipt = holderOf(unit, facts.receipts);
      const notes = [
        ...(receipt ? [`${sayHolder(receipt, now)}${more(receipt.run)}`] : []),
        ...(shown.load === 'masked' && isRunning(shown.active) ? ['masked, and still running'] : []),
        ...(shown.load !== 'masked' && shown.file.startsWith('masked')
          ? ['masked on disk only: systemd has not read it']
          : []),
        ...(running.length > 0 ? [`instances running: ${listed(running)}`] : []),
      ];
      const triggers = some(triggersOf(meant, facts));
      units.push({
        asked,
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
    }
  }
  if (missing.length > 0 && !skipAbsent) problem ??= absentFault(missing);
  const all = [...units, ...missing.map(({ unit }) => absentReport(unit))];
  if (problem) return { outcome: 'refused', units: all, fault: problem };
  if (units.length === 0) return { outcome: 'absent', units: all, fault: null };
  const masked = units.filter(({ after }) => after?.load === 'masked').length;
  const outcome = masked === units.length ? 'masked' : masked === 0 ? 'not-masked' : 'mixed';
  return { outcome, units: all, fault: null };
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
