/**
 * Records in, state out: every NDJSON file in cases/ is a journal as it lies on a disk, and the YAML file of the same name tells what
 * happened, line by line, and what is known of each host by that.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { journalFrom } from '../../src/journal/append-log.ts';
import { historiesOf, withHistory } from '../../src/journal/history.ts';
import { RECORD_TYPES } from '../../src/journal/record-schema.ts';
import type { JournalRecord } from '../../src/journal/records.ts';
import { askOf, type HostState, hostsInDoubt, nameOn, type RunState, stateOfRun } from '../../src/journal/replay.ts';
import { openClaims } from '../../src/journal/run-lock.ts';
import type { HostReport, Outcome, UnitReport } from '../../src/model/index.ts';
import { undoableOn } from '../../src/run/host/rollback.ts';
import { doubtOn } from '../../src/run/in-doubt.ts';

const DIR = new URL('./cases/', import.meta.url);
const RUN = '20261201-100000000-aaaaaa';

interface Case {
  readonly story: string;
  /** Each line of the journal in a few words. */
  readonly journal: readonly string[];
  readonly expect: Readonly<Record<string, unknown>>;
}

const cases = readdirSync(DIR)
  .filter((file) => file.endsWith('.ndjson'))
  .sort()
  .map((file) => {
    const name = file.replace(/\.ndjson$/, '');
    const text = readFileSync(new URL(file, DIR), 'utf8');
    const { story, journal, expect: wanted } = parse(readFileSync(new URL(`${name}.yaml`, DIR), 'utf8')) as Case;
    return { name: name.replaceAll('-', ' '), text, story, journal, wanted };
  });

const read = (text: string) => journalFrom(text, 'journal', RUN);

/** A line in a few words; `?` for what is no record of today. */
function sayLine(line: string): string {
  if (line.endsWith(' (torn)')) return 'torn';
  let record: JournalRecord;
  try {
    record = JSON.parse(line);
  } catch {
    return 'garbage';
  }
  switch (record.type) {
    case 'run': {
      if (record.schema !== 'fleetmask.journal/1') return '?';
      const hosts = record.hosts.map(({ host }) => host).join(' ') || 'nobody';
      return `run ${record.run.command} ${record.run.units} on ${hosts}${record.fleetRollback ? ' --rollback fleet' : ''}`;
    }
    case 'intent':
      return typeof record.seq === 'number' ? `intent ${record.host} ${record.seq} ${record.request}` : '?';
    case 'settled':
      return `settled ${record.report.host} ${record.report.outcome}`;
    case 'opened':
      return `opened ${record.command} by ${record.actor}`;
    case 'keep':
      return `${record.command} of ${record.hosts.join(' ')} by ${record.actor}`;
    case 'keeping':
      return `keeping ${record.host} ${record.seq}`;
    case 'forget':
    case 'rollback':
    case 'recovery':
      return `${record.type} of ${record.hosts.join(' ')} by ${record.actor}`;
    case 'joined':
      return `joined ${record.host.host}`;
    case 'finished':
      return `finished exit ${record.exitCode}`;
    case 'closed':
      return 'closed';
    default:
      return '?';
  }
}

/** The lines of a journal, and what is left of one that was cut off. */
function sayLines(text: string): string[] {
  const lines = text.split('\n');
  const rest = lines.pop();
  return [...lines.map(sayLine), ...(rest ? ['cut off'] : [])];
}

function sayState(state: HostState): string {
  const outcome = state.report === null ? '' : ` ${state.report.outcome}`;
  return `${state.kind}${outcome}${state.kind === 'in-doubt' ? `, ${state.last}` : ''}`;
}

function sayUnit({ before, after }: Pick<UnitReport, 'before' | 'after'>): string {
  return [before?.load, after?.load].filter(Boolean).join(' → ');
}

/** What a case may say of a journal, one key each. */
function summary(text: string): Record<string, unknown> {
  let records: JournalRecord[];
  try {
    records = read(text);
  } catch (error) {
    const { message, hint } = error as Error & { hint?: string };
    return { refused: message, hint };
  }
  const state: RunState = stateOfRun(records);
  const histories = historiesOf(records);
  const names = [...state.hosts.keys()];
  const doubts = names.flatMap((host) => {
    const doubt = doubtOn(host, state, 'settle');
    return doubt === null ? [] : [{ host, ...doubt }];
  });
  expect(doubts.map(({ host }) => host)).toEqual(hostsInDoubt(state));
  const settled = names.flatMap((host) => state.hosts.get(host)?.report ?? []);
  const told = settled.map((report) => withHistory(report, histories.get(report.host)));
  const of = <T>(pairs: Iterable<readonly [string, T]>) => Object.fromEntries(pairs);
  return {
    names: state.start.hosts.map(({ host }) => host),
    hosts: of(names.map((host) => [host, sayState(state.hosts.get(host)!)])),
    inDoubt: doubts.map(({ host }) => host),
    aim: of(doubts.map(({ host, aim }) => [host, aim])),
    why: of(doubts.flatMap(({ host, why }) => (why ? [[host, why.message] as const] : []))),
    wanting: doubts.filter(({ wanting }) => wanting).map(({ host }) => host),
    units: of(doubts.map(({ host, units }) => [host, units.map(({ unit }) => unit)])),
    undoable: names.filter((host) => undoableOn(host, state) !== null),
    lastSeq: of(state.lastSeq),
    applied: of([...state.applied].map(([host, { seq }]) => [host, seq])),
    knownAs: of([...state.applied].map(([host, intent]) => [host, nameOn(host, intent)])),
    allowAbsent: of([...state.applied].map(([host, intent]) => [host, askOf(intent, state).allowAbsent])),
    own: of([...state.own].map(([host, { outcome }]) => [host, outcome])),
    toPutBack: [...state.toPutBack].sort(),
    wayBack: state.wayBack,
    ended: state.ended,
    exit: state.finished?.exitCode ?? null,
    atWork: openClaims(records).map(({ command, actor }) => `${command} by ${actor}`),
    history: of(told.map(({ host, history }) => [host, sayHistory(history)])),
    ownUnits: of(told.map(({ host, units }) => [host, units.map(sayUnit).join(', ')])),
  };
}

