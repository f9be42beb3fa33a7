/**
 * What `runs list` shows of each run, and a file that remembers it. The file is a cache: it may be deleted, torn or out of date at
 * any moment, several processes write it, and nothing but the list is made of it. What it says of a run holds as long as the
 * run's journal is the same file, of the same size and time; else the journal is read again.
 */

import { closeSync, openSync, renameSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  flag,
  list,
  nullable,
  object,
  type Report,
  type RunInfo,
  type Shape,
  text,
  totalsOf,
  UsageError,
  whole,
  words,
} from '../model/index.ts';
import { journalFrom } from './append-log.ts';
import { runInfo, totals } from './model-schema.ts';
import { controller } from './record-schema.ts';
import type { Controller, JournalRecord } from './records.ts';
import { hostsInDoubt, stateOfRun } from './replay.ts';
import { openClaims } from './run-lock.ts';
import { journalFile, listRuns, readRunText, readText } from './store.ts';

/** A run as its journal tells of it. */
export interface RunEntry {
  readonly kind: 'run';
  readonly run: RunInfo;
  /** Whether what was last begun on it has come to its end. */
  readonly ended: boolean;
  /** Of a run that has not: who began to work on it, and did not say that they stopped. */
  readonly claims: readonly Controller[];
  readonly finishedAt: string | null;
  readonly hosts: number;
  readonly inDoubt: number;
  readonly totals: Report['totals'];
}

export type Entry = RunEntry | { readonly kind: 'damaged'; readonly id: string; readonly why: string };

/** To be raised whenever an entry comes to mean something else. */
const FORM = 'fleetmask.index/1';

/** The newest run last. Throws UsageError where the directory of the journals cannot be read. `now`: in ms since 1970. */
export function allRuns(stateDir: string, now: number): Entry[] {
  const known = readIndex(stateDir);
  const lines: string[] = [];
  let isNews = false;
  const entries = listRuns(stateDir).map((run): Entry => {
    const remembered = known.get(run);
    if (remembered !== undefined && remembered.mark === markNow(stateDir, run)) {
      lines.push(remembered.line);
      return remembered.entry;
    }
    const { entry, mark } = look(stateDir, run);
    // what is damaged to us may be read by a later version
    if (entry.kind === 'damaged') return entry;
    lines.push(JSON.stringify({ run, mark, entry }));
    isNews = true;
    return entry;
  });
  if (isNews || lines.length !== known.size) writeIndex(stateDir, lines, now);
  return entries;
}

function look(stateDir: string, run: string): { readonly entry: Entry; readonly mark: string } {
  const file = journalFile(stateDir, run);
  try {
    const { text, stat } = readRunText(stateDir, run);
    return { entry: entryOf(journalFrom(text, file, run)), mark: markOf(stat) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { entry: { kind: 'damaged', id: run, why: error.message }, mark: '' };
  }
}

function entryOf(records: readonly JournalRecord[]): RunEntry {
  const state = stateOfRun(records);
  const { start, finished, ended } = state;
  const reports = [...state.hosts.values()].flatMap(({ report }) => (report ? [report] : []));
  return {
    kind: 'run',
    run: start.run,
    ended,
    claims: ended ? [] : openClaims(records).map(({ by }) => by),
    finishedAt: ended ? (finished?.at ?? null) : null,
    hosts: state.hosts.size,
    inDoubt: hostsInDoubt(state).length,
    totals: totalsOf(reports),
  };
}

function markNow(stateDir: string, run: string): string | null {
  try {
    return markOf(statSync(journalFile(stateDir, run)));
  } catch {
    return null;
  }
}

/** Tells a file from what it was: also where its time was set back, or another file has its name now. */
function markOf({ ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}

interface Line {
  readonly run: string;
  readonly mark: string;
  readonly entry: RunEntry;
}

const line: Shape<Line> = object<Line>({
  run: text,
  mark: text,
  entry: object<RunEntry>({
    kind: words({ run: true }),
    run: runInfo,
    ended: flag,
    claims: list(controller),
    finishedAt: nullable(text),
    hosts: whole(0, 1e9),
    inDoubt: whole(0, 1e9),
    totals,
  }),
});

function fileOf(stateDir: string): string {
  return join(stateDir, 'runs.index');
}

/** Empty where there is none; a line that is none of ours is left out, and its run read anew. */
function readIndex(stateDir: string): Map<string, Line & { readonly line: string }> {
  const known = new Map<string, Line & { line: string }>();
  let lines: string[];
  try {
    lines = readText(fileOf(stateDir)).text.split('\n');
  } catch {
    return known;
  }
  if (lines.shift() !== FORM) return known;
  for (const text of lines) {
    try {
      const value: unknown = JSON.parse(text);
      if (line(value) !== null) continue;
      const { run, mark, entry } = value as Line;
      if (entry.run.id === run) known.set(run, { run, mark, entry, line: text });
    } catch {}
  }
  return known;
}

/** Long after anybody can still be writing it. Milliseconds. */
const STALE = 60_000;

/** Whole or not at all, and by one process at a time. A list that cannot be remembered is made again. */
function writeIndex(stateDir: string, lines: readonly string[], now: number): void {
  const fresh = `${fileOf(stateDir)}.new`;
  try {
    const fd = openSync(fresh, 'wx', 0o600);
    try {
      writeFileSync(fd, [FORM, ...lines, ''].join('\n'));
    } finally {
      closeSync(fd);
    }
    renameSync(fresh, fileOf(stateDir));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && !isStale(fresh, now)) return;
    try {
      rmSync(fresh, { force: true });
    } catch {}
  }
}

/** Of a process that was killed in between. */
function isStale(fresh: string, now: number): boolean {
  try {
    return Math.abs(now - statSync(fresh).mtimeMs) > STALE;
  } catch {
    return false;
  }
}
