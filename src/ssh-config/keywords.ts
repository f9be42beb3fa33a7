import { dynamicForward, localForward, remoteForward } from './forwardings.ts';
import type { ReadValue } from './keyword-values.ts';
import * as value from './keyword-values.ts';
import { signatureAlgorithms } from './signature-algorithms.ts';

/** What a configuration file may say, and what `ssh -G` calls it. */
export interface Keyword {
  /** As `ssh -G` prints it; one name for all aliases. */
  readonly key: string;
  readonly read: ReadValue;
  /**
   * `first`: the first value obtained wins. `each`: every new value is added. `variables`: added, or taken away again
   * with a leading `-`. `proxy`: the first of ProxyJump and ProxyCommand wins. `unsupported`: noted, not acted upon.
   * `ignored`: ssh itself no longer knows what it meant.
   */
  readonly store: 'first' | 'each' | 'variables' | 'proxy' | 'unsupported' | 'ignored';
}

const YES_NO = { yes: 'yes', true: 'yes', no: 'no', false: 'no' };
const TRUE_FALSE = { yes: 'true', true: 'true', no: 'false', false: 'false' };
const DIGESTS = { sha1: 'SHA1', sha256: 'SHA256', sha384: 'SHA384', sha512: 'SHA512' };
const flag = value.choice(YES_NO);
const alike = (...names: string[]): ReadValue => value.choice(Object.fromEntries(names.map((name) => [name, name])));

/** Keys with their reader, the name as printed, and the default (undefined: not printed when not set). */
const FIRST: readonly (readonly [key: string, read: ReadValue, byDefault?: string])[] = [
  ['hostname', value.text],
  ['user', value.text],
  ['port', value.port, '22'],
  ['addressfamily', alike('any', 'inet', 'inet6'), 'any'],
  ['batchmode', flag, 'no'],
  ['bindaddress', value.text],
  ['bindinterface', value.text],
  ['canonicalizefallbacklocal', flag, 'yes'],
  ['canonicalizehostname', value.choice({ ...TRUE_FALSE, always: 'always' }), 'false'],
  ['checkhostip', flag, 'no'],
  ['clearallforwardings', flag, 'no'],
  ['compression', alike('yes', 'no'), 'no'],
  ['connectionattempts', value.count, '1'],
  ['connecttimeout', value.duration, 'none'],
  ['controlmaster', value.choice({ ...TRUE_FALSE, ask: 'ask', auto: 'auto', autoask: 'autoask' }), 'false'],
  ['controlpath', value.optionalText],
  ['enableescapecommandline', flag, 'no'],
  ['enablesshkeysign', flag, 'no'],
  ['exitonforwardfailure', flag, 'no'],
  ['fingerprinthash', value.choice({ md5: 'MD5', ...DIGESTS }), 'SHA256'],
  ['forwardagent', value.agentForwarding, 'no'],
  ['forwardx11', flag, 'no'],
  ['forwardx11trusted', flag, 'yes'],
  ['gatewayports', flag, 'no'],
  ['globalknownhostsfile', value.files],
  ['gssapiauthentication', flag, 'no'],
  ['gssapiclientidentity', value.text],
  ['gssapidelegatecredentials', flag, 'no'],
  ['gssapikeyexchange', flag, 'no'],
  ['gssapirenewalforcesrekey', flag, 'no'],
  ['gssapiserveridentity', value.text],
  ['gssapitrustdns', flag, 'no'],
  ['hashknownhosts', flag, 'no'],
  ['hostbasedauthentication', flag, 'no'],
  ['hostkeyalias', value.lowerCaseText],
  ['identitiesonly', flag, 'no'],
  ['identityagent', value.socket],
  ['ignoreunknown', value.text],
  ['kbdinteractiveauthentication', flag, 'yes'],
  ['kbdinteractivedevices', value.text],
  ['knownhostscommand', value.command],
  ['localcommand', value.command],
  [
    'loglevel',
    value.choice({
      ...{ quiet: 'SILENT', silent: 'SILENT', fatal: 'FATAL', error: 'ERROR', info: 'INFO', verbose: 'VERBOSE' },
      ...{ debug: 'DEBUG', debug1: 'DEBUG', debug2: 'DEBUG2', debug3: 'DEBUG3' },
    }),
    'INFO',
  ],
  ['nohostauthenticationforlocalhost', flag, 'no'],
  ['numberofpasswordprompts', value.count, '3'],
  ['passwordauthentication', flag, 'yes'],
  ['permitlocalcommand', flag, 'no'],
  ['pkcs11provider', value.optionalText],
  ['preferredauthentications', value.text],
  ['proxyusefdpass', flag, 'no'],
  ['pubkeyauthentication', value.choice({ ...TRUE_FALSE, unbound: 'unbound', 'host-bound': 'host-bound' }), 'true'],
  ['remotecommand', value.command],
  ['requesttty', value.choice({ ...TRUE_FALSE, force: 'force', auto: 'auto' })],
  ['requiredrsasize', value.count, '1024'],
  ['revokedhostkeys', value.optionalText],
  ['serveralivecountmax', value.count, '3'],
  ['serveraliveinterval', value.duration],
  ['sessiontype', alike('none', 'subsystem', 'default'), 'default'],
  ['setenv', value.assignments],
  ['stdinnull', flag, 'no'],
  ['streamlocalbindunlink', flag, 'no'],
  [
    'stricthostkeychecking',
    value.choice({ ...TRUE_FALSE, off: 'false', ask: 'ask', 'accept-new': 'accept-new' }),
    'ask',
  ],
  ['tcpkeepalive', flag, 'yes'],
  ['updatehostkeys', value.choice({ ...TRUE_FALSE, ask: 'ask' })],
  ['userknownhostsfile', value.files],
  ['verifyhostkeydns', value.choice({ ...TRUE_FALSE, ask: 'ask' }), 'false'],
  ['visualhostkey', flag, 'no'],
];

