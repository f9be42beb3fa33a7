import type { Ask } from '../src/model/index.ts';

/** `mask cron --now`, with nothing else said. */
export const MASK: Ask = {
  verb: 'mask',
  units: ['cron'],
  now: true,
  runtime: false,
  withTriggers: false,
  localUnits: 'refuse',
  allowAbsent: false,
  killLeftovers: false,
  startProbe: true,
  allowLockout: false,
};
