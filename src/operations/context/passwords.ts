/** The passwords of a run, from flags and inventory: who is told which. */
import {
  type HostSecrets,
  type JournalHost,
  SECRETS,
  type Secret,
  type Target,
  UsageError,
} from '../../model/index.ts';
import { RunPassword } from '../../run/host/run-password.ts';
import type { Crew } from '../../run/host/visit.ts';
import { type LoginPassword, loginPassword } from '../../transport/password.ts';
import type { Io } from '../io.ts';
import { readSecret } from './read-secret.ts';

export interface PasswordFlags {
  readonly 'ask-pass'?: boolean | undefined;
  readonly 'password-file'?: string | undefined;
  readonly 'password-fd'?: number | undefined;
  readonly 'ask-become-pass'?: boolean | undefined;
  readonly 'become-password-file'?: string | undefined;
  readonly 'become-password-fd'?: number | undefined;
}

export interface Passwords extends Pick<Crew, 'becomePassword' | 'secretsFor'> {
  login(target: Target): LoginPassword | undefined;
}

/** OpenSSH's limit for a password line. */
export const MAX_LOGIN_BYTES = 1023;
/** sudo reads up to 255 bytes; what is longer would end up on the standard input of what it starts. */
export const MAX_BECOME_BYTES = 255;

/**
 * Asks once for what the flags ask for, before anything is connected to. What the inventory has for a host wins, as in Ansible.
 * Hosts with the same password prove it together, one for all of them; those with others have nothing to do with it.
 */
export async function passwordsOf(io: Io, flags: PasswordFlags, hosts: readonly JournalHost[]): Promise<Passwords> {
  const login = await readSecret(io, {
    what: 'the SSH password',
    ask: { flag: '-k', given: flags['ask-pass'] },
    file: { flag: '--password-file', given: flags['password-file'] },
    fd: { flag: '--password-fd', given: flags['password-fd'] },
    maxBytes: MAX_LOGIN_BYTES,
  });
  const become = await becomeSecret(io, flags, hosts);
  const told = (host: Target): HostSecrets => {
    const own = host[SECRETS];
    return { ...withSecret('login', own?.login ?? login), ...withSecret('become', own?.become ?? become) };
  };
  const logins = sharing(loginPassword);
  const becomes = sharing((secret) => new RunPassword(secret));
  return {
    login: (target) => logins(told(target).login),
    becomePassword: (host) => becomes(told(host).become)?.on(host.host),
    secretsFor: (host) => Object.values(told(host)),
  };
}

function withSecret(key: keyof HostSecrets, secret: Secret | undefined): HostSecrets {
  return secret === undefined ? {} : { [key]: secret };
}

/** One and the same for equal secrets. */
function sharing<T>(make: (secret: Secret) => T): (secret: Secret | undefined) => T | undefined {
  const made = new Map<string, T>();
  return (secret) => {
    if (secret === undefined) return undefined;
    const known = made.get(secret.reveal()) ?? make(secret);
    made.set(secret.reveal(), known);
    return known;
  };
}

/** The password that -K and its companions give; asked for once, and only where there is a host that may want it. */
async function becomeSecret(io: Io, flags: PasswordFlags, hosts: readonly JournalHost[]): Promise<Secret | undefined> {
  if (hosts.length === 0) return undefined;
  const { 'ask-become-pass': ask, 'become-password-file': file, 'become-password-fd': fd } = flags;
  const methods = new Set(hosts.map(({ become }) => become));
  const takes = [...methods].some((method) => method !== 'never' && method !== 'doas');
  const given = ask === true || file !== undefined || fd !== undefined;
  if (given && !takes) {
    throw methods.has('doas')
      ? new UsageError(
          'doas takes no password without a terminal',
          'Leave -K out, and allow the account `nopass` in doas.conf; or use --become-method sudo or su.',
        )
      : new UsageError('escalation is off for all of these hosts: no password is needed', 'Leave -K out, or say -b.');
  }
  const secret = await readSecret(io, {
    what: 'the password for becoming root',
    ask: { flag: '-K', given: ask },
    file: { flag: '--become-password-file', given: file },
    fd: { flag: '--become-password-fd', given: fd },
    maxBytes: MAX_BECOME_BYTES,
  });
  const without = hosts.filter((host) => host[SECRETS]?.become === undefined);
  if (secret === undefined && without.length > 0 && without.every((host) => host.become === 'su')) {
    throw new UsageError(
      'su asks for the password of root, and none is given',
      'Say -K, or --become-password-file FILE.',
    );
  }
  return secret;
}
