/** What must hold, whatever went wrong. The simulation sees what is true on the hosts; fleetmask only what it was told. */

import { stateOfRun } from '../../src/journal/replay.ts';
import { type HostReport, isTrigger, type Outcome } from '../../src/model/index.ts';
import type { Said } from './controller.ts';
import { maskPaths, type Truth } from './machine.ts';
import { C } from './scenario.ts';
import { baseOf } from './systemd.ts';
import type { Place, World } from './world.ts';

/** Of a host that this command did not change. */
const UNCHANGED: readonly Outcome[] = ['unchanged', 'refused', 'unreachable', 'not-started'];
/** What the undo after a fault may take, and once more with the fleet, on top of the time of a host. */
const UNDO_MS = 2 * 152_000;

/** How the exit code follows from the outcomes, as cli.md has it. */
const GRAVEST: readonly (readonly [number, readonly Outcome[]])[] = [
  [6, ['stranded']],
  [130, []],
  [5, ['rolled-back']],
  [4, ['refused', 'unreachable', 'not-started']],
];

export function checkCommand(world: World, said: Said, since: number): void {
  const { command, hosts, reports, exitCode, interrupted } = said;
  const names = reports.map(({ host }) => host);
  if (names.join() !== hosts.join()) world.violated(`reports of ${names.join()} for ${hosts.join()}`);
  const outcomes = new Set(reports.map(({ outcome }) => outcome));
  const [expected] = GRAVEST.find(
    ([code, which]) => which.some((outcome) => outcomes.has(outcome)) || (code === 130 && interrupted),
  ) ?? [0];
  if (exitCode !== expected) world.violated(`exit code ${exitCode} for ${[...outcomes].join()}`);
  for (const report of reports) {
    if (!said.worked.has(report.host)) continue;
    const place = world.places.get(report.host)!;
    const complain = (text: string) => world.violated(`${report.host}: ${command} says ${report.outcome}, and ${text}`);
    checkReport(world, place, command, report, since, complain);
    if (report.seconds * 1000 > world.scenario.hostTimeout + UNDO_MS) complain(`it took ${report.seconds} s`);
  }
}

function checkReport(
  world: World,
  place: Place,
  command: Said['command'],
  report: HostReport,
  since: number,
  complain: (text: string) => void,
): void {
  const { outcome, fault } = report;
  const heard = world.network.heard.get(report.host)?.filter(({ truth }) => truth.at >= since) ?? [];
  const last = heard.at(-1);
  const [planned] = world.network.heard.get(report.host) ?? [];
  const isLiar = place.troubles.some(({ kind }) => kind.startsWith('tells-'));
  if (UNCHANGED.includes(outcome)) {
    // what a dead controller had begun may end during a rollback, and is not its doing
    const changes = changesOf(place, since, isWayBack({ command }) ? 'undo' : undefined);
    if (changes.length > 0) complain(`it was changed: ${changes.join(', ')}`);
    if (outcome !== 'unchanged' && fault === null) complain('nothing says why');
  } else if (outcome === 'stranded') {
    if (fault === null || fault.message === '') complain('nothing says why');
  } else if (outcome === 'masked' || outcome === 'unmasked') {
    if (fault !== null) complain('there is a fault');
    if (last?.verb !== (command === 'recover' ? 'probe' : 'apply')) {
      complain('its answer was not heard');
      return;
    }
    if (isLiar) return;
    for (const { unit } of report.units) {
      const problem = outcome === 'masked' ? notMasked(world, unit, last.truth) : notUnmasked(unit, last.truth);
      if (problem) complain(problem);
    }
  } else if (outcome === 'rolled-back' || outcome === 'restored') {
    if (last?.verb !== 'undo' || planned === undefined) {
      complain('its answer was not heard');
      return;
    }
    if (last.truth.machineId !== planned.truth.machineId) complain('it was another machine');
    if (isLiar) return;
    for (const problem of differences(world, place, command, planned.truth, last.truth)) complain(problem);
  } else complain('no such thing was asked');
}

function isWayBack({ command }: Pick<Said, 'command'>): boolean {
  return command === 'rollback' || command === 'recover';
}

function notMasked({ scenario: { ask } }: World, unit: string, truth: Truth): string | null {
  if (truth.loads.get(unit) !== 'masked') return `${unit} is ${truth.loads.get(unit)}`;
  if (!truth.masks.some((path) => baseOf(path) === unit)) return `${unit} has no link`;
  return ask.now && truth.running.includes(unit) ? `${unit} runs` : null;
}

function notUnmasked(unit: string, truth: Truth): string | null {
  return truth.loads.get(unit) === 'masked' ? `${unit} is masked` : null;
}

/** By requests of the run, on whatever machine the address led to. */
export function changesOf({ machine, other }: Place, since = 0, verb?: 'undo'): string[] {
  return [...machine.mutations, ...other.mutations].flatMap(({ at, by, what }) =>
    typeof by === 'string' || at < since || (verb !== undefined && by.verb !== verb) ? [] : [what],
  );
}

