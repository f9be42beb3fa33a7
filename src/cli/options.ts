/** The flags, in groups that commands take together, each with its type; see cli.md's table for their meaning. */
import type { Options } from 'yargs';
import { DEFAULTS } from '../operations/defaults.ts';
import { FORMATS } from '../operations/output.ts';
import { connection } from './connection-options.ts';
import { CHANGE, OUTPUT, SELECTION } from './option-groups.ts';
import { recovery, trusting, watching } from './run-options.ts';

export { connection };

export const selection = {
  inventory: {
    alias: 'i',
    array: true,
    type: 'string',
    requiresArg: true,
    group: SELECTION,
    describe: 'inventory: file, directory, executable, `host1,host2,` or - for stdin; repeatable',
  },
  limit: {
    alias: 'l',
    type: 'string',
    requiresArg: true,
    group: SELECTION,
    describe: 'Ansible host pattern: web:&prod:!web5, db*, ~^web\\d; `all` for all',
  },
  nodes: {
    alias: 'w',
    type: 'string',
    requiresArg: true,
    group: SELECTION,
    describe: 'these hosts: node[1-40,50]; of the inventory if one is named, instead of -l',
  },
} as const satisfies Record<string, Options>;

/** For commands that report on every selected host. */
export const skipping = {
  'skip-unsupported': {
    type: 'boolean',
    group: SELECTION,
    describe:
      'report hosts that are not reached by SSH, or through a template that is not evaluated, and go on without them',
  },
} as const satisfies Record<string, Options>;

/** Those that tell where and as whom one connects. */
export const wayIn = {
  user: connection.user,
  port: connection.port,
  'private-key': connection['private-key'],
  'ssh-config': connection['ssh-config'],
  timeout: connection.timeout,
  'host-key-checking': connection['host-key-checking'],
  'known-hosts': connection['known-hosts'],
} as const satisfies Record<string, Options>;

export const change = {
  check: {
    alias: 'C',
    type: 'boolean',
    group: CHANGE,
    describe: 'show what would be done, touch nothing (the same as `plan`)',
  },
  rollback: {
    choices: ['host', 'fleet', 'none'] as const,
    default: DEFAULTS.rollback,
    group: CHANGE,
    describe:
      'when a host fails: put that host back; or every host of the run, newest wave first (with --max-fail: when that is exceeded); or leave it for a person',
  },
  waves: {
    type: 'string',
    requiresArg: true,
    group: CHANGE,
    describe:
      'sizes of successive waves, the last repeated: 1,10%,100%; percentages of all hosts, rounded down; each wave is settled before the next begins',
  },
  'max-fail': {
    type: 'string',
    requiresArg: true,
    group: CHANGE,
    describe:
      'N, or P% of all hosts rounded down: stop once more hosts than this failed or refused; 0: at the first, 10% of 50: at the sixth [no limit; 0 with --waves]',
  },
  'max-unreachable': {
    type: 'string',
    requiresArg: true,
    group: CHANGE,
    describe:
      'N or P%: the same for hosts that cannot be reached [no limit; with --waves, a wave on which no host is proved ends the run]',
  },
  'confirm-within': {
    type: 'string',
    requiresArg: true,
    group: CHANGE,
    describe:
      'automatic rollback of each host, so long after its change, unless it is confirmed: 5m; not below --host-timeout',
  },
  expires: {
    type: 'string',
    requiresArg: true,
    group: CHANGE,
    describe: 'hosts put themselves back then, reboot or not: 4h, 06:00, 2026-12-01T06:00Z',
  },
  reason: {
    type: 'string',
    requiresArg: true,
    group: CHANGE,
    describe: 'why; recorded in the journal and on the hosts',
  },
  ticket: {
    type: 'string',
    requiresArg: true,
    group: CHANGE,
    describe: 'ticket; recorded in the journal and on the hosts',
  },
} as const satisfies Record<string, Options>;

/** For commands that ask whether units are masked, and not that they be unmasked. */
export const absence = {
  'skip-absent': {
    type: 'boolean',
    group: CHANGE,
    describe: 'units that are not installed on a host are reported as absent, and no fault',
  },
} as const satisfies Record<string, Options>;

export const masking = {
  now: { type: 'boolean', group: CHANGE, describe: 'also stop it' },
  runtime: { type: 'boolean', group: CHANGE, describe: 'until the next boot (a link in /run)' },
  'with-triggers': {
    type: 'boolean',
    group: CHANGE,
    describe: 'also mask (and with --now stop) the sockets, timers and paths that can start it',
  },
  'with-members': {
    type: 'boolean',
    group: CHANGE,
    describe:
      'also mask (and with --now stop) the services that UNIT.service stands for (postfix@ of postfix.service), and instances with a unit file of their own; a name without a suffix includes them',
  },
  'local-units': {
    choices: ['refuse', 'displace'] as const,
    default: DEFAULTS['local-units'],
    group: CHANGE,
    describe: 'a unit file in /etc/systemd/system: refuse the host, or move the file aside until the rollback',
  },
  'allow-absent': { type: 'boolean', group: CHANGE, describe: 'mask a unit that is not installed (yet)' },
  'kill-leftovers': {
    type: 'boolean',
    group: CHANGE,
    describe: 'with --now: end what the unit leaves in its control group',
  },
  'no-start-probe': {
    type: 'boolean',
    group: CHANGE,
    describe: 'do not prove the mask by an attempt to start the unit',
  },
  'allow-lockout': {
    type: 'boolean',
    group: CHANGE,
    describe: 'also mask what a connection to the host depends on, or what may be in use; only with --confirm-within',
  },
} as const satisfies Record<string, Options>;

export const consent = {
  yes: { alias: 'y', type: 'boolean', group: CHANGE, describe: 'do not ask' },
} as const satisfies Record<string, Options>;

export const formats = { alias: 'o', choices: FORMATS, group: OUTPUT } as const satisfies Options;

export const output = {
  output: { ...formats, default: 'table' as const, describe: 'format of the results' },
  verbose: { alias: 'v', type: 'boolean', group: OUTPUT, describe: 'more detail' },
  'no-color': { type: 'boolean', group: OUTPUT, describe: 'no colours (NO_COLOR is honoured too)' },
  color: { type: 'boolean', group: OUTPUT, hidden: true, describe: 'colours in spite of NO_COLOR' },
} as const satisfies Record<string, Options>;

/** For what tells something else than how hosts ended. */
export const listing = {
  ...output,
  output: { ...output.output, choices: ['table', 'json', 'ndjson'] as const },
} as const satisfies Record<string, Options>;

/** Every flag that a settings file may hold. Each needs its word in directory-settings.ts. */
const SETTINGS = [
  selection,
  skipping,
  connection,
  change,
  absence,
  masking,
  recovery,
  trusting,
  watching,
  consent,
  output,
] as const;

type KeysOf<T> = T extends unknown ? Extract<keyof T, string> : never;

export type SettingName = KeysOf<(typeof SETTINGS)[number]>;

export const KNOWN: ReadonlyMap<string, Options> = new Map(SETTINGS.flatMap((group) => Object.entries<Options>(group)));
