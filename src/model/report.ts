import type { Os } from './facts.ts';
import type { Fault } from './fault.ts';
import type { UnitReceipt } from './receipt.ts';
import type { UnitState } from './unit-facts.ts';

/** How a host ended. Exactly one each; see the exit codes in src/operations/exit.ts. */
export type Outcome =
  | 'masked'
  | 'unmasked'
  | 'restored'
  | 'unchanged'
  | 'planned'
  | 'refused'
  | 'unreachable'
  | 'not-started'
  | 'rolled-back'
  | 'stranded'
  /** It was in doubt, and a person gave it up. */
  | 'forgotten'
  /** None of the units is installed there, and that is no fault (--skip-absent). */
  | 'absent'
  // status only
  | 'not-masked'
  | 'mixed';

/** The host was changed as asked, and can be rolled back. Of a run: for `status` the same words say what is true. */
export function isChange(outcome: Outcome): boolean {
  return outcome === 'masked' || outcome === 'unmasked';
}

/** `blocked`: tried, and refused because it is masked. `skipped`: not tried. */
export type StartProbe = 'blocked' | 'not-blocked' | 'skipped';

export interface UnitReport {
  readonly asked: string;
  readonly unit: string;
  /** null where it was not read. */
  readonly before: UnitState | null;
  /** Read back after the last change on the host; null where it was not read. */
  readonly after: UnitState | null;
  readonly startProbe: StartProbe;
  /** What can start it and is not masked itself. */
  readonly triggers: readonly string[];
  /** What was planned for it, in order; empty where nothing was. */
  readonly steps: readonly string[];
  /** Processes that are left in its control group, this session's own included. */
  readonly leftovers: number;
  readonly notes: readonly string[];
  /** `status` only: whose mask it is; null where no run's, or where it takes root to know. */
  readonly receipt?: UnitReceipt | null;
  /** What is masked with it: aliases, D-Bus names, instances. Absent where nobody looked. */
  readonly covers?: readonly string[];
  /** Ways round the mask that can be seen; there may be others. Absent where nobody looked. */
  readonly ways?: readonly string[];
  /** Members that are not masked with it, and can be started. Absent where there are none. */
  readonly notCovered?: readonly string[];
  /** What ran and stops with it, without being masked. Absent where there is none. */
  readonly stopsToo?: readonly string[];
}

export interface HostReport {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly outcome: Outcome;
  readonly seconds: number;
  readonly os: Pick<Os, 'id' | 'version' | 'name'> | null;
  readonly systemd: number | null;
  readonly units: readonly UnitReport[];
  readonly fault: Fault | null;
  /** Which wave it was in, from 1; only in a run with --waves. */
  readonly wave?: number;
  /** The host puts itself back at this time unless it is confirmed before; absent: no confirmation is awaited. UTC, RFC 3339. */
  readonly confirmBy?: string;
  /** The host puts itself back at this time; absent: never. */
  readonly expiresAt?: string;
  /** Which run that comes from, where it is not the one that is reported. */
  readonly switchOf?: string;
  /** Only of a visit that found it: when the host had rolled back by itself. UTC, RFC 3339. */
  readonly rolledBackAt?: string;
  /** Only of a run of the past: later visits, the oldest first. `units` is what the run itself did. Absent: there were none. */
  readonly history?: readonly Visited[];
}

export type Command =
  | 'mask'
  | 'unmask'
  | 'status'
  | 'plan'
  | 'rollback'
  | 'recover'
  | 'watch'
  | 'confirm'
  | 'extend'
  | 'release';

/** What a later visit found, or did, on a host that a run had changed; one for each unit. */
export interface Visited {
  /** UTC, RFC 3339. */
  readonly at: string;
  readonly actor: string;
  /** `automatic-rollback`: nobody came, the host did it by itself. */
  readonly command: Command | 'automatic-rollback';
  readonly outcome: Outcome;
  /** Null where no unit was read or known. */
  readonly unit: string | null;
  /** As last known before; null where it was not read. */
  readonly before: UnitState | null;
  /** As read by this visit; null where it was not. */
  readonly after: UnitState | null;
  readonly fault: Pick<Fault, 'kind' | 'message'> | null;
}

/** What is known of a run before any host is asked. */
export interface RunInfo {
  readonly id: string;
  readonly command: Command;
  readonly units: readonly string[];
  readonly now: boolean;
  readonly runtime: boolean;
  /** user@controller */
  readonly actor: string;
  readonly reason: string | null;
  readonly ticket: string | null;
  /** UTC, RFC 3339 */
  readonly startedAt: string;
  /** How many hosts each wave has, in order; absent without --waves. */
  readonly waves?: readonly number[];
  /** Seconds; absent: no confirmation was asked for. */
  readonly confirmWithin?: number;
  /** As it was asked for; absent: never. */
  readonly expiresAt?: string;
  /** No journal of it was at hand: this tells who recovered it, and each host what its own receipt says. Absent: begun here. */
  readonly from?: 'receipts';
  /** `status` only: the state that is as asked. */
  readonly expected?: 'masked' | 'unmasked';
}

/** One document, `fleetmask.report/1`. */
export interface Report {
  readonly schema: 'fleetmask.report/1';
  readonly run: RunInfo & { readonly finishedAt: string };
  readonly hosts: readonly HostReport[];
  readonly totals: Partial<Record<Outcome, number>>;
  readonly exitCode: number;
  /** The command that keeps the change where hosts await that; absent where none does. */
  readonly confirm?: string;
}

/** What a host is going through, for progress. */
export type Step = 'connecting' | 'probing' | 'applying' | 'undoing';

/** The one stream that every sink is fed from. */
export type Event =
  | { readonly type: 'run-started'; readonly run: RunInfo; readonly hosts: readonly string[] }
  | { readonly type: 'host-step'; readonly host: string; readonly step: Step }
  | { readonly type: 'host-settled'; readonly report: HostReport }
  /** Every host of it is settled; those that did not end as asked are named. */
  | {
      readonly type: 'wave-finished';
      readonly wave: number;
      readonly waves: number;
      readonly totals: Partial<Record<Outcome, number>>;
      readonly failed: readonly Pick<HostReport, 'host' | 'outcome'>[];
    }
  /** These hosts are put back now, and each is settled a second time. */
  | { readonly type: 'rollback-started'; readonly hosts: readonly string[]; readonly why: string }
  /** `watch`: what is no longer, or again, as asked; and what was done about it. `unit`: null where it concerns the host. */
  | {
      readonly type: 'drift';
      readonly at: string;
      readonly host: string;
      readonly unit: string | null;
      readonly what:
        | ('as-asked' | 'unmasked' | 'masked' | 'running' | 'unreachable' | 'refused')
        | ('reasserted' | 'given-up');
      readonly message: string;
    }
  | { readonly type: 'warning'; readonly text: string }
  | { readonly type: 'run-finished'; readonly report: Report };

/** How many hosts ended how. */
export function totalsOf(reports: readonly HostReport[]): Partial<Record<Outcome, number>> {
  const totals: Partial<Record<Outcome, number>> = {};
  for (const { outcome } of reports) totals[outcome] = (totals[outcome] ?? 0) + 1;
  return totals;
}
