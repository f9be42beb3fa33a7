/** What a journal holds: a record a line. The schema that each line is held to is in record-schema.ts. */
import type {
  Account,
  Ask,
  Change,
  Command,
  HostReport,
  JournalHost,
  KeepOrder,
  Outcome,
  Prior,
  RunInfo,
  UnitPlan,
} from '../model/index.ts';
import type { Limits } from '../plan/failure-budget.ts';

/** What a journal begins with. */
export interface RunStart {
  readonly type: 'run';
  readonly schema: 'fleetmask.journal/1';
  readonly run: RunInfo;
  readonly ask: Ask;
  readonly hosts: readonly JournalHost[];
  /** With --rollback fleet: when so much has failed, every host that the run changed goes back. Whether it has follows from the records. */
  readonly fleetRollback?: Limits;
}

export type JournalRecord =
  | RunStart
  | {
      readonly type: 'intent';
      readonly at: string;
      readonly host: string;
      readonly seq: number;
      readonly request: 'apply' | 'undo';
      readonly change: Change;
      readonly prior: Prior;
      /** Of an apply: what it means for each unit; absent in journals of 0.1. */
      readonly units?: readonly UnitPlan[];
      /** Where it comes from a receipt: what that says of the run. For this host alone. */
      readonly told?: Account;
    }
  | { readonly type: 'settled'; readonly at: string; readonly report: HostReport }
  | Keep
  | Forget
  | Keeping
  | { readonly type: 'rollback'; readonly at: string; readonly actor: string; readonly hosts: readonly string[] }
  | { readonly type: 'recovery'; readonly at: string; readonly actor: string; readonly hosts: readonly string[] }
  /** A host that was not known to belong to the run. */
  | { readonly type: 'joined'; readonly at: string; readonly host: JournalHost }
  | Opened
  | Closed
  | {
      readonly type: 'finished';
      readonly at: string;
      readonly totals: Partial<Record<Outcome, number>>;
      readonly exitCode: number;
      /** Hosts of the whole run; absent: as many as were stranded. */
      readonly inDoubt?: number;
    };

export type Intent = Extract<JournalRecord, { type: 'intent' }>;

/** Someone decides that the change stays. */
export interface Keep {
  readonly type: 'keep';
  readonly at: string;
  readonly actor: string;
  readonly command: 'confirm' | 'extend' | 'release';
  readonly hosts: readonly string[];
}

/** On disk before the request is sent; until the host is settled it is as it was known before. */
export interface Keeping {
  readonly type: 'keeping';
  readonly at: string;
  readonly host: string;
  readonly seq: number;
  readonly order: KeepOrder;
}

/** Who gives hosts up, and when. */
export interface Forget {
  readonly type: 'forget';
  readonly at: string;
  readonly actor: string;
  readonly hosts: readonly string[];
}

export interface Opened {
  readonly type: 'opened';
  readonly at: string;
  readonly actor: string;
  readonly command: Command;
  readonly by: Controller;
}

export interface Closed {
  readonly type: 'closed';
  readonly at: string;
  readonly by: Controller;
}

/** A process on some machine, such that no later one is taken for it. */
export interface Controller {
  readonly machine: string;
  readonly pid: number;
  /** Null where the system does not tell: its boot, the namespace of the number, and when it was started, in the system's measure. */
  readonly bootId: string | null;
  readonly namespace: string | null;
  readonly started: string | null;
}
