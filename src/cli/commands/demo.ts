import { lstat, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fleet } from '../../demo/fleet.ts';
import { EXIT } from '../../operations/exit.ts';
import type { Io } from '../../operations/io.ts';
import { command } from '../command.ts';
import { output } from '../options.ts';

/** One scene: what is said, what is typed, and the exit code that belongs to it. */
interface Scene {
  readonly says: string;
  /** `hostTimeout`: what `hostTimeoutAfter` says of the plan before. */
  readonly args: (hostTimeout: string) => readonly string[];
  readonly exit: number;
  /** Whether the ordinary hosts are masked when it is over, seen in their own directories. */
  readonly masked: boolean;
}

const SCENES: readonly Scene[] = [
  {
    says: 'A dozen hosts of three families. What would masking cron do to each? Nothing is touched yet.',
    args: () => ['plan', 'mask', 'cron', '--now'],
    exit: EXIT.untouched,
    masked: false,
  },
  {
    says: 'Now for real. One host is masked already, one has its unit in /etc, one is down, and one will not stop: that one is put back.',
    args: (hostTimeout) => [
      ...['mask', 'cron', '--now', '-l', 'all', '-y'],
      ...['--host-timeout', hostTimeout, '--reason', 'demonstration'],
    ],
    exit: EXIT.rolledBack,
    masked: true,
  },
  {
    says: 'And the whole run is undone: every host that it changed is exactly as it was.',
    args: () => ['rollback', 'last', '-y'],
    exit: EXIT.ok,
    masked: false,
  },
];

/**
 * The time for one host. The host that will not stop takes all of it, so it is short; but all dozen hosts are this one machine,
 * and where that is slow or busy, a plan takes long, and a change a few times as long as a plan.
 */
export function hostTimeoutAfter(planMs: number): string {
  return `${Math.max(8, Math.ceil((5 * planMs) / 1000))}s`;
}

/** A host without a story; its cron unit shows whether the fleet is masked. */
const WITNESSES = [
  ['deb-web1', 'cron.service'],
  ['el-app1', 'crond.service'],
  ['arch-ci1', 'cronie.service'],
] as const;

/** The command line itself: its exit code for what `io.args` names. */
type Fleetmask = (io: Io) => Promise<number>;

export const demo = (fleetmask: Fleetmask) =>
  command({
    name: 'demo',
    usage: 'demo',
    describe: 'try everything on an embedded fleet: no hosts, no root and no systemd needed',
    examples: [['fleetmask demo', 'a plan, a run with a rollback, and its undo; exit 0 when all went as it should']],
    options: { verbose: output.verbose, 'no-color': output['no-color'], color: output.color },
    run: async (io, flags) => {
      const [{ startFleet }, { DEMO_HOSTS }] = await Promise.all([
        import('../../demo/fleet.ts'),
        import('../../demo/hosts.ts'),
      ]);
      const stateDir = await mkdtemp(join(tmpdir(), 'fleetmask-demo-'));
      const fleet = await startFleet(DEMO_HOSTS, { path: io.env.PATH ?? '/usr/bin:/bin', tempDir: stateDir });
      const release = io.onInterrupt(() => {
        void fleet.dispose().finally(() => io.abort(EXIT.interrupted));
      });
      try {
        const stage = stageOf(fleetmask, io, fleet, stateDir);
        const style = [...(flags.verbose ? ['-v'] : []), ...(flags['no-color'] ? ['--no-color'] : [])];
        let hostTimeout = hostTimeoutAfter(0);
        for (const [i, scene] of SCENES.entries()) {
          const args = scene.args(hostTimeout);
          io.stdout.write(`\n# ${scene.says}\n$ fleetmask ${args.join(' ')}\n\n`);
          const began = io.now();
          const problem = await play(stage, scene, [...args, ...style], fleet);
          if (i === 0) hostTimeout = hostTimeoutAfter(io.now() - began);
          if (problem !== null) {
            io.stderr.write(`fleetmask: the demonstration went wrong: ${problem}\n`);
            return EXIT.bug;
          }
        }
        io.stdout.write(
          '\nThat was real SSH and the real remote program, on simulated hosts. Next: fleetmask doctor -i YOUR-INVENTORY\n',
        );
        return EXIT.ok;
      } finally {
        release();
        await fleet.dispose();
        await rm(stateDir, { recursive: true, force: true });
      }
    },
  });

/** The same terminal, but none of the person's own settings, keys and journals. */
function stageOf(
  fleetmask: Fleetmask,
  io: Io,
  fleet: Fleet,
  stateDir: string,
): (args: readonly string[]) => Promise<number> {
  const { PATH, TERM, NO_COLOR } = io.env;
  return async (args) => {
    const flags = ['-i', fleet.inventoryPath, '--known-hosts', fleet.knownHostsPath, '-F', 'none'];
    const env = { PATH, TERM, NO_COLOR, FLEETMASK_STATE_DIR: stateDir };
    return fleetmask({ ...io, args: [...args, ...flags], env, cwd: stateDir, home: stateDir });
  };
}

async function play(
  stage: (args: readonly string[]) => Promise<number>,
  scene: Scene,
  args: readonly string[],
  fleet: Fleet,
): Promise<string | null> {
  const code = await stage(args);
  if (code !== scene.exit) return `${args[0]} ended with ${code}, not with ${scene.exit}`;
  for (const [host, unit] of WITNESSES) {
    const dir = fleet.hosts.find(({ name }) => name === host)?.dir ?? '';
    const masked = await lstat(join(dir, 'etc/systemd/system', unit)).then(
      (stat) => stat.isSymbolicLink(),
      () => false,
    );
    if (masked !== scene.masked) return `${unit} on ${host} is ${masked ? '' : 'not '}masked after ${args[0]}`;
  }
  return null;
}