/** Where a host is not as it was; what somebody else did there, or a boot, is not held against the run. */
export function differences(
  { scenario, storage }: World,
  place: Place,
  command: Said['command'],
  before: Truth,
  now: Truth,
): string[] {
  const pretends = place.troubles.some(({ kind }) => kind === 'pretends-to-stop');
  const others = place.machine.mutations.filter(({ by }) => by === 'somebody').map(({ what }) => what);
  const touched = (name: string) => others.some((what) => what.includes(name));
  // what comes while the host is being read is read in part
  const raced = (name: string) =>
    place.machine.mutations.some(
      ({ by, what, at }) => by === 'somebody' && what.includes(name) && Math.abs(at - before.at) < 500,
    );
  const booted = place.machine.boots > 1;
  const counts = (path: string) => !touched(path) && !(booted && path.startsWith('/run/'));
  const sets = (what: string, a: readonly string[], b: readonly string[]) => [
    ...a.filter((each) => !b.includes(each)).map((each) => `${each} is not ${what} any more`),
    ...b.filter((each) => !a.includes(each)).map((each) => `${each} is ${what} and was not`),
  ];
  const intent = storage.read().find((record) => record.type === 'intent' && record.host === place.way.name);
  const recorded = new Set(intent?.type === 'intent' ? intent.prior.states.map(({ id }) => id) : []);
  // a mask that nobody had made systemd read is read by any reload
  const unread = (unit: string) =>
    before.loads.get(unit) !== 'masked' && before.masks.some((path) => baseOf(path) === unit);
  const gone = (unit: string) => booted && before.masks.includes(maskPaths(unit).run);
  // what a boot did is the boot's, once nothing of the run is in effect any more; and who cannot write down that a host was found
  // wanting does not know it later
  const forgetful = scenario.troubles.some(({ kind }) => kind === 'journal-full' || kind === 'sync-fails');
  if ((booted || forgetful) && command === 'recover') recorded.clear();
  const startedByBoot = (unit: string) =>
    !before.running.includes(unit) &&
    place.machine.mutations.some(({ by, what }) => by === 'boot' && what === `${unit} inactive → active`);
  // who pretends to stop a socket leaves it deaf
  const isDeaf = (unit: string) => unit.endsWith('.socket') && pretends;
  const mine = (unit: string) =>
    !(isTrigger(unit) && unread(unit)) &&
    !raced(unit) &&
    !isDeaf(unit) &&
    (booted || forgetful ? recorded.has(unit) : unit !== C || scenario.ask.units.includes(C));
  return [
    ...sets('masked', before.masks.filter(counts), now.masks.filter(counts)),
    ...sets(
      'running',
      before.running.filter(mine),
      now.running.filter(mine).filter((unit) => !isWoken(unit, before) && !startedByBoot(unit)),
    ),
    ...[...before.loads.keys()].flatMap((unit) => {
      const [was, is] = [before.loads.get(unit) ?? 'not-found', now.loads.get(unit) ?? 'not-found'];
      return was === is || unread(unit) || touched(unit) || gone(unit) ? [] : [`${unit} was ${was} and is ${is}`];
    }),
  ];
}

/** It did not run, and what can start it did: that may have started it meanwhile. */
function isWoken(unit: string, { running }: Truth): boolean {
  return !running.includes(unit) && running.includes(unit.replace(/\.service$/, '.socket'));
}

/** After a settlement that leaves no doubt, no request of the run changes the host: late, repeated and re-ordered ones arrive in vain. */
export function checkQuiet(world: World, said: Said, until: number): void {
  for (const { host, outcome } of said.reports) {
    if (outcome === 'stranded' || !said.worked.has(host)) continue;
    // a way back that did not get at a host leaves it in doubt
    if (isWayBack(said) && UNCHANGED.includes(outcome)) continue;
    const place = world.places.get(host)!;
    const at = said.settledAt.get(host) ?? 0;
    const late = [...place.machine.mutations, ...place.other.mutations].filter(
      (each) => typeof each.by !== 'string' && each.at > at && each.at <= until,
    );
    for (const { what } of late) world.violated(`${host}: ${what}, after it was ${outcome}`);
  }
}

/** As much had failed, by the journal, as a run with --rollback fleet puts every host back for: nobody then leaves one as asked. */
export function checkWayBack(world: World, { command, reports }: Said): void {
  const { rollback, maxFail } = world.scenario;
  if (rollback !== 'fleet' || command !== 'recover') return;
  const records = world.storage.read();
  const later = records.findIndex(({ type }) => type === 'recovery' || type === 'rollback');
  const failing: readonly Outcome[] = ['rolled-back', 'stranded', ...(maxFail ? (['refused'] as const) : [])];
  const failed = records
    .slice(0, later)
    .filter((each) => each.type === 'settled' && failing.includes(each.report.outcome));
  if (failed.length <= (maxFail?.kind === 'hosts' ? maxFail.count : 0)) return;
  for (const { host, outcome } of reports) {
    if (outcome === 'masked' || outcome === 'unmasked')
      world.violated(`${host}: ${outcome} after a recovery, and the fleet was to go back`);
  }
}

/** Whatever is lost, a host that was changed is known to be from the journal alone. */
export function checkJournal(world: World): void {
  let state: ReturnType<typeof stateOfRun>;
  try {
    const records = world.storage.read();
    if (records.length === 0) {
      for (const [name, place] of world.places) {
        if (changesOf(place).length > 0) world.violated(`${name}: it was changed, and there is no journal`);
      }
      return;
    }
    state = stateOfRun(records);
  } catch (error) {
    world.violated(`the journal cannot be read: ${(error as Error).message}`);
    return;
  }
  for (const [name, place] of world.places) {
    const kind = state.hosts.get(name)?.kind;
    if (changesOf(place).length > 0 && kind === 'untouched')
      world.violated(`${name}: it was changed, and the journal says untouched`);
  }
}