/** A host without later visits has no history at all. */
function sayHistory(history: HostReport['history']): string[] | 'empty' {
  return history === undefined ? [] : history.length === 0 ? 'empty' : history.map(sayVisit);
}

function sayVisit(visit: NonNullable<HostReport['history']>[number]): string {
  const { actor, command, outcome, unit, before, after, fault } = visit;
  const read = unit === null ? '' : `, ${unit} ${sayUnit({ before, after })}`;
  return `${command} by ${actor}: ${outcome}${read}${fault === null ? '' : ` (${fault.kind})`}`;
}

describe('a journal tells of', () => {
  for (const { name, text, story, journal, wanted } of cases) {
    it(name, () => {
      expect(story.length, 'a story says why its state is right').toBeGreaterThan(60);
      expect(sayLines(text)).toEqual(journal);
      const found = summary(text);
      expect(Object.fromEntries(Object.keys(wanted).map((key) => [key, found[key]]))).toEqual(wanted);
    });
  }
});

it('what does not begin with its run says nothing of any host', () => {
  expect(() => stateOfRun([])).toThrow('the journal does not begin with a run');
});

const readable = cases.filter(({ wanted }) => !('refused' in wanted));

describe('there is a journal', () => {
  const records = readable.flatMap(({ text }) => read(text));

  it('with each kind of record, and with each state that a host can be in', () => {
    const kinds: Record<HostState['kind'], true> = {
      ...{ untouched: true, changed: true, restored: true, forgotten: true, 'in-doubt': true },
    };
    expect(new Set(records.map(({ type }) => type))).toEqual(new Set(RECORD_TYPES));
    const states = readable.flatMap(({ text }) => [...stateOfRun(read(text)).hosts.values()]);
    expect(new Set(states.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)));
  });

  it('with each outcome that is settled, or the command is named that settles nothing', () => {
    const outcomes: Record<Outcome, 'settled' | 'status' | 'plan'> = {
      ...{ masked: 'settled', unmasked: 'settled', restored: 'settled', unchanged: 'settled', refused: 'settled' },
      ...{ unreachable: 'settled', 'not-started': 'settled', 'rolled-back': 'settled', stranded: 'settled' },
      ...{ forgotten: 'settled', absent: 'settled', planned: 'plan', 'not-masked': 'status', mixed: 'status' },
    };
    const settled = new Set(records.flatMap((record) => (record.type === 'settled' ? record.report.outcome : [])));
    expect(settled).toEqual(new Set(Object.keys(outcomes).filter((each) => outcomes[each as Outcome] === 'settled')));
  });
});

describe('a journal that is cut off anywhere', () => {
  it.each(readable.map(({ name, text }) => [name, text] as const))('can be read: %s', (_, text) => {
    const whole = read(text);
    const lines = text.split('\n');
    for (let at = 1; at < lines.length; at += 1) {
      const [before, line] = [`${lines.slice(0, at).join('\n')}\n`, lines[at]!];
      for (const length of new Set([0, 1, line.length >> 1, line.length])) {
        const records = read(`${before}${line.slice(0, length)}`);
        expect(whole.slice(0, records.length)).toEqual(records);
      }
    }
  });

  it.each(readable.map(({ name, text }) => [name, text] as const))(
    'leaves no host unnoticed that it may have changed: %s',
    (_, text) => {
      const whole = read(text);
      for (let count = 1; count <= whole.length; count += 1) {
        const records = whole.slice(0, count);
        const { hosts, lastSeq } = stateOfRun(records);
        const last = records.at(-1)!;
        // an intent is on disk before its request is sent, so that a crash right after it must leave the host in doubt
        if (last.type === 'intent') {
          expect(hosts.get(last.host)?.kind).toBe('in-doubt');
          expect(lastSeq.get(last.host)).toBeGreaterThanOrEqual(last.seq);
        }
      }
    },
  );
});
