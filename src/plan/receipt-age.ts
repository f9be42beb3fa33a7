/** Which of two receipts of a host came later. */
import type { Receipt } from '../model/index.ts';

/** The older first, by the host's own count; clocks of controllers tell no order. Those that no host counted are the oldest. */
export function byAge(a: Receipt, b: Receipt): number {
  return (a.order ?? -1) - (b.order ?? -1) || (a.run < b.run ? -1 : 1);
}
