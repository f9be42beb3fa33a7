/** Facts → plan. Pure: the same for a dry run and for the run itself. */
import {
  type Ask,
  baseOf,
  type Change,
  dirOf,
  type Facts,
  type Fault,
  fault,
  instancesOf,
  isRunning,
  isTemplate,
  isTrigger,
  type PathFact,
  type Plan,
  stateOf,
  type UnitPlan,
  unprovable,
} from '../model/index.ts';
import { aliasesOf, aliasMasks, aliasSteps } from './aliases.ts';
import { listed, once, some } from './by-name.ts';
import { coversFault, statesFault, unitsFault } from './excess.ts';
import { type Guarded, guard } from './guard.ts';
import { ABOVE_ETC, ETC, inTheWay, isMask, localFault, pathsOf, RUN } from './lying.ts';
import { asksForService, maskedMembers, notCovered, withMembers, withSiblings } from './members.ts';
import { hasOwnFile, notesOn } from './notes.ts';
import { priorOf } from './prior.ts';
import { absentFault, type Meant, type Missing, type Query, resolve } from './resolve.ts';
import { isDone, type UnitSteps, wordsFor } from './steps.ts';
import { downsOf, stopsOf } from './stops.ts';
import { relating, stopsToo } from './stops-too.ts';
import { notesOnServed } from './super-servers.ts';
import { notesOnTriggers, triggersOf, withTriggers } from './triggers.ts';
import { notesOnUnread, othersUnread, unreadFault, unreadOf } from './unread.ts';
import { notesOnUsers } from './user-units.ts';
import { coveredWith, waysRound } from './ways.ts';

/**
 * All or nothing per host: one unit that cannot be dealt with refuses the host before anything is touched.
 * Privilege is asked for only where something must change.
 */
export function assemble(ask: Ask, queries: readonly Query[], facts: Facts): Plan {
  const refuse = (fault: Fault): Plan => ({ kind: 'refusal', units: [], fault });
  const unusable = systemdFault(facts);
  if (unusable) return refuse(unusable);

  const unproved = ask.verb === 'mask' ? versionFault(facts) : null;
  if (unproved) return refuse(unproved);

  const asked: Meant[] = [];
  const wanting: Meant[] = [];
  const missing: Missing[] = [];
  for (const query of queries) {
    const resolution = resolve(query, ask.verb, facts, ask.allowAbsent || ask.verb === 'unmask');
    if (resolution.kind === 'fault') return refuse(resolution.fault);
    if (resolution.kind === 'absent') {
      missing.push(resolution);
    } else {
      const before = new Set(asked.map(({ unit }) => unit));
      const found = resolution.units.filter(({ unit }) => !before.has(unit));
      asked.push(...found);
      if (ask.withMembers || asksForService(query)) wanting.push(...found);
    }
  }
  if (missing.length > 0 && !ask.skipAbsent) return refuse(absentFault(missing, facts));
  const tooMany = unitsFault(queries, asked.length);
  if (tooMany) return refuse(tooMany);
  const planned = assembleFor(ask, queries, takingMembers(ask, asked, wanting, facts), facts);
  return missing.length > 0 ? { ...planned, absent: missing.map(({ unit }) => unit) } : planned;
}

/** With the members of some of them; an unmask takes what is masked. */
function takingMembers(ask: Ask, asked: readonly Meant[], wanting: readonly Meant[], facts: Facts): Meant[] {
  if (wanting.length === 0) return [...asked];
  const named = new Set(asked.map(({ unit }) => unit));
  const whole = withMembers(withSiblings(wanting, facts), facts);
  const members = whole.filter(({ unit }) => !named.has(unit));
  const units = new Map([...asked, ...whole].map((each) => [each.unit, each]));
  return [
    ...asked.map(({ unit }) => units.get(unit)!),
    ...(ask.verb === 'mask' ? members : maskedMembers(members, facts)),
  ];
}

