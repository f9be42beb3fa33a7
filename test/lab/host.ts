/** One host of the lab: a booted systemd with its own root, cgroup, address and sshd. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cgroup } from './cgroup.ts';
import { dumpUnit } from './dump.ts';
import type { Kind } from './kinds.ts';
import { lowerOf } from './machine.ts';
import { must, type Result, type RunOptions, run } from './process.ts';
import { settledAs, type Traits, words } from './traits.ts';

const BOOT = join(import.meta.dirname, 'boot.sh');
const BOOT_DEADLINE_MS = 300_000;
/** The environment of commands in a host. */
export const INSIDE = {
  // first the tools that no trait of a host has changed
  PATH: '/usr/lib/lab-witness:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C',
  TERM: 'dumb',
};

/** What a host needs of its lab. */
export interface Place {
  readonly dir: string;
  readonly cgroup: string;
  readonly port: number;
  /** Sets apart the machine names of labs that run side by side. */
  readonly tag: string;
}

export class LabHost {
  readonly name: string;
  readonly kind: Kind;
  readonly address: string;
  readonly port: number;
  readonly traits: Traits;
  readonly #place: Place;
  readonly #cgroup: Cgroup;

  /** `traits`: what sets it apart from its kind, when it gets a root. */
  constructor(place: Place, kind: Kind, name: string, address: string, traits?: Traits) {
    this.name = name;
    this.kind = kind;
    this.address = address;
    this.port = place.port;
    this.#place = place;
    this.#cgroup = new Cgroup(join(place.cgroup, name));
    this.traits = traits ?? readTraits(join(this.#dir, 'traits'));
  }

  get running(): boolean {
    return this.#cgroup.populated;
  }

  /** CPU that everything in this host has used since its boot: exact, and free to read. */
  cpuUsec(): number {
    return this.#cgroup.cpuUsec;
  }

  /** `ssh-ed25519 …`, for known_hosts. Stays the same over resets. */
  get publicHostKey(): string {
    return readFileSync(`${this.#hostKey}.pub`, 'utf8').split(' ').slice(0, 2).join(' ').trim();
  }

  get #dir(): string {
    return join(this.#place.dir, 'hosts', this.name);
  }

  get #hostKey(): string {
    return join(this.#place.dir, 'keys', this.name);
  }

  /**
   * As root in all namespaces of the host, past its sshd. A string is for its /bin/sh, an array for no shell.
   * Its CPU is not the host's, unless `charged`: then it also freezes with the host.
   */
  async exec(command: string | readonly string[], options: RunOptions & { charged?: boolean } = {}): Promise<Result> {
    const { charged = false, ...rest } = options;
    const argv = this.nsenter(typeof command === 'string' ? ['sh', '-c', command] : command);
    if (charged) argv.unshift('sh', '-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', this.#cgroup.path);
    return run(argv[0]!, argv.slice(1), { env: INSIDE, ...rest });
  }

  /** The command line that runs `argv` in this host. */
  nsenter(argv: readonly string[]): string[] {
    const leader = this.#cgroup.leader;
    if (leader === undefined) throw new Error(`${this.name} is not running`);
    return ['nsenter', '-t', String(leader), '-m', '-p', '-u', '-i', '-C', '-r', '-w', '--', ...argv];
  }

  async writeFile(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
    const write = 'mkdir -p "$(dirname "$0")" && cat >"$0" && chmod "$1" "$0"';
    await this.#must(['sh', '-c', write, path, mode.toString(8)], { input: content });
  }

  /** Puts a unit file there and reloads; nothing is started or enabled. */
  async installUnit(name: string, text: string, dir = '/usr/lib/systemd/system'): Promise<void> {
    await this.writeFile(join(dir, name), text);
    await this.#must(['systemctl', 'daemon-reload']);
  }

  /** Two dumps are equal when the unit, its files and its state are the same. */
  dumpUnit(name: string): Promise<string[]> {
    return dumpUnit(this, name);
  }

  /** Every process gone in an instant. The disk stays as it was; /run does not. */
  async powerCut(): Promise<void> {
    await this.#cgroup.kill();
  }

  /** It hangs: TCP connects still, nothing answers. */
  freeze(): Promise<void> {
    return this.#cgroup.freeze(true);
  }

  thaw(): Promise<void> {
    return this.#cgroup.freeze(false);
  }

  /** Boots it, on the root it had or else on a pristine one, and waits until it has settled. */
  async boot(): Promise<void> {
    if (this.running) return;
    if (await this.#greets())
      throw new Error(`${this.address} is taken by something else: set FLEETMASK_LAB_NET to another number`);
    if (!existsSync(this.#dir)) await this.#furnish();
    await this.#cgroup.kill();
    this.#cgroup.create();
    const log = join(this.#dir, 'boot.log');
    const fd = openSync(log, 'w');
    const lower = readFileSync(join(this.#dir, 'lower'), 'utf8');
    const machine = `${this.#place.tag}-${this.name}`;
    const args = [this.#dir, lower, this.#cgroup.path, this.name, machine, ...words(this.traits)];
    const child = spawn('unshare', ['--mount', 'sh', BOOT, ...args], {
      detached: true,
      stdio: ['ignore', fd, fd],
      env: { PATH: INSIDE.PATH },
    });
    closeSync(fd);
    child.unref();
    const gone = new Promise<never>((_, reject) => {
      child.on('error', reject);
      // the host's files may be gone by then: it also exits when it is removed
      child.on('exit', (code) => {
        reject(new Error(`${this.name} did not boot (${code}): ${existsSync(log) ? tail(log) : 'no log'}`));
      });
    });
    await Promise.race([gone, this.#settled(Date.now() + BOOT_DEADLINE_MS, log)]);
    gone.catch(() => {});
  }

  /** Back to the pristine root, with the same keys. */
  async reset(): Promise<void> {
    await this.remove();
    await this.boot();
  }

  async remove(): Promise<void> {
    await this.powerCut();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Who it is. All in directories that every root has with the same modes, so plain files in the upper layer do. */
  async #furnish(): Promise<void> {
    for (const sub of ['work', 'root', 'upper/etc/ssh/sshd_config.d'])
      mkdirSync(join(this.#dir, sub), { recursive: true });
    if (!existsSync(this.#hostKey)) {
      mkdirSync(dirname(this.#hostKey), { recursive: true });
      await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', this.name, '-f', this.#hostKey]);
    }
    const etc = join(this.#dir, 'upper/etc');
    copyFileSync(this.#hostKey, join(etc, 'ssh/ssh_host_ed25519_key'));
    copyFileSync(`${this.#hostKey}.pub`, join(etc, 'ssh/ssh_host_ed25519_key.pub'));
    copyFileSync(join(this.#place.dir, 'id_ed25519.pub'), join(etc, 'ssh/authorized_keys'));
    writeFileSync(join(etc, 'ssh/sshd_config.d/address.conf'), `ListenAddress ${this.address}:${this.port}\n`);
    writeFileSync(join(etc, 'hostname'), `${this.name}\n`);
    writeFileSync(join(etc, 'hosts'), `127.0.0.1 localhost\n${this.address} ${this.name}\n`);
    writeFileSync(join(etc, 'machine-id'), `${randomUUID().replaceAll('-', '')}\n`);
    if (this.traits.server === 'tinyssh') this.#writeTinyKey(join(etc, 'ssh/tinyssh'));
    writeFileSync(join(this.#dir, 'traits'), JSON.stringify(this.traits));
    // last: a root is complete when it knows what it stands on
    writeFileSync(join(this.#dir, 'lower'), lowerOf(this.kind, this.traits));
  }

  /** The same host key as tinyssh keeps it: the bare 32 and 64 bytes. */
  #writeTinyKey(dir: string): void {
    const point = Buffer.from(this.publicHostKey.split(' ')[1]!, 'base64').subarray(-32);
    const secret = Buffer.from(readFileSync(this.#hostKey, 'utf8').replaceAll(/-----.*/g, ''), 'base64');
    const length = secret.indexOf(Buffer.from([0, 0, 0, 64]), secret.lastIndexOf('ssh-ed25519'));
    mkdirSync(dir);
    writeFileSync(join(dir, 'ed25519.pk'), point);
    writeFileSync(join(dir, '.ed25519.sk'), secret.subarray(length + 4, length + 68), { mode: 0o600 });
  }

  async #settled(deadline: number, log: string): Promise<void> {
    for (;;) {
      const leader = this.#cgroup.leader;
      // --wait before PID 1 listens there fails, so asking earlier is polling
      if (leader !== undefined && existsSync(`/proc/${leader}/root/run/systemd/private`)) {
        const settled = settledAs(this.traits);
        const wait = settled.waits ? ['--wait'] : [];
        const state = (await this.exec(['systemctl', 'is-system-running', ...wait])).stdout.trim();
        if (settled.states.includes(state) && (await this.#greets())) return;
      }
      if (Date.now() > deadline) throw new Error(`${this.name} did not settle: ${tail(log)}`);
      await sleep(100);
    }
  }

  #greets(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ host: this.address, port: this.port, timeout: 30_000 });
      const end = (yes: boolean) => {
        socket.destroy();
        resolve(yes);
      };
      socket.once('data', (data) => end(data.toString().startsWith('SSH-')));
      socket.once('timeout', () => end(false));
      socket.once('error', () => end(false));
      socket.once('close', () => end(false));
    });
  }

  async #must(argv: readonly string[], options: RunOptions = {}): Promise<void> {
    const { code, stderr } = await this.exec(argv, options);
    if (code !== 0) throw new Error(`${this.name}: ${argv.join(' ')} failed (${code}): ${stderr.trim()}`);
  }
}

const tail = (log: string) => readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' / ');

const readTraits = (path: string): Traits => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {});
