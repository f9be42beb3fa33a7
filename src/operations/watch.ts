/** watch: what is no longer as it was left. */
import { record } from '../journal/append-log.ts';
import { ledger } from '../journal/live-journal.ts';
import { hostsInDoubt, stateOfRun } from '../journal/replay.ts';
import { createJournal, readJournal } from '../journal/store.ts';
import {
  type Ask,
  fault,
  type HostReport,
  type JournalHost,
  type RunInfo,
  totalsOf,
  UsageError,
} from '../model/index.ts';
import type { Wanted } from '../plan/drift.ts';
import { parseQueryWith } from '../plan/resolve.ts';
import { interrupted, notStarted } from '../run/across-fleet.ts';
import { settle, status } from '../run/host/change.ts';
import type { Crew } from '../run/host/visit.ts';
import { watch as watchHosts } from '../run/watch.ts';
import type { CrewFlags } from './context/run-context.ts';
import { crewOf } from './context/run-context.ts';
import { stateDir } from './context/state-directory.ts';
import { duration, wholeNumber } from './durations.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { consent as agree, metaOf, newRun } from './fleet-run.ts';
import { assertWithinGuardrails } from './guardrails.ts';
import type { Io } from './io.ts';
import type { OutputFlags } from './output.ts';
import { screens } from './output.ts';
import { type SelectionFlags, targetsOf, type WayInFlags } from './targets/from-inventory.ts';
import { journalHosts } from './targets/from-journal.ts';
import { sealed, type TrustFlags } from './targets/recorded-connections.ts';

