/** What the model's types look like in a record of a journal. */
import {
  type Account,
  type Ask,
  type Change,
  type Command,
  either,
  type Fault,
  flag,
  type HostReport,
  list,
  nullable,
  number,
  type Outcome,
  object,
  optional,
  type Prior,
  type PriorState,
  type Queued,
  type RunInfo,
  record,
  type Shape,
  type StartProbe,
  shallow,
  type Target,
  tagged,
  text,
  time,
  type UnitPlan,
  type UnitReceipt,
  type UnitReport,
  type UnitState,
  type Visited,
  type WayThere,
  whole,
  words,
} from '../model/index.ts';

export const texts = list(text);
export const count = whole(0, 1e9);
export const command = words<Command>({
  ...{ mask: true, unmask: true, status: true, plan: true, rollback: true, recover: true, watch: true },
  ...{ confirm: true, extend: true, release: true },
});

const outcome = words<Outcome>({
  ...{ masked: true, unmasked: true, restored: true, unchanged: true, planned: true, refused: true, unreachable: true },
  ...{
    'not-started': true,
    'rolled-back': true,
    stranded: true,
    forgotten: true,
    absent: true,
    'not-masked': true,
    mixed: true,
  },
});

const where = words<'etc' | 'run'>({ etc: true, run: true });

export const runInfo = object<RunInfo>({
  id: text,
  command,
  units: texts,
  now: flag,
  runtime: flag,
  actor: text,
  reason: nullable(text),
  ticket: nullable(text),
  // of a run that is known by its receipts alone this is what a host said
  startedAt: text,
  waves: optional(list(whole(1, 1e9))),
  confirmWithin: optional(number),
  expiresAt: optional(time),
  from: optional(words<'receipts'>({ receipts: true })),
  expected: optional(words<'masked' | 'unmasked'>({ masked: true, unmasked: true })),
});

export const ask = object<Ask>({
  verb: words<Ask['verb']>({ mask: true, unmask: true }),
  units: texts,
  now: flag,
  runtime: flag,
  withTriggers: flag,
  localUnits: words<Ask['localUnits']>({ refuse: true, displace: true }),
  allowAbsent: flag,
  skipAbsent: optional(flag),
  withMembers: optional(flag),
  killLeftovers: flag,
  startProbe: flag,
  allowLockout: flag,
});

export const target = {
  host: text,
  address: text,
  port: whole(0, 65_535),
  user: text,
  identityFiles: texts,
  identitiesOnly: flag,
  certificateFiles: optional(texts),
  requiredKeyFile: optional(text),
  agent: optional(
    tagged<NonNullable<Target['agent']>, 'kind'>('kind', {
      none: object<{ readonly kind: 'none' }>({ kind: words({ none: true }) }),
      socket: object<{ readonly kind: 'socket'; readonly path: string }>({ kind: words({ socket: true }), path: text }),
    }),
  ),
  hostKeyAlias: optional(text),
  knownHostsFiles: optional(texts),
  hostKeyChecking: optional(words<NonNullable<Target['hostKeyChecking']>>({ strict: true, 'accept-new': true })),
  hashKnownHosts: optional(flag),
  revokedHostKeysFile: optional(text),
  connectTimeoutMs: optional(whole(0, 2 ** 31 - 1)),
  keepalive: optional(object<NonNullable<Target['keepalive']>>({ everyMs: whole(0, 2 ** 31 - 1), missed: count })),
  connectionAttempts: optional(count),
  algorithms: optional(
    object<NonNullable<Target['algorithms']>>({
      kex: optional(texts),
      cipher: optional(texts),
      hmac: optional(texts),
      hostKey: optional(texts),
      hostKeyOrder: optional(words<'as given'>({ 'as given': true })),
      publicKey: optional(texts),
    }),
  ),
  addressFamily: optional(((value) => (value === 4 || value === 6 ? null : ': neither 4 nor 6')) as Shape<4 | 6>),
  bindAddress: optional(text),
  proxy: optional(((value) => proxy(value)) as Shape<WayThere>),
  ssh: optional(
    object<NonNullable<Target['ssh']>>({
      destination: text,
      config: optional(text),
      options: optional(texts),
      control: optional(text),
    }),
  ),
  needsSsh: optional(texts),
  notFollowed: optional(texts),
} as const;

