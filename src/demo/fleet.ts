/** A fleet on loopback: for every host an SSH server and a directory that stands for the machine. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { buildHost, environmentOf, type HostImage } from './image.ts';
import { newKeyPair } from './key-pair.ts';
import { serve } from './server.ts';

export interface HostSpec {
  readonly name: string;
  /** The inventory group that it is in. */
  readonly group: string;
  /** Down: nothing listens on its port. */
  readonly network: 'up' | 'down';
  readonly image: HostImage;
}

export interface FleetOptions {
  /** Where this machine has its tools, as in $PATH. */
  readonly path: string;
  /** All that the fleet needs is made in a new directory below this one. */
  readonly tempDir: string;
}

export interface Fleet {
  /** An Ansible inventory of all hosts, with ports, user and key. */
  readonly inventoryPath: string;
  readonly knownHostsPath: string;
  readonly privateKeyPath: string;
  readonly hosts: readonly FleetHost[];
  /** Ends what runs, closes every port and removes every file; once, however often it is called. */
  dispose(): Promise<void>;
}

export interface FleetHost {
  readonly name: string;
  readonly port: number;
  /** What the host takes for its root directory. */
  readonly dir: string;
}

const USER = 'demo';

/** Boots every host. Whoever starts a fleet must dispose of it. */
export async function startFleet(specs: readonly HostSpec[], options: FleetOptions): Promise<Fleet> {
  const base = await mkdtemp(join(options.tempDir, 'fleetmask-fleet-'));
  const closers: (() => Promise<void>)[] = [];
  const end = async () => {
    await Promise.all(closers.map((close) => close()));
    // What a host still ran may write its last while the directory goes.
    await rm(base, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
  let ended: Promise<void> | undefined;
  const dispose = () => {
    ended ??= end();
    return ended;
  };
  try {
    const privateKeyPath = join(base, 'id_ed25519');
    const client = newKeyPair('fleetmask demo');
    await writeFile(privateKeyPath, client.private, { mode: 0o600 });
    const clientKey = parsed(client.public);

    const started = await Promise.allSettled(
      specs.map(async ({ name, network, image }) => {
        const dir = join(base, 'hosts', name);
        await mkdir(dir, { recursive: true });
        await buildHost(dir, image, options.path);
        const hostKey = newKeyPair();
        const env = environmentOf(dir, options.path);
        if (network === 'down') return { name, dir, port: await deadPort(), publicKey: hostKey.public };
        const server = await serve({ hostKey: hostKey.private, clientKey, cwd: dir, env });
        closers.push(server.close);
        return { name, dir, port: server.port, publicKey: hostKey.public };
      }),
    );
    const hosts = started.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    });

    const knownHostsPath = join(base, 'known_hosts');
    await writeFile(knownHostsPath, hosts.map(({ port, publicKey }) => `[127.0.0.1]:${port} ${publicKey}\n`).join(''));
    const inventoryPath = join(base, 'inventory.yaml');
    await writeFile(inventoryPath, inventory(specs, hosts, privateKeyPath));
    return { inventoryPath, knownHostsPath, privateKeyPath, hosts, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function parsed(publicKey: string) {
  const key = ssh2.utils.parseKey(publicKey);
  if (key instanceof Error) throw key;
  return key;
}

/** A port on which nothing listens: one that was free a moment ago. */
function deadPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function inventory(specs: readonly HostSpec[], hosts: readonly FleetHost[], privateKeyPath: string): string {
  const portOf = new Map(hosts.map((host) => [host.name, host.port]));
  const lines = [
    'all:',
    '  vars:',
    '    ansible_host: 127.0.0.1',
    `    ansible_user: ${USER}`,
    `    ansible_ssh_private_key_file: ${JSON.stringify(privateKeyPath)}`,
    '  children:',
  ];
  for (const group of new Set(specs.map((spec) => spec.group))) {
    lines.push(`    ${group}:`, '      hosts:');
    for (const { name } of specs.filter((spec) => spec.group === group)) {
      lines.push(`        ${name}: { ansible_port: ${portOf.get(name)} }`);
    }
  }
  return `${lines.join('\n')}\n`;
}