/** Valid, but no part of how this client connects; or a matter of which algorithms an ssh was built with. */
const UNSUPPORTED =
  'canonicaldomains canonicalizepermittedcnames gssapikexalgorithms logverbose permitremoteopen tunneldevice';
/** The same, where the value is checked nevertheless: ssh refuses the whole file for a bad one. */
const UNSUPPORTED_BUT_CHECKED: readonly (readonly [key: string, read: ReadValue])[] = [
  ['addkeystoagent', value.keysForAgent],
  ['canonicalizemaxdots', value.count],
  ['controlpersist', value.flagOrDuration],
  ['casignaturealgorithms', signatureAlgorithms],
  ['ciphers', value.text],
  ['dynamicforward', dynamicForward],
  ['escapechar', value.escapeCharacter],
  ['forkafterauthentication', flag],
  ['forwardx11timeout', value.duration],
  ['hostbasedacceptedalgorithms', value.text],
  ['hostkeyalgorithms', value.text],
  ['ipqos', value.serviceClasses],
  ['kexalgorithms', value.text],
  ['localforward', localForward],
  ['macs', value.text],
  ['pubkeyacceptedalgorithms', value.text],
  ['rekeylimit', value.rekeyLimit],
  ['remoteforward', remoteForward],
  ['securitykeyprovider', value.text],
  ['streamlocalbindmask', value.octal],
  ['syslogfacility', alike('daemon', 'user', 'auth', 'authpriv', ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `local${n}`))],
  ['tunnel', alike('yes', 'true', 'no', 'false', 'point-to-point', 'ethernet')],
  ['xauthlocation', value.text],
];

/** Keywords of the past that ssh passes over. */
const IGNORED =
  'afstokenpassing cipher compressionlevel fallbacktorsh globalknownhostsfile2 kerberosauthentication ' +
  'kerberostgtpassing protocol rhostsauthentication rhostsrsaauthentication rsaauthentication useblacklistedkeys ' +
  'useprivilegedport useroaming userknownhostsfile2 usersh';

const ALIASES: Readonly<Record<string, string>> = {
  challengeresponseauthentication: 'kbdinteractiveauthentication',
  dsaauthentication: 'pubkeyauthentication',
  hostbasedkeytypes: 'hostbasedacceptedalgorithms',
  identityfile2: 'identityfile',
  keepalive: 'tcpkeepalive',
  protocolkeepalives: 'serveraliveinterval',
  pubkeyacceptedkeytypes: 'pubkeyacceptedalgorithms',
  setuptimeout: 'serveraliveinterval',
  skeyauthentication: 'kbdinteractiveauthentication',
  smartcarddevice: 'pkcs11provider',
  tisauthentication: 'kbdinteractiveauthentication',
};

/** Known to some versions of ssh only, so that the installed one has to say whether it takes them. */
export const NEWER_KEYWORDS: ReadonlySet<string> = new Set([
  'channeltimeout',
  'obscurekeystroketiming',
  'refuseconnection',
  'tag',
  'versionaddendum',
  'warnweakcrypto',
]);

/** Every keyword by its lower-case name, aliases included; Host, Match and Include are not among them. */
export const KEYWORDS: ReadonlyMap<string, Keyword> = table();

/** What `ssh -G` prints for keys that nobody has set. */
export const DEFAULTS: ReadonlyMap<string, readonly string[]> = new Map(
  FIRST.flatMap(([key, , byDefault]) => (byDefault === undefined ? [] : [[key, [byDefault]] as const])),
);

/** The keys that `ssh -G` prints on a line for each value. */
export const LINE_PER_VALUE: ReadonlySet<string> = new Set(['identityfile', 'certificatefile', 'sendenv', 'setenv']);

/** The keys whose absence `none` stands for, and that `ssh -G` then does not print. */
export const HIDDEN_IF_NONE: ReadonlySet<string> = new Set(
  'controlpath knownhostscommand localcommand pkcs11provider proxycommand remotecommand revokedhostkeys'.split(' '),
);

function table(): Map<string, Keyword> {
  const keywords = new Map<string, Keyword>();
  const add = (store: Keyword['store'], key: string, read: ReadValue): unknown =>
    keywords.set(key, { key, read, store });
  for (const [key, read] of FIRST) add('first', key, read);
  for (const key of ['identityfile', 'certificatefile']) add('each', key, value.text);
  add('variables', 'sendenv', value.variableNames);
  add('proxy', 'proxyjump', value.jumps);
  add('proxy', 'proxycommand', value.command);
  for (const key of UNSUPPORTED.split(' ')) add('unsupported', key, value.someWords);
  for (const [key, read] of UNSUPPORTED_BUT_CHECKED) add('unsupported', key, read);
  for (const key of IGNORED.split(' ')) add('ignored', key, value.someWords);
  for (const [alias, key] of Object.entries(ALIASES)) keywords.set(alias, keywords.get(key)!);
  return keywords;
}