/** The same for the units that the host has. */
function assembleFor(ask: Ask, queries: readonly Query[], asked: readonly Meant[], told: Facts): Plan {
  const refuse = (fault: Fault, units: readonly UnitPlan[] = []): Plan => ({ kind: 'refusal', units, fault });
  const closure = ask.withTriggers ? withTriggers(asked, told) : { kind: 'units' as const, units: asked };
  if (closure.kind === 'unseen') return refuse(fault('bad-reply', `${closure.name} can start it, and was not shown`));
  const meant = closure.units;
  const facts = relating(meant, told);
  const more = unitsFault(queries, meant.length) ?? statesFault(meant, facts);
  if (more) return refuse(more);
  const steps = meant.map((unit) =>
    ask.verb === 'mask' ? maskSteps(ask, unit, facts) : unmaskSteps(ask, unit, facts),
  );
  const guarded = meant.map((unit, index) =>
    ask.verb === 'mask' && !isDone(steps[index]!) ? guard(endangered(unit), ask, facts) : FREE,
  );
  const down = stopsToo(
    steps.map(({ stops }) => stops),
    facts,
  );
  const stopped = new Set([...steps.flatMap(({ stops }) => stops), ...down.flat()]);
  const units = meant.map((unit, index) => {
    const plan = unitPlan(ask, unit, meant, facts, guarded[index]!.notes, stopped);
    return down[index]!.length === 0 ? plan : { ...plan, stopsToo: some(down[index]!) };
  });
  const covers = coversFault(units);
  if (covers) return refuse(covers);
  const obstacle = meant
    .map((unit, index) => guarded[index]!.fault ?? obstacleTo(ask, unit, facts))
    .find((found) => found !== null);
  if (obstacle) return refuse(obstacle, units);

  if (steps.every((step) => isDone(step))) return { kind: 'no-op', units };
  if (facts.privilege.kind === 'none') {
    const { why, hint } = facts.privilege;
    return refuse(fault('no-privilege', `no root privilege: ${why}`, hint), units);
  }
  if (facts.limit !== undefined) {
    return refuse(fault('no-shell', `this session may use too little for a change, ${facts.limit}`, RAISE), units);
  }
  const others = othersUnread(meant, facts);
  const planned = units.map((unit, index) => {
    const notes = [...unit.notes, ...notesOnUnread(meant[index]!, facts)];
    if (index === 0 && others.length > 0) notes.push(`the reload also reads what was changed of ${listed(others)}`);
    return { ...unit, notes, steps: wordsFor(steps[index]!, ask) };
  });
  return { kind: 'change', units: planned, change: changeOf(ask, steps, facts), prior: priorOf(meant, facts) };
}

const RAISE = 'Raise that limit for the account (limits.conf, its start-up files), or log in as another account.';

/** Why nothing can be said or done about units on this host; null when systemd answers. */
export function systemdFault({ systemd }: Facts): Fault | null {
  switch (systemd.kind) {
    case 'running':
      return null;
    case 'absent':
      return fault('no-systemd', 'not booted with systemd');
    case 'silent':
      return fault(
        'no-systemd',
        `systemd does not answer: ${systemd.why}`,
        'Look at PID 1 of this host; nothing was touched.',
      );
  }
}

/** Why a mask on this version of systemd could not be proved: nothing may be stopped for it. */
export function versionFault({ systemd }: Facts): Fault | null {
  const why = systemd.kind === 'running' ? unprovable(systemd.version) : null;
  return why === null
    ? null
    : fault('no-systemd', why, 'Mask it with `systemctl mask` on the host; nothing was touched.');
}

/** What needs no guard: an unmask cuts nothing, nor does what is as asked. */
const FREE: Guarded = { fault: null, notes: [] };

/** Instances with a file of their own are neither masked nor stopped with their template. */
function endangered({ unit, facts, instances }: Meant) {
  return { unit, facts, instances: instances.filter((instance) => !hasOwnFile(instance)) };
}

function unitPlan(
  ask: Ask,
  each: Meant,
  meant: readonly Meant[],
  facts: Facts,
  warnings: readonly string[],
  stopped: ReadonlySet<string>,
): UnitPlan {
  const { asked, unit, facts: shown } = each;
  const triggers = some(triggersOf(each, facts, unitsOf(meant)));
  const failing = ask.verb === 'mask' ? notesOnTriggers(each, facts, unitsOf(meant), stopped) : [];
  const notes =
    ask.verb === 'mask'
      ? [
          ...warnings,
          ...notesOnServed(unit, facts),
          ...notesOn(ask, each, meant),
          ...failing,
          ...notesOnUsers(each, facts),
        ]
      : [];
  const plan = { asked, unit, shownAs: shown.id, before: stateOf(shown), triggers, steps: [], notes };
  if (ask.verb === 'unmask') return plan;
  const loose = notCovered(each, unitsOf(meant), facts);
  return {
    ...{ ...plan, covers: coveredWith(ask, each, facts), ways: waysRound(ask, each, meant, facts) },
    ...(loose.length > 0 && { notCovered: some(loose) }),
  };
}

const unitsOf = once((meant: readonly Meant[]) => new Set(meant.map(({ unit }) => unit)));

