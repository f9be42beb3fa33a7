import type { Argv, InferredOptionTypes, Options } from 'yargs';
import type { Io } from '../operations/io.ts';

/** One command: its words, its flags, its examples, and what it does. */
export interface Command {
  readonly name: string;
  /** With placeholders, as in the help. */
  readonly usage: string;
  readonly describe: string;
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  readonly options: Readonly<Record<string, Options>>;
  /** What an argument of the usage line can be, where that is one of a few words. */
  readonly words?: Readonly<Record<string, readonly string[]>>;
  /** For what the usage line alone cannot say. */
  readonly positional?: (argv: Argv) => Argv;
  /** Returns the exit code. Throws UsageError for what the operator can mend. */
  run(io: Io, flags: never): Promise<number>;
}

/** Keeps the types of the flags together with the function that takes them. */
export function command<const O extends Readonly<Record<string, Options>>>(
  definition: Omit<Command, 'options' | 'run'> & {
    readonly options: O;
    run(io: Io, flags: InferredOptionTypes<O> & { readonly units?: readonly string[] }): Promise<number>;
  },
): Command {
  return definition;
}

/** The UNIT… arguments. */
export function units(argv: Argv): Argv {
  return argv.positional('units', {
    array: true,
    type: 'string',
    describe:
      'unit names (cron.service, cups.socket), or logical names that are looked up per distribution (cron, ssh, apache)',
  });
}
