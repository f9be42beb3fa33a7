/**
 * fleetmask at the controller, as its commands put it together (src/operations: change.ts, journaled-run.ts, recover.ts; src/cli/commands: rollback.ts, recover.ts),
 * in one process that can die.
 */

import { record } from '../../src/journal/append-log.ts';
import { type Ledger, ledger } from '../../src/journal/live-journal.ts';
import type { Controller } from '../../src/journal/records.ts';
import { hostsInDoubt, type RunState, stateOfRun } from '../../src/journal/replay.ts';
import {
  type Command,
  type Fault,
  type HostReport,
  type JournalHost,
  type RunInfo,
  totalsOf,
} from '../../src/model/index.ts';
import { exitCodeOf } from '../../src/operations/exit.ts';
import { type Budget, budget, UNLIMITED, type WaveProof, waveProof } from '../../src/plan/failure-budget.ts';
import { parseQuery } from '../../src/plan/resolve.ts';
import { waveSizes } from '../../src/plan/waves.ts';
import { settle } from '../../src/run/host/change.ts';
import { recoverHost } from '../../src/run/host/recover.ts';
import { putBackWithFleet, rollBackHost, undoableOn } from '../../src/run/host/rollback.ts';
import type { Crew } from '../../src/run/host/visit.ts';
import { doubtOn, reportOn } from '../../src/run/in-doubt.ts';
import { campaign, type FleetUndo } from '../../src/run/rollout.ts';
import { RUN_ID, type World } from './world.ts';

/** What a command has said, if it came to an end. */
export interface Said {
  readonly command: Command;
  readonly hosts: readonly string[];
  /** Those that it did something to, or meant to. */
  readonly worked: ReadonlySet<string>;
  readonly reports: readonly HostReport[];
  /** When each host was settled last. */
  readonly settledAt: ReadonlyMap<string, number>;
  readonly exitCode: number;
  readonly interrupted: boolean;
}

const ACTOR = 'sim@controller';
const BY: Controller = { machine: 'controller', pid: 1, bootId: null, namespace: null, started: null };

function crewOf(world: World): Crew {
  return {
    transport: world.network.transport(world.process),
    clock: world.time.clock(world.process),
    hostTimeout: world.scenario.hostTimeout,
    progress: (host, step) => world.trace(() => `${host}: ${step}`),
  };
}

function openJournal(world: World): Ledger {
  const journal = world.storage.open(world.process);
  const earlier = world.storage.read();
  return ledger(
    {
      close: () => journal.close(),
      commit: async (entry) => {
        const host = 'host' in entry ? entry.host : 'report' in entry ? entry.report.host : '';
        world.trace(() => `journal: ${entry.type} ${String(host)}`);
        if (world.mutant?.journal !== 'after-send') return journal.commit(entry);
        void journal.commit(entry).catch(() => {});
      },
    },
    earlier,
  );
}

/** mask or unmask. Null: the run could not begin. */
export async function change(world: World): Promise<Said | null> {
  const { ask, rollback, waves, maxFail } = world.scenario;
  const hosts = [...world.places.values()].map(({ target }) => target);
  const crew = crewOf(world);
  const journal = openJournal(world);
  const at = crew.clock.date();
  const run: RunInfo = {
    ...{ id: RUN_ID, command: ask.verb, units: ask.units, now: ask.now, runtime: ask.runtime },
    ...{ actor: ACTOR, reason: null, ticket: null, startedAt: at },
    ...(waves && { waves: waveSizes(hosts.length, waves) }),
  };
  const limits = { maxFail: rollback === 'fleet' && maxFail === undefined ? ('no-failed-change' as const) : maxFail };
  const wayBack = rollback === 'fleet' && { fleetRollback: limits };
  try {
    await Promise.all([
      journal.commit({ type: 'run', schema: 'fleetmask.journal/1', run, ask, hosts, ...wayBack }),
      journal.commit({ type: 'opened', at, actor: ACTOR, command: ask.verb, by: BY }),
    ]);
  } catch {
    return null;
  }
  const job = { run: run.id, meta: {}, journal };
  let state: RunState;
  const work = (host: JournalHost, stopped: () => Fault | null) => {
    const ways = { ...job, ask, queries: ask.units.map(parseQuery), stopped };
    return settle(host, { ...ways, rollback: rollback === 'none' ? 'none' : 'host' }, crew);
  };
  const proof = waves && waveProof(limits);
  return visitAll(world, crew, journal, run, hosts, work, budget(limits, hosts.length), proof, {
    whenSpent: rollback === 'fleet' ? 'put-back' : 'keep',
    offer: async () => world.scenario.undone,
    begin: async (names) => {
      await record(journal, { type: 'rollback', at: crew.clock.date(), actor: ACTOR, hosts: names });
      state = journal.state();
    },
    host: (host, forward, why) => {
      const undoable = undoableOn(host.host, state);
      if (undoable === null) throw new Error(`nothing to undo on ${host.host}`);
      return putBackWithFleet(host, forward, undoable, why, job, crew);
    },
  });
}

