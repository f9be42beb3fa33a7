/** Evidence → verdict. Exit codes prove nothing here; what was read back does. */
import {
  type Ask,
  baseOf,
  type Change,
  type Evidence,
  type Fault,
  fault,
  isRunning,
  type Prior,
  type PriorState,
  printable,
  type StartProbe,
  type StepResult,
  shownName,
  stateOf,
  templateOf,
  type UnitFacts,
  type UnitPlan,
  type UnitReport,
} from '../model/index.ts';
import { byId, byName, groups, listed, once } from './by-name.ts';
import { refusalOf } from './host-refusal.ts';
import { unitOfGroup } from './leftovers.ts';

export interface Verdict {
  readonly units: readonly UnitReport[];
  readonly fault: Fault | null;
}

/** The report of units that were planned and not (or not yet) read again. */
export function unread(units: readonly UnitPlan[]): UnitReport[] {
  return units.map(({ asked, unit, before, triggers, steps, notes, covers, ways }) => ({
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
  const left = evidence.left.map(({ group, all }) => ({ of: unitOfGroup(group, plan.units), all }));
  const units = plan.units.map((unit, index): UnitReport => {
    const shown = byName(evidence.units).get(unit.shownAs);
    return {
      ...unread([unit])[0]!,
      after: shown ? stateOf(shown) : null,
      startProbe: startProbeOf(evidence, unit.shownAs),
      leftovers: left.reduce((sum, { of, all }) => sum + (of === index ? all : 0), 0),
      notes: notesOn(ask, unit, shown),
    };
  });
  return { units, fault: refusalOf(evidence) ?? stepFault(evidence, plan.change) ?? stateFault(ask, plan, evidence) };
}

function notesOn(ask: Ask, unit: UnitPlan, shown: UnitFacts | undefined): readonly string[] {
  if (ask.verb === 'unmask' || ask.now || !shown || !isRunning(shown.active)) return unit.notes;
  const deaf = unit.unit.endsWith('.socket');
  return [...unit.notes, `masked, and still running${deaf ? ' in name only, it does not listen' : ''}: --now stops it`];
}

/** timeout(1) of coreutils; what it killed at last; and that of busybox. */
const TIMED_OUT: readonly StepResult['status'][] = [124, 137, 143];

function stepFault({ steps, units }: Evidence, change: Change): Fault | null {
  const failed = (prefix: string) => steps.find(({ name, status }) => name.startsWith(prefix) && status !== 0);
  const write = failed('link:') ?? failed('remove:') ?? failed('displace:');
  if (write)
    return fault('write-failed', said(write) || `cannot write ${write.name.slice(write.name.indexOf(':') + 1)}`);
  const stops = new Set(change.stops);
  const running = units.filter((unit) => stops.has(unit.id) && isRunning(unit.active));
  const stop = failed('stop');
  if (running.length > 0 && change.stops.length > 0) {
    const names = listed(running.map(({ id, active, sub }) => `${id} is ${active} (${sub})`));
    if (stop?.refusal === 'refuses-manual') return fault('stop-refused', said(stop));
    return fault(
      'still-running',
      stop && TIMED_OUT.includes(stop.status) ? `${names}: it did not stop in time` : `${names} after the stop`,
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
  const missing = units.find((unit) => !byName(evidence.units).has(unit.shownAs));
  if (missing) return fault('read-back', `${missing.unit} was not read back`);
  if (ask.verb === 'unmask') {
    const still = evidence.units.find((unit) => unit.load === 'masked');
    const by = evidence.paths.find((path) => path.kind === 'null' || path.kind === 'empty');
    return still ? fault('masked-elsewhere', `${still.id} is still masked${by ? ` by ${by.path}` : ''}`) : null;
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
  if (running) return fault('still-running', `${running.id} is ${running.active} (${running.sub}) after the stop`);
  const stayed = evidence.left.find((group) => group.all > group.own);
  if (change.killLeftovers && stayed) {
    return fault('still-running', `${stayed.all - stayed.own} processes in ${stayed.group} survived SIGKILL`);
  }
  const started = change.attempts.find((name) => startProbeOf(evidence, name) !== 'blocked');
  return started === undefined ? null : startFault(started, evidence);
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

function said(step: StepResult): string {
  return printable(step.said.join(' '), 2_000);
}

/** What the read-back after an undo still lacks; null when the host is as it was. */
export function judgeUndo(change: Change, prior: Prior, evidence: Evidence): Fault | null {
  const refused = refusalOf(evidence);
  if (refused) return refused.kind === 'locked' ? refused : fault('not-restored', refused.message);
  const [foreign] = evidence.foreign;
  if (foreign) {
    const aside = change.displaces.includes(foreign) ? '; what was there before lies beside it, hidden, as …orig' : '';
    return fault('not-restored', `${foreign} was made anew by somebody else and was left alone${aside}`);
  }
  const masks = new Set(evidence.paths.filter((path) => path.kind === 'null').map((path) => path.path));
  const stays = change.links.find((path) => masks.has(path));
  if (stays) {
    return evidence.receipt
      ? fault('not-restored', `${stays} is still there`, KEPT)
      : fault('not-restored', `${stays} is still there, and the host has no receipt of it`, UNKNOWN);
  }
  // without a receipt the run's link went before, and this is somebody's own affair
  const links = new Set(change.links);
  const taken = evidence.receipt && evidence.paths.find(({ path }) => links.has(path));
  if (taken) return fault('not-restored', `${taken.path} was put there by somebody else and was left alone`, MEANT);
  const gone = change.removes.find((path) => !masks.has(path));
  if (gone) return fault('not-restored', `${gone} is not back`);
  const lying = new Set(
    evidence.paths.filter(({ kind }) => kind === 'file' || kind === 'link').map(({ path }) => path),
  );
  const lost = change.displaces.find((path) => !lying.has(path));
  if (lost) return fault('not-restored', `the unit file ${lost} is not back`);
  const maskOf = groups([...masks], baseOf);
  for (const state of prior.states) {
    const units = evidence.units;
    const now = byId(units).get(state.id) ?? (state.load === 'not-found' ? byName(units).get(state.id) : undefined);
    const difference = differenceTo(state, now, prior) ?? stillToQueue(state, now, evidence);
    const mask = state.load === 'masked' ? undefined : maskOf.get(state.id)?.[0];
    const by = mask === undefined ? '' : ` (${mask})`;
    if (difference) return fault('not-restored', `${difference}${by}`, hintOn(state, now, change));
  }
  const [lacking] = evidence.lacking;
  if (lacking) return fault('not-restored', `the host could not verify ${lacking}`, UNPROVED);
  // what systemd has read is not what lies there: that holds until anybody reloads
  const reload = evidence.steps.find(({ name, status }) => name === 'reload' && status !== 0);
  return reload
    ? fault('not-restored', `systemd could not reload: ${said(reload) || `status ${reload.status}`}`)
    : null;
}

const KEPT =
  'Look for what keeps it there (read-only file system, immutable flag); then `fleetmask recover` puts the host back.';
const UNKNOWN =
  'Nothing tells whose mask it is. Remove it by hand (`fleetmask unmask`) if it is not meant to stay; then `fleetmask recover` settles this host.';
const UNPROVED =
  'The host keeps the receipt of the run: look at the unit there; then `fleetmask recover` rolls the host back.';
const MEANT = 'If it is meant to stay, nothing is left to do: `fleetmask recover` settles this host.';

function differenceTo(state: PriorState, now: UnitFacts | undefined, prior: Prior): string | null {
  if (!now) return state.load === '' ? null : `${state.id} was not read back`;
  // a mask that nobody had made systemd read yet is read by any reload: that is not ours to undo
  const maskUnread = state.load !== 'masked' && maskedBefore(prior).has(state.id);
  // so it is with any file that lay there unread, and with one that a package brought for a unit that was absent
  const absent = state.load === 'not-found' && now.load !== 'masked';
  const unread = maskUnread || absent || (state.unread && now.load !== 'masked');
  if (state.load !== '' && now.load !== state.load && !unread)
    return `${state.id} was ${state.load} and is ${now.load}`;
  if (absent && !stays(state.active)) return null;
  if (state.file !== '' && now.file !== state.file) return `${state.id} was ${state.file} and is ${now.file}`;
  // a job that was starting then may be done by now
  if (state.active === 'activating' && now.active === 'inactive' && now.load !== 'masked') return null;
  // it was about to change: queued again, it may have come as far as it will
  if (state.queued === 'start' && !stays(state.active)) return null;
  if (state.queued === 'stop' && !stays(now.active)) return null;
  // what started it before may have started it again
  const woken = now.triggeredBy.some((name) => stays(byId(prior.states).get(name)?.active ?? ''));
  if (stays(now.active) && !stays(state.active) && woken && now.load !== 'masked') return null;
  if (stays(state.active) !== stays(now.active)) return `${state.id} was ${state.active} and is ${now.active}`;
  return null;
}

/** A start that waited must wait again, or be over. */
function stillToQueue(state: PriorState, now: UnitFacts | undefined, { steps }: Evidence): string | null {
  if (!now || state.queued !== 'start' || stays(state.active) || stays(now.active) || now.queued === 'start')
    return null;
  if (steps.some(({ name, status }) => name === 'queue' && status === 0)) return null;
  return `${state.id} was to be started and is ${now.active}`;
}

const maskedBefore = once(({ masks }: Prior) => new Set(masks.map(baseOf)));

/**
 * A start waits for the end of a stop that is under way. A mask that was there before, of another run or a person, is nobody's to
 * bring back but theirs.
 */
function hintOn(state: PriorState, now: UnitFacts | undefined, change: Change): string | undefined {
  if (now?.active === 'deactivating' && now.load !== 'masked') {
    return 'It is started when its stop has ended (TimeoutStopSec= at the latest); then `fleetmask recover` of the run settles this host.';
  }
  if (state.load !== 'masked' || isTouched(state.id, change)) return undefined;
  return 'If that mask was taken back on purpose since, nothing is left to do: `fleetmask recover` settles this host.';
}

/** Whether the run made, removed or moved something under the name of a unit, or of its template. */
function isTouched(id: string, { links, removes, displaces }: Change): boolean {
  return [...links, ...removes, ...displaces].some((path) => [id, templateOf(id)].includes(baseOf(path)));
}

/** What is on its way out is not down yet, but does not run as it did either. */
function stays(active: string): boolean {
  return isRunning(active) && active !== 'deactivating';
}
