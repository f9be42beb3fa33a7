/** The real executable, as a shell starts it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { runOf } from '../operator.ts';
import { asRun, type Operator, type Run } from './fleetmask.ts';

const BIN = join(import.meta.dirname, '../../bin/fleetmask.js');

export interface Started {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly said: { readonly stdout: string; readonly stderr: string };
  /** Resolves also when it is killed; the exit code is then -1. */
  readonly ended: Promise<Run>;
}

/** `preload`: options of node before the program's name. */
export function start(
  operator: Operator,
  argv: readonly string[],
  preload: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Started {
  const child = spawn(process.execPath, [...preload, BIN, ...argv], {
    env: { ...process.env, FLEETMASK_STATE_DIR: operator.stateDir, HOME: operator.stateDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.stderr += chunk;
  });
  return {
    child,
    said,
    ended: once(child, 'close').then(([code]) => asRun(runOf(Number(code ?? -1), said.stdout, said.stderr))),
  };
}
