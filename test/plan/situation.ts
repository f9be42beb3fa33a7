/** A host in a few words → the facts that a probe of it would find. */
import type {
  Dependence,
  Facts,
  Hit,
  Need,
  PathFact,
  Queued,
  Receipt,
  RelatedFacts,
  ServedFacts,
  SessionFacts,
  SuperServer,
  UnitFacts,
  Use,
  UserUnit,
} from '../../src/model/index.ts';

/** What is said of a unit; the rest is as for an ordinary installed service that is not running. */
export interface UnitWords {
  readonly load?: string;
  readonly active?: string;
  readonly sub?: string;
  readonly file?: string;
  readonly fragment?: string;
  readonly source?: string;
  readonly names?: readonly string[];
  readonly refuseManualStop?: boolean;
  readonly transient?: boolean;
  readonly perpetual?: boolean;
  readonly triggeredBy?: readonly string[];
  readonly triggers?: readonly string[];
  readonly accept?: boolean;
  readonly fromBoot?: boolean;
  readonly queued?: Queued;
  readonly needsReload?: boolean;
  readonly gone?: boolean;
  readonly busName?: string;
  readonly programs?: readonly string[];
  readonly canStart?: boolean;
  readonly result?: string;
  readonly group?: string;
  readonly partOf?: readonly string[];
  readonly needs?: readonly string[];
  readonly wantedBy?: readonly string[];
}

export interface Situation {
  readonly os?: string;
  readonly like?: readonly string[];
  readonly privilege?: 'root' | 'sudo' | 'none';
  /** What the session may use too little of. */
  readonly limit?: string;
  readonly systemd?: number | 'absent' | 'silent';
  readonly units?: Readonly<Record<string, UnitWords | null>>;
  /** Path → kind, or `-> target`. */
  readonly paths?: Readonly<Record<string, string>>;
  /** Name → active state, and what can start it. */
  readonly related?: Readonly<Record<string, string>>;
  /** Names of units that run nothing themselves, and what files say of them: unit → what it is part of. */
  readonly wrappers?: readonly string[];
  readonly claims?: Readonly<Record<string, readonly string[]>>;
  /** Unit, or related one → what stops with it. */
  readonly takesDown?: Readonly<Record<string, readonly string[]>>;
  /** Name on disk → the unit whose file it leads to. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Instances that a link enables. */
  readonly wanted?: readonly string[];
  readonly scripts?: readonly string[];
  /** `PATH KEY=VALUE`, `PATH functions` */
  readonly hits?: readonly string[];
  /** Who depends on whom; with `session`, what the host tells before a mask. */
  readonly depends?: Readonly<Record<string, DependenceWords | null>>;
  readonly session?: Partial<SessionFacts>;
  /** What the host makes use of, and by what: `{}` for what nobody uses; a topic that is missing was not read. */
  readonly uses?: Readonly<Record<string, Partial<Use> | null>>;
  /** What a super-server serves: `xinetd telnet in.telnetd`; `more` where that is not all. */
  readonly served?: readonly string[];
  /** What users run by managers of their own: `1000 cron.service`. */
  readonly users?: readonly string[];
  /** Of runs whose masks are there: what is known of each. */
  readonly receipts?: readonly (Pick<Receipt, 'run' | 'holds'> & Partial<Receipt>)[];
}

/** Of a unit, which runs unless it is said that it does not. */
export interface DependenceWords extends Partial<Record<Need, readonly string[]>> {
  readonly active?: string;
  readonly names?: readonly string[];
  readonly pid?: number;
  readonly listens?: readonly { readonly address: string | null; readonly port: number }[];
  readonly triggeredBy?: readonly string[];
  readonly triggers?: readonly string[];
}

const RECEIPT: Omit<Receipt, 'run' | 'holds'> = {
  ...{ seq: 1, order: 1, as: null, meta: {}, result: null },
  prior: { bootId: null, machineId: null, states: [], masks: [] },
  change: {
    ...{ where: 'etc', links: [], removes: [], displaces: [], stops: [], attempts: [], groups: [] },
    ...{ killLeftovers: false, reads: [], looks: [] },
  },
};

export function factsOf(situation: Situation): Facts {
  const {
    os = 'debian',
    like = [],
    privilege = 'root',
    limit,
    systemd = 252,
    units = {},
    paths = {},
    related = {},
    depends,
    session,
    wrappers = [],
    claims = {},
    takesDown = {},
    aliases = {},
    wanted,
    scripts = [],
    hits = [],
    served,
    users,
    uses,
    receipts = [],
  } = situation;
  return {
    os: { id: os, idLike: like, version: null, name: os },
    privilege: privilege === 'none' ? { kind: 'none', why: 'sudo: a password is required' } : { kind: privilege },
    time: null,
    bootId: '11111111-2222-3333-4444-555555555555',
    machineId: '0123456789abcdef0123456789abcdef',
    systemd:
      systemd === 'absent'
        ? { kind: 'absent' }
        : systemd === 'silent'
          ? { kind: 'silent', why: 'no answer' }
          : { kind: 'running', version: systemd, state: 'running' },
    units: Object.entries(units).map(([id, words]) => ({ ...unitOf(id, words ?? {}), takesDown: takesDown[id] ?? [] })),
    related: Object.entries(related).map(([id, words]) => ({
      ...relatedOf(id, words),
      takesDown: takesDown[id] ?? [],
    })),
    wrappers,
    claims: Object.entries(claims).map(([unit, partOf]) => ({ unit, partOf })),
    dependence: depends || session || uses ? dependenceOf(depends ?? {}, session ?? {}, uses) : null,
    paths: Object.entries(paths).map(([path, kind]) => pathOf(path, kind)),
    aliases: Object.entries(aliases).map(([name, unit]) => ({ name, unit })),
    scripts,
    hits: hits.map(hitOf),
    ...(limit && { limit }),
    receipts: receipts.map((receipt) => ({ ...RECEIPT, ...receipt })),
    ...(wanted && { wanted }),
    ...(served && { served: servedOf(served) }),
    ...(users && { userUnits: users.map(userUnitOf) }),
  };
}

