/** What an operator should know before the next command: an earlier run left hosts in doubt. */

import { lastRun, listRuns } from '../journal/store.ts';
import { unsettledRuns } from '../journal/uncertain-runs.ts';
import { stateDir } from './context/state-directory.ts';
import type { Io } from './io.ts';

/** Commands that change hosts, or tell of runs. */
const TELLING: ReadonlySet<string> = new Set([
  'mask',
  'unmask',
  'apply',
  'rollback',
  'recover',
  'confirm',
  'watch',
  'runs',
]);
const MOST = 3;

/** A line on stderr for each such run, but for the one that the command is about. */
export function tellUnsettled(io: Io, command: string, about: unknown): void {
  if (!TELLING.has(command)) return;
  let runs: readonly string[];
  let named = about;
  try {
    runs = listRuns(stateDir(io));
    if (about === 'last') named = lastRun(stateDir(io));
  } catch {
    // whoever needs them says so
    return;
  }
  const found = unsettledRuns(stateDir(io), runs, (by) => io.lifeOf(by));
  const others = found.filter(({ run }) => !(typeof named === 'string' && run.startsWith(named)));
  for (const { run, inDoubt, interrupted } of others.slice(0, MOST)) {
    const how = interrupted ? 'was interrupted, with' : 'left';
    const hosts = inDoubt === 1 ? '1 host' : `${inDoubt} hosts`;
    io.stderr.write(`note: run ${run} ${how} ${hosts} in doubt: fleetmask recover ${run}\n`);
  }
}
