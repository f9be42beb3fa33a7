import { describe, it } from 'vitest';
import type { Target } from '../../src/model/index.ts';
import { keyRing } from '../../src/transport/identities/identities.ts';
import { opensshTransport } from '../../src/transport/openssh/openssh.ts';
import { ssh2Transport } from '../../src/transport/ssh2/ssh2.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { freePort, knownLine, noSshd, type Scratch, scratch, startSshd } from '../transport/openssh.ts';
import { startServer } from '../transport/server.ts';
import { transportContract, type Way } from './transport.contract.ts';

interface Host {
  readonly port: number;
  readonly hostKeys: readonly string[];
  readonly user?: string;
  close(): void;
}

/** What lies between here and the host. */
interface Road {
  readonly hostKnown: string;
  lead(target: Target): Target;
  close(): void;
}
type Build = (files: Scratch, key: string) => Promise<Road>;

type Means = (hosts: { hostKeyChecking: 'strict'; knownHostsFiles: string[]; maxOutputBytes: number }) => Transport;

const bySsh2: Means = (hosts) => ssh2Transport({ connectTimeoutMs: 15_000, keys: keyRing({}), ...hosts });
const byOpenSsh: Means = (hosts) => opensshTransport({ connectTimeoutMs: 15_000, ...hosts });

async function wayBy(
  means: Means,
  start: (files: Scratch, authorized: readonly string[]) => Promise<Host>,
  build: Build = direct,
): Promise<Way> {
  const files = scratch();
  const key = files.key('id');
  const host = await start(files, [key]);
  const road = await build(files, key);
  const lines = host.hostKeys.map((file) => knownLine(host.port, file));
  const knownHosts = files.write('known_hosts', lines.join('') + road.hostKnown);
  const maxOutputBytes = 1024 * 1024;
  const target: Target = {
    host: 'host',
    address: '127.0.0.1',
    port: host.port,
    user: host.user ?? 'tester',
    identityFiles: [key],
    identitiesOnly: true,
    ssh: { destination: 'host', config: 'none' },
  };
  return {
    transport: means({ hostKeyChecking: 'strict', knownHostsFiles: [knownHosts], maxOutputBytes }),
    target: road.lead(target),
    maxOutputBytes,
    stranger: road.lead({ ...target, identityFiles: [files.key('stranger')] }),
    unknown: road.lead({ ...target, address: 'localhost' }),
    closed: road.lead({ ...target, port: await freePort() }),
    close() {
      host.close();
      road.close();
      files.close();
    },
  };
}

const direct: Build = async () => ({ hostKnown: '', lead: (target) => target, close: () => undefined });

/** A program that joins its standard input and output with a port, as `nc` does. */
const byCommand: Build = async (files) => {
  const program = files.write(
    'join.mjs',
    `import { connect } from 'node:net';
     const [host, port] = process.argv.slice(2);
     const socket = connect(Number(port), host);
     socket.on('error', (error) => { console.error(error.code === 'ECONNREFUSED' ? 'refused' : error.code); process.exit(1); });
     process.stdin.pipe(socket).pipe(process.stdout);
     socket.on('close', () => process.exit(0));`,
  );
  return {
    ...(await direct(files, '')),
    lead: (target) => {
      const command = `${process.execPath} ${program} 127.0.0.1 ${target.port}`;
      return { ...target, proxy: { kind: 'command', command } };
    },
  };
};

const byJump: Build = async (files, key) => {
  const bastion = await startSshd(files, [key]);
  const via: Target = {
    host: 'bastion',
    address: '127.0.0.1',
    port: bastion.port,
    user: bastion.user,
    identityFiles: [key],
    identitiesOnly: true,
    ssh: { destination: 'bastion', config: 'none' },
  };
  return {
    hostKnown: bastion.hostKeys.map((file) => knownLine(bastion.port, file)).join(''),
    lead: (target) => ({ ...target, proxy: { kind: 'jump', via } }),
    close: bastion.close,
  };
};

transportContract('ssh2 and a ProxyCommand, to an ssh2 server', () =>
  wayBy(bySsh2, (files, keys) => startServer(files, keys), byCommand),
);

transportContract('ssh2, to an ssh2 server', () => wayBy(bySsh2, (files, keys) => startServer(files, keys)));

transportContract('ssh2, to a server that may be hurried', () =>
  wayBy(bySsh2, (files, keys) => startServer(files, keys, { ident: 'OpenSSH_9.9 in name only' })),
);

if (noSshd === undefined) {
  transportContract('ssh2, to OpenSSH', () => wayBy(bySsh2, (files, keys) => startSshd(files, keys)));
  transportContract('ssh2 and a jump host, to OpenSSH', () =>
    wayBy(bySsh2, (files, keys) => startSshd(files, keys), byJump),
  );
  transportContract('ssh2 and a jump host, to an ssh2 server', () =>
    wayBy(bySsh2, (files, keys) => startServer(files, keys), byJump),
  );
  transportContract('ssh2 and a ProxyCommand, to OpenSSH', () =>
    wayBy(bySsh2, (files, keys) => startSshd(files, keys), byCommand),
  );
  transportContract('OpenSSH', () => wayBy(byOpenSsh, (files, keys) => startSshd(files, keys)));
  transportContract('OpenSSH, to an ssh2 server', () => wayBy(byOpenSsh, (files, keys) => startServer(files, keys)));
  transportContract('OpenSSH and a jump host', () => wayBy(byOpenSsh, (files, keys) => startSshd(files, keys), byJump));
  transportContract('OpenSSH and a ProxyCommand', () =>
    wayBy(byOpenSsh, (files, keys) => startSshd(files, keys), byCommand),
  );
} else {
  describe('a transport over ssh2 or OpenSSH, to OpenSSH', () => {
    it.skip(`is not tested here: ${noSshd}`);
  });
}
