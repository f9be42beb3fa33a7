/** What a host did and then read, in a few words → the evidence that its answer would be parsed to. */
import type { Evidence, Logged, Refusal, Started, StepResult } from '../../src/model/index.ts';
import { pathOf, type UnitWords, unitOf } from './situation.ts';

export interface EvidenceWords {
  /** `locked by RUN`, `locked by RUN for SECONDS`, `moved`, `write TEXT` and so on: the host did not begin. */
  readonly refused?: string;
  /** `stop`, `stop exit 1 cancelled`, `try:cron.service exit 1 masked`, `reload untried`, `stop exit 4 says Operation refused`. */
  readonly steps?: readonly string[];
  readonly units?: Readonly<Record<string, UnitWords | null>>;
  readonly paths?: Readonly<Record<string, string>>;
  /** The read-back is not whole. */
  readonly unread?: true;
  /** Control group → how many processes are left in it, and how many of those are of this session. */
  readonly left?: Readonly<Record<string, readonly [all: number, own: number]>>;
  readonly escaped?: readonly string[];
  readonly foreign?: readonly string[];
  /** Unit → how it came to run while others stopped. */
  readonly started?: Readonly<Record<string, Started['kind']>>;
  readonly lacking?: readonly string[];
  /** Unit → lines of the host's journal. */
  readonly logged?: Readonly<Record<string, readonly string[]>>;
  readonly receipt?: boolean;
  readonly kept?: { readonly path: string; readonly why: string };
}

export function evidenceOf(words: EvidenceWords): Evidence {
  const { refused, steps = [], units = {}, paths = {}, unread, left = {}, escaped, started, logged, kept } = words;
  return {
    refused: refused === undefined ? null : refusalOf(refused),
    steps: steps.map(stepOf),
    units: Object.entries(units).map(([id, unit]) => unitOf(id, unit ?? {})),
    paths: Object.entries(paths).map(([path, kind]) => pathOf(path, kind)),
    ...(unread && { unread }),
    left: Object.entries(left).map(([group, [all, own]]) => ({ group, all, own })),
    ...(escaped && { escaped }),
    foreign: words.foreign ?? [],
    ...(started && { started: Object.entries(started).map(([unit, kind]) => ({ unit, kind })) }),
    lacking: words.lacking ?? [],
    ...(logged && { logged: Object.entries(logged).flatMap(([unit, lines]) => lines.map(loggedOf(unit))) }),
    receipt: words.receipt ?? true,
    ...(kept && { kept }),
  };
}

const loggedOf =
  (unit: string) =>
  (line: string): Logged => ({ unit, line: `Dec  1 12:00:00 web1 ${line}` });

function stepOf(text: string): StepResult {
  const match = /^(\S+)(?: exit (\d+)| (untried))?(?: (masked|refuses-manual|cancelled))?(?: says (.+))?$/.exec(text);
  if (match === null) throw new Error(`not a step: ${text}`);
  const [, name = '', status = '0', untried, refusal, said] = match;
  return {
    name,
    status: untried ? 'untried' : Number(status),
    said: said === undefined ? [] : [said],
    refusal: (refusal ?? null) as StepResult['refusal'],
  };
}

function refusalOf(text: string): Refusal {
  const [kind = '', ...words] = text.split(' ');
  const rest = words.join(' ');
  if (kind === 'locked') {
    const [, run = null, , seconds = '240'] = words;
    const holder = { run, meta: { actor: 'bob@bastion' }, since: 43_390, seconds: Number(seconds) };
    return { kind, text: rest, holder };
  }
  if (!/^(?:twin|fenced|moved|write|unarmed|malformed)$/.test(kind)) throw new Error(`not a refusal: ${text}`);
  return { kind: kind as Exclude<Refusal['kind'], 'locked'>, text: rest };
}
