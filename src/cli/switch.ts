/** --confirm-within and --expires. */
import type { RunInfo } from '../model/index.ts';
import { rfc3339, type SwitchAsk } from '../run/switch.ts';
import type { Io } from './io.ts';
import { confirmWithin, expiry } from './times.ts';

export interface SwitchFlags {
  readonly 'confirm-within'?: string | undefined;
  readonly expires?: string | undefined;
}

/** What hosts are to do by themselves; undefined: nothing. */
export function switchOf(io: Io, flags: SwitchFlags): SwitchAsk | undefined {
  const { 'confirm-within': within, expires } = flags;
  if (within === undefined && expires === undefined) return undefined;
  return {
    confirmWithin: within === undefined ? null : confirmWithin(within),
    expiresAt: expires === undefined ? null : expiry(expires, io.date()),
  };
}

/** The same, for the journal and the report. */
export function termsOf({ confirmWithin, expiresAt }: SwitchAsk): Pick<RunInfo, 'confirmWithin' | 'expiresAt'> {
  return {
    ...(confirmWithin !== null && { confirmWithin }),
    ...(expiresAt !== null && { expiresAt: rfc3339(expiresAt) }),
  };
}
