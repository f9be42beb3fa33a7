/** Evidence → verdict. Exit codes prove nothing here; what was read back does. */
import {
  type Ask,
  baseOf,
  type Change,
  type Evidence,
  type Fault,
  fault,
  isRunning,
  type PathFact,
  type StartProbe,
  type StepResult,
  shownName,
  stateOf,
  templateOf,
  type UnitFacts,
  type UnitPlan,
  type UnitReport,
} from '../model/index.ts';
import { byName, listed, once } from './by-name.ts';
import { refusalOf } from './host-refusal.ts';
import { unitOfGroup, withStartNotes } from './leftovers.ts';
import { said, starterHint } from './reasons.ts';

export interface Verdict {
  readonly units: readonly UnitReport[];
  readonly fault: Fault | null;
}

/** The report of units that were planned and not (or not yet) read again. */
export function unread(units: readonly UnitPlan[]): UnitReport[] {
  return units.map(({ asked, unit, before, triggers, steps, notes, covers, ways, notCovered, stopsToo }) => ({
    asked,
    unit,
    before,
    after: null,
    startProbe: 'skipped',
    triggers,
    steps,
    leftovers: 0,
    notes,
    ...(covers && { covers }),
    ...(ways && { ways }),
    ...(notCovered && { notCovered }),
    ...(stopsToo && { stopsToo }),
  }));
}

/** The report of units that are as asked already: the probe has just read them. */
export function asRead(units: readonly UnitPlan[]): UnitReport[] {
  return unread(units).map((unit) => ({ ...unit, after: unit.before }));
}

/** The report of units that were read once more: what is read last is what is true. */
export function readAgain(units: readonly UnitReport[], read: readonly UnitFacts[]): UnitReport[] {
  return units.map((unit) => {
    const shown = byName(read).get(shownName(unit.unit));
    return { ...unit, after: shown ? stateOf(shown) : null, notes: [] };
  });
}

/** The same on a later visit, which found them as the run had left them. */
export function readLater(units: readonly UnitReport[], read: readonly UnitFacts[]): UnitReport[] {
  return readAgain(units, read).map((unit, index) => ({ ...unit, before: units[index]!.after, leftovers: 0 }));
}

/** Judges an apply. A refusal that came before the first change is `untouched`. */
export function judge(ask: Ask, plan: { units: readonly UnitPlan[]; change: Change }, evidence: Evidence): Verdict {
  const left = new Map<number, number>();
  for (const { group, all } of evidence.left) {
    const of = unitOfGroup(group, plan.units);
    left.set(of, (left.get(of) ?? 0) + all);
  }
  const escaped = escapedNote(evidence);
  const units = plan.units.map((unit, index): UnitReport => {
    const shown = byName(evidence.units).get(unit.shownAs);
    return {
      ...unread([unit])[0]!,
      after: shown ? stateOf(shown) : null,
      startProbe: startProbeOf(evidence, unit.shownAs),
      leftovers: left.get(index) ?? 0,
      notes: [...notesOn(ask, unit, shown), ...(index === 0 ? escaped : [])],
    };
  });
  const fault = refusedBy(evidence, plan.change) ?? stepFault(evidence, plan) ?? stateFault(ask, plan, evidence);
  return { units: withStartNotes(units, evidence), fault };
}

/** No host says who had systemd-run make a unit, so its age is all that there is to go by. */
function escapedNote({ escaped }: Evidence): string[] {
  return escaped === undefined
    ? []
    : [
        `made by systemd-run since the masked unit was started, and still running: ${listed(escaped)}; stop it if it belongs to the masked unit`,
      ];
}

function notesOn(ask: Ask, unit: UnitPlan, shown: UnitFacts | undefined): readonly string[] {
  if (ask.verb === 'unmask' || ask.now || !shown || !isRunning(shown.active)) return unit.notes;
  const deaf = unit.unit.endsWith('.socket');
  return [...unit.notes, `masked, and still running${deaf ? ' in name only, it does not listen' : ''}: --now stops it`];
}

/** Where /etc/systemd/system takes no link (ostree, NixOS), /run does. A unit file that lies there outranks it: then there is no hint. */
function refusedBy(evidence: Evidence, { where, links, displaces }: Change): Fault | null {
  const refused = refusalOf(evidence);
  const { kind = null, message = '' } = refused ?? {};
  const walled = kind === 'write-failed' && where === 'etc' && links.some((link) => message.includes(link));
  return walled && displaces.length === 0 ? fault('write-failed', message, RUNTIME) : refused;
}

const RUNTIME =
  'Use `--runtime` for a mask in /run, which holds until the next boot; or make /etc/systemd/system writable there.';

/** timeout(1) of coreutils; what it killed at last; and that of busybox. */
const TIMED_OUT: readonly StepResult['status'][] = [124, 137, 143];

