import type { Controller } from '../journal/records.ts';
import type { Life } from '../journal/run-lock.ts';
import { type Event, UsageError } from '../model/index.ts';
import type { SiteCatalogue } from '../plan/catalog.ts';
import type { Guardrails } from '../plan/guardrails.ts';

/** Where changes are put on record besides the journal. */
export type Audit = 'syslog' | 'none';

/** The world as commands see it: main.ts makes the real one, tests make their own. */
export interface Io {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** The settings of this machine, with its guardrails: /etc/fleetmask/config.yaml. */
  readonly systemConfig: string;
  /** What the administrator of this machine allows to be masked. */
  readonly guardrails: Guardrails;
  /** Where else changes are put on record, by the settings of this machine or of the user. */
  readonly audit: Audit;
  /** Logical names of this site. */
  readonly catalogue: SiteCatalogue;
  /** user@host, for journals and receipts. */
  readonly actor: string;
  readonly user: string;
  readonly uid: number;
  /** The name of this machine. */
  readonly machine: string;
  /** This process, and whether another is still there. */
  readonly controller: Controller;
  lifeOf(other: Controller): Life;
  readonly stdout: Output;
  readonly stderr: Output;
  /** A program that takes events instead of a screen; absent: there is a screen. */
  readonly events?: (event: Event) => void;
  /** Called when a run is on disk: its results can be had again from there. */
  recorded(run: string): void;
  /** All of stdin, for `-i -`. */
  readStdin(): Promise<string>;
  /**
   * Asks the person at the terminal; undefined where there is none, null where the person breaks it off (Ctrl-C, Ctrl-D).
   * `hidden`: what is typed is not shown. `given`: up to when an answer is of use; what ends it then is null.
   */
  prompt(question: string, answer: 'shown' | 'hidden', given?: AbortSignal): Promise<string | null | undefined>;
  /** Milliseconds, monotonic; and the wall clock. */
  now(): number;
  date(): Date;
  /** Calls back for each Ctrl-C or SIGTERM until disposed of. */
  onInterrupt(handler: (count: number) => void): () => void;
  /** Ends the process at once, without waiting for anything. */
  abort(code: number): never;
}

export interface Output {
  /** Never throws. */
  write(text: string): void;
  /** Why some of it could not be written (an error code such as ENOSPC); null while all was. */
  readonly lost: string | null;
  /** Resolves when all was handed to the system, or is lost. */
  settled(): Promise<void>;
  readonly isTTY: boolean;
  readonly columns: number | undefined;
}

/** What must be known before anything is done was broken off: a question, an inventory. */
export class BrokenOff extends UsageError {
  constructor(when = 'at the prompt') {
    super(`interrupted ${when}: nothing was touched`);
  }
}
