/** confirm, extend and release: decisions about an earlier run whose hosts have a switch. */

import { type Ledger, ledger } from '../journal/live-journal.ts';
import { askOf, type HostState, type RunState, stateOfRun } from '../journal/replay.ts';
import { isRunItself, openClaims, reopenJournal } from '../journal/run-lock.ts';
import { readJournal } from '../journal/store.ts';
import { fault, type HostReport, type JournalHost, type RunInfo, UsageError } from '../model/index.ts';
import { describeAtWork, describeKeeping } from '../report/index.ts';
import { type KeepAsk, keepHost } from '../run/host/confirm.ts';
import type { CrewFlags } from './context/run-context.ts';
import { stateDir } from './context/state-directory.ts';
import { EXIT, graver } from './exit.ts';
import { agreed, visitFleet } from './fleet-run.ts';
import type { Io } from './io.ts';
import { visitOnRecord } from './journaled-run.ts';
import type { OutputFlags } from './output.ts';
import type { SelectionFlags, WayInFlags } from './targets/from-inventory.ts';
import { journalHosts } from './targets/from-journal.ts';
import type { TrustFlags } from './targets/recorded-connections.ts';

export interface KeepFlags extends SelectionFlags, WayInFlags, CrewFlags, OutputFlags, TrustFlags {
  readonly run?: string | undefined;
  readonly 'take-over'?: boolean | undefined;
}

/** Throws UsageError for a run whose hosts do nothing by themselves. */
export async function keepRun(io: Io, keep: KeepAsk, flags: KeepFlags): Promise<number> {
  const records = readJournal(stateDir(io), String(flags.run));
  const state = stateOfRun(records);
  const { start } = state;
  // the run itself: what it has changed so far can be decided about while it goes on
  const atWork = openClaims(records).some((claim) => isRunItself(claim) && io.lifeOf(claim.by) !== 'gone');
  refusePointless(keep, state);
  const { waves: _, ...earlier } = start.run;
  const run: RunInfo = { ...earlier, command: keep.command, actor: io.actor, startedAt: io.date().toISOString() };
  const hosts = await journalHosts(io, start.hosts, flags, {
    wanted: (host) => isMeant(state.hosts.get(host), keep, atWork),
  });
  const still = atWork ? sayAtWork(io, run.id, keep, state) : EXIT.ok;
  if (hosts.length === 0) {
    const where = flags.limit ? ' on these hosts' : '';
    io.stderr.write(`fleetmask: there is nothing to ${keep.command} of run ${run.id}${where}\n`);
    return graver(await visitFleet(io, { run, hosts, flags, work: nothingToKeep }), still);
  }
  const exitCode = await visitOnRecord(io, {
    run,
    hosts,
    // whoever says this has decided
    flags: { ...flags, yes: true },
    open: async () => {
      const { startedAt: at, actor } = run;
      const { command } = keep;
      const opened = { type: 'opened', at, actor, command, by: io.controller } as const;
      const takeOver = flags['take-over'] ?? false;
      const beside = atWork ? isRunItself : undefined;
      const journal = ledger(await reopenJournal(stateDir(io), run.id, opened, io.lifeOf, takeOver, beside), records);
      await journal.commit({ type: 'keep', at, actor, command, hosts: hosts.map(({ host }) => host) });
      return atWork ? unfinished(journal) : journal;
    },
    work: async (host, job, crew) => {
      const known = state.hosts.get(host.host);
      if (known?.kind === 'in-doubt') return left(host, known.report, 'the change was not seen to hold here');
      if (state.toPutBack.has(host.host)) return left(host, known?.report ?? null, 'the run was to put this host back');
      if (known?.kind !== 'changed') return nothingToKeep(host);
      const changed = { intent: known.intent, report: known.report, lastSeq: state.lastSeq.get(host.host) ?? 1 };
      return keepHost(host, changed, { ...job, ask: askOf(known.intent, state), keep }, crew);
    },
  });
  return graver(exitCode, still);
}

/** The run says itself when it is finished. */
function unfinished(journal: Ledger): Ledger {
  return { ...journal, commit: async (entry) => (entry.type === 'finished' ? undefined : journal.commit(entry)) };
}

/** Says that the run goes on. Hosts that it is changing just now may be armed already: they have to be decided about later. */
function sayAtWork(io: Io, run: string, { command }: KeepAsk, { hosts }: RunState): number {
  const changing = [...hosts].filter(([, state]) => state.kind === 'in-doubt').map(([host]) => host);
  io.stderr.write(describeAtWork(run, command, changing.length));
  return changing.length === 0 ? EXIT.ok : EXIT.untouched;
}

/**
 * To the person who has just seen the results: shall the change stay? Whoever says no, or is not there, leaves the hosts to their
 * switches. Returns the exit code of what comes of it.
 */
export async function offerToKeep(io: Io, run: string, flags: KeepFlags): Promise<number> {
  const { hosts } = stateOfRun(readJournal(stateDir(io), run));
  const now = io.date().getTime();
  const awaiting = [...hosts.values()].flatMap(({ kind, report }) =>
    kind === 'changed' && Date.parse(report?.confirmBy ?? '') > now
      ? [{ host: report!.host, by: report!.confirmBy! }]
      : [],
  );
  if (awaiting.length === 0) return EXIT.ok;
  const question = describeKeeping(awaiting);
  if (!agreed(await io.prompt(question, 'shown'))) return EXIT.ok;
  const { inventory: _, limit: __, nodes: ___, 'ssh-config': ____, ...again } = flags;
  // this process has just recorded how it reached them
  return keepRun(io, { command: 'confirm', expiresAt: null }, { ...again, run, 'trust-plan': true });
}

/** A run that was put together from receipts knows its terms by its hosts alone. */
function refusePointless({ command }: KeepAsk, { start: { run }, hosts }: RunState): void {
  const term = command === 'confirm' ? ('confirmBy' as const) : ('expiresAt' as const);
  const asked = command === 'confirm' ? run.confirmWithin : run.expiresAt;
  if (asked !== undefined || [...hosts.values()].some(({ report }) => report?.[term] !== undefined)) return;
  if (command === 'confirm') {
    throw new UsageError(
      `run ${run.id} awaits no confirmation`,
      'Only hosts of a run with --confirm-within put themselves back unless they are confirmed.',
    );
  }
  throw new UsageError(`run ${run.id} does not expire`, 'Only a run with --expires does; this one stays.');
}

/** Hosts in doubt are meant, too, and told about, unless the run is changing them just now. */
function isMeant(state: HostState | undefined, { command }: KeepAsk, atWork: boolean): boolean {
  if (state?.kind === 'in-doubt') return !atWork;
  if (state?.kind !== 'changed') return false;
  return (command === 'confirm' ? state.report.confirmBy : state.report.expiresAt) !== undefined;
}

/** What was never seen to hold is not kept unseen, nor what is to go. */
function left({ host, address, port }: JournalHost, report: HostReport | null, why: string): HostReport {
  const message = `${why}; the host is left to its switch`;
  return {
    ...{ host, address, port, outcome: 'refused', seconds: 0, os: null, systemd: null, units: report?.units ?? [] },
    fault: fault('lost', message, 'Settle the run first: fleetmask recover RUN, or fleetmask rollback RUN.'),
  };
}

function nothingToKeep({ host }: JournalHost): never {
  throw new Error(`nothing to keep on ${host}`);
}