/** What makes a mask of this unit impossible, pointless or harmful. */
function obstacleTo(ask: Ask, meant: Meant, facts: Facts): Fault | null {
  const { unit, facts: shown, instances } = meant;
  const lying = pathsOf(unit, facts);
  if (ask.verb === 'unmask') {
    const masks = [...lying, ...aliasMasks(meant, facts)];
    const displacing = masks.find((path) => path.kind === 'null' && removable(path, ask) && path.displaced);
    if (displacing?.kind === 'null') {
      const hint = `Put the run back that moved it there (its number is in the name): fleetmask rollback RUN`;
      return fault('local-unit', `the unit file of ${baseOf(displacing.path)} lies in ${displacing.displaced}`, hint);
    }
    const elsewhere = lying.find((path) => isMask(path) && !removable(path, ask));
    if (shown.load !== 'masked' || !elsewhere) return null;
    return fault('masked-elsewhere', `${unit} is masked by ${elsewhere.path}, which this unmask would not remove`);
  }
  if (unit.endsWith('.scope') || unit.endsWith('.device') || shown.transient) {
    return fault('ineffective', `${unit} is transient: a mask does not hold it, and it could not be put back`);
  }
  const above = lying.find((path) => ABOVE_ETC.includes(dirOf(path.path)) && !isMask(path));
  if (above) return fault('ineffective', `${above.path} outranks a mask of ${unit}`);
  const local = localFault(ask, lying);
  if (local) return local;
  const unread = isDone(maskSteps(ask, meant, facts)) ? null : unreadFault(ask, meant, facts);
  if (unread) return unread;
  if (ask.now && [shown, ...instances].some((each) => each.refuseManualStop && isRunning(each.active))) {
    return fault('stop-refused', `${unit} is running and has RefuseManualStop=yes`);
  }
  return null;
}

/** Links in /etc and /run, or in /run alone; a vendor's empty file or link is not ours to take away. */
function removable(path: PathFact, ask: Ask): boolean {
  const dirs = ask.runtime ? [RUN] : [ETC, RUN];
  return path.kind === 'null' && dirs.includes(dirOf(path.path));
}

function maskSteps(ask: Ask, meant: Meant, facts: Facts): UnitSteps {
  const dir = ask.runtime ? RUN : ETC;
  const lying = pathsOf(meant.unit, facts);
  const masks = lying.filter(isMask);
  const local = inTheWay(ask, lying);
  // A mask that outlives a boot serves for one that does not; not the other way round.
  const lasting = masks.some((path) => ask.runtime || dirOf(path.path) !== RUN);
  const every = [meant.facts, ...meant.instances.filter((instance) => !hasOwnFile(instance))];
  const aliases = aliasSteps(ask, meant, facts);
  return {
    meant,
    links: [...(lasting || local !== undefined ? [] : [`${dir}/${meant.unit}`]), ...aliases.links],
    removes: [],
    displaces: [...(local === undefined ? [] : [local]), ...aliases.displaces],
    aliases: aliases.masked,
    stops: ask.now ? stopsOf(every) : [],
    downs: ask.now ? downsOf(meant.unit, every) : [],
    groups: ask.now ? every.map((unit) => unit.controlGroup).filter((group) => group !== '') : [],
    reload: meant.facts.load !== 'masked',
  };
}

function unmaskSteps(ask: Ask, meant: Meant, facts: Facts): UnitSteps {
  const removes = [...pathsOf(meant.unit, facts), ...aliasMasks(meant, facts)]
    .filter((path) => removable(path, ask))
    .map((path) => path.path);
  const reload = unreadOf(meant.facts, facts) === 'mask-gone';
  return { meant, links: [], removes, displaces: [], aliases: [], stops: [], downs: [], groups: [], reload };
}

function changeOf(ask: Ask, steps: readonly UnitSteps[], facts: Facts): Change {
  const all = (list: (step: UnitSteps) => readonly string[]) => [...new Set(steps.flatMap(list))];
  const stops = all((step) => step.stops);
  const downs = all((step) => step.downs);
  return {
    where: ask.runtime ? 'run' : 'etc',
    links: all((step) => step.links),
    removes: all((step) => step.removes),
    displaces: all((step) => step.displaces),
    // first those that would start the others again
    stops: [...stops.filter(isTrigger), ...stops.filter((unit) => !isTrigger(unit))],
    ...(downs.length > 0 && { downs }),
    groups: all((step) => step.groups),
    attempts:
      ask.verb === 'mask' && ask.startProbe
        ? all((step) => [step.meant.facts.id, ...step.aliases].filter((name) => !isTemplate(name)))
        : [],
    killLeftovers: ask.killLeftovers,
    // a template's instances may come and go: all of them are read again
    reads: all(({ meant: each, aliases }) => [
      ...each.facts.names,
      ...aliases.filter((name) => !isTemplate(name)),
      ...aliasesOf(each, facts).filter((name) => !isTemplate(name)),
      ...(isTemplate(each.unit) ? [instancesOf(each.unit)] : []),
    ]),
    looks: all(({ meant: each }) => [each.unit, ...aliasesOf(each, facts)].filter(isTemplate)),
  };
}
