/** What the machine under the lab must have: privileges, packages, limits, a cgroup2, and the hosts' shared roots. */
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpus } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Kind } from './kinds.ts';
import { must, run } from './process.ts';
import type { Traits } from './traits.ts';

const RECIPE = join(import.meta.dirname, 'base.sh');
const TRAITS = join(import.meta.dirname, 'traits-base.sh');
const CACHE = '/var/cache/fleetmask-lab';
const OWN_CGROUP2 = '/run/fleetmask-lab/cgroup2';

/** Command → the package that has it. */
const NEEDED = {
  mmdebstrap: 'mmdebstrap',
  'systemd-nspawn': 'systemd-container',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  unshare: 'util-linux',
  nsenter: 'util-linux',
  flock: 'util-linux',
};

/** Without these, boots stall at 15 to 20 hosts. */
const LIMITS = {
  'fs/inotify/max_user_instances': 65_536,
  'fs/inotify/max_user_watches': 1_000_000,
  'kernel/keys/maxkeys': 20_000,
  'kernel/keys/maxbytes': 4_000_000,
  'kernel/pty/max': 8_192,
};

/** Why the lab cannot run on this machine, in one line; nothing when it can. `dir` is where its hosts would live. */
export async function whyNot(dir: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return `the lab needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'the lab needs root: it mounts overlays and boots systemd';
  const osRelease = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!/^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(osRelease))
    return 'the lab needs Debian or Ubuntu under it: it builds with mmdebstrap';

  mkdirSync(dir, { recursive: true });
  const trial = mkdtempSync(join(dir, 'trial-'));
  try {
    const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(trial, name));
    for (const path of [lower, upper, work, merged]) mkdirSync(path!);
    const overlay = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await must('unshare', ['--mount', 'mount', '-t', 'overlay', 'overlay', '-o', overlay, merged!]);
    await must('unshare', ['--mount', 'mount', '-t', 'cgroup2', 'cgroup2', merged!]);
    mkdirSync(await cgroupRoot(), { recursive: true });
    return undefined;
  } catch (error) {
    return `the lab needs overlayfs, cgroup2 and the right to mount them: ${(error as Error).message}`;
  } finally {
    rmSync(trial, { recursive: true, force: true });
  }
}

export async function prepareMachine(say: (line: string) => void): Promise<void> {
  const missing = Object.entries(NEEDED).filter(([command]) => !inPath(command));
  if (!existsSync('/usr/share/keyrings/debian-archive-keyring.gpg')) missing.push(['', 'debian-archive-keyring']);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))];
    say(`installing ${packages.join(', ')}`);
    const options = { timeoutMs: 300_000, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
    await must('apt-get', ['-qq', 'update'], options);
    await must('apt-get', ['-qq', 'install', '--yes', '--no-install-recommends', ...packages], options);
  }
  for (const [name, wanted] of Object.entries(LIMITS)) {
    const path = `/proc/sys/${name}`;
    try {
      if (Number(readFileSync(path, 'utf8')) < wanted) writeFileSync(path, String(wanted));
    } catch (error) {
      say(`a large lab may stall: ${(error as Error).message}`);
    }
  }
}

/** The cgroup under which every lab of this machine has its hosts. */
export async function cgroupRoot(): Promise<string> {
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => / - cgroup2 /.test(line))
    ?.split(' ')[4];
  if (mounted !== undefined) return join(mounted, 'fleetmask-lab');
  mkdirSync(OWN_CGROUP2, { recursive: true });
  await must('mount', ['-t', 'cgroup2', 'cgroup2', OWN_CGROUP2]);
  return join(OWN_CGROUP2, 'fleetmask-lab');
}

/** The overlay's lowerdir for hosts of a kind, once its root is built. */
export function lowerOf(kind: Kind, traits: Traits = {}): string {
  const dir = join(CACHE, stamp(), kind.suite);
  if (!existsSync(dir)) throw new Error(`the root of ${kind.name} is not built yet`);
  const layers = [join(dir, 'root')];
  if (kind.layer !== undefined) layers.unshift(join(dir, kind.layer));
  if (Object.keys(traits).length > 0) layers.unshift(join(traitsDir(kind), 'packages'));
  if (traits.usr === 'split') layers.unshift(join(traitsDir(kind), 'split'));
  return layers.join(':');
}

/** Builds what hosts of these kinds need to have traits, over their roots. */
export async function buildTraits(kinds: readonly Kind[], say: (line: string) => void): Promise<void> {
  const bySuite = new Map(kinds.map((kind) => [kind.suite, kind]));
  await Promise.all(
    [...bySuite.values()].map(async (kind) => {
      const dir = traitsDir(kind);
      if (existsSync(dir)) return;
      say(`building what traits need on ${kind.suite} (once, about 20 s)`);
      await must('sh', [TRAITS, join(CACHE, stamp(), kind.suite, 'root'), dir], { timeoutMs: 600_000 });
    }),
  );
}

/** Beside the suite's root, and gone with it. */
const traitsDir = (kind: Kind) => join(CACHE, stamp(), `${kind.suite}-traits-${sum(TRAITS)}`);

/** Builds the roots that the kinds need, unless they are cached from this very recipe. Returns what could not be had, and why. */
export async function buildRoots(kinds: readonly Kind[], say: (line: string) => void): Promise<Map<string, string>> {
  const missing = new Map<string, string>();
  const cache = join(CACHE, stamp());
  const suites = [...new Set(kinds.map((kind) => kind.suite))];
  const absent = suites.filter((suite) => !existsSync(join(cache, suite)));
  if (absent.length === 0) return missing;
  say(`building ${absent.join(', ')} (once, about ${absent.length * 20} s on 2 cores)`);
  const mirror = await debianMirror();
  await Promise.all(
    absent.map(async (suite) => {
      const args = [RECIPE, suite, join(cache, suite), ...(mirror === undefined ? [] : [mirror])];
      await must('sh', args, { timeoutMs: 600_000 }).catch((error: Error) => {
        missing.set(suite, error.message);
        say(`no ${suite}: ${error.message}`);
      });
    }),
  );
  await dropOldRoots();
  return missing;
}

const sum = (recipe: string) => createHash('sha256').update(readFileSync(recipe)).digest('hex').slice(0, 12);
const stamp = () => sum(RECIPE);

/** Hosts of any lab may still stand on an older root; then it stays. */
async function dropOldRoots(): Promise<void> {
  const events = join(await cgroupRoot(), 'cgroup.events');
  if (existsSync(events) && /^populated 1$/m.test(readFileSync(events, 'utf8'))) return;
  for (const name of readdirSync(CACHE)) {
    if (name !== stamp()) rmSync(join(CACHE, name), { recursive: true, force: true });
  }
}

/** The mirror that this machine's own apt uses for Debian; on others mmdebstrap's default is right. */
async function debianMirror(): Promise<string | undefined> {
  if (process.env.FLEETMASK_LAB_MIRROR) return process.env.FLEETMASK_LAB_MIRROR;
  const { stdout } = await run('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI) $(RELEASE)',
    'Created-By: Packages',
  ]);
  return stdout
    .split('\n')
    .map((line) => line.split(' '))
    .find(
      ([uri, release]) =>
        /\/debian\/?$/.test(uri ?? '') && /^(bullseye|bookworm|trixie|forky|sid)$/.test(release ?? ''),
    )?.[0];
}

/** Boots wait more than they compute. */
export const BOOTS_AT_ONCE = cpus().length * 4;

function inPath(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
