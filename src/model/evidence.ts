import type { PathFact, UnitFacts } from './unit-facts.ts';

/** What a host says it did and what it then read, after `apply` or `undo`. Parsed and bounded, not yet believed. */
export interface Evidence {
  /** The host did not begin: nothing was changed by this request. */
  readonly refused: Refusal | null;
  /** In the order they ran. */
  readonly steps: readonly StepResult[];
  /** Read back after the last change. */
  readonly units: readonly UnitFacts[];
  readonly paths: readonly PathFact[];
  /** The read-back is not whole: what it lacks proves nothing. Absent where it is whole. */
  readonly unread?: true;
  readonly left: readonly Leftovers[];
  /** Apply only: units made by systemd-run since the stopped ones were started, which still run. */
  readonly escaped?: readonly string[];
  /** Links in the place of ours that somebody else made: left alone. */
  readonly foreign: readonly string[];
  /** What came to run while units were stopped; of an undo, what of that is not undone. Absent: nothing. */
  readonly started?: readonly Started[];
  /** Undo only: units of which the host could not see that they are as before; it keeps the receipt then. */
  readonly lacking: readonly string[];
  /** From the host's journal, of units that ended as they should not have; oldest first. Absent where nothing failed. */
  readonly logged?: readonly Logged[];
  /** Undo only: whether the host still had this run's receipt. */
  readonly receipt: boolean;
  /** Undo only: the receipt that the host could not remove after all was undone, and why; absent: it is gone. */
  readonly kept?: { readonly path: string; readonly why: string };
}

export interface Logged {
  /** The unit it was asked for. */
  readonly unit: string;
  /** As `journalctl -o short` prints it. */
  readonly line: string;
}

/**
 * `running`, `ended`: systemd started it because a unit stopped (OnSuccess=, OnFailure=), and it runs, or has ended. `beside`: a service
 * that came to run meanwhile, whoever started it.
 */
export interface Started {
  readonly unit: string;
  readonly kind: 'running' | 'ended' | 'beside';
}

export type Refusal =
  /** The run has come to this machine under another name, which is `text`. */
  | { readonly kind: 'twin'; readonly text: string }
  | { readonly kind: 'fenced' | 'moved' | 'write' | 'unarmed' | 'malformed'; readonly text: string }
  | { readonly kind: 'locked'; readonly text: string; readonly holder: LockHolder };

/** The run that is at work on the host. */
export interface LockHolder {
  /** Null where the host does not tell. */
  readonly run: string | null;
  /** As in receipts. */
  readonly meta: Readonly<Record<string, string>>;
  /** Seconds since 1970, and since then, both by the host's clock; null where it cannot tell. */
  readonly since: number | null;
  readonly seconds: number;
}

export interface StepResult {
  /** `link:PATH`, `remove:PATH`, `displace:PATH`, `replace:PATH`, `stop`, `stop-cancelled`, `stop-again:N`, `reload`, `try:UNIT`, `unlink:PATH`, `relink:PATH`, `halt`, `stop-started`, `stop-closed`, `lift:PATH`, `start`, `reset-failed` */
  readonly name: string;
  /** Exit status. `untried`: its condition did not hold. */
  readonly status: number | 'untried';
  /** The first lines of it, shortened for a screen: nothing is judged by them. */
  readonly said: readonly string[];
  /** Why systemd refused it, read from the whole of what it said; null where it did not, or for another reason. */
  readonly refusal: 'masked' | 'refuses-manual' | 'cancelled' | null;
}

export interface Leftovers {
  readonly group: string;
  /** Processes left in the control group, and how many of them belong to the session that asks. */
  readonly all: number;
  readonly own: number;
}
