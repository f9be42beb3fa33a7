/** A simulated host on disk: a directory that the shims in shim/ take for the root of a machine. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What a host has on its disk, and what runs there. Paths are absolute, as on the host. */
export interface HostImage {
  /** systemd's version, as systemd tells it: `252.39-1~deb12u1`. */
  readonly systemd: string;
  /** The text of /etc/os-release. */
  readonly release: string;
  readonly files: Readonly<Record<string, string>>;
  /** Symbolic links: path → target. */
  readonly links: Readonly<Record<string, string>>;
  /** Units that run. */
  readonly running: readonly string[];
  readonly privilege: 'root' | 'sudo' | 'none';
}

const SHIMS = new URL('./shim/', import.meta.url);

/**
 * Writes the host into `dir`, which must exist, and boots it. `path`: where this machine has its tools.
 * `shell`: what runs the shims, as a `#!` line has it.
 */
export async function buildHost(dir: string, image: HostImage, path: string, shell = '/bin/sh'): Promise<void> {
  const files: Record<string, string> = {
    '/etc/os-release': image.release,
    '/etc/machine-id': `${randomUUID().replaceAll('-', '')}\n`,
    '/proc/sys/kernel/random/boot_id': `${randomUUID()}\n`,
    '/sim/manager': `Version='${image.systemd}'\nSystemState='running'\n`,
    ...(image.privilege === 'root' ? {} : { '/sim/uid': '1000\n' }),
    ...(image.privilege === 'sudo' ? { '/sim/sudoers': 'ALL\n' } : {}),
    ...image.files,
  };
  const dirs = [
    '/run/systemd/system',
    '/etc/systemd/system',
    '/sim/loaded',
    '/sim/active',
    '/shim',
    '/tmp',
    '/var/lib',
  ];
  for (const each of [...dirs, ...Object.keys({ ...files, ...image.links }).map(dirname)]) {
    await mkdir(join(dir, each), { recursive: true });
  }
  for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text);
  for (const [link, target] of Object.entries(image.links)) await symlink(target, join(dir, link));
  await installShims(join(dir, 'shim'), shell);
  await boot(dir, image.running, path);
}

/** The environment in which the host's programs find the shims first. */
export function environmentOf(dir: string, path: string): Record<string, string> {
  return { PATH: `${dir}/shim:${path}`, HOME: join(dir, 'tmp'), FLEETMASK_ROOT: dir };
}

/** Each `NAME.sh` becomes the command NAME. */
async function installShims(dir: string, shell: string): Promise<void> {
  shims ??= readShims();
  for (const [name, text] of await shims) {
    await writeFile(join(dir, name), text.replace(/^#!.*/, `#!${shell}`), { mode: 0o755 });
  }
}

let shims: Promise<(readonly [name: string, text: string])[]> | undefined;

async function readShims() {
  const files = (await readdir(SHIMS)).filter((file) => file.endsWith('.sh'));
  return Promise.all(
    files.map(async (file) => [file.slice(0, -'.sh'.length), await readFile(new URL(file, SHIMS), 'utf8')] as const),
  );
}

function boot(dir: string, running: readonly string[], path: string): Promise<void> {
  const child = spawn(join(dir, 'shim/boot'), running, { env: environmentOf(dir, path), stdio: 'pipe' });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  child.stdin.end();
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`a simulated host did not boot: ${said}`))));
  });
}
