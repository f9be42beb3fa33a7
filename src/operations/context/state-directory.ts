/** The state directory: ours alone, or it is not used. */
import { chmodSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { listRuns } from '../../journal/store.ts';
import { UsageError } from '../../model/index.ts';
import type { Io } from '../io.ts';
import { assertOurs, shellWord } from './strict-modes.ts';

export function stateDir(io: Io): string {
  const { FLEETMASK_STATE_DIR: own, XDG_STATE_HOME: xdg } = io.env;
  return own || join(xdg || join(io.home, '.local', 'state'), 'fleetmask');
}

/** The newest last; none where they cannot be read. */
export function runsHere(io: Io): string[] {
  try {
    return listRuns(stateDir(io));
  } catch {
    return [];
  }
}

/** Commands that neither read nor write it. */
const STATELESS: ReadonlySet<string> = new Set(['status', 'inventory', 'doctor', 'demo', 'completion']);

const ALL_BUT_US = 0o077;

/**
 * Before a command works with it. Throws UsageError where others can write it, own it, or where it is no directory. One that others can
 * only read is closed to them, with a note; where it holds something else as well, the note alone.
 */
export function secureState(io: Io, command: string): void {
  if (STATELESS.has(command)) return;
  const dir = stateDir(io);
  const runs = join(dir, 'runs');
  for (const each of [dir, runs]) {
    assertOurs(io, each, 'the journals', 'or set FLEETMASK_STATE_DIR to a directory of your own');
    const stat = statSync(each, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (!stat.isDirectory()) throw new UsageError(`${each} is not a directory`, 'Set FLEETMASK_STATE_DIR to one.');
    if ((stat.mode & ALL_BUT_US) === 0) continue;
    const found = `${each} could be read by others (mode ${(stat.mode & 0o7777).toString(8).padStart(4, '0')})`;
    const closed = (each === runs || isAllOurs(io, dir)) && close(each);
    io.stderr.write(
      closed
        ? `note: ${found}; it is 0700 now\n`
        : `note: ${found}: move the journals, or: chmod 700 ${shellWord(each)}\n`,
    );
  }
}

/** Others may need what else lies there: FLEETMASK_STATE_DIR=/var/lib is possible. */
function isAllOurs(io: Io, dir: string): boolean {
  if (!io.env.FLEETMASK_STATE_DIR && !lstatSync(dir).isSymbolicLink()) return true;
  return readdirSync(dir).every((name) => OURS.test(name));
}

/** What fleetmask puts there. */
const OURS = /^(?:runs|index.*|seal\.key)$/;

function close(dir: string): boolean {
  try {
    chmodSync(dir, 0o700);
    return true;
  } catch {
    return false;
  }
}