function stepFault(evidence: Evidence, plan: { units: readonly UnitPlan[]; change: Change }): Fault | null {
  const { steps, units } = evidence;
  const { change } = plan;
  const failed = (prefix: string) => steps.find(({ name, status }) => name.startsWith(prefix) && status !== 0);
  const write = failed('link:') ?? failed('remove:') ?? failed('displace:');
  if (write)
    return fault('write-failed', said(write) || `cannot write ${write.name.slice(write.name.indexOf(':') + 1)}`);
  const stops = new Set(change.stops);
  const running = units.filter((unit) => stops.has(unit.id) && isRunning(unit.active));
  const stop = steps.findLast(({ name, status }) => name.startsWith('stop') && status !== 0);
  if (running.length > 0) {
    const names = listed(running.map(({ id, active, sub }) => `${id} is ${active} (${sub})`));
    if (stop?.refusal === 'refuses-manual') return fault('stop-refused', said(stop));
    return fault(
      'still-running',
      stop && TIMED_OUT.includes(stop.status) ? `${names}: it did not stop in time` : `${names} after the stop`,
      starterHint(running, plan.units, evidence),
    );
  }
  const reload = failed('reload');
  return reload ? fault('read-back', `systemd could not reload: ${said(reload) || `status ${reload.status}`}`) : null;
}

/** Every name of the units counts; an instance with a unit file of its own is not covered by its template's mask. */
function stateFault(
  ask: Ask,
  { units, change }: { units: readonly UnitPlan[]; change: Change },
  evidence: Evidence,
): Fault | null {
  if (evidence.unread) return fault('read-back', 'systemd did not show all units after the change');
  const missing = units.find((unit) => !byName(evidence.units).has(unit.shownAs));
  if (missing) return fault('read-back', `${missing.unit} was not read back`);
  if (ask.verb === 'unmask') {
    const still = evidence.units.find((unit) => unit.load === 'masked');
    if (still === undefined) return null;
    const by = maskOf(still, evidence);
    return fault('masked-elsewhere', `${still.id} is still masked${by ? ` by ${by.path}` : ''}`);
  }
  const covered = evidence.units.filter((unit) => named(units, unit) || baseOf(unit.fragment) !== unit.id);
  const loose = covered.find((unit) => unit.canStart || (named(units, unit) && unit.load !== 'masked'));
  if (loose) {
    return fault(
      'ineffective',
      `${loose.id} reads ${loose.load}${loose.canStart ? ' and can be started' : ''} after the mask`,
    );
  }
  const running = ask.now ? covered.find((unit) => isRunning(unit.active)) : undefined;
  if (running) {
    const hint = starterHint([running], units, evidence);
    return fault('still-running', `${running.id} is ${running.active} (${running.sub}) after the stop`, hint);
  }
  const stayed = evidence.left.find((group) => group.all > group.own);
  if (change.killLeftovers && stayed) {
    return fault('still-running', `${stayed.all - stayed.own} processes in ${stayed.group} survived SIGKILL`);
  }
  const started = change.attempts.find((name) => startProbeOf(evidence, name) !== 'blocked');
  return started === undefined ? null : startFault(started, evidence);
}

/** What lies under its own name, or under that of its template: another unit may be masked elsewhere, too. */
function maskOf({ names }: UnitFacts, { paths }: Evidence): PathFact | undefined {
  const own = new Set(names.flatMap((name) => [name, templateOf(name) ?? name]));
  return paths.find(({ kind, path }) => (kind === 'null' || kind === 'empty') && own.has(baseOf(path)));
}

function named(units: readonly UnitPlan[], unit: UnitFacts): boolean {
  const planned = shownNames(units);
  return unit.names.some((name) => planned.has(name));
}

const shownNames = once((units: readonly UnitPlan[]) => new Set(units.map(({ shownAs }) => shownAs)));

function startFault(name: string, { steps }: Evidence): Fault {
  const attempt = stepsByName(steps).get(`try:${name}`);
  if (attempt?.status === 0) return fault('start-not-blocked', `${name} could be started in spite of the mask`);
  const why =
    attempt === undefined || attempt.status === 'untried' ? 'was not tried' : `failed otherwise: ${said(attempt)}`;
  return fault('start-not-blocked', `the attempt to start ${name} ${why}`);
}

/** Blocked means refused *because it is masked*; systemd 219 and later all say so in this word. */
function startProbeOf({ steps }: Evidence, name: string): StartProbe {
  const attempt = stepsByName(steps).get(`try:${name}`);
  if (attempt === undefined || attempt.status === 'untried') return 'skipped';
  return attempt.status !== 0 && attempt.refusal === 'masked' ? 'blocked' : 'not-blocked';
}

const stepsByName = once(
  (steps: readonly StepResult[]) => new Map(steps.toReversed().map((step) => [step.name, step] as const)),
);
