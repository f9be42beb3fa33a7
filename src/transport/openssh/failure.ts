/** Why ssh did not get in, from what it said, as the fault that ssh2's failure would be. */
import { type Fault, fault, printable, type Target } from '../../model/index.ts';
import { knownHostsName } from '../host-keys/known-hosts.ts';
import type { HostKeyPolicy } from '../host-keys/policy.ts';
import { knownAs } from '../host-keys/policy.ts';
import { askPassword, noUsableKey, TOO_MANY_HINT, wantsFurtherMethod } from '../refused-login.ts';
import { explain, type Failure, type SshError } from '../ssh2/failure.ts';
import { peerOf } from '../wire.ts';
import type { SshLog } from './log.ts';

export interface Refused {
  readonly target: Target;
  readonly log: SshLog;
  readonly policy: HostKeyPolicy;
  /** Where ssh itself could not say why. */
  readonly why?: string | undefined;
  /** Of its identities: what kept them from being used, a phrase each. Safe to print. */
  remarks(): Promise<readonly string[]>;
}

/** How the C library puts it, by the code of the same error in Node. */
const SYSTEM_ERRORS: readonly (readonly [RegExp, string])[] = [
  [/Connection refused/, 'ECONNREFUSED'],
  [/Connection reset/, 'ECONNRESET'],
  [/Broken pipe/, 'EPIPE'],
  [/timed out/, 'ETIMEDOUT'],
  [/No route to host/, 'EHOSTUNREACH'],
  [/Host is down/, 'EHOSTDOWN'],
  [/Network is unreachable/, 'ENETUNREACH'],
  [/Temporary failure in name resolution/, 'EAI_AGAIN'],
  [/Could not resolve hostname/, 'ENOTFOUND'],
  [/Too many open files/, 'EMFILE'],
  [/Cannot assign requested address|bind.*: /, 'EADDRNOTAVAIL'],
];

export async function explainRefusal(refused: Refused): Promise<Failure> {
  const { target, log, why } = refused;
  const lines = log.complaints();
  const find = (pattern: RegExp): RegExpExecArray | undefined =>
    lines.map((line) => pattern.exec(line)).findLast((match) => match !== null) ?? undefined;
  const lasting = (is: Fault): Failure => ({ fault: is, chance: 'lasting' });
  const peer = peerOf(target);

  const settings = find(/: line \d+: .*|^Bad owner or permissions on .*|terminating, \d+ bad configuration/i);
  if (settings !== undefined && log.step() === 'connect') {
    const said = printable(lines[0] ?? settings[0], 300);
    return lasting(fault('unreachable', `${peer} was not tried: ssh does not take its settings: ${said}`, FILE_HINT));
  }
  if (target.proxy !== undefined && log.hostKey() === undefined) return onTheWay(target, lines);
  if (isRevoked(log) || find(/^Host key verification failed/) !== undefined)
    return lasting(hostKeyFault(refused, lines));
  const hungUp = log.step() === 'authentication' ? find(HANG_UP) : undefined;
  const denied =
    hungUp ?? find(/Permission denied(?: \((.*)\))?\.?$|Too many authentication failures|^No more authentication/);
  if (denied !== undefined) return lasting(await authFault(refused, denied));
  const connecting = find(/^ssh: .*|connect to (?:host|address) .*|^(?:kex_exchange_identification|read|write): .*/);
  const negotiation = find(/^Unable to negotiate with .*/);
  const text = (negotiation ?? connecting)?.[0] ?? lines.at(-1) ?? why;
  const code = SYSTEM_ERRORS.find(([pattern]) => text !== undefined && pattern.test(text))?.[1];
  const error: SshError | undefined =
    text === undefined
      ? undefined
      : Object.assign(new Error(text), code !== undefined && { code }, negotiation && { level: 'handshake' });
  return explain({ step: log.step(), error, dropped: log.dropped(), peer });
}

/** What ssh said last, for a connection that has been lost. */
export function lastWords(log: SshLog): string | undefined {
  const said = log
    .complaints()
    .findLast((line) => /^Timeout, server|^(?:Connection|client_loop|ssh_|Received)/.test(line));
  return said === undefined ? undefined : printable(said, 200);
}

