import { execFile } from 'node:child_process';
import type { Run } from './ssh-config/index.ts';

/** What a program may print before it is ended: `ssh -G` prints a few KiB. */
const MAX_OUTPUT = 4 * 1024 * 1024;
/** A `Match exec` of the configuration may take a moment, and must not take for ever. */
const TIMEOUT_MS = 30_000;

/** Runs a program without a shell and without input. Rejects when there is no such program, or it does not end in time. */
export const runProgram: Run = (program, args) =>
  new Promise((resolve, reject) => {
    const limits = { maxBuffer: MAX_OUTPUT, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' } as const;
    const child = execFile(program, [...args], limits, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(error?.killed ? new Error(`${program} did not end within ${TIMEOUT_MS / 1000} s`) : error);
    });
    child.stdin?.end();
  });
