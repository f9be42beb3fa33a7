/** Inventory and flags → how each host becomes root, and the password for it. */
import { type Host, UsageError } from '../model/index.ts';
import type { Become } from '../remote/escalate.ts';
import type { JournalHost } from '../run/journal.ts';
import { RunPassword } from '../run/run-password.ts';
import type { Io } from './io.ts';
import { readSecret } from './secrets.ts';

/** How a host becomes root. */
export interface BecomeFlags {
  readonly become?: boolean | undefined;
  readonly 'become-method'?: 'sudo' | 'doas' | 'su' | undefined;
  readonly 'become-user'?: string | undefined;
}

/** Where the password for it comes from. */
export interface BecomePasswordFlags {
  readonly 'ask-become-pass'?: boolean | undefined;
  readonly 'become-password-file'?: string | undefined;
  readonly 'become-password-fd'?: number | undefined;
}

/** sudo reads up to 255 bytes; what is longer would end up on the standard input of what it starts. */
const MAX_PASSWORD_BYTES = 255;

/**
 * How this host becomes root when the account is not root. What the inventory says of it wins over the flags, as in Ansible,
 * but for -b, which lifts `ansible_become: false`. Throws UsageError for another user than root.
 */
export function becomeOf({ name, connection }: Host, flags: BecomeFlags): Become {
  requireRoot(`--become-user ${flags['become-user']}`, flags['become-user']);
  if (connection.become === false && flags.become !== true) return 'never';
  const asked = connection.become === true || flags.become === true;
  // Ansible takes no notice of the user either, where nothing escalates
  if (asked) requireRoot(`${name}: ansible_become_user is ${connection.becomeUser}`, connection.becomeUser);
  return connection.becomeMethod ?? flags['become-method'] ?? (asked ? 'sudo' : 'auto');
}

/** As an earlier run did, unless the flags say otherwise. */
export function becomeAgain(before: Become, flags: BecomeFlags): Become {
  requireRoot(`--become-user ${flags['become-user']}`, flags['become-user']);
  if (before === 'never' && flags.become !== true) return 'never';
  return flags['become-method'] ?? (before === 'never' ? 'sudo' : before);
}

function requireRoot(what: string, user: string | undefined): void {
  if (user === undefined || user === 'root') return;
  throw new UsageError(
    `${what}: only root can mask the units of a system`,
    'Become root, or leave the user out; the units of a user are not masked by fleetmask.',
  );
}

/** The password that -K and its companions give; asked for once, and only where there is a host that may want it. */
export async function becomePassword(
  io: Io,
  flags: BecomePasswordFlags,
  hosts: readonly JournalHost[],
): Promise<RunPassword | undefined> {
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
    maxBytes: MAX_PASSWORD_BYTES,
  });
  if (secret === undefined && methods.has('su') && methods.size === 1) {
    throw new UsageError(
      'su asks for the password of root, and none is given',
      'Say -K, or --become-password-file FILE.',
    );
  }
  return secret && new RunPassword(secret);
}
