/** What a host shows of one unit, and of what lies on disk under its name. */

export interface UnitFacts {
  /** The real name; an alias shows the unit it points to. */
  readonly id: string;
  /** Every name, the id included. */
  readonly names: readonly string[];
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  /** UnitFileState: read from disk by systemd, so it may differ from what is loaded. Empty where there is no file. */
  readonly file: string;
  readonly fragment: string;
  readonly source: string;
  readonly canStart: boolean;
  readonly refuseManualStop: boolean;
  readonly mainPid: number;
  readonly controlGroup: string;
  readonly killMode: string;
  readonly transient: boolean;
  readonly perpetual: boolean;
  readonly triggeredBy: readonly string[];
  /** What it starts; of a socket with Accept=yes its connections. */
  readonly triggers: readonly string[];
  /** A socket with Accept=yes: it starts an instance of the template of its own name for each connection. */
  readonly accept: boolean;
  /** A timer that counts from the boot: when it is started later than that it elapses at once. */
  readonly fromBoot: boolean;
  /** Milliseconds that its stop may take before systemd kills it (TimeoutStopSec=); absent where there is no limit. */
  readonly stopLimit?: number;
  /** What systemd has queued for it, or is at; null where nothing. */
  readonly queued: Queued | null;
  /** Its unit file, or a drop-in, changed since systemd read it. Not every change is seen; see plan/unread.ts. */
  readonly needsReload: boolean;
  /** The file that it was read from is gone. */
  readonly gone: boolean;
  /** The D-Bus name that it takes; empty where it takes none, or that was not asked. */
  readonly busName: string;
  /** How it ended the last time, where that was no success (`Result=`). */
  readonly result?: string;
  /** What ExecStart= runs; empty where that was not asked. */
  readonly programs: readonly string[];
  /** What systemd stops with it: PartOf=, BindsTo=, Requires=, Requisite= of others, and its PropagatesStopTo=. */
  readonly takesDown: readonly string[];
  /** Absent where that was not asked, or it is tied to none. */
  readonly ties?: Ties;
}

/** What ties a unit to others, as its own properties say. */
export interface Ties {
  /** It stops with these (PartOf=, StopPropagatedFrom=). */
  readonly partOf: readonly string[];
  /** It cannot start without these (Requires=, Requisite=, BindsTo=). */
  readonly needs: readonly string[];
  readonly wantedBy: readonly string[];
}

/** What a job of systemd comes to in the end: a restart is a start. */
export type Queued = 'start' | 'stop' | 'reload';

/** A directory entry under a unit's name. `null`: a link to /dev/null; `empty`: a file without content, a mask too. */
export type PathFact = {
  readonly path: string;
} /** `displaced`: where the unit file lies that a run moved aside for it. */ & (
  | { readonly kind: 'null'; readonly displaced?: string }
  | { readonly kind: 'file' | 'empty' | 'other' }
  | { readonly kind: 'link'; readonly target: string }
);

/** Load, file and active state: what tables and reports show. */
export interface UnitState {
  readonly load: string;
  readonly file: string;
  readonly active: string;
}

export function stateOf(unit: UnitFacts): UnitState {
  return { load: unit.load, file: unit.file, active: unit.active };
}

/** Whether processes of the unit may run: everything but inactive and failed. */
export function isRunning(active: string): boolean {
  return active !== 'inactive' && active !== 'failed' && active !== '';
}

export function dirOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
