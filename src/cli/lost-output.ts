/** What counts when standard output or error was lost: full disk, closed pipe, vanished terminal. */

import { EXIT, graver } from '../operations/exit.ts';
import type { Io } from '../operations/io.ts';
import { colored } from '../operations/output.ts';
import { printError } from '../report/index.ts';

/**
 * Waits until both outputs are settled. Returns the exit code that counts then, and says once where results can be had again.
 * `run`: the run that is on disk, if there is one. A usage error has no results that could be lost.
 */
export async function afterOutput(io: Io, exitCode: number, run: string | null): Promise<number> {
  await io.stdout.settled();
  const { lost } = io.stdout;
  // `fleetmask runs list | head` needs no comment
  const silent = lost === null || (lost === 'EPIPE' && run === null) || exitCode === EXIT.usage;
  if (!silent) {
    printError(colored(io.stderr, io, {}), {
      message: `the results could not all be written to standard output (${lost})`,
      hint:
        run === null
          ? 'Run the command again when there is room for its output.'
          : `The journal is not affected: fleetmask runs export ${run} writes the results again.`,
    });
  }
  await io.stderr.settled();
  const unwritten = lost !== null || io.stderr.lost !== null;
  return unwritten && exitCode !== EXIT.usage ? graver(exitCode, EXIT.unwritten) : exitCode;
}
