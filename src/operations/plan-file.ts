/** Plan files: written whole or not at all. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { UsageError } from '../model/index.ts';
import { formatPlan, parsePlan, type SavedPlan } from '../run/saved-plan.ts';
import { absolute } from './context/paths.ts';
import { assertOurs } from './context/strict-modes.ts';
import type { Io } from './io.ts';

export interface PlanFile {
  /** Puts the plan in its place, in one step. */
  save(plan: SavedPlan): void;
  /** Leaves nothing behind; after `save` it does nothing. */
  discard(): void;
}

/**
 * Makes sure that a plan can be written there before any host is visited. For its owner alone: it tells how hosts are reached.
 * Throws UsageError where it cannot be written, and where something lies that is no plan.
 */
export function openPlanFile(io: Io, out: string): PlanFile {
  const file = absolute(io, out);
  if (existsSync(file) && !holdsPlan(file)) {
    throw new UsageError(`--out: ${out} exists and is not a plan file`, 'Name another file; only plans are replaced.');
  }
  const fresh = `${file}.${randomBytes(4).toString('hex')}`;
  let handle: number;
  try {
    handle = openSync(fresh, 'wx', 0o600);
  } catch (error) {
    throw new UsageError(`--out: ${out} cannot be written: ${(error as Error).message}`);
  }
  let open = true;
  return {
    save: (plan) => {
      try {
        writeFileSync(handle, formatPlan(plan)); // whole, where writeSync may stop early
        fsyncSync(handle);
        renameSync(fresh, file);
      } catch (error) {
        throw new UsageError(`--out: ${out} cannot be written: ${(error as Error).message}`, 'Nothing was touched.');
      }
    },
    discard: () => {
      if (!open) return;
      open = false;
      closeSync(handle);
      rmSync(fresh, { force: true });
    },
  };
}

function holdsPlan(file: string): boolean {
  try {
    parsePlan(readFileSync(file, 'utf8'), file);
    return true;
  } catch {
    return false;
  }
}

export function readPlanFile(io: Io, name: string): SavedPlan {
  let text: string;
  try {
    text = readFileSync(absolute(io, name), 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`${name}: ${code === 'ENOENT' ? 'there is no such plan file' : message}`);
  }
  assertOurs(io, absolute(io, name), 'the plan');
  return parsePlan(text, name);
}