export function unitOf(id: string, words: UnitWords): UnitFacts {
  const { load = 'loaded', active = 'inactive', names = [] } = words;
  return {
    id,
    names: [id, ...names],
    load,
    active,
    sub: words.sub ?? (active === 'active' ? 'running' : 'dead'),
    file: words.file ?? (load === 'masked' ? 'masked' : load === 'not-found' ? '' : 'disabled'),
    fragment: words.fragment ?? (load === 'not-found' ? '' : `/usr/lib/systemd/system/${id}`),
    source: words.source ?? '',
    canStart: words.canStart ?? load === 'loaded',
    refuseManualStop: words.refuseManualStop ?? false,
    mainPid: active === 'active' ? 100 : 0,
    controlGroup: words.group ?? (active === 'active' && id.endsWith('.service') ? `/system.slice/${id}` : ''),
    killMode: 'control-group',
    transient: words.transient ?? false,
    perpetual: words.perpetual ?? false,
    triggeredBy: words.triggeredBy ?? [],
    triggers: words.triggers ?? [],
    accept: words.accept ?? false,
    fromBoot: words.fromBoot ?? false,
    queued: words.queued ?? null,
    needsReload: words.needsReload ?? false,
    gone: words.gone ?? false,
    busName: words.busName ?? '',
    programs: words.programs ?? [],
    takesDown: [],
    ...(words.result && { result: words.result }),
    ...(words.partOf && { ties: { partOf: words.partOf, needs: words.needs ?? [], wantedBy: words.wantedBy ?? [] } }),
  };
}

/** `active`, `active <- a.timer`, `masked`; before that `changed` or `gone`, of its unit file, or `queued`. */
function relatedOf(id: string, text: string): RelatedFacts {
  const [file, words] = /^(changed|gone|queued) (.*)/.exec(text)?.slice(1) ?? ['', text];
  const [active = '', ...triggeredBy] = (words ?? '').split(/ <- | /);
  const masked = active === 'masked';
  return {
    id,
    load: masked ? 'masked' : 'loaded',
    active: masked ? 'inactive' : active,
    triggeredBy,
    queued: file === 'queued' ? 'start' : null,
    needsReload: /^(?:changed|gone)$/.test(file ?? ''),
    gone: file === 'gone',
    takesDown: [],
  };
}

export function dependenceOf(
  depends: Readonly<Record<string, DependenceWords | null>>,
  session: Partial<SessionFacts>,
  uses: Readonly<Record<string, Partial<Use> | null>> = {},
): Dependence {
  const nobody: SessionFacts = { processes: [], server: null, listeners: [], networks: [], home: null, logins: [] };
  return {
    units: Object.entries(depends).map(([id, words]) => ({
      id,
      names: [id, ...(words?.names ?? [])],
      active: words?.active ?? 'active',
      mainPid: words?.pid ?? 0,
      listens: words?.listens ?? [],
      dependents: (['Requires', 'Requisite', 'BindsTo', 'PartOf'] as const).flatMap((by) =>
        (words?.[by] ?? []).map((unit) => ({ unit, by })),
      ),
      triggeredBy: words?.triggeredBy ?? [],
      triggers: words?.triggers ?? [],
    })),
    session: { ...nobody, ...session },
    uses: new Map(Object.entries(uses).map(([topic, use]) => [topic, { by: [], boots: [], ...use }])),
  };
}

function servedOf(texts: readonly string[]): ServedFacts {
  const services = texts.filter((text) => text !== 'more').map((text) => text.split(' '));
  return {
    services: services.map(([by, service = '', ...programs]) => ({ by: by as SuperServer, service, programs })),
    whole: !texts.includes('more'),
  };
}

function userUnitOf(text: string): UserUnit {
  const [uid, name = ''] = text.split(' ');
  return { uid: Number(uid), name };
}

function hitOf(text: string): Hit {
  const [path = '', line = ''] = text.split(' ');
  const [key = '', value = ''] = line.split('=');
  return { path, key: key as Hit['key'], value };
}

export function pathOf(path: string, kind: string): PathFact {
  if (kind.startsWith('-> ')) return { path, kind: 'link', target: kind.slice(3) };
  const displaced = /^null, displaced (\S+)$/.exec(kind)?.[1];
  if (displaced !== undefined) return { path, kind: 'null', displaced };
  if (kind === 'null' || kind === 'file' || kind === 'empty' || kind === 'other') return { path, kind };
  throw new Error(`${path}: not a kind of path: ${kind}`);
}