export interface WatchFlags extends SubjectFlags, CrewFlags, OutputFlags {
  readonly every: string;
  readonly count?: number | undefined;
  readonly for?: string | undefined;
  readonly reassert?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

/** Reads again and again until `--for`, `--count` or Ctrl-C ends it, and masks again where that was asked. */
export async function watchUnits(io: Io, flags: WatchFlags): Promise<number> {
  const every = duration('every', flags.every);
  const count = flags.count === undefined ? undefined : wholeNumber('count', flags.count, 1, 1_000_000);
  const length = flags.for === undefined ? undefined : duration('for', flags.for);
  const { ask, hosts, of } = await subjectOf(io, flags);
  if (flags.reassert && ask.verb === 'unmask') {
    throw new UsageError('--reassert puts masks back; this run took them away');
  }
  if (flags.reassert && flags.run === undefined && flags.limit === undefined && flags.nodes === undefined) {
    throw new UsageError('a change needs a limit: which hosts?', 'Say -l PATTERN, or -l all; or -w with names.');
  }
  if (flags.reassert && of === null) {
    assertWithinGuardrails(io.guardrails, { reason: REASSERTED }, hosts.length, undefined);
  }
  const shown = screens(io, flags);
  const crew = await crewOf(io, flags, hosts, {
    warning: (text) => shown.publish({ type: 'warning', text }),
    asks: () => shown.hold(),
    progress: () => {},
  });
  const run = newRun(io, 'watch', ask.units, ask);
  if (flags.reassert) await agree(io, run, hosts, flags.yes);
  const stop = new AbortController();
  const release = io.onInterrupt((times) => (times === 1 ? stop.abort() : io.abort(EXIT.interrupted)));
  const wanted: Wanted = { state: ask.verb === 'mask' ? 'masked' : 'unmasked', stopped: ask.now };
  const queries = ask.units.map((unit) => parseQueryWith(io.catalogue, unit));
  // a signal made of both (AbortSignal.any) may be collected with its timer in Node.js 20, and never come
  if (length !== undefined) crew.clock.deadline(length).addEventListener('abort', () => stop.abort(), { once: true });
  const upheld = new Map<string, readonly string[]>();
  try {
    shown.publish({ type: 'run-started', run, hosts: hosts.map(({ host }) => host) });
    const watched = await watchHosts({
      ...{ hosts, wanted, every, forks: flags.forks, count, clock: crew.clock, random: Math.random },
      stop: stop.signal,
      read: (host) => status(host, queries, crew, { withMembers: ask.withMembers ?? false }),
      reassert: flags.reassert ? (host) => reassert(io, host, { ask, of, upheld }, crew) : undefined,
      publish: (event) => {
        shown.publish(event);
        // a watch that only reads has nobody left to read for
        if (io.stdout.lost !== null && !flags.reassert) stop.abort();
      },
    });
    const reports = watched.map(({ report }, i) => report ?? notStarted(hosts[i]!, interrupted()));
    const stranded = reports.some(({ outcome }) => outcome === 'stranded');
    const exitCode = stranded ? EXIT.stranded : watched.every(({ asAsked }) => asAsked) ? EXIT.ok : EXIT.notAsAsked;
    const finishedAt = io.date().toISOString();
    const totals = totalsOf(reports);
    const report = {
      schema: 'fleetmask.report/1',
      run: { ...run, finishedAt },
      hosts: reports,
      totals,
      exitCode,
    } as const;
    shown.publish({ type: 'run-finished', report });
    await shown.end();
    return exitCode;
  } finally {
    release();
    crew.transport.close();
  }
}

/** The reason on record of what a watch masks again. */
const REASSERTED = 'put back by fleetmask watch';

interface SubjectFlags extends SelectionFlags, WayInFlags, TrustFlags {
  readonly units?: readonly string[] | undefined;
  readonly run?: string | undefined;
  readonly now?: boolean | undefined;
}

/** What is to hold, and where: as a run left it, or units masked on the hosts of an inventory. */
async function subjectOf(
  io: Io,
  flags: SubjectFlags,
): Promise<{ ask: Ask; hosts: readonly JournalHost[]; of: string | null }> {
  const named = [...new Set(flags.units ?? [])];
  if (named.length > 0 === (flags.run !== undefined)) {
    throw new UsageError('watch what? Name units, or a run with --run', 'fleetmask watch cron -i hosts.yaml');
  }
  if (flags.run === undefined) {
    const ask: Ask = {
      ...{ verb: 'mask', units: named, now: flags.now ?? false, runtime: false, withTriggers: false },
      ...{ localUnits: 'refuse', allowAbsent: false, killLeftovers: false, startProbe: true, allowLockout: false },
    };
    for (const unit of named) parseQueryWith(io.catalogue, unit);
    return { ask, hosts: await targetsOf(io, flags), of: null };
  }
  const state = stateOfRun(readJournal(stateDir(io), flags.run));
  if (state.start.run.from === 'receipts') {
    throw new UsageError(
      `run ${state.start.run.id} is known from the receipts of its hosts alone: what it asked for is each host's own word`,
      'Name the units: fleetmask watch UNIT… -i INVENTORY -l PATTERN.',
    );
  }
  const held = (host: string) => {
    const known = state.hosts.get(host);
    return known?.kind === 'changed' || known?.report?.outcome === 'unchanged';
  };
  const hosts = await journalHosts(io, state.start.hosts, flags, { wanted: held });
  if (hosts.length === 0) {
    throw new UsageError(`run ${state.start.run.id} holds on no host${flags.limit ? ' of these' : ''}`);
  }
  return { ask: state.start.ask, hosts, of: state.start.run.id };
}

interface Upholding {
  readonly ask: Ask;
  /** The run that is watched. */
  readonly of: string | null;
  /** Runs whose change holds on each host, this watch's own among them. */
  readonly upheld: Map<string, readonly string[]>;
}

/** Masks a host again, by the same machinery, in a run of its own; for no longer than the run that is watched. */
async function reassert(io: Io, host: JournalHost, { ask, of, upheld }: Upholding, crew: Crew): Promise<HostReport> {
  const first = of === null ? undefined : stateOfRun(readJournal(stateDir(io), of)).hosts.get(host.host);
  const changed = of !== null && first?.report?.outcome !== 'unchanged' ? [of] : [];
  const upholds = upheld.get(host.host) ?? changed;
  const { confirmBy, expiresAt } = first?.report ?? {};
  const order = expiresAt === undefined ? undefined : { confirmWithin: null, expiresAt: Date.parse(expiresAt) };
  const run: RunInfo = {
    ...newRun(io, 'mask', ask.units, ask),
    reason: REASSERTED,
    ...(expiresAt && { expiresAt }),
  };
  const { startedAt, actor } = run;
  const start = { type: 'run', schema: 'fleetmask.journal/1', run, ask, hosts: sealed(io, [host]) } as const;
  const opened = { type: 'opened', at: startedAt, actor, command: 'watch', by: io.controller } as const;
  const journal = ledger(await createJournal(stateDir(io), start, opened), [start, opened]);
  io.recorded(run.id);
  try {
    const job = {
      run: run.id,
      meta: metaOf(run),
      journal,
      ask,
      queries: ask.units.map((unit) => parseQueryWith(io.catalogue, unit)),
      rollback: 'host',
      upholds,
      // a mask that nothing takes back must not come in the place of one that is to be confirmed
      stopped: () =>
        confirmBy ? fault('unconfirmed', `run ${of} awaits its confirmation`, 'Confirm it first.') : null,
      ...(order && { switch: order }),
    } as const;
    const report = await settle(host, job, crew);
    if (report.outcome === 'masked') upheld.set(host.host, [...upholds, run.id]);
    const exitCode = exitCodeOf('mask', [report], false);
    const inDoubt = hostsInDoubt(journal.state()).length;
    const at = io.date().toISOString();
    await record(journal, { type: 'finished', at, totals: totalsOf([report]), exitCode, inDoubt });
    return report;
  } finally {
    await journal.close();
  }
}
