/** Inventory and flags → how each host becomes root. */
import { type Become, type Host, UsageError } from '../../model/index.ts';

/** How a host becomes root. */
export interface BecomeFlags {
  readonly become?: boolean | undefined;
  readonly 'become-method'?: 'sudo' | 'doas' | 'su' | undefined;
  readonly 'become-user'?: string | undefined;
}

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
