/** What ./fleetmask.yaml may set. It may come with a checkout that somebody else has written. */
import type { SettingName } from './options.ts';

/**
 * `free`: it weakens no check and names no program. `data`: free, as long as it names no program. `reading`: only for commands that change
 * no host. `never`: it could weaken a check, name a program, use a secret or answer a question. A list: these values alone.
 */
export type Leave = 'free' | 'data' | 'reading' | 'never' | readonly string[];

/** A new setting does not compile without its word here. When in doubt: never. */
export const IN_DIRECTORY: Readonly<Record<SettingName, Leave>> = {
  inventory: 'data',
  limit: 'reading',
  nodes: 'reading',
  'skip-unsupported': 'free',

  user: 'free',
  port: 'free',
  'ask-pass': 'free',
  'password-file': 'never',
  'password-fd': 'never',
  'private-key': 'free',
  'ssh-config': 'never',
  become: 'free',
  'become-method': 'free',
  'become-user': 'free',
  'ask-become-pass': 'free',
  'become-password-file': 'never',
  'become-password-fd': 'never',
  transport: 'free',
  forks: 'free',
  timeout: 'free',
  'host-timeout': 'free',
  'rollback-timeout': 'free',
  'host-key-checking': ['strict'],
  'known-hosts': 'never',
  check: 'free',
  rollback: ['host', 'fleet'],
  waves: 'free',
  'max-fail': 'free',
  'max-unreachable': 'free',
  'confirm-within': 'free',
  expires: 'free',
  reason: 'never',
  ticket: 'never',
  now: 'free',
  runtime: 'free',
  'with-triggers': 'free',
  'with-members': 'free',
  'local-units': ['refuse'],
  'allow-absent': 'never',
  'skip-absent': 'never',
  'kill-leftovers': 'never',
  'no-start-probe': 'never',
  'allow-lockout': 'never',
  undo: 'never',
  forget: 'never',
  'from-hosts': 'never',
  'take-over': 'never',
  'trust-plan': 'never',
  run: 'reading',
  every: 'free',
  count: 'free',
  for: 'free',
  reassert: 'never',
  yes: 'never',
  output: 'free',
  verbose: 'free',
  'no-color': 'free',
  color: 'free',
};

/** Whether the directory may set it so, for a command that changes hosts or not. */
export function mayBeSet(name: SettingName, value: unknown, changes: boolean): boolean {
  const leave = IN_DIRECTORY[name];
  switch (leave) {
    case 'free':
    case 'data':
      return true;
    case 'reading':
      return !changes;
    case 'never':
      return false;
    default:
      return leave.includes(String(value));
  }
}