/** `rollback RUN`. Null where there is nothing to put back, or it could not begin. */
export async function rollBack(world: World): Promise<Said | null> {
  const state = stateOfRun(world.storage.read());
  const crew = crewOf(world);
  const hosts = state.start.hosts.filter(({ host }) => undoableOn(host, state) !== null);
  if (hosts.length === 0) return null;
  const journal = openJournal(world);
  const at = crew.clock.date();
  try {
    await journal.commit({ type: 'opened', at, actor: ACTOR, command: 'rollback', by: BY });
    await journal.commit({ type: 'rollback', at, actor: ACTOR, hosts: hosts.map(({ host }) => host) });
  } catch {
    return null;
  }
  const job = { run: RUN_ID, meta: {}, journal };
  const run: RunInfo = { ...state.start.run, command: 'rollback' };
  return visitAll(world, crew, journal, run, hosts, (host) =>
    rollBackHost(host, undoableOn(host.host, state)!, job, crew),
  );
}

/** `recover RUN`, of all its hosts. Null where nothing is in doubt, or it could not begin. */
export async function recover(world: World): Promise<Said | null> {
  const state = stateOfRun(world.storage.read());
  const crew = crewOf(world);
  const inDoubt = hostsInDoubt(state);
  if (inDoubt.length === 0 && state.ended) return null;
  const journal = openJournal(world);
  const at = crew.clock.date();
  try {
    await journal.commit({ type: 'opened', at, actor: ACTOR, command: 'recover', by: BY });
    await journal.commit({ type: 'recovery', at, actor: ACTOR, hosts: inDoubt });
  } catch {
    return null;
  }
  const job = { run: RUN_ID, meta: {}, journal };
  const { waves: _, ...earlier } = state.start.run;
  const work = async (host: JournalHost) => {
    const doubt = doubtOn(host.host, state, 'settle');
    if (doubt !== null) return recoverHost(host, doubt, job, crew);
    const report = reportOn(host, state);
    if (state.hosts.get(host.host)?.report === null) await record(journal, { type: 'settled', at, report });
    return report;
  };
  const said = await visitAll(world, crew, journal, { ...earlier, command: 'recover' }, state.start.hosts, work);
  return { ...said, worked: new Set(inDoubt) };
}

async function visitAll(
  world: World,
  crew: Crew,
  journal: Ledger,
  run: RunInfo,
  hosts: readonly JournalHost[],
  work: (host: JournalHost, stopped: () => Fault | null) => Promise<HostReport>,
  limit: Budget = UNLIMITED,
  proof?: WaveProof,
  undo?: FleetUndo,
): Promise<Said> {
  const settledAt = new Map<string, number>();
  const { signal } = world.stopping;
  const reports = await campaign({
    ...{ hosts, work, undo, budget: limit, proof, waves: run.command === 'rollback' ? undefined : run.waves },
    ...{ forks: world.scenario.forks, interrupt: signal },
    publish: (event) => {
      if (event.type !== 'host-settled') return;
      const { host, outcome, fault } = event.report;
      settledAt.set(host, world.time.now);
      world.trace(() => `${host}: ${outcome}${fault === null ? '' : ` (${fault.kind}: ${fault.message})`}`);
    },
  });
  const interrupted = signal.aborted;
  const exitCode = exitCodeOf(run.command, reports, interrupted);
  const inDoubt = hostsInDoubt(journal.state()).length;
  const totals = totalsOf(reports);
  await record(journal, { type: 'finished', at: crew.clock.date(), totals, exitCode, inDoubt });
  await record(journal, { type: 'closed', at: crew.clock.date(), by: BY });
  await journal.close();
  const names = hosts.map(({ host }) => host);
  return { command: run.command, hosts: names, worked: new Set(names), reports, settledAt, exitCode, interrupted };
}
