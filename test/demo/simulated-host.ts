/** A simulated host without SSH, for the tests of the simulation and of the remote program. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildHost, environmentOf, type HostImage } from '../../src/demo/image.ts';
import type { SystemdUnderTest } from '../contract/systemd-under-test.ts';
import type { Shell } from './shells.ts';

const EMPTY: HostImage = {
  systemd: '252.39-1~deb12u1',
  release: 'ID=debian\nVERSION_ID="12"\n',
  files: {},
  links: {},
  running: [],
  privilege: 'root',
};

/** The same after every boot, so that dumps can be compared. */
const IDENTITY = {
  '/etc/machine-id': '00000000000000000000000000000001\n',
  '/proc/sys/kernel/random/boot_id': '00000000-0000-0000-0000-000000000001\n',
};

export class SimulatedHost implements SystemdUnderTest {
  readonly version: number;
  /** What the host takes for its root directory. */
  readonly dir: string;
  readonly #shell: Shell;
  readonly #image: HostImage;

  private constructor(dir: string, shell: Shell, image: HostImage) {
    this.dir = dir;
    this.version = Number.parseInt(image.systemd, 10);
    this.#shell = shell;
    this.#image = image;
  }

  /** Both the shims and what `shell` is told run under the given shell. */
  static async boot(shell: Shell, image: Partial<HostImage> = {}): Promise<SimulatedHost> {
    const dir = await mkdtemp(join(tmpdir(), 'fleetmask-simulated-'));
    const host = new SimulatedHost(dir, shell, { ...EMPTY, ...image, files: { ...IDENTITY, ...image.files } });
    await host.reset();
    return host;
  }

  async reset(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    await mkdir(this.dir);
    await buildHost(this.dir, this.#image, process.env.PATH ?? '', this.#shell.command);
    // Whatever asks for `sh` gets this one.
    await symlink(this.#shell.command.split(' ')[0] ?? '', join(this.dir, 'shim/sh'));
  }

  shell(script: string): ChildProcessWithoutNullStreams {
    return spawn(join(this.dir, 'shim/sh'), ['-c', script], {
      cwd: '/',
      env: environmentOf(this.dir, process.env.PATH ?? ''),
    });
  }

  async dispose(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}
