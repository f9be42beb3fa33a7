/** All that is on a simulated host, so that "put back exactly as it was" is equality of two dumps. */
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** By path: mode and content, or the target of a link. Locks and sequence numbers outlive a run, and are left out. */
export async function dump(root: string): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  const visit = async (dir: string) => {
    for (const name of (await readdir(dir)).sort()) {
      const path = join(dir, name);
      const at = `/${relative(root, path)}`;
      const stat = await lstat(path);
      if (at === '/run/fleetmask') continue;
      if (stat.isSymbolicLink()) entries[at] = `link ${await readlink(path)}`;
      else if (stat.isDirectory()) {
        entries[at] = `directory ${stat.mode.toString(8)}`;
        await visit(path);
      } else entries[at] = `file ${stat.mode.toString(8)} ${settled(at, await readFile(path, 'latin1'))}`;
    }
  };
  await visit(root);
  return entries;
}

/** Lists in what the simulated systemd remembers have the order in which units came to be loaded. */
function settled(path: string, text: string): string {
  if (!path.startsWith('/sim/loaded/')) return text;
  return text.replace(/'([^']*)'/g, (_, words: string) => `'${words.split(' ').sort().join(' ')}'`);
}
