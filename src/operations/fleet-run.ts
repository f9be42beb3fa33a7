/** From flags to exit code: what all commands that visit a fleet have in common. */
import { randomBytes } from 'node:crypto';
import {
  type Command,
  type Fault,
  type HostReport,
  type JournalHost,
  type RunInfo,
  runIdOf,
  totalsOf,
  UsageError,
} from '../model/index.ts';
import { type Budget, UNLIMITED, type WaveProof } from '../plan/failure-budget.ts';
import { describeAsk, describeOffer, sayKept, sayStopped } from '../report/index.ts';
import type { Crew } from '../run/host/visit.ts';
import { campaign, type FleetUndo } from '../run/rollout.ts';
import { type CrewFlags, crewOf } from './context/run-context.ts';
import { EXIT, exitCodeOf, graver } from './exit.ts';
import { BrokenOff, type Io } from './io.ts';
import { type OutputFlags, screens } from './output.ts';

export interface Visit {
  readonly run: RunInfo;
  readonly hosts: readonly JournalHost[];
  /** Hosts that are reported, and neither visited nor a fault. */
  readonly unsupported?: readonly HostReport[] | undefined;
  readonly flags: CrewFlags & OutputFlags;
  readonly expected?: 'masked' | 'unmasked';
  /** Called once, when everything is ready and nothing was connected to yet. */
  prepare?(): Promise<void>;
  work(host: JournalHost, crew: Crew, stopped: () => Fault | null): Promise<HostReport>;
  /** Absent: nothing that goes wrong on some hosts keeps others from their turn. */
  readonly budget?: Budget | undefined;
  /** Absent: every wave has its turn. */
  readonly proof?: WaveProof | undefined;
  /** Asked after each wave: of which hosts something else is true by now. */
  review?: ((reports: readonly HostReport[], crew: Crew) => Promise<readonly HostReport[]>) | undefined;
  /** What is told of a host that has no turn any more; absent: that it was not started. */
  unbegun?(host: JournalHost, why: Fault): HostReport;
  /** How what was changed is taken back; absent where nothing is, or where the visit is a way back itself. */
  readonly undo?: ((crew: Crew) => Omit<FleetUndo, 'offer'>) | undefined;
  /** Hosts that may have been changed and are not settled yet: named when the operator ends the run at once. */
  inDoubt?(): readonly string[];
  /** Returns why the journal lacks a result, if it does: the results are shown all the same. */
  finish?(reports: readonly HostReport[], exitCode: number): Promise<Fault | null>;
}

/** Visits every host, shows the results, and returns the exit code. */
export async function visitFleet(io: Io, visit: Visit): Promise<number> {
  const { run, hosts, flags } = visit;
  const shown = screens(io, flags);
  const stopping = new AbortController();
  const crew = await crewOf(io, flags, hosts, {
    warning: (text) => shown.publish({ type: 'warning', text }),
    progress: (host, step) => shown.publish({ type: 'host-step', host, step }),
    asks: () => shown.hold(),
    brokenOff: () => windDown(),
  });
  await visit.prepare?.();
  let puttingBack = false;
  const windDown = (): void => {
    stopping.abort();
    const what = puttingBack ? 'the hosts are still put back' : 'no new hosts; waiting for those in flight';
    io.stderr.write(`\nfleetmask: interrupted: ${what}. Once more to stop at once.\n`);
  };
  const release = io.onInterrupt((count) => {
    if (count === 1) return windDown();
    shown.clear();
    sayStopped(shown.err, run.id, visit.inDoubt?.() ?? [], undo !== undefined);
    io.abort(EXIT.interrupted);
  });
  const undo = visit.undo?.(crew);
  try {
    const unsupported = visit.unsupported ?? [];
    shown.publish({ type: 'run-started', run, hosts: [...unsupported, ...hosts].map(({ host }) => host) });
    for (const report of unsupported) shown.publish({ type: 'host-settled', report });
    const reports = await campaign({
      hosts,
      waves: run.waves,
      forks: flags.forks,
      budget: visit.budget ?? UNLIMITED,
      proof: visit.proof,
      interrupt: stopping.signal,
      work: (host, stopped) => visit.work(host, crew, stopped),
      review: visit.review && ((reports) => visit.review!(reports, crew)),
      unbegun: visit.unbegun && ((host, why) => visit.unbegun!(host, why)),
      undo: undo && {
        ...undo,
        begin: async (names) => {
          puttingBack = true;
          await undo.begin(names);
        },
        offer: async (changed) => {
          shown.clear();
          const answer = await io.prompt(describeOffer(changed), 'shown');
          if (agreed(answer)) return true;
          sayKept(shown.err, run.id, changed);
          return false;
        },
      },
      publish: (event) => shown.publish(event),
    });
    for (const text of nowhere(run.units, reports)) shown.publish({ type: 'warning', text });
    const settled = exitCodeOf(run.command, reports, stopping.signal.aborted, visit.expected);
    const lost = await visit.finish?.(reports, settled);
    if (lost) {
      const text = `${lost.message}. Not all results are on record: when it can be written again, fleetmask recover ${run.id}`;
      shown.publish({ type: 'warning', text });
    }
    const exitCode = lost ? graver(settled, EXIT.unwritten) : settled;
    const finishedAt = io.date().toISOString();
    shown.publish({
      type: 'run-finished',
      report: {
        schema: 'fleetmask.report/1',
        run: { ...run, finishedAt },
        hosts: [...reports, ...unsupported],
        totals: totalsOf([...reports, ...unsupported]),
        exitCode,
        ...(awaiting(reports, finishedAt) && { confirm: `fleetmask confirm ${run.id}` }),
      },
    });
    await shown.end();
    return exitCode;
  } finally {
    release();
    crew.transport.close();
  }
}