export function isRevoked(log: SshLog): boolean {
  return log.complaints().some((line) => /REVOKED HOST KEY|marked as revoked|revoked by file/i.test(line));
}

/** In place of an answer to a login: who does that has refused it. */
const HANG_UP = /^Received disconnect from .*|^Connection (?:closed|reset) by .*/;

const FILE_HINT = 'Correct the file, or name another with -F.';
const HOSTILE_HINT = 'Treat this host as hostile until you know why.';

/** A bastion's ssh, or a ProxyCommand, says on the same standard error why it failed. */
function onTheWay({ proxy, ...target }: Target, lines: readonly string[]): Failure {
  const telling = lines.filter((line) => !/^(?:kex_exchange_identification|Connection closed by UNKNOWN)/.test(line));
  const said = printable(telling.slice(-3).join('; ') || lines.at(-1) || 'it said nothing', 400);
  const all = lines.join('\n');
  const failed = (is: Fault, chance: Failure['chance'] = 'lasting'): Failure => ({ fault: is, chance });
  if (proxy?.kind !== 'jump') {
    const message = `${peerOf(target)} closed the connection: the ProxyCommand ended: ${said}`;
    return failed(fault('unreachable', message), 'transient');
  }
  const refused = /open failed: ([^\n]*)/.exec(all)?.[1];
  if (refused !== undefined) {
    const rule = /prohibited/.test(refused) ? ' (the jump host does not allow it: AllowTcpForwarding, PermitOpen)' : '';
    const chance = /resource shortage/.test(refused) ? 'transient' : 'lasting';
    const peer = peerOf({ ...target, proxy });
    return failed(fault('unreachable', `${peer} cannot be reached: ${printable(refused, 200)}${rule}`), chance);
  }
  const message = `The jump host ${printable(proxy.via.host, 120)} cannot be used: ${said}`;
  if (/Host key verification failed/.test(all)) return failed(fault('host-key', message));
  if (/Permission denied|Too many authentication failures/.test(all)) return failed(fault('auth', message));
  const lasting = /Connection refused|No route to host|resolve hostname|timed out/.test(all);
  return failed(fault('unreachable', message), lasting ? 'lasting' : 'transient');
}

function hostKeyFault({ target, log, policy }: Refused, lines: readonly string[]): Fault {
  const key = log.hostKey();
  const presented = key === undefined ? 'a key' : `${key.type} ${key.fingerprint}`;
  const name = printable(knownHostsName(knownAs(target)));
  const all = lines.join('\n');
  if (isRevoked(log)) {
    return fault(
      'host-key',
      `The host presented a REVOKED host key: ${presented}`,
      'Do not connect to this host before it has a new key: the old one is in the wrong hands.',
    );
  }
  const [, file, line] = /^Offending (?:\S+ key|key for IP) in (.*):(\d+)$/m.exec(all) ?? [];
  if (/IDENTIFICATION HAS CHANGED/.test(all)) {
    const conflict = file === undefined ? 'known_hosts' : `${printable(file)}:${line}`;
    return fault(
      'host-key',
      `The host key has CHANGED: presented ${presented}, but ${conflict} has another`,
      `Somebody may be in between. Verify the fingerprint out of band; if the host was reinstalled: ssh-keygen -R '${name}' -f ${printable(file ?? '~/.ssh/known_hosts')}`,
    );
  }
  const invalid = /^(?:error: )?Certificate invalid: (.*)$/m.exec(all)?.[1];
  if (invalid !== undefined) {
    const hint = 'Let the authority sign its key again; HostKeyAlias helps where only the name is another.';
    return fault('host-key', `The host's certificate is refused: ${printable(invalid, 200)}`, hint);
  }
  const searched = policy.files.map((path) => printable(path)).join(', ') || 'any file';
  const authority = log.hostAuthority();
  if (authority !== undefined) {
    return fault(
      'host-key',
      `Unknown host key: ${presented}; its certificate is by ${authority}, which is no authority in ${searched} for ${name}`,
      'Verify the authority out of band, then add it to known_hosts with @cert-authority.',
    );
  }
  if (!/No \S+ host key is known|you have requested strict checking/.test(all)) {
    return fault(
      'host-key',
      `ssh refuses the host key ${presented}: ${printable(lines.slice(-2).join('; '), 300)}`,
      HOSTILE_HINT,
    );
  }
  return fault('host-key', `Unknown host key: ${presented} is not in ${searched} for ${name}`);
}

