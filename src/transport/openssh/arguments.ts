/** A target → the words of an ssh command line. Everything that fleetmask has decided is said; the rest is ssh_config's. */
import type { Target } from '../../model/index.ts';
import type { HostKeyPolicy } from '../host-keys/policy.ts';
import { isAtLeast, type Version } from './program.ts';

export interface SshSettings {
  readonly version: Version;
  /** What is used where the target names no agent; absent: there is none. */
  readonly agentSocket: string | undefined;
  readonly connectTimeoutMs: number;
  readonly keepaliveMs: number;
  hostKeys(target: Target): HostKeyPolicy;
  /** The socket of a ControlMaster of the user's through which this bastion is to be reached, for ssh's reader of options. */
  shared(bastion: Target): string | undefined;
}

/** The master of one host: logs in, opens the socket, runs nothing. */
export function masterArguments(target: Target, socket: string, settings: SshSettings): string[] {
  return [
    ...['-M', '-N', '-T', '-n'],
    ...options([
      ['ControlPath', literal(socket)],
      ['ControlPersist', 'no'],
      ['LogLevel', 'DEBUG1'],
      ['ClearAllForwardings', 'yes'],
    ]),
    ...common(target, settings),
  ];
}

/** What ssh makes of ProxyJump, but with our settings for the bastion: ssh itself would pass on none but the file. */
function forwardCommand(via: Target, to: Target, settings: SshSettings): string {
  const address = to.address.includes(':') ? `[${to.address}]` : to.address;
  const words = [
    ...['-W', `${address}:${to.port}`, '-T'],
    ...options([
      ['ControlMaster', 'no'],
      ['ControlPath', settings.shared(via) ?? 'none', 'as it is'],
      ['LogLevel', 'INFO'],
    ]),
    ...common(via, settings),
  ];
  return ['ssh', ...words].map(forShell).join(' ');
}

/** How to connect, log in and know the host; the name comes last. */
function common(target: Target, settings: SshSettings): string[] {
  const { identityFiles, certificateFiles = [], keepalive, ssh } = target;
  const alive = keepalive ?? { everyMs: settings.keepaliveMs, missed: 3 };
  const family = target.addressFamily && (`inet${target.addressFamily === 6 ? '6' : ''}` as const);
  const config = ssh?.config === undefined ? [] : ['-F', ssh.config];
  return [
    ...config,
    ...['-l', target.user, '-p', String(target.port)],
    ...options([
      ['HostName', literal(target.address)],
      ...(target.hostKeyAlias === undefined ? [] : [['HostKeyAlias', target.hostKeyAlias] as const]),
      ...(family === undefined ? [] : [['AddressFamily', family] as const]),
      ...(target.bindAddress === undefined ? [] : [['BindAddress', target.bindAddress] as const]),
      ['ProxyCommand', proxyCommand(target, settings), 'as it is'],
      // our own deadline is the exact one, and says how far it got
      ['ConnectTimeout', String(Math.ceil((target.connectTimeoutMs ?? settings.connectTimeoutMs) / 1000) + 1)],
      ['ConnectionAttempts', '1'],
      ['ServerAliveInterval', String(Math.max(1, Math.round(alive.everyMs / 1000)))],
      ['ServerAliveCountMax', String(alive.missed)],
      ...(identityFiles.length === 0 ? [['IdentityFile', 'none'] as const] : []),
      ...identityFiles.map((file) => ['IdentityFile', literal(file)] as const),
      ...certificateFiles.map((file) => ['CertificateFile', literal(file)] as const),
      ['IdentitiesOnly', target.identitiesOnly ? 'yes' : 'no'],
      ['IdentityAgent', agentOf(target, settings)],
      ...hostKeyOptions(settings.hostKeys(target)),
      ['BatchMode', 'yes'],
      ...NEVER,
      ...(isAtLeast(settings.version, [8, 7]) ? [['ForkAfterAuthentication', 'no'] as const] : []),
    ]),
    // after ours, for the first one wins
    ...(ssh?.options ?? []).flatMap((option) => ['-o', option]),
    '--',
    ssh?.destination ?? target.address,
  ];
}

type Option = readonly [keyword: string, value: string, form?: 'as it is'];

/** What ssh_config may ask for, and a run over a fleet does not do. */
const NEVER: readonly Option[] = [
  ['ForwardAgent', 'no'],
  ['ForwardX11', 'no'],
  ['GSSAPIDelegateCredentials', 'no'],
  ['Tunnel', 'no'],
  ['PermitLocalCommand', 'no'],
  ['RemoteCommand', 'none'],
  ['AddKeysToAgent', 'no'],
  ['UpdateHostKeys', 'no'],
  ['VisualHostKey', 'no'],
  ['EscapeChar', 'none'],
  ['CheckHostIP', 'no'],
  ['VerifyHostKeyDNS', 'no'],
  ['NoHostAuthenticationForLocalhost', 'no'],
];

function hostKeyOptions({ checking, files, hashNames, revokedFile }: HostKeyPolicy): Option[] {
  const paths = files.length === 0 ? 'none' : files.map((file) => quoted(literal(file))).join(' ');
  const hash: Option = ['HashKnownHosts', hashNames ? 'yes' : 'no'];
  const revoked: Option = ['RevokedHostKeys', revokedFile === undefined ? 'none' : literal(revokedFile)];
  if (checking === 'off') {
    // ssh would file every key that it did not check; a revoked one is refused all the same
    return [
      ['StrictHostKeyChecking', 'no'],
      ['UserKnownHostsFile', '/dev/null'],
      ['GlobalKnownHostsFile', paths, 'as it is'],
      revoked,
    ];
  }
  return [
    ['StrictHostKeyChecking', checking === 'strict' ? 'yes' : 'accept-new'],
    ['UserKnownHostsFile', paths, 'as it is'],
    ['GlobalKnownHostsFile', 'none'],
    hash,
    revoked,
  ];
}

function proxyCommand({ proxy, ...target }: Target, settings: SshSettings): string {
  if (proxy === undefined) return 'none'; // which keeps ssh from reading one, or a jump, in a file
  return literal(proxy.kind === 'command' ? proxy.command : forwardCommand(proxy.via, target, settings));
}

function agentOf({ agent }: Target, { agentSocket }: SshSettings): string {
  const path = agent === undefined ? agentSocket : agent.kind === 'socket' ? agent.path : undefined;
  return path === undefined ? 'none' : literal(path);
}

function options(all: readonly Option[]): string[] {
  return all.flatMap(([keyword, value, form]) => ['-o', `${keyword}=${form === undefined ? quoted(value) : value}`]);
}

/** Without a meaning for what ssh would replace. */
export const literal = (text: string): string => text.replaceAll('%', '%%');

/** One word for ssh's reader of options. */
export function quoted(text: string): string {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function forShell(word: string): string {
  return /^[\w./:@%+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
