/**
 * A fleet of real systemd hosts on this machine. All state is in one directory and one cgroup, so labs of
 * different directories live side by side; what runs is read from the cgroup, never remembered.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { basename, join, resolve } from 'node:path';
import { Cgroup } from './cgroup.ts';
import { LabHost, type Place } from './host.ts';
import { writeInventory } from './inventory.ts';
import { KINDS, type Kind, kindsNamed } from './kinds.ts';
import { Lock } from './lock.ts';
import { BOOTS_AT_ONCE, buildRoots, buildTraits, cgroupRoot, prepareMachine, whyNot } from './machine.ts';
import { must } from './process.ts';
import type { Traits } from './traits.ts';

export { LabHost } from './host.ts';
export { KINDS, type Kind } from './kinds.ts';

export const DEFAULT_DIR = process.env.FLEETMASK_LAB_DIR ?? '/var/tmp/fleetmask-lab';

export interface LabOptions {
  readonly dir?: string;
  /** Whether hosts are reset before their first use by this lab object, whatever others have done to them. */
  readonly pristine?: boolean;
  /** Progress, a line each. */
  readonly say?: (line: string) => void;
}

/** Throws, with one line that says why, where a lab cannot run. Boots nothing yet. */
export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const { say = () => {} } = options;
  const dir = resolve(options.dir ?? DEFAULT_DIR);
  const why = await whyNot(dir);
  if (why !== undefined) throw new Error(why);
  const net = netOf(dir);
  const cgroup = join(await cgroupRoot(), `${basename(dir)}.${net}`);
  return new Lab(dir, cgroup, net, await freePort(net), say, options.pristine ?? false);
}

export class Lab {
  readonly dir: string;
  readonly inventory: string;
  readonly knownHosts: string;
  readonly key: string;
  readonly sshConfig: string;
  readonly #net: number;
  readonly #place: Place;
  readonly #lock: Lock;
  readonly #say: (line: string) => void;
  readonly #pristine: boolean;
  readonly #used = new Set<string>();
  #missing: ReadonlyMap<string, string> = new Map();

  constructor(dir: string, cgroup: string, net: number, port: number, say: (line: string) => void, pristine: boolean) {
    this.dir = dir;
    this.inventory = join(dir, 'inventory.yaml');
    this.knownHosts = join(dir, 'known_hosts');
    this.key = join(dir, 'id_ed25519');
    this.sshConfig = join(dir, 'ssh_config');
    this.#net = net;
    this.#say = say;
    this.#pristine = pristine;
    this.#lock = new Lock(join(dir, 'lock'));
    this.#place = { dir, cgroup, port, tag: `fm${net}` };
  }

  /** The first n hosts of these kinds, taking turns; boots those that do not run yet. Kinds that cannot be had are left out. */
  hosts(n: number, kinds: readonly string[] = []): Promise<LabHost[]> {
    return this.#lock.hold(() => this.#hosts(n, kinds));
  }

