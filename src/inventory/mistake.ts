import { at, printable, UsageError } from '../model/index.ts';

/** Where something was said: a source, and the line in it where it has lines. */
export interface Origin {
  readonly file: string;
  readonly line: number | undefined;
}

/** A mistake in an inventory: what, where (`file:line`), and what to do about it. */
export function mistake(origin: Origin, message: string, hint?: string): UsageError {
  return new UsageError(at(origin.file, origin.line, message), hint);
}

/** Text of an inventory, quoted for a message: short, and harmless on a terminal. */
export function quoted(text: string): string {
  return `"${printable(text, 80)}"`;
}
