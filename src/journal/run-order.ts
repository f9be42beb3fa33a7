/**
 * The order in which runs came to this controller: a line for each, appended when its journal is made. Neither clocks nor ids tell
 * it: clocks are set, and what a host answered may be the id of a run.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isRunId } from '../model/index.ts';

/** `begun`: by this controller. `found`: known from receipts on hosts alone, so that it is nobody's last run. */
export type Origin = 'begun' | 'found';

/** In the state directory. Where it is lost, ids are the order. */
const FILE = 'order';

/** On disk when this returns. */
export function recordOrigin(dir: string, run: string, origin: Origin): void {
  const file = openSync(join(dir, FILE), 'a', 0o600);
  try {
    // the newline before it ends what a crash left of a line
    writeSync(file, `\n${origin} ${run}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** These runs, the one that came last at the end; those that came before there was a record of it are ordered by their ids. */
export function inOrder(dir: string, runs: readonly string[]): { readonly run: string; readonly origin: Origin }[] {
  const recorded = new Map<string, { origin: Origin; place: number }>();
  for (const [place, line] of textOf(join(dir, FILE)).split('\n').entries()) {
    const [, origin, run] = /^(begun|found) (\S+)$/.exec(line) ?? [];
    // whose journal was damaged, and made anew from receipts, was begun here all the same
    if (run !== undefined && !recorded.has(run)) recorded.set(run, { origin: origin as Origin, place });
  }
  const placed = runs.map((run) => {
    const { origin, place } = recorded.get(run) ?? {
      origin: isRunId(run) ? ('begun' as const) : ('found' as const),
      place: -1,
    };
    return { run, origin, place };
  });
  return placed
    .sort((a, b) => a.place - b.place || (a.run < b.run ? -1 : 1))
    .map(({ run, origin }) => ({ run, origin }));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
