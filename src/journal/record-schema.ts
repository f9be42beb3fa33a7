/** What a record of a journal looks like. Every line is held to this when it is read, and to nothing after that. */

import {
  type Become,
  either,
  flag,
  type JournalHost,
  list,
  nullable,
  number,
  object,
  optional,
  printable,
  type Shape,
  tagged,
  text,
  time,
  whole,
  words,
} from '../model/index.ts';
import type { Limits } from '../plan/failure-budget.ts';
import type { Share } from '../plan/host-count.ts';
import {
  account,
  ask,
  change,
  command,
  count,
  prior,
  report,
  runInfo,
  target,
  texts,
  totals,
  unitPlan,
} from './model-schema.ts';
import type { Controller, JournalRecord } from './records.ts';

const FORM = 'fleetmask.journal/1';
/** The next ones must fit, too. */
const seq = whole(0, 999_999_000);

export const journalHost = object<JournalHost>({
  ...target,
  seal: optional(text),
  become: words<Become>({ auto: true, never: true, sudo: true, doas: true, su: true }),
});

const share = tagged<Share, 'kind'>('kind', {
  hosts: object<Extract<Share, { kind: 'hosts' }>>({ kind: words({ hosts: true }), count }),
  percent: object<Extract<Share, { kind: 'percent' }>>({ kind: words({ percent: true }), percent: whole(0, 100) }),
});

export const controller = object<Controller>({
  machine: text,
  pid: count,
  bootId: nullable(text),
  namespace: nullable(text),
  started: nullable(text),
});

type Of<K extends JournalRecord['type']> = Extract<JournalRecord, { type: K }>;
const type = <K extends string>(name: K) => words({ [name]: true } as Record<K, true>);
const visit = { at: time, actor: text, hosts: texts };

const RECORDS: { readonly [K in JournalRecord['type']]: Shape<Of<K>> } = {
  run: object<Of<'run'>>({
    type: type('run'),
    schema: words({ [FORM]: true }),
    run: runInfo,
    ask,
    hosts: list(journalHost),
    fleetRollback: optional(
      object<Limits>({
        maxFail: optional(either(share, words<'no-failed-change'>({ 'no-failed-change': true }))),
        maxUnreachable: optional(share),
      }),
    ),
  }),
  intent: object<Of<'intent'>>({
    type: type('intent'),
    at: time,
    host: text,
    seq,
    request: words<'apply' | 'undo'>({ apply: true, undo: true }),
    change,
    prior,
    units: optional(list(unitPlan)),
    told: optional(account),
  }),
  settled: object<Of<'settled'>>({ type: type('settled'), at: time, report }),
  keep: object<Of<'keep'>>({
    type: type('keep'),
    command: words<Of<'keep'>['command']>({ confirm: true, extend: true, release: true }),
    ...visit,
  }),
  forget: object<Of<'forget'>>({ type: type('forget'), ...visit }),
  keeping: object<Of<'keeping'>>({
    type: type('keeping'),
    at: time,
    host: text,
    seq,
    order: object<Of<'keeping'>['order']>({
      confirm: flag,
      expires: nullable(either(number, words<'never'>({ never: true }))),
    }),
  }),
  rollback: object<Of<'rollback'>>({ type: type('rollback'), ...visit }),
  recovery: object<Of<'recovery'>>({ type: type('recovery'), ...visit }),
  joined: object<Of<'joined'>>({ type: type('joined'), at: time, host: journalHost }),
  opened: object<Of<'opened'>>({ type: type('opened'), at: time, actor: text, command, by: controller }),
  closed: object<Of<'closed'>>({ type: type('closed'), at: time, by: controller }),
  finished: object<Of<'finished'>>({
    type: type('finished'),
    at: time,
    totals,
    exitCode: whole(0, 255),
    inDoubt: optional(count),
  }),
};

export const RECORD_TYPES = Object.keys(RECORDS) as readonly JournalRecord['type'][];

export const journalRecord = tagged<JournalRecord, 'type'>('type', RECORDS);

/** What a later version may have written, and no damage; null where it is ours to read. */
export function foreignIn(value: unknown): string | null {
  const { type: kind, schema } = (value ?? {}) as { readonly type?: unknown; readonly schema?: unknown };
  if (kind === 'run' && typeof schema === 'string' && schema !== FORM) {
    return `a journal of another form: ${JSON.stringify(printable(schema))}`;
  }
  if (typeof kind !== 'string' || Object.hasOwn(RECORDS, kind)) return null;
  return `a record of an unknown type: ${JSON.stringify(printable(kind))}`;
}
