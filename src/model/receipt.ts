import type { Evidence } from './evidence.ts';
import type { Ask, Change, Prior } from './plan.ts';

/**
 * What a run left on a host before it changed it: all that undoing needs. As the host tells it: parsed and bounded, and no more
 * to be believed than anything else that a host says.
 */
export interface Receipt {
  readonly run: string;
  /** The last of the run's requests that the host has taken since it booted; 0: none. */
  readonly seq: number;
  /** Its place among the receipts of its host, by the host's own count, the newest highest; null: made before hosts counted. */
  readonly order: number | null;
  /** The name by which the run knows this host; null where the receipt does not say. */
  readonly as: string | null;
  /** Who, when, why: `actor`, `started`, `reason`, `ticket`, `command`, `units` (separated by blanks), where they were said. */
  readonly meta: Readonly<Record<string, string>>;
  readonly change: Change;
  readonly prior: Prior;
  /** Links to /dev/null that this run made and that nobody has made anew since. */
  readonly holds: readonly string[];
  /** What the host answered when the change had ended; null when it has not, or only the receipts of all runs were asked for. */
  readonly result: Evidence | null;
}

/** What one host's receipt says of its run: true of that host at most. Null where it does not say. */
export interface Account {
  readonly ask: Ask;
  /** The name by which the run knows this host. */
  readonly as: string | null;
  readonly actor: string | null;
  readonly startedAt: string | null;
  readonly reason: string | null;
  readonly ticket: string | null;
}

/** Whose mask holds a unit, as reports tell it. Null where the receipt does not say. */
export interface UnitReceipt {
  readonly run: string;
  readonly actor: string | null;
  /** By the clock of the controller, RFC 3339. */
  readonly startedAt: string | null;
  readonly reason: string | null;
  readonly ticket: string | null;
}
