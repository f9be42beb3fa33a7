/** The flags of commands that work on an earlier run, or on what one left. */
import type { Options } from 'yargs';
import { CHANGE, SELECTION, WATCH } from './option-groups.ts';

/** For commands that work on an earlier run. */
export const takingOver = {
  'take-over': {
    type: 'boolean',
    group: CHANGE,
    describe: 'the process that worked on the run, and cannot be seen from here, is gone for good',
  },
} as const satisfies Record<string, Options>;

/** For commands that reach hosts as a plan file or a journal says. */
export const trusting = {
  'trust-plan': {
    type: 'boolean',
    group: CHANGE,
    describe: 'do not ask about commands and addresses that come from the plan file or journal',
  },
} as const satisfies Record<string, Options>;

/** For commands that keep a change. */
export const keeping = {
  ...takingOver,
  ...trusting,
  yes: { alias: 'y', type: 'boolean', group: CHANGE, describe: 'taken as everywhere; nothing is asked here' },
} as const satisfies Record<string, Options>;

export const recovery = {
  undo: { type: 'boolean', group: CHANGE, describe: 'put the hosts in doubt back, also where the change is whole' },
  forget: {
    type: 'boolean',
    group: CHANGE,
    describe: 'give up the hosts in doubt of -l, which will not return: asks nothing of them; your name is recorded',
  },
  'from-hosts': {
    type: 'boolean',
    group: SELECTION,
    describe: 'go by the receipts on the hosts of -i and -l, without a journal; without a run: show them',
  },
  ...takingOver,
} as const satisfies Record<string, Options>;

export const watching = {
  run: { type: 'string', requiresArg: true, group: WATCH, describe: 'what this run has changed, instead of units' },
  every: {
    type: 'string',
    requiresArg: true,
    default: '60s',
    group: WATCH,
    describe: 'from one reading of a host to the next',
  },
  count: { type: 'number', requiresArg: true, group: WATCH, describe: 'end after so many readings of each host' },
  for: { type: 'string', requiresArg: true, group: WATCH, describe: 'end after so long: 10m, 4h' },
  now: { type: 'boolean', group: WATCH, describe: 'what runs is not as asked either [as the run, with --run]' },
  reassert: {
    type: 'boolean',
    group: WATCH,
    describe: 'mask again, and with --now stop again, ever less often; five times at most until it holds',
  },
} as const satisfies Record<string, Options>;
