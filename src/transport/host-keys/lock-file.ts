import { type FileHandle, open, stat, unlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const RETRY_MS = 20;
const PATIENCE_MS = 5_000;

/**
 * Runs `work` alone among the processes that use this lock file. One that stands unchanged for 5 s was left behind and is removed:
 * under a lock of its own, named after what was left behind, so that of many who wait one removes it, and never its successor.
 */
export async function underLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
  const held = await acquire(lock);
  const own = nameOf(await held.stat({ bigint: true }));
  try {
    return await work();
  } finally {
    await held.close();
    if ((await identity(lock)) === own) await remove(lock); // else it was taken for one left behind
  }
}

async function acquire(lock: string): Promise<FileHandle> {
  let seen: string | undefined;
  for (let waited = 0; ; waited += RETRY_MS) {
    try {
      return await open(lock, 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const now = await identity(lock);
    if (now !== seen) waited = 0;
    seen = now;
    if (now !== undefined && waited > PATIENCE_MS) {
      await underLock(`${lock}.${now}`, async () => {
        if ((await identity(lock)) === now) await remove(lock);
      });
    } else {
      await pause(RETRY_MS);
    }
  }
}

/** What tells one lock file from the next of the same name. */
async function identity(lock: string): Promise<string | undefined> {
  const found = await stat(lock, { bigint: true }).catch(() => undefined);
  return found && nameOf(found);
}

function nameOf({ ino, mtimeNs }: { readonly ino: bigint; readonly mtimeNs: bigint }): string {
  return `${ino}-${mtimeNs}`;
}

const remove = (lock: string): Promise<void> => unlink(lock).catch(() => undefined);
