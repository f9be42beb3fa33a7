import { connectionHash, expand, normalizeHost, type Tokens } from './expand.ts';
import { mistake, type Place, quoted } from './line.ts';
import type { Criterion } from './match.ts';
import { compilePattern, compilePatterns } from './pattern.ts';
import type { Item, Source } from './source.ts';

/** What one host gets: raw values as written, by key, in no order that matters. */
export interface Settings {
  readonly values: Map<string, Setting>;
  readonly unsupported: Map<string, Setting>;
  /** The address to connect to: `HostName` with its tokens, in its usual form. */
  hostname: string;
}

export interface Setting {
  readonly values: readonly string[];
  readonly place: Place;
}

/** This machine and the person at it. */
export interface Local {
  readonly user: string;
  readonly uid: number;
  readonly home: string;
  /** The name of this machine. */
  readonly host: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Question {
  /** As given by the person, and never changed. */
  readonly host: string;
  readonly local: Local;
  /** Whether an opaque condition holds, by its expanded text. */
  readonly holds: (condition: string) => boolean;
}

/** The tokens that paths and commands of the client may hold; %j is new in later versions of ssh. */
export const CLIENT_TOKENS = 'CdhijkLlnpru';
/** As OpenSSH limits it. */
const MAX_IDENTITIES = 100;

/** Goes through the configuration for one host, a second time where a Match asks for the final pass. */
export function evaluate(source: Source, overrides: readonly Item[], question: Question): Settings {
  const settings: Settings = { values: new Map(), unsupported: new Map(), hostname: question.host };
  const pass = { settings, question, name: question.host, final: false };
  go(overrides, true, pass);
  go(source.items, true, pass);
  settings.hostname = finalHostname(pass);
  if (source.asksForFinalPass) go(source.items, true, { ...pass, name: settings.hostname, final: true });
  return settings;
}

interface Pass {
  readonly settings: Settings;
  readonly question: Question;
  /** What Host lines are compared with. */
  readonly name: string;
  readonly final: boolean;
}

function go(items: readonly Item[], applies: boolean, pass: Pass): void {
  let active = applies;
  for (const item of items) {
    switch (item.is) {
      case 'host':
        active = applies && item.matches(pass.name);
        break;
      case 'match':
        active = applies && item.criteria.every((criterion) => holds(criterion, pass) !== criterion.negated);
        break;
      case 'include':
        go(item.items, active, pass);
        break;
      case 'set':
        if (active) set(item, pass.settings);
        break;
      case 'unknown':
        checkIgnored(item.keyword, item.place, pass.settings);
    }
  }
}

function holds(criterion: Criterion, pass: Pass): boolean {
  const { question, settings, final } = pass;
  switch (criterion.attribute) {
    case 'all':
      return true;
    case 'canonical':
    case 'final':
      return final;
    case 'host':
      return criterion.matches((final ? settings.hostname : hostnameSoFar(pass)).toLowerCase());
    case 'originalhost':
      return criterion.matches(question.host.toLowerCase());
    case 'user':
      return criterion.matches(one(settings, 'user') ?? question.local.user);
    case 'localuser':
      return criterion.matches(question.local.user);
    case 'opaque': {
      const hostname = final ? settings.hostname : hostnameSoFar(pass);
      const expanded = expand(criterion.argument, tokens(settings, question, hostname), CLIENT_TOKENS);
      return question.holds(`${criterion.name} ${'text' in expanded ? expanded.text : criterion.argument}`);
    }
  }
}

function set({ keyword: { key, store }, values, place }: Extract<Item, { is: 'set' }>, settings: Settings): void {
  const known = settings.values.get(key);
  switch (store) {
    case 'first':
      if (known === undefined) settings.values.set(key, { values, place });
      return;
    case 'each': {
      const added = values.filter((value) => !known?.values.includes(value));
      const all = [...(known?.values ?? []), ...added];
      if (all.length > MAX_IDENTITIES) {
        throw mistake(place, `There are over ${MAX_IDENTITIES} ${key} values for this host.`, 'ssh takes no more.');
      }
      settings.values.set(key, { values: all, place });
      return;
    }
    case 'variables': {
      let all = [...(known?.values ?? [])];
      for (const value of values) {
        if (!value.startsWith('-')) all.push(value);
        else all = all.filter((name) => !compilePattern(value.slice(1))(name));
      }
      settings.values.set(key, { values: all, place });
      return;
    }
    case 'proxy': {
      const jump = one(settings, 'proxyjump');
      const decided = one(settings, 'proxycommand') !== undefined || (jump !== undefined && jump !== '');
      if (!decided && known === undefined) settings.values.set(key, { values, place });
      return;
    }
    case 'unsupported':
      if (!settings.unsupported.has(key)) settings.unsupported.set(key, { values, place });
      return;
    case 'ignored':
  }
}

function checkIgnored(keyword: string, place: Place, settings: Settings): void {
  const ignored = one(settings, 'ignoreunknown');
  if (ignored !== undefined && compilePatterns(ignored.toLowerCase().split(','))(keyword.toLowerCase())) return;
  const hint = 'Correct it, or name it in an IgnoreUnknown line further up.';
  throw mistake(place, `${quoted(keyword)} is not a keyword of ssh_config.`, hint);
}

/** The only value of a key. */
export function one(settings: Settings, key: string): string | undefined {
  return settings.values.get(key)?.values[0];
}

function hostnameSoFar({ settings, question }: Pass): string {
  const setting = settings.values.get('hostname');
  if (setting === undefined) return question.host;
  const expanded = expand(setting.values[0] ?? '', { values: { h: question.host }, env: {} }, 'h');
  return 'text' in expanded ? expanded.text : rejected(setting, 'HostName', expanded.why);
}

function finalHostname(pass: Pass): string {
  return normalizeHost(hostnameSoFar(pass), one(pass.settings, 'addressfamily') ?? 'any');
}

/** Refuses a value whose tokens or variables cannot be replaced. */
export function rejected({ values, place }: Setting, name: string, why: string): never {
  const hint = 'Write %% for a percent sign; TOKENS in ssh_config(5) has the list.';
  throw mistake(place, `${name} ${quoted(values.join(' '))}: ${why}.`, hint);
}

/** What the tokens stand for, as far as the settings are known. */
export function tokens(settings: Settings, question: Question, hostname: string): Tokens {
  const { host, local } = question;
  const port = one(settings, 'port') ?? '22';
  const user = one(settings, 'user') ?? local.user;
  const jump = one(settings, 'proxyjump')?.split(',').at(-1)?.replace(/^.*@/, '').replace(/:\d+$/, '');
  const values = {
    d: local.home.replace(/(?<=.)\/$/, ''),
    h: hostname,
    i: String(local.uid),
    j: jump === undefined ? '' : jump.replace(/^\[|\]$/g, ''),
    k: one(settings, 'hostkeyalias') ?? host,
    L: local.host.replace(/\..*$/s, ''),
    l: local.host,
    n: host,
    p: port,
    r: user,
    u: local.user,
    get C() {
      return connectionHash(local.host, hostname, port, user);
    },
  };
  return { values, env: local.env };
}