  /** Suites that cannot be had, with the reason; the others are ready to boot. */
  build(): Promise<ReadonlyMap<string, string>> {
    return this.#lock.hold(async () => {
      await this.#prepare(KINDS);
      return this.#missing;
    });
  }

  async #hosts(n: number, kinds: readonly string[]): Promise<LabHost[]> {
    const asked = kindsNamed(kinds);
    await this.#prepare(asked);
    const can = asked.filter((kind) => !this.#missing.has(kind.suite));
    if (can.length === 0) throw new Error('none of the asked kinds could be built');
    const hosts = Array.from({ length: n }, (_, i) => this.#host(can[i % can.length]!, Math.floor(i / can.length) + 1));
    const cold = hosts.filter((host) => !host.running || (this.#pristine && !this.#used.has(host.name)));
    for (const { name } of hosts) this.#used.add(name);
    if (cold.length === 0) return hosts;
    this.#say(`booting ${cold.length} host${cold.length === 1 ? '' : 's'}`);
    await eachOf(cold, async (host) => {
      // what a crash left behind is not pristine either
      await host.reset();
    });
    this.#publish();
    return hosts;
  }

  /** The first host of a kind. */
  async host(kind: string): Promise<LabHost> {
    return (await this.hosts(1, [kind]))[0]!;
  }

  /** New hosts of these kinds with these traits; beside those of `hosts`, numbered from 101 on. */
  shaped(wanted: readonly { readonly kind: string; readonly traits: Traits }[]): Promise<LabHost[]> {
    return this.#lock.hold(async () => {
      const kinds = wanted.map(({ kind }) => kindsNamed([kind])[0]!);
      await this.#prepare(kinds);
      await buildTraits(kinds, this.#say);
      const taken = new Set(this.all().map(({ name }) => name));
      const hosts = wanted.map(({ traits }, i) => {
        let number = 101;
        while (taken.has(`${kinds[i]!.name}-${number}`)) number += 1;
        taken.add(`${kinds[i]!.name}-${number}`);
        return this.#host(kinds[i]!, number, traits);
      });
      await eachOf(hosts, (host) => host.reset());
      this.#publish();
      return hosts;
    });
  }

  /** Every host that exists, running or not, in the order of kinds and numbers. */
  all(): LabHost[] {
    const names = new Set([...entries(join(this.dir, 'hosts')), ...entries(this.#place.cgroup)]);
    const order = (host: LabHost) =>
      KINDS.findIndex((kind) => kind.name === host.kind.name) * 1000 + numberOf(host.name);
    return [...names].flatMap((name) => this.#named(name) ?? []).sort((a, b) => order(a) - order(b));
  }

  /** Back to the pristine root and booted, also onto a newer recipe. */
  reset(hosts: readonly LabHost[]): Promise<void> {
    return this.#lock.hold(async () => {
      await this.#prepare(hosts.map((host) => host.kind));
      const shaped = hosts.filter((host) => Object.keys(host.traits).length > 0);
      await buildTraits(
        shaped.map((host) => host.kind),
        this.#say,
      );
      await eachOf(hosts, (host) => host.reset());
      this.#publish();
    });
  }

  /** Stops every host and drops its root; the keys stay, for known_hosts elsewhere. */
  down(): Promise<void> {
    return this.#lock.hold(async () => {
      await eachOf(this.all(), (host) => host.remove());
      await new Cgroup(this.#place.cgroup).kill();
      this.#publish();
    });
  }

  async #prepare(kinds: readonly Kind[]): Promise<void> {
    await prepareMachine(this.#say);
    this.#missing = await buildRoots(kinds, this.#say);
    mkdirSync(this.dir, { recursive: true });
    if (!existsSync(this.key))
      await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'fleetmask-lab', '-f', this.key]);
  }

  /** Hosts that are switched off are in the inventory too, as in life. */
  #publish(): void {
    writeInventory(this, this.all());
  }

  #host(kind: Kind, number: number, traits?: Traits): LabHost {
    if (number > 250) throw new Error(`at most 250 hosts of a kind; ${kind.name} is asked for one more`);
    const third = KINDS.findIndex((other) => other.name === kind.name);
    return new LabHost(this.#place, kind, `${kind.name}-${number}`, `127.${this.#net}.${third}.${number}`, traits);
  }

  #named(name: string): LabHost | undefined {
    const kind = KINDS.find((each) => name.startsWith(`${each.name}-`));
    return kind && numberOf(name) > 0 ? this.#host(kind, numberOf(name)) : undefined;
  }
}

/** A directory of this process's own, and with it addresses that no other lab has or claims while this process lives. */
export async function claimDir(parent: string, prefix: string): Promise<string> {
  const why = await whyNot(parent);
  if (why !== undefined) throw new Error(why);
  const taken = entries(await cgroupRoot()).map((lab) => Number(lab.split('.').at(-1)));
  for (let tries = 0; ; tries += 1) {
    const dir = join(parent, `${prefix}${process.pid}${tries > 0 ? `-${tries}` : ''}`);
    const net = netOf(dir);
    if (!taken.includes(net) && (await listens(createServer().unref(), 1, net))) return dir;
  }
}

/** Ends what labs of processes that no longer live have left: a test run that was killed cannot clean up. */
export function sweepLabs(parent: string, prefix: string): Promise<void> {
  // two runs that begin together would take the same lab away under each other
  return new Lock(join(parent, `${prefix}sweep`)).hold(async () => {
    for (const name of entries(parent).filter((entry) => entry.startsWith(prefix))) {
      const pid = Number.parseInt(name.slice(prefix.length), 10);
      if (existsSync(`/proc/${pid}`)) continue;
      const lab = await openLab({ dir: join(parent, name) });
      await lab.down();
      rmSync(lab.dir, { recursive: true, force: true });
    }
  });
}

/** Addresses are 127.NET.KIND.NUMBER. Made from the directory, so that nobody has to hand them out. */
function netOf(dir: string): number {
  const asked = Number(process.env.FLEETMASK_LAB_NET ?? 0);
  return asked || 2 + (createHash('sha256').update(dir).digest().readUInt16BE() % 250);
}

/** 22, unless an sshd of this machine holds that port on every address. */
async function freePort(net: number): Promise<number> {
  const server = createServer();
  if (!(await listens(server, 22, net))) return 2222;
  await new Promise((done) => server.close(done));
  return 22;
}

function listens(server: Server, port: number, net: number): Promise<boolean> {
  return new Promise((done) => {
    server.once('error', () => done(false));
    server.listen(port, `127.${net}.255.1`, () => done(true));
  });
}

async function eachOf(hosts: readonly LabHost[], work: (host: LabHost) => Promise<void>): Promise<void> {
  const queue = [...hosts];
  const worker = async () => {
    for (let host = queue.shift(); host !== undefined; host = queue.shift()) await work(host);
  };
  await Promise.all(Array.from({ length: BOOTS_AT_ONCE }, worker));
}

const entries = (dir: string) =>
  existsSync(dir)
    ? readdirSync(dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
    : [];
const numberOf = (name: string) => Number(/-(\d+)$/.exec(name)?.[1] ?? 0);
