/** The list of runs and the file that remembers it, which may be anything at any moment. */

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { JournalRecord } from '../../src/journal/records.ts';
import { allRuns, type Entry } from '../../src/journal/run-index.ts';
import type { RunInfo } from '../../src/model/index.ts';
import { MASK } from '../ask.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'fleetmask-index-'));
  mkdirSync(join(stateDir, 'runs'));
  return () => rmSync(stateDir, { recursive: true, force: true });
});

const NOW = Date.parse('2026-12-01T00:00:00Z');
const by = { machine: 'm', pid: 1, bootId: null, namespace: null, started: null };
const fileOf = (id: string) => join(stateDir, 'runs', `${id}.ndjson`);
const index = () => join(stateDir, 'runs.index');
const finished: JournalRecord = { type: 'finished', at: '2026-12-01T00:00:01Z', totals: {}, exitCode: 0 };
const line = (record: JournalRecord) => `${JSON.stringify(record)}\n`;

function journal(id: string, actor = 'a@b'): void {
  const run: RunInfo = {
    ...{ id, command: 'mask', units: ['cron'], now: true, runtime: false, actor },
    ...{ reason: null, ticket: null, startedAt: '2026-12-01T00:00:00Z' },
  };
  const start: JournalRecord = { type: 'run', schema: 'fleetmask.journal/1', run, ask: MASK, hosts: [] };
  const opened: JournalRecord = { type: 'opened', at: '', actor, command: 'mask', by };
  writeFileSync(fileOf(id), line(start) + line(opened));
}

function replaced(make: (file: string) => void): () => void {
  return () => {
    rmSync(index());
    make(index());
  };
}

const shown = (entries: readonly Entry[]) =>
  entries.map((entry) => (entry.kind === 'run' ? [entry.run.id, entry.run.actor, entry.ended] : [entry.id, 'damaged']));
const list = (now = NOW) => shown(allRuns(stateDir, now));

describe('the list of runs', () => {
  it('is remembered, and follows every journal that changes, comes or goes', () => {
    journal('a');
    journal('b');
    expect(list()).toEqual([
      ['a', 'a@b', false],
      ['b', 'a@b', false],
    ]);
    const { ino } = statSync(index());
    expect(list()).toHaveLength(2);
    expect(statSync(index()).ino, 'no news, nothing written').toBe(ino);
    appendFileSync(fileOf('a'), line(finished));
    journal('c');
    rmSync(fileOf('b'));
    expect(list()).toEqual([
      ['a', 'a@b', true],
      ['c', 'a@b', false],
    ]);
    expect(readFileSync(index(), 'utf8')).not.toContain('"run":"b"');
  });

  it('is made of what was remembered: no journal is read again', () => {
    journal('a');
    list();
    const text = readFileSync(index(), 'utf8');
    writeFileSync(index(), text.replace('a@b', 'from-the-index'));
    expect(list()).toEqual([['a', 'from-the-index', false]]);
  });

  it('knows a journal that was replaced by one of the same size and time', () => {
    journal('a', 'a@b');
    const { atime, mtime } = statSync(fileOf('a'));
    list();
    journal('a', 'c@d');
    utimesSync(fileOf('a'), atime, mtime);
    expect(list()).toEqual([['a', 'c@d', false]]);
  });

  it.each<[string, () => void]>([
    ['deleted', () => rmSync(index())],
    ['empty', () => writeFileSync(index(), '')],
    ['of another form', () => writeFileSync(index(), 'fleetmask.index/0\n{}\n')],
    ['no text', () => writeFileSync(index(), Buffer.from([0, 255, 0, 10, 200]))],
    [
      'full of other things',
      () => writeFileSync(index(), 'fleetmask.index/1\nnull\n5\n{"run":"a","mark":"","entry":{"kind":"run"}}\n{'),
    ],
    [
      'about other runs',
      () => writeFileSync(index(), readFileSync(index(), 'utf8').replaceAll('"run":"a"', '"run":"b"')),
    ],
    ['a directory', replaced((file) => mkdirSync(file))],
    ['a FIFO', replaced((file) => execFileSync('mkfifo', [file]))],
  ])('is the same where the file is %s', (_, spoil) => {
    journal('a');
    journal('c');
    const before = list();
    spoil();
    expect(list()).toEqual(before);
    expect(list()).toEqual(before);
  });

  it('is the same where a writer was killed at any byte', () => {
    journal('a');
    journal('c');
    const before = list();
    const text = readFileSync(index(), 'utf8');
    for (let bytes = 0; bytes < text.length; bytes += 7) {
      writeFileSync(index(), text);
      truncateSync(index(), bytes);
      expect(list(), `${bytes} bytes`).toEqual(before);
    }
  });

  it('leaves the writing to another process that is at it, but not for ever', () => {
    journal('a');
    writeFileSync(`${index()}.new`, '');
    const { mtimeMs } = statSync(`${index()}.new`);
    expect(list(mtimeMs + 1000)).toHaveLength(1);
    expect(existsSync(index())).toBe(false);
    list(mtimeMs + 61_000);
    list(mtimeMs + 61_000);
    expect([existsSync(index()), existsSync(`${index()}.new`)]).toEqual([true, false]);
  });

  it('shows a damaged journal, and forgets that once it can be read', () => {
    journal('a');
    writeFileSync(fileOf('b'), 'x\n');
    expect(list()).toEqual([
      ['a', 'a@b', false],
      ['b', 'damaged'],
    ]);
    journal('b');
    expect(list()).toEqual([
      ['a', 'a@b', false],
      ['b', 'a@b', false],
    ]);
  });

  it('of 5,000 runs costs no second of CPU, remembered or not', { timeout: 60_000 }, () => {
    for (let i = 0; i < 5000; i += 1) journal(`run-${i}`);
    const cost = () => {
      const before = process.cpuUsage();
      expect(list()).toHaveLength(5000);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1e6;
    };
    expect(cost()).toBeLessThan(5);
    expect(cost()).toBeLessThan(1);
  });
});
