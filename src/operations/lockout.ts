/** When one may mask what one's own way in depends on. */
import { type Ask, UsageError } from '../model/index.ts';

export interface LockoutFlags {
  readonly 'confirm-within'?: string | undefined;
}

/** Throws UsageError where nothing would bring a host back that locks everybody out. */
export function assertWayBack({ allowLockout }: Pick<Ask, 'allowLockout'>, flags: LockoutFlags): void {
  if (!allowLockout || flags['confirm-within'] !== undefined) return;
  throw new UsageError(
    '--allow-lockout goes with --confirm-within',
    'A host that nobody can log in to any more must put itself back: --confirm-within 5m.',
  );
}
