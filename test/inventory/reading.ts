import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Inventory, loadInventory, matchNames, usableHosts } from '../../src/inventory/index.ts';
import { type Host, UsageError } from '../../src/model/index.ts';

/** An empty directory: no group_vars beside what is read from standard input. */
export const emptyDirectory = mkdtempSync(join(tmpdir(), 'fleetmask-inventory-'));

/** Reads an inventory from its text, as standard input. */
export function read(text: string): Promise<Inventory> {
  return loadInventory(['-'], { cwd: emptyDirectory, stdin: async () => text });
}

export function file(name: string, text: string, mode = 0o644): string {
  const path = join(mkdtempSync(join(emptyDirectory, 'f-')), name);
  writeFileSync(path, text, { mode });
  return path;
}

/** The UsageError of a call as one text, message and hint; fails when it throws none. */
export async function complaint(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (error instanceof UsageError)
      return error.hint === undefined ? error.message : `${error.message} | ${error.hint}`;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The hosts that a limit selects, ready to be connected to. */
export function select(inventory: Inventory, limit?: string, skipUnsupported = false): readonly Host[] {
  return usableHosts(inventory, matchNames(inventory, limit, { cwd: emptyDirectory }), { limit, skipUnsupported })
    .hosts;
}
