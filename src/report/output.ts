import type { Event } from '../model/index.ts';

/** Where text goes: stdout or stderr, or a string in a test. */
export interface Output {
  write(text: string): void;
  /** Of the terminal, read anew for each screen; undefined where nothing says how wide a line may be. */
  readonly columns?: number | undefined;
  readonly isTTY: boolean;
  /** The only leave to write SGR codes; decided by the command line from flags, NO_COLOR and the terminal. */
  readonly color: boolean;
}

/** What a text needs to know about the place where it is shown. */
export type Screen = Pick<Output, 'columns' | 'color'>;

/** A consumer of a run's events. `end` resolves when everything was handed to the output. */
export interface Sink {
  event(event: Event): void;
  end(): Promise<void> | void;
}
