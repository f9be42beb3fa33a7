/** Records of receipts → receipts. A receipt holds the request that made it, word for word, and what became of its links. */
import {
  type Change,
  isRunId,
  isUnitName,
  type Prior,
  type PriorState,
  type Receipt,
  type UnitState,
} from '../model/index.ts';
import { firstWord, type HostRecord, identifier, isPath, keyValue } from './blocks.ts';
import { decoded, metaFrom } from './meta.ts';
import { evidenceFrom } from './records.ts';

/** What tells of a run begins with its id. */
const OF_RUNS = new Set(['log', 'fence', 'told', 'holds', 'mark', 'switch', 'ended']);

/** Without what tells of a run whose id is none of ours: a host may call anything a run, and ids go into commands and names of files. */
export function ofOurRuns(records: readonly HostRecord[]): HostRecord[] {
  return records.filter(({ kind, text }) => !OF_RUNS.has(kind) || isRunId(firstWord(text)[0]));
}

/** `log RUN LINE`, `fence RUN SEQ`, `mark RUN ORDER NAME`, `told RUN KIND TEXT`, `holds RUN PATH`. A receipt whose request is not whole is left out: it began nothing. */
export function receiptsFrom(records: readonly HostRecord[]): Receipt[] {
  const runs = new Map<string, Entry>();
  for (const { kind, text } of records) {
    if (kind !== 'log' && kind !== 'told' && kind !== 'holds' && kind !== 'fence' && kind !== 'mark') continue;
    const [run, rest] = firstWord(text);
    if (!/^[A-Za-z0-9-]{1,64}$/.test(run)) continue;
    const entry = runs.get(run) ?? { log: [], seq: 0, order: null, as: null, told: [], holds: [] };
    runs.set(run, entry);
    if (kind === 'log') entry.log.push(rest);
    else if (kind === 'holds') entry.holds.push(rest);
    else if (kind === 'fence') entry.seq = /^\d{1,9}$/.test(rest) ? Number(rest) : 0;
    else if (kind === 'mark') Object.assign(entry, markFrom(rest));
    else {
      const [said, value] = firstWord(rest);
      entry.told.push({ kind: said, text: value });
    }
  }
  return [...runs].flatMap(([run, { log, seq, order, as, told, holds }]) => {
    const request = log
      .find((line) => line.startsWith('request '))
      ?.split(' ')
      .slice(1);
    if (request === undefined) return [];
    return { run, seq, order, as, ...requested(request), holds: holds.filter(isPath), result: answerFrom(told) };
  });
}

interface Entry extends Pick<Receipt, 'seq' | 'order' | 'as'> {
  readonly log: string[];
  seq: number;
  readonly told: HostRecord[];
  readonly holds: string[];
}

/** `ORDER NAME`; in a receipt that was cut off while it was made, less. */
function markFrom(text: string): Pick<Receipt, 'order' | 'as'> {
  const [order, name] = firstWord(text);
  return { order: /^\d{1,9}$/.test(order) ? Number(order) : null, as: name === '' ? null : decoded(name) };
}

/** The inverse of `applyWords` in protocol.ts; what is not in its form is left out. */
function requested(words: readonly string[]): Pick<Receipt, 'meta' | 'change' | 'prior'> {
  const values = new Map<string, string[]>();
  for (const [key, value] of words.map(keyValue)) {
    const before = values.get(key);
    if (before === undefined) values.set(key, [value]);
    else before.push(value);
  }
  const all = (key: string) => values.get(key) ?? [];
  const units = (key: string) => all(key).filter(isUnitName);
  const paths = (key: string) => all(key).filter(isPath);
  const change: Change = {
    where: all('where')[0] === 'run' ? 'run' : 'etc',
    links: paths('link'),
    removes: paths('remove'),
    displaces: paths('displace'),
    stops: units('stop'),
    attempts: units('try'),
    groups: all('group').filter((group) => /^\/[\x21-\x26\x28-\x7e]+$/.test(group)),
    killLeftovers: all('kill')[0] === 'yes',
    reads: all('read').filter(isNameOrPattern),
    looks: units('look'),
  };
  const prior: Prior = {
    bootId: identifier(all('boot')[0]),
    machineId: identifier(all('machine')[0]),
    states: all('was').flatMap(stateFrom),
    masks: paths('had'),
  };
  return { meta: metaFrom(all('meta')[0] ?? '-'), change, prior };
}

/** What is read back may be all instances of a template. */
function isNameOrPattern(text: string): boolean {
  return isUnitName(text.replace('@*.', '@x.'));
}

function stateFrom(text: string): PriorState[] {
  const [id = '', load = '', file = '', active = '', ...more] = text.split(',');
  const state: UnitState = { load, file, active };
  if (!isUnitName(id) || !Object.values(state).every((word) => /^[A-Za-z0-9-]*$/.test(word))) return [];
  const queued = QUEUED.find((each) => more.includes(each));
  return [{ id, ...state, ...(queued && { queued }), ...(more.includes('unread') && { unread: true }) }];
}

const QUEUED = ['start', 'stop', 'reload'] as const;

/** Null when the answer is not whole: the host was cut off while it worked or wrote. */
function answerFrom(told: readonly HostRecord[]): Receipt['result'] {
  const last = told.at(-1);
  return last?.kind === 'done' && last.text === String(told.length) ? evidenceFrom(told) : null;
}
