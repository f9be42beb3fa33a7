/** One seed: a run, what comes of it, and whether all that must hold did. */
import { stateOfRun } from '../../src/journal/replay.ts';
import { change, recover, rollBack, type Said } from './controller.ts';
import { changesOf, checkCommand, checkJournal, checkQuiet, checkWayBack, differences } from './invariants.ts';
import type { Mutant } from './mutants.ts';
import { A, SOCKET } from './scenario.ts';
import { baseOf, VENDOR } from './systemd.ts';
import { type Place, World } from './world.ts';

export interface Simulated {
  readonly violations: readonly string[];
  readonly trace: readonly string[];
  /** What was seen of it, for the statistics. */
  readonly outcomes: readonly string[];
}

/** Nothing that a command does takes this long. */
const TOO_LONG_MS = 2 * 3_600_000;
/** What is late arrives within this time. */
const LATE_MS = 1_800_000;

export async function simulate(seed: number, options: { trace?: boolean; mutant?: Mutant } = {}): Promise<Simulated> {
  const world = new World(seed, { trace: options.trace ?? false, mutant: options.mutant ?? null });
  const outcomes: string[] = [];
  const phase = async (work: () => Promise<Said | null>) => {
    const since = world.time.now;
    const said = await perform(world, work);
    if (said !== null) {
      checkCommand(world, said, since);
      checkWayBack(world, said);
      outcomes.push(...said.reports.map(({ outcome }) => `${said.command}: ${outcome}`));
    }
    checkJournal(world);
    return said;
  };

  let said = await phase(() => change(world));
  if (!world.process.alive) said = (await afterCrash(world, phase)) ?? said;
  await world.time.pass(() => false, world.time.now + LATE_MS);
  if (said !== null) checkQuiet(world, said, world.time.now);
  world.heal();
  if (world.storage.read().length > 0) await putInOrder(world, phase);
  return { violations: world.violations, trace: world.lines ?? [], outcomes };
}

type Phase = (work: () => Promise<Said | null>) => Promise<Said | null>;

/** Null also when the process died. */
async function perform(world: World, work: () => Promise<Said | null>): Promise<Said | null> {
  let said: Said | null = null;
  let ended = false;
  const { process } = world;
  world.stopping = new AbortController();
  work().then(
    (result) => {
      said = result;
      ended = true;
    },
    (error: Error) => {
      world.violated(`it threw ${error.stack}`);
      ended = true;
    },
  );
  const how = await world.time.pass(() => ended || !process.alive, world.time.now + TOO_LONG_MS);
  if (how !== 'done') world.violated(`it does not end (${how})`);
  return said;
}

/** A new process, which has only the journal, sees to what the dead one left. */
async function afterCrash(world: World, phase: Phase): Promise<Said | null> {
  checkJournal(world);
  world.process = { alive: true };
  if (world.storage.read().length === 0) return null;
  return phase(() => (world.scenario.afterCrash === 'recover' ? recover(world) : rollBack(world)));
}

/** When all is well again every host can be settled: it is as asked, or as it was. And what was changed can be put back. */
async function putInOrder(world: World, phase: Phase): Promise<void> {
  for (const command of world.scenario.undone ? [recover, rollBack] : [recover]) {
    world.process = { alive: true };
    const said = await phase(() => command(world));
    if (said !== null) {
      await world.time.pass(() => false, world.time.now + LATE_MS);
      checkQuiet(world, said, world.time.now);
    }
    if (world.scenario.troubles.length < 2) checkOrder(world, command === recover ? 'recover' : 'rollback');
  }
}

/** After one fault at most. */
function checkOrder(world: World, command: 'recover' | 'rollback'): void {
  const state = stateOfRun(world.storage.read());
  for (const [name, place] of world.places) {
    const host = state.hosts.get(name);
    const complain = (text: string) => world.violated(`${name}: one fault, and after ${command} ${text}`);
    if (isExcused(place) || changesOf(place).length === 0) continue;
    if (host?.kind === 'in-doubt') complain(`it is in doubt: ${host.report?.fault?.message}`);
    else if (host?.kind !== 'changed') {
      const [planned] = world.network.heard.get(name) ?? [];
      const now = place.machine.truth();
      for (const problem of planned ? differences(world, place, command, planned.truth, now) : []) complain(problem);
    } else if (command === 'rollback') complain('it is still changed');
  }
}

/**
 * What nobody could put back: what a boot or somebody else did, a unit that cannot start or must not be stopped, and a socket that
 * has to be opened anew, where somebody had masked it or its service before the run, or its service does not stay stopped.
 */
function isExcused({ troubles, machine, initially, image }: Place): boolean {
  const kinds = new Set(troubles.map(({ kind }) => kind));
  const a = machine.systemd.files.get(`${VENDOR}/${A}`);
  const unstoppable = a?.kind === 'file' && a.unit.refuseManualStop === true;
  const masked = [A, SOCKET].some((unit) => initially.masks.some((path) => baseOf(path) === unit));
  const blocked = unstoppable || masked || kinds.has('starts-again');
  return (
    (blocked && image.running.includes(SOCKET)) ||
    (unstoppable && kinds.has('starts-masked')) ||
    kinds.has('reboot') ||
    kinds.has('meddling') ||
    kinds.has('start-fails')
  );
}