/** Where absent units are no fault, a name that no host has may be mistyped. */
function nowhere(asked: readonly string[], reports: readonly HostReport[]): string[] {
  const units = reports.filter(({ fault }) => fault === null).flatMap((report) => report.units);
  return asked
    .filter((name) => units.some((unit) => unit.asked === name))
    .filter((name) => units.every((unit) => unit.asked !== name || unit.after?.load === 'not-found'))
    .map((name) => `${name} is installed on no host: check the name`);
}

function awaiting(reports: readonly HostReport[], now: string): boolean {
  return reports.some(
    ({ confirmBy, switchOf }) =>
      confirmBy !== undefined && switchOf === undefined && Date.parse(confirmBy) > Date.parse(now),
  );
}

export interface RunFlags {
  readonly now?: boolean | undefined;
  readonly runtime?: boolean | undefined;
  readonly reason?: string | undefined;
  readonly ticket?: string | undefined;
}

export function newRun(io: Io, command: Command, units: readonly string[], flags: RunFlags): RunInfo {
  const startedAt = io.date().toISOString();
  return {
    id: runIdOf(startedAt, randomBytes(3)),
    command,
    units,
    now: flags.now ?? false,
    runtime: flags.runtime ?? false,
    actor: io.actor,
    reason: flags.reason ?? null,
    ticket: flags.ticket ?? null,
    startedAt,
  };
}

/** What receipts and locks on the hosts say of a run. */
export function metaOf(run: RunInfo): Record<string, string> {
  return {
    actor: run.actor,
    started: run.startedAt,
    command: run.command,
    units: run.units.join(' '),
    ...(run.now ? { now: 'yes' } : {}),
    ...(run.reason === null ? {} : { reason: run.reason }),
    ...(run.ticket === null ? {} : { ticket: run.ticket }),
  };
}

/** A change is agreed to by -y or by a person at a terminal; otherwise nothing is touched. */
export async function consent(
  io: Io,
  run: RunInfo,
  hosts: readonly JournalHost[],
  yes: boolean | undefined,
): Promise<void> {
  const question = describeAsk(
    run,
    hosts.map(({ host }) => host),
  );
  await agreeTo(io, question, yes);
}

/** Throws UsageError where nobody says yes. */
export async function agreeTo(io: Io, question: string, yes: boolean | undefined): Promise<void> {
  if (yes === true) return;
  const answer = await io.prompt(question, 'shown');
  if (answer === null) throw new BrokenOff();
  if (answer === undefined) {
    throw new UsageError(
      'a change needs your consent, and there is no terminal to ask at',
      'Say -y to go on without being asked.',
    );
  }
  if (!agreed(answer)) throw new UsageError('not agreed: nothing was touched');
}

export function agreed(answer: string | null | undefined): boolean {
  return /^y(?:es)?$/i.test(answer?.trim() ?? '');
}
