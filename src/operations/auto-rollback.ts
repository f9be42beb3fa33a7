/** --confirm-within and --expires. */
import { type RunInfo, UsageError } from '../model/index.ts';
import { rfc3339, type SwitchAsk } from '../run/host/auto-rollback.ts';
import { confirmWithin, duration, expiry } from './durations.ts';
import type { Io } from './io.ts';

export interface SwitchFlags {
  readonly 'confirm-within'?: string | undefined;
  readonly expires?: string | undefined;
  readonly 'host-timeout': string;
}

/** What hosts are to do by themselves; undefined: nothing. */
export function switchOf(io: Io, flags: SwitchFlags): SwitchAsk | undefined {
  const { 'confirm-within': within, expires } = flags;
  if (within === undefined && expires === undefined) return undefined;
  return {
    confirmWithin: within === undefined ? null : longEnough(confirmWithin(within), flags),
    expiresAt: expires === undefined ? null : expiry(expires, io.date()),
  };
}

/** A window that one slow host may outlive would roll back hosts that nobody could have confirmed. */
function longEnough(seconds: number, { 'host-timeout': limit }: SwitchFlags): number {
  const most = Math.ceil(duration('host-timeout', limit) / 1000);
  if (seconds >= most) return seconds;
  throw new UsageError(
    `--confirm-within: ${seconds} s is shorter than one host may take, ${most} s (--host-timeout)`,
    `Use --confirm-within ${most}s, or --host-timeout ${seconds}s.`,
  );
}

/** The same, for the journal and the report. */
export function termsOf({ confirmWithin, expiresAt }: SwitchAsk): Pick<RunInfo, 'confirmWithin' | 'expiresAt'> {
  return {
    ...(confirmWithin !== null && { confirmWithin }),
    ...(expiresAt !== null && { expiresAt: rfc3339(expiresAt) }),
  };
}
