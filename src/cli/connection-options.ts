/** How hosts are reached and root is become, as flags. */
import type { Options } from 'yargs';
import { DEFAULTS } from '../operations/defaults.ts';
import { CONNECTION } from './option-groups.ts';

export const connection = {
  user: { alias: 'u', type: 'string', requiresArg: true, group: CONNECTION, describe: 'user to log in as' },
  port: { type: 'number', requiresArg: true, group: CONNECTION, describe: 'port [of ssh_config, else 22]' },
  'ask-pass': {
    alias: 'k',
    type: 'boolean',
    group: CONNECTION,
    describe: 'ask for the SSH password, offered where no key is let in',
  },
  'password-file': {
    type: 'string',
    requiresArg: true,
    group: CONNECTION,
    describe: 'file with the SSH password in its only line',
  },
  'password-fd': {
    type: 'number',
    requiresArg: true,
    group: CONNECTION,
    describe: 'file descriptor to read the SSH password from',
  },
  'private-key': { type: 'string', requiresArg: true, group: CONNECTION, describe: 'key file to log in with' },
  'ssh-config': {
    alias: 'F',
    type: 'string',
    requiresArg: true,
    group: CONNECTION,
    describe: 'ssh_config file to read instead of ~/.ssh/config and /etc/ssh/ssh_config; `none` for none',
  },
  become: {
    alias: 'b',
    type: 'boolean',
    group: CONNECTION,
    describe: 'become root when the account is not [sudo -n is tried by itself]',
  },
  'become-method': {
    choices: ['sudo', 'doas', 'su'] as const,
    group: CONNECTION,
    describe: 'how [sudo]; doas only without a password, su only with one',
  },
  'become-user': { type: 'string', requiresArg: true, group: CONNECTION, describe: 'root, the only one of use here' },
  'ask-become-pass': {
    alias: 'K',
    type: 'boolean',
    group: CONNECTION,
    describe: 'ask for the password of sudo or su; one host proves it before another sees it',
  },
  'become-password-file': {
    type: 'string',
    requiresArg: true,
    group: CONNECTION,
    describe: 'file with that password in its only line',
  },
  'become-password-fd': {
    type: 'number',
    requiresArg: true,
    group: CONNECTION,
    describe: 'file descriptor to read that password from',
  },
  transport: {
    choices: ['ssh2', 'openssh'] as const,
    group: CONNECTION,
    describe: 'how SSH is spoken [ssh2; openssh, by the program ssh, for hosts that need certificates and the like]',
  },
  forks: {
    alias: 'f',
    type: 'number',
    requiresArg: true,
    default: DEFAULTS.forks,
    group: CONNECTION,
    describe: 'hosts at once',
  },
  timeout: {
    alias: 'T',
    type: 'string',
    requiresArg: true,
    group: CONNECTION,
    describe: 'for connecting and logging in [ConnectTimeout of ssh_config, else 15s]',
  },
  'host-timeout': {
    type: 'string',
    requiresArg: true,
    default: DEFAULTS['host-timeout'],
    group: CONNECTION,
    describe: 'time limit per host, up to its verdict; a rollback has --rollback-timeout besides',
  },
  'rollback-timeout': {
    type: 'string',
    requiresArg: true,
    default: DEFAULTS['rollback-timeout'],
    group: CONNECTION,
    describe:
      'time limit for rolling back one host, which is called again while it does not answer; a unit that stops longer has its TimeoutStopSec, up to 10m',
  },
  'host-key-checking': {
    choices: ['strict', 'accept-new', 'off'] as const,
    group: CONNECTION,
    describe: 'what to do with unknown host keys [strict; accept-new where ssh_config says so]',
  },
  'known-hosts': {
    array: true,
    type: 'string',
    requiresArg: true,
    group: CONNECTION,
    describe: 'known_hosts file instead of those of ssh_config; repeatable',
  },
} as const satisfies Record<string, Options>;