async function authFault({ target, log, remarks }: Refused, [said, taken]: RegExpExecArray): Promise<Fault> {
  const offered = log.offered();
  const accepted = log.description().auth;
  const methods = taken?.split(',');
  const parts: string[] = [];
  if (offered.length > 0) {
    const isAccepted = (label: string) => accepted.some(({ identity }) => identity === label);
    const labels = [...new Set(offered.map(({ label }) => label))];
    parts.push(`tried ${labels.map((label) => (isAccepted(label) ? `${label} (accepted)` : label)).join(', ')}`);
  }
  parts.push(...(await remarks()));
  for (const line of log.complaints()) {
    const [, file, why] = /^Load key "(.*)": (.*)$/.exec(line) ?? [];
    if (file !== undefined) parts.push(`skipped ${printable(file)}: ${printable(why ?? '', 100)}`);
  }
  if (methods !== undefined) parts.push(`the server takes ${printable(methods.join(', '), 100)}`);
  const name = printable(target.user, 60);
  const lacks = credentialLack(target, log.complaints());
  if (lacks !== undefined) parts.push(lacks.said);
  const second = accepted.length > 0 && methods?.includes('keyboard-interactive');
  const asks = second ? SECOND_FACTOR_HINT : askPassword(methods, WITHOUT_SSH);
  const [what, hint] = ((): [what: string, hint?: string | undefined] => {
    if (lacks !== undefined) return [`${name} was not let in`, lacks.hint];
    if (accepted.length > 0) {
      const which = accepted.every(({ method }) => method === 'publickey') ? 'key' : 'identity';
      return [wantsFurtherMethod(which, name), asks];
    }
    if (/too many authentication failures/i.test(said)) return [`${name} was not let in`, TOO_MANY_HINT];
    // whoever takes no keys was not offered any
    const keyless =
      offered.length === 0 && said.includes('Permission denied') && methods?.includes('publickey') !== false;
    return [keyless ? noUsableKey(name) : `${name} was not let in`, asks];
  })();
  return fault('auth', `${what} (${printable(said, 200)}): ${parts.join('; ') || 'nothing was tried'}`, hint);
}

/** ssh is told no password here: it would ask a terminal. */
const WITHOUT_SSH = ', which only ssh2 offers: leave --transport openssh out';
const SECOND_FACTOR_HINT =
  'Leave --transport openssh out, and answer its questions at a terminal; or log in with ssh first, with ControlMaster and ControlPath in ssh_config: that connection is used.';
/** What ssh says where a way to log in that somebody asked for lacks something; the first row that fits counts. */
const LACKS: readonly { readonly asked: string; readonly says: RegExp; readonly hint: string }[] = [
  {
    asked: 'Kerberos', // as MIT's and Heimdal's libraries put it
    says: /^(?:No Kerberos credentials available|Ticket expired|No credentials cache|Credentials cache|Matching credential not found)/,
    hint: 'Get a ticket with kinit, as the account that the host expects, and run it again.',
  },
  {
    asked: 'Kerberos',
    says: /^Server .*not found in Kerberos/,
    hint: 'Use the full name for which the realm knows a host principal (ansible_host, or HostName in ssh_config).',
  },
  {
    asked: 'PKCS11Provider',
    says: /\bpin required\b|pkcs11 login failed|C_Login failed/i,
    hint: 'The token wants its PIN, and ssh asks nobody here: load it into the agent, which asks for it (ssh-add -s PROVIDER).',
  },
];

/** Distributions turn GSSAPI on for everyone: what nobody asked for is no reason. */
function credentialLack(
  { needsSsh = [] }: Target,
  lines: readonly string[],
): { readonly said: string; readonly hint: string } | undefined {
  for (const { asked, says, hint } of LACKS) {
    const line = needsSsh.some((phrase) => phrase.startsWith(asked))
      ? lines.findLast((each) => says.test(each))
      : undefined;
    if (line !== undefined) return { said: `${asked}: ${printable(line.trim(), 200)}`, hint };
  }
  return undefined;
}
