/** What is said alike of a login that failed, whether ssh2 or ssh tried it. */

export const PASSWORD_METHODS = ['password', 'keyboard-interactive'] as const;

export const TOO_MANY_HINT =
  'It hangs up after so many keys (MaxAuthTries): name the right one with --private-key, or by IdentityFile with IdentitiesOnly yes in ssh_config.';

export const NO_KEY_HINT =
  'Name a key with --private-key, load one into the agent (ssh-add), or give the password with -k.';

export function noUsableKey(name: string): string {
  return `There is no usable key to log in as ${name}`;
}

export function wantsFurtherMethod(what: string, name: string): string {
  return `The ${what} of ${name} was accepted, but the server wants a further method`;
}

/** The hint where no password was given and one would be taken. `how`: what giving it takes besides -k. */
export function askPassword(methods: readonly string[] | undefined, how = ''): string | undefined {
  if (!PASSWORD_METHODS.some((method) => methods?.includes(method))) return undefined;
  return `Check -u, --private-key and the agent; or give the password with -k${how}.`;
}
