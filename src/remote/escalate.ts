/** From a connection to a shell with the privilege there is: root as we are, or root by sudo, doas or su. */
import type { Become } from '../model/index.ts';
import type { Connection } from '../transport/transport.ts';
import { CLEAN_SHELL } from './clean-shell.ts';
import { type HostPassword, PasswordDialogue, type Started } from './password-dialogue.ts';

/** Without a password, or with one should the host ask for it. */
export type Escalation = Become | { readonly method: 'sudo' | 'su'; readonly password: HostPassword };

/**
 * Starts `sh -s` with the privilege there is. Without a password the shell counts as started at once, so that the program
 * follows the command without a round trip; whether it got privilege is then a fact that the program reports. With a password
 * the shell has answered when this returns, or it is a fault: `no-privilege`, `no-shell`, `lost`, `timed-out`.
 * `listen` hears what the shell says on stdout.
 */
export async function startShell(
  connection: Connection,
  escalation: Escalation,
  listen: (chunk: Buffer) => void,
  deadline: AbortSignal,
): Promise<Started> {
  if (typeof escalation === 'object') {
    return new PasswordDialogue(connection, escalation.method, escalation.password, listen).shell(deadline);
  }
  return { kind: 'answer', value: connection.exec(bootstrap(escalation), { stdout: listen }) };
}

const FIRST_LINE = 'fleetmask begins';

/**
 * What the shell must be sent first. A start-up file that reads standard input eats the beginning of what is sent, and what
 * is left of a program would be run from its middle, as root. Where a password is asked for, such files have had their turn.
 */
export function firstLine(escalation: Escalation): string {
  return typeof escalation === 'object' ? '' : `${FIRST_LINE}\n`;
}

/**
 * The command that will be the first on the connection, where that is known before there is one: it may then be sent ahead.
 * The answer to a password decides what comes first, so then it is not.
 */
export function firstCommand(escalation: Escalation): string | undefined {
  return typeof escalation === 'object' ? undefined : bootstrap(escalation);
}

/**
 * The command that starts a shell without a password, and tells it its privilege: root as we are, root by the method, or
 * none and why. Constant text in single quotes, so that any login shell passes it on.
 */
export function bootstrap(become: Become): string {
  const none = (why: string) => `privilege=none why="${why}"; eval "$1"`;
  // These two commands are what a rule of sudoers may allow, so the program itself cleans the environment that sudo and PAM made.
  // With log_input sudo reads ahead on stdin, which is the program's.
  const by = (method: 'sudo' | 'doas') =>
    `why=$(LC_ALL=C exec ${method} -n sh -c : 2>&1 </dev/null) && exec ${method} -n sh -s -- ${method}; ${none('$why')}`;
  const otherwise = {
    auto: by('sudo'),
    sudo: by('sudo'),
    doas: by('doas'),
    // without a password it would be a failed login of root on most hosts
    su: none('su: a password is required'),
    never: none('not root, and escalation is off for this host'),
  }[become];
  // Who owns PID 1's directory and / is root, and that question costs no process; elsewhere (as in a simulation) id is asked.
  const isRoot = '{ [ -O "/proc/1$FLEETMASK_ROOT" ] && [ -O / ]; } 2>/dev/null || [ "$(exec id -u)" = 0 ]';
  const eaten = '{ echo "a start-up file of this account reads standard input" >&2; exit 1; }';
  // bash takes functions from the environment
  const whole = `unset -f read; IFS= read -r line; [ "$line" = "${FIRST_LINE}" ] || ${eaten}`;
  return `exec sh -c '${whole}; if ${isRoot}; then privilege=root why=; eval "$1"; fi; ${otherwise}' sh '${CLEAN_SHELL}'`;
}
