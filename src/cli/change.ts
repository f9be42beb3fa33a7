/** mask, unmask and plan: one flow with different ends. */
import { type Ask, UsageError } from '../model/index.ts';
import { parseQuery } from '../plan/resolve.ts';
import { totalsOf } from '../run/fleet.ts';
import { createJournal, type Journal, type JournalRecord } from '../run/journal.ts';
import { plan, settle } from '../run/settle.ts';
import type { CrewFlags } from './crew.ts';
import type { Io } from './io.ts';
import { consent, metaOf, newRun, type RunFlags, stateDir, visitFleet } from './run.ts';
import type { OutputFlags } from './screen.ts';
import { type SelectionFlags, targetsOf, type WayInFlags } from './targets.ts';

export interface ChangeFlags extends SelectionFlags, WayInFlags, CrewFlags, OutputFlags, RunFlags {
  readonly units?: readonly string[] | undefined;
  readonly check?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly rollback: 'host' | 'none';
  readonly 'confirm-within'?: string | undefined;
  readonly 'with-triggers'?: boolean | undefined;
  readonly 'allow-absent'?: boolean | undefined;
  readonly 'kill-leftovers'?: boolean | undefined;
  readonly 'no-start-probe'?: boolean | undefined;
}

/** What is asked of every host. Throws UsageError for flags that contradict each other and for what is no unit name. */
export function askOf(verb: Ask['verb'], flags: ChangeFlags): Ask {
  const units = [...new Set(flags.units ?? [])];
  if (flags['kill-leftovers'] && !flags.now) {
    throw new UsageError(
      '--kill-leftovers goes with --now',
      'Without --now the unit goes on running, and nothing is left over.',
    );
  }
  if (flags['with-triggers'] && verb === 'unmask') {
    throw new UsageError(
      '--with-triggers goes with mask: of a masked socket or timer systemd does not know what it starts',
      'Name them too (fleetmask unmask cups.service cups.socket cups.path), or put the run back that masked them: fleetmask rollback RUN',
    );
  }
  return {
    verb,
    units,
    now: flags.now ?? false,
    runtime: flags.runtime ?? false,
    withTriggers: flags['with-triggers'] ?? false,
    allowAbsent: flags['allow-absent'] ?? false,
    killLeftovers: flags['kill-leftovers'] ?? false,
    startProbe: !flags['no-start-probe'],
  };
}

/** What would be done, host by host; touches nothing. */
export async function dryRun(io: Io, verb: Ask['verb'], flags: ChangeFlags): Promise<number> {
  const ask = askOf(verb, flags);
  const queries = ask.units.map(parseQuery);
  const hosts = await targetsOf(io, flags);
  const run = newRun(io, 'plan', ask.units, flags);
  return visitFleet(io, { run, hosts, flags, work: (host, crew) => plan(host, ask, queries, crew) });
}

export async function carryOut(io: Io, verb: Ask['verb'], flags: ChangeFlags): Promise<number> {
  if (flags.check) return dryRun(io, verb, flags);
  if (flags['confirm-within'] !== undefined) throw new UsageError('--confirm-within is not there yet');
  const ask = askOf(verb, flags);
  const queries = ask.units.map(parseQuery);
  if (flags.limit === undefined && flags.nodes === undefined) {
    throw new UsageError(
      'a change needs a limit: which hosts?',
      'Say -l PATTERN, or -l all for every host of the inventory; or -w with names.',
    );
  }
  const hosts = await targetsOf(io, flags);
  const run = newRun(io, verb, ask.units, flags);
  const doubtful = new Set<string>();
  let journal: Journal | undefined;
  try {
    return await visitFleet(io, {
      run,
      hosts,
      flags,
      prepare: async () => {
        await consent(io, run, hosts, flags.yes);
        journal = watched(await createJournal(stateDir(io), run.id), doubtful);
        await journal.commit({ type: 'run', schema: 'fleetmask.journal/1', run, ask, hosts });
      },
      work: (host, crew) =>
        settle(
          host,
          { run: run.id, ask, queries, meta: metaOf(run), journal: journal!, rollback: flags.rollback },
          crew,
        ),
      inDoubt: () => [...doubtful],
      finish: (reports, exitCode) =>
        journal!.commit({ type: 'finished', at: io.date().toISOString(), totals: totalsOf(reports), exitCode }),
    });
  } finally {
    await journal?.close();
  }
}

/** Follows which hosts have an intent and no settlement. */
export function watched(journal: Journal, doubtful: Set<string>): Journal {
  return {
    commit: async (record: JournalRecord) => {
      if (record.type === 'intent') doubtful.add(record.host);
      await journal.commit(record);
      if (record.type === 'settled') doubtful.delete(record.report.host);
    },
    close: () => journal.close(),
  };
}
