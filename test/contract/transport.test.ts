import { describe, it } from 'vitest';
import type { Target } from '../../src/model/index.ts';
import { keyRing } from '../../src/transport/identities.ts';
import { ssh2Transport } from '../../src/transport/ssh2.ts';
import { freePort, knownLine, noSshd, type Scratch, scratch, startSshd } from '../transport/openssh.ts';
import { startServer } from '../transport/server.ts';
import { transportContract, type Way } from './transport.contract.ts';

interface Host {
  readonly port: number;
  readonly hostKeys: readonly string[];
  readonly user?: string;
  close(): void;
}

async function ssh2Way(start: (files: Scratch, authorized: readonly string[]) => Promise<Host>): Promise<Way> {
  const files = scratch();
  const key = files.key('id');
  const host = await start(files, [key]);
  const knownHosts = files.write('known_hosts', host.hostKeys.map((file) => knownLine(host.port, file)).join(''));
  const maxOutputBytes = 1024 * 1024;
  const target: Target = {
    host: 'host',
    address: '127.0.0.1',
    port: host.port,
    user: host.user ?? 'tester',
    identityFiles: [key],
    identitiesOnly: true,
  };
  return {
    transport: ssh2Transport({
      connectTimeoutMs: 15_000,
      hostKeyChecking: 'strict',
      knownHostsFiles: [knownHosts],
      keys: keyRing({}),
      maxOutputBytes,
    }),
    target,
    maxOutputBytes,
    stranger: { ...target, identityFiles: [files.key('stranger')] },
    unknown: { ...target, address: 'localhost' },
    closed: { ...target, port: await freePort() },
    close() {
      host.close();
      files.close();
    },
  };
}

transportContract('ssh2, to an ssh2 server', () => ssh2Way((files, keys) => startServer(files, keys)));

transportContract('ssh2, to a server that may be hurried', () =>
  ssh2Way((files, keys) => startServer(files, keys, { ident: 'OpenSSH_9.9 in name only' })),
);

if (noSshd === undefined) {
  transportContract('ssh2, to OpenSSH', () => ssh2Way((files, keys) => startSshd(files, keys)));
} else {
  describe('a transport over ssh2, to OpenSSH', () => {
    it.skip(`is not tested here: ${noSshd}`);
  });
}
