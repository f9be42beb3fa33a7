import {
  CLIENT_TOKENS,
  type Local,
  one,
  type Question,
  rejected,
  type Setting,
  type Settings,
  tokens,
} from './evaluate.ts';
import { absolute, expand, expandTilde, type Tokens } from './expand.ts';
import { DEFAULTS, HIDDEN_IF_NONE, LINE_PER_VALUE } from './keywords.ts';
import type { Place } from './line.ts';
import { checkHost, checkUser } from './names.ts';
import { type Jump, parseJumps } from './proxy-jump.ts';

/** What `ssh -G` says about a host, under the same names, and beside it what a client can use. */
export interface Resolved {
  /** As given. */
  readonly host: string;
  readonly hostname: string;
  readonly port: number;
  readonly user: string;
  /** As written: neither tokens nor `~` are replaced. `ready()` has the paths. */
  readonly identityfile: readonly string[];
  readonly certificatefile: readonly string[];
  readonly identitiesonly: 'yes' | 'no';
  readonly identityagent: string | undefined;
  readonly proxyjump: string | undefined;
  readonly proxycommand: string | undefined;
  readonly hostkeyalias: string | undefined;
  readonly userknownhostsfile: readonly string[];
  readonly globalknownhostsfile: readonly string[];
  readonly stricthostkeychecking: 'true' | 'false' | 'ask' | 'accept-new';
  readonly hashknownhosts: 'yes' | 'no';
  /** Seconds. */
  readonly connecttimeout: number | 'none';
  readonly connectionattempts: number;
  readonly serveraliveinterval: number;
  readonly serveralivecountmax: number;
  readonly addressfamily: 'any' | 'inet' | 'inet6';
  readonly bindaddress: string | undefined;
  readonly forwardagent: string;
  readonly requesttty: string;
  readonly loglevel: string;
  /** Every key of `ssh -G` that is known here, those above included. */
  readonly all: ReadonlyMap<string, readonly string[]>;
  /** What is set for this host and not acted upon here. */
  readonly unsupported: readonly Unsupported[];
  /** Where a setting was made; `undefined`: nowhere, it is the default. */
  placeOf(key: string): Place | undefined;
  /** Paths, commands and bastions ready for use. Throws a UsageError where a value cannot be used. */
  ready(): Ready;
}

export interface Unsupported extends Place {
  readonly keyword: string;
  readonly value: string;
}

export interface Ready {
  /** Absolute paths, in the order in which to offer them. */
  readonly identityFiles: readonly string[];
  readonly certificateFiles: readonly string[];
  readonly userKnownHostsFiles: readonly string[];
  readonly globalKnownHostsFiles: readonly string[];
  readonly revokedHostKeysFile: string | undefined;
  /** The agent's socket, if an agent is to be used. */
  readonly agentSocket: string | undefined;
  /** For the user's shell, with its tokens replaced. */
  readonly proxyCommand: string | undefined;
  /** In the order in which they are visited. */
  readonly jumps: readonly Jump[];
}

export type Values = ReadonlyMap<string, readonly string[]>;

const DEFAULT_IDENTITIES = ['rsa', 'ecdsa', 'ecdsa_sk', 'ed25519', 'ed25519_sk', 'xmss', 'dsa'];
/** Their tokens and variables are replaced in the output of `ssh -G`. */
const EXPANDED = ['userknownhostsfile', 'identityagent', 'controlpath', 'forwardagent'] as const;