/** Bastions before bastions: the line itself is bounded, and so is how deep it goes. */
const proxy: Shape<WayThere> = (value) =>
  shallow(value) ??
  tagged<WayThere, 'kind'>('kind', {
    jump: object<Extract<WayThere, { kind: 'jump' }>>({ kind: words({ jump: true }), via: object<Target>(target) }),
    command: object<Extract<WayThere, { kind: 'command' }>>({ kind: words({ command: true }), command: text }),
  })(value);

const state = { load: text, file: text, active: text };
const unitState = object<UnitState>(state);

export const change = object<Change>({
  where,
  links: texts,
  removes: texts,
  displaces: texts,
  stops: texts,
  downs: optional(texts),
  attempts: texts,
  groups: texts,
  killLeftovers: flag,
  reads: texts,
  looks: texts,
});

const queued = words<Queued>({ start: true, stop: true, reload: true });
const unreadFlag: Shape<true> = (value) => (value === true ? null : ': not true');

export const prior = object<Prior>({
  bootId: nullable(text),
  machineId: nullable(text),
  states: list(object<PriorState>({ id: text, ...state, queued: optional(queued), unread: optional(unreadFlag) })),
  masks: texts,
});

export const account = object<Account>({
  ask,
  as: nullable(text),
  actor: nullable(text),
  startedAt: nullable(text),
  reason: nullable(text),
  ticket: nullable(text),
});

export const unitPlan = object<UnitPlan>({
  asked: text,
  unit: text,
  shownAs: text,
  before: unitState,
  triggers: texts,
  steps: texts,
  notes: texts,
  covers: optional(texts),
  ways: optional(texts),
  notCovered: optional(texts),
  stopsToo: optional(texts),
});

const unitReport = object<UnitReport>({
  asked: text,
  unit: text,
  before: nullable(unitState),
  after: nullable(unitState),
  startProbe: words<StartProbe>({ blocked: true, 'not-blocked': true, skipped: true }),
  triggers: texts,
  steps: texts,
  leftovers: count,
  notes: texts,
  receipt: optional(
    nullable(
      object<UnitReceipt>({
        run: text,
        actor: nullable(text),
        startedAt: nullable(text),
        reason: nullable(text),
        ticket: nullable(text),
      }),
    ),
  ),
  covers: optional(texts),
  ways: optional(texts),
  notCovered: optional(texts),
  stopsToo: optional(texts),
});

const fault = object<Fault>({
  // a later version may know more of them
  kind: text as Shape<Fault['kind']>,
  message: text,
  hint: text,
  chain: optional(texts),
  hostKey: optional(object<NonNullable<Fault['hostKey']>>({ type: text, fingerprint: text, line: text })),
});

const visited = object<Visited>({
  at: time,
  actor: text,
  command: either(command, words<'automatic-rollback'>({ 'automatic-rollback': true })),
  outcome,
  unit: nullable(text),
  before: nullable(unitState),
  after: nullable(unitState),
  fault: nullable(object<NonNullable<Visited['fault']>>({ kind: text as Shape<Fault['kind']>, message: text })),
});

export const report = object<HostReport>({
  host: text,
  address: text,
  port: whole(0, 65_535),
  outcome,
  seconds: number,
  os: nullable(object<NonNullable<HostReport['os']>>({ id: text, version: nullable(text), name: text })),
  systemd: nullable(number),
  units: list(unitReport),
  fault: nullable(fault),
  wave: optional(count),
  confirmBy: optional(time),
  expiresAt: optional(time),
  switchOf: optional(text),
  rolledBackAt: optional(time),
  history: optional(list(visited)),
});

export const totals = record(count) as Shape<Partial<Record<Outcome, number>>>;
