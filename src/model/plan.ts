import type { Fault } from './fault.ts';
import type { Queued, UnitState } from './unit-facts.ts';

/** What was asked of every host of a run. Recorded in the journal as it stands. */
export interface Ask {
  readonly verb: 'mask' | 'unmask';
  /** As the operator named them: unit names or logical names. */
  readonly units: readonly string[];
  /** Also stop what is masked. */
  readonly now: boolean;
  /** Mask under /run, until the next boot. */
  readonly runtime: boolean;
  /** Also mask, and stop, what can start the units. */
  readonly withTriggers: boolean;
  /** What becomes of a unit file in /etc/systemd/system, where the mask has to be. */
  readonly localUnits: 'refuse' | 'displace';
  readonly allowAbsent: boolean;
  /** Also mask, and stop, the members of a unit that was named literally, or have them unmasked; absent in journals of 0.1. */
  readonly withMembers?: boolean;
  /** Units that are not installed are no fault; absent in journals of 0.1. */
  readonly skipAbsent?: boolean;
  readonly killLeftovers: boolean;
  readonly startProbe: boolean;
  /** Also mask a way into the host, or what such a way depends on: only where the host puts itself back unless it is confirmed. */
  readonly allowLockout: boolean;
}

/** What would be done to one host, or was. Pure data: the journal keeps it as the record of the prior state. */
export type Plan = (
  | { readonly kind: 'change'; readonly units: readonly UnitPlan[]; readonly change: Change; readonly prior: Prior }
  | { readonly kind: 'no-op'; readonly units: readonly UnitPlan[] }
  | { readonly kind: 'refusal'; readonly units: readonly UnitPlan[]; readonly fault: Fault }
) & {
  /** Units that are not installed there, where that is no fault: reported, and nothing else. */
  readonly absent?: readonly AbsentUnit[];
};

export interface AbsentUnit {
  readonly asked: string;
  /** The name that was looked for first. */
  readonly unit: string;
}

export interface UnitPlan {
  readonly asked: string;
  readonly unit: string;
  /** The name under which the host tells of it: the unit itself, or a witness instance of a template. */
  readonly shownAs: string;
  readonly before: UnitState;
  /** Units that can start it and are not masked themselves. */
  readonly triggers: readonly string[];
  /** What would be done for it, in order, in an operator's words. */
  readonly steps: readonly string[];
  /** What an operator should know before agreeing. */
  readonly notes: readonly string[];
  /** What is masked with it: aliases, D-Bus names, instances. Absent where nobody looked. */
  readonly covers?: readonly string[];
  /** What could run the same all the same, as far as it can be seen. Absent where nobody looked. */
  readonly ways?: readonly string[];
  /** Members of the unit that are not masked with it, and can be started. Absent where there are none. */
  readonly notCovered?: readonly string[];
  /** What runs and stops when this unit is stopped, without being masked. Absent where there is none. */
  readonly stopsToo?: readonly string[];
}

/** The steps on the host, in this order; see apply.sh. */
export interface Change {
  /** Where receipts live: /var/lib for what outlives a boot, /run for what does not. */
  readonly where: 'etc' | 'run';
  readonly links: readonly string[];
  readonly removes: readonly string[];
  /** Unit files that make room for a link; the host keeps them, inode and all, under a hidden name beside it. */
  readonly displaces: readonly string[];
  readonly stops: readonly string[];
  /**
   * Units that do not run, and are not to run once the mask is read, whoever starts them until then; `T@*.TYPE` for the instances
   * of a template. Absent where there are none.
   */
  readonly downs?: readonly string[];
  /** Units that are to be found masked, and whose start is then attempted. */
  readonly attempts: readonly string[];
  /** Control groups to be found empty. */
  readonly groups: readonly string[];
  readonly killLeftovers: boolean;
  /** Everything that is read back. */
  readonly reads: readonly string[];
  /** Names whose files are looked at besides: templates, which are never loaded. */
  readonly looks: readonly string[];
}

/** What undo must restore, and what proves that it did. */
export interface Prior {
  readonly bootId: string | null;
  readonly machineId: string | null;
  /** State by shown name: targets, their instances, dependents and triggers. */
  readonly states: readonly PriorState[];
  /** Links to /dev/null that were there under the names of the units. */
  readonly masks: readonly string[];
}

/** `load` and `file` are empty for related units: only whether they ran is recorded. */
export interface PriorState extends UnitState {
  readonly id: string;
  /** It had a job: that is a part of how it was. Absent where it had none. */
  readonly queued?: Queued;
  /** Systemd had not read what lay on disk: what a reload makes of it is nobody's to undo. Absent where it had. */
  readonly unread?: true;
}