/** All values of a host as `ssh -G` prints them. Throws a UsageError for what ssh refuses at this point. */
export function printedValues(settings: Settings, question: Question): Values {
  const all = new Map(DEFAULTS);
  for (const [key, setting] of settings.values) if (setting.values.length > 0) all.set(key, setting.values);
  const put = (key: string, value: string | readonly string[]): unknown => all.set(key, [value].flat());
  put('host', question.host);
  put('hostname', settings.hostname);
  put('user', one(settings, 'user') ?? question.local.user);
  if (one(settings, 'proxyjump')) put('proxyusefdpass', 'no');
  put('requesttty', 'false'); // as with -T: this client never asks for a terminal
  if (!all.has('identityfile'))
    put(
      'identityfile',
      DEFAULT_IDENTITIES.map((name) => `~/.ssh/id_${name}`),
    );
  if (!all.has('globalknownhostsfile')) {
    put('globalknownhostsfile', ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']);
  }
  if (!all.has('serveraliveinterval')) put('serveraliveinterval', one(settings, 'batchmode') === 'yes' ? '300' : '0');
  const plain = !all.has('userknownhostsfile') && one(settings, 'verifyhostkeydns') !== 'true';
  const learns = plain && one(settings, 'verifyhostkeydns') !== 'ask' ? 'true' : 'false';
  put('updatehostkeys', (one(settings, 'updatehostkeys') ?? learns) === 'true' ? 'true' : 'false');
  if (plain || !all.has('userknownhostsfile')) put('userknownhostsfile', ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']);
  const attempts = settings.values.get('connectionattempts');
  if (attempts?.values[0] === '0') rejected(attempts, 'ConnectionAttempts', 'one attempt is the least');
  expandPrinted(all, settings, question);
  if (all.get('proxyjump')?.[0] === '') all.delete('proxyjump');
  for (const key of HIDDEN_IF_NONE) if (all.get(key)?.[0] === 'none') all.delete(key);
  return all;
}

function expandPrinted(all: Map<string, readonly string[]>, settings: Settings, question: Question): void {
  const known = tokens(settings, question, settings.hostname);
  for (const key of EXPANDED) {
    const setting = settings.values.get(key) ?? { values: all.get(key) ?? [], place: { file: key, line: 0 } };
    const asIs = key === 'userknownhostsfile' ? /^none$/ : /^(none|SSH_AUTH_SOCK|yes|no|\$\w+)$/;
    if (setting.values.length === 0 || setting.values.every((value) => asIs.test(value))) continue;
    all.set(
      key,
      setting.values.map((value) => expandPath(value, key, setting, known, question.local)),
    );
  }
  const command = settings.values.get('remotecommand');
  if (command === undefined || command.values[0] === 'none') return;
  const expanded = expand(command.values[0] ?? '', known, CLIENT_TOKENS);
  all.set('remotecommand', ['text' in expanded ? expanded.text : rejected(command, 'RemoteCommand', expanded.why)]);
}

function expandPath(value: string, key: string, setting: Setting, known: Tokens, local: Local): string {
  const path = expandTilde(value, local) ?? rejected(setting, key, 'there is no such user');
  if (!/[%$]/.test(path)) return path;
  const expanded = expand(path, known, CLIENT_TOKENS, 'tokens and variables');
  return 'text' in expanded ? expanded.text : rejected(setting, key, expanded.why);
}

/** Puts a host's values into their types. */
export function toResolved(all: Values, settings: Settings, question: Question, workingDirectory: string): Resolved {
  const optional = (key: string): string | undefined => all.get(key)?.[0];
  const text = (key: string): string => optional(key) ?? '';
  return {
    host: question.host,
    hostname: text('hostname'),
    port: Number(text('port')),
    user: text('user'),
    identityfile: all.get('identityfile') ?? [],
    certificatefile: all.get('certificatefile') ?? [],
    identitiesonly: text('identitiesonly') as Resolved['identitiesonly'],
    identityagent: optional('identityagent'),
    proxyjump: optional('proxyjump'),
    proxycommand: optional('proxycommand'),
    hostkeyalias: optional('hostkeyalias'),
    userknownhostsfile: all.get('userknownhostsfile') ?? [],
    globalknownhostsfile: all.get('globalknownhostsfile') ?? [],
    stricthostkeychecking: text('stricthostkeychecking') as Resolved['stricthostkeychecking'],
    hashknownhosts: text('hashknownhosts') as Resolved['hashknownhosts'],
    connecttimeout: text('connecttimeout') === 'none' ? 'none' : Number(text('connecttimeout')),
    connectionattempts: Number(text('connectionattempts')),
    serveraliveinterval: Number(text('serveraliveinterval')),
    serveralivecountmax: Number(text('serveralivecountmax')),
    addressfamily: text('addressfamily') as Resolved['addressfamily'],
    bindaddress: optional('bindaddress'),
    forwardagent: text('forwardagent'),
    requesttty: text('requesttty'),
    loglevel: text('loglevel'),
    all,
    unsupported: [...settings.unsupported].map(([keyword, { values, place }]) => ({
      keyword,
      value: values.join(' '),
      ...place,
    })),
    placeOf: (key) => settings.values.get(key)?.place,
    ready: () => ready(all, settings, question, workingDirectory),
  };
}

function ready(all: Values, settings: Settings, question: Question, workingDirectory: string): Ready {
  const hostname = all.get('hostname')?.[0] ?? '';
  const known = tokens(withValues(settings, all), question, hostname);
  const nowhere = { file: 'ssh configuration', line: 0 };
  const settingOf = (key: string): Setting => ({
    values: all.get(key) ?? [],
    place: settings.values.get(key)?.place ?? nowhere,
  });
  const paths = (key: string): string[] =>
    settingOf(key)
      .values.filter((value) => value.toLowerCase() !== 'none')
      .map((value) => absolute(expandPath(value, key, settingOf(key), known, question.local), workingDirectory));
  const asPrinted = (key: string): string[] =>
    (all.get(key) ?? []).filter((file) => file !== 'none').map((file) => absolute(file, workingDirectory));
  const forShell = (key: string): string | undefined => {
    const setting = settingOf(key);
    const [value] = setting.values;
    if (value === undefined) return undefined;
    // What goes to a shell must not bring commands of its own.
    if (/%[hn]/.test(value)) for (const name of [hostname, question.host]) checkHost(name);
    if (value.includes('%r')) checkUser(known.values.r ?? '');
    const expanded = expand(value, known, 'hnpr');
    return 'text' in expanded ? expanded.text : rejected(setting, key, expanded.why);
  };
  const jumps = parseJumps(forShell('proxyjump') ?? '');
  for (const { host, user } of jumps) {
    checkHost(host);
    if (user !== undefined) checkUser(user);
  }
  return {
    identityFiles: paths('identityfile'),
    certificateFiles: paths('certificatefile'),
    userKnownHostsFiles: asPrinted('userknownhostsfile'),
    globalKnownHostsFiles: asPrinted('globalknownhostsfile'),
    revokedHostKeysFile: paths('revokedhostkeys')[0],
    agentSocket: agentSocket(all.get('identityagent')?.[0], question.local, workingDirectory),
    proxyCommand: forShell('proxycommand'),
    jumps,
  };
}

/** The settings, with what ssh itself decided in their place. */
function withValues(settings: Settings, all: Values): Settings {
  const values = new Map(settings.values);
  for (const key of ['user', 'port', 'hostkeyalias', 'proxyjump']) {
    const decided = all.get(key);
    if (decided !== undefined) values.set(key, { values: decided, place: { file: key, line: 0 } });
  }
  return { ...settings, values };
}

function agentSocket(value: string | undefined, { env }: Local, workingDirectory: string): string | undefined {
  if (value === 'none') return undefined;
  const path = value === undefined || value === 'SSH_AUTH_SOCK' ? env.SSH_AUTH_SOCK : value;
  const socket = path?.startsWith('$') ? env[path.slice(1)] : path;
  return socket === undefined || socket === '' ? undefined : absolute(socket, workingDirectory);
}

/** The lines that `ssh -G` prints for the keys known here; their order is not ssh's. */
export function toSshG(resolved: Resolved): readonly string[] {
  return [...resolved.all].flatMap(([key, values]) =>
    LINE_PER_VALUE.has(key) ? values.map((value) => `${key} ${value}`) : [`${key} ${values.join(' ')}`],
  );
}
