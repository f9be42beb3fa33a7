/** `recover --forget`: hosts in doubt that will not return are given up. */

import { hostsInDoubt, type RunState, stateOfRun } from '../journal/replay.ts';
import { reopenJournal } from '../journal/run-lock.ts';
import { readJournal } from '../journal/store.ts';
import { type HostReport, type JournalHost, type RunInfo, totalsOf, UsageError } from '../model/index.ts';
import { describeForgetting } from '../report/index.ts';
import { asLastSeen, forgetting } from '../run/forget.ts';
import { doubtOn } from '../run/in-doubt.ts';
import { stateDir } from './context/state-directory.ts';
import { exitCodeOf } from './exit.ts';
import { agreeTo } from './fleet-run.ts';
import type { Io } from './io.ts';
import { onRecord } from './journaled-run.ts';
import { screens } from './output.ts';
import type { Recovery } from './recover-hosts.ts';
import type { SelectionFlags, WayInFlags } from './targets/from-inventory.ts';
import { journalHosts } from './targets/from-journal.ts';

export type ForgetFlags = Recovery['flags'] &
  SelectionFlags &
  WayInFlags & { readonly 'from-hosts'?: boolean | undefined; readonly 'take-over'?: boolean | undefined };

/** Returns the exit code. Nothing is sent to any host. */
export async function forgetHosts(io: Io, named: string, flags: ForgetFlags): Promise<number> {
  if (flags.undo || flags['from-hosts']) {
    const which = flags.undo ? '--undo' : '--from-hosts';
    throw new UsageError(`--forget asks nothing of any host, and ${which} does`, 'Say one of the two.');
  }
  if (flags.limit === undefined && flags.nodes === undefined) {
    throw new UsageError('--forget needs a limit: which hosts?', 'Say -l PATTERN; or -w with names.');
  }
  const state = stateOfRun(readJournal(stateDir(io), named));
  const { start } = state;
  const { id } = start.run;
  const hosts = await journalHosts(io, start.hosts, flags, {
    wanted: (host) => isInDoubt(host, state),
    contacted: () => false,
  });
  const names = hosts.map(({ host }) => host);
  if (hosts.length === 0) {
    throw new UsageError(
      `none of these hosts is in doubt: nothing was given up`,
      `fleetmask runs show ${id} tells of them.`,
    );
  }
  await agreeTo(io, describeForgetting(id, names), flags.yes);
  const reports = await onRecord(() => forget(io, id, names, flags['take-over'] ?? false));
  io.recorded(id);
  const { waves: _, ...earlier } = start.run;
  const at = io.date().toISOString();
  const run: RunInfo = { ...earlier, command: 'recover', actor: io.actor, startedAt: at };
  const exitCode = exitCodeOf('recover', reports, false);
  const shown = screens(io, flags);
  shown.publish({ type: 'run-started', run, hosts: names });
  for (const report of reports) shown.publish({ type: 'host-settled', report });
  const report = { schema: 'fleetmask.report/1', run: { ...run, finishedAt: at }, hosts: reports } as const;
  shown.publish({ type: 'run-finished', report: { ...report, totals: totalsOf(reports), exitCode } });
  await shown.end();
  return exitCode;
}

function isInDoubt(host: string, state: RunState): boolean {
  return doubtOn(host, state, 'settle') !== null;
}

async function forget(io: Io, run: string, names: readonly string[], takeOver: boolean): Promise<HostReport[]> {
  const dir = stateDir(io);
  const by = { at: io.date().toISOString(), actor: io.actor };
  const opened = { type: 'opened', ...by, command: 'recover', by: io.controller } as const;
  const journal = await reopenJournal(dir, run, opened, io.lifeOf, takeOver);
  const now = () => stateOfRun(readJournal(dir, run));
  try {
    // whoever worked on it may have settled some since
    const before = now();
    const meant = (host: JournalHost) => names.includes(host.host) && isInDoubt(host.host, before);
    for (const record of forgetting(before.start.hosts.filter(meant), before, by)) await journal.commit(record);
    const after = now();
    const all = after.start.hosts.map((host) => asLastSeen(host, after));
    const totals = totalsOf(all);
    const exitCode = exitCodeOf('recover', all, false);
    await journal.commit({ type: 'finished', at: by.at, totals, exitCode, inDoubt: hostsInDoubt(after).length });
    return all.filter(({ host }) => names.includes(host));
  } finally {
    await journal.close();
  }
}
