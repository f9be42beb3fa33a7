import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Fault, Target } from '../../src/model/index.ts';
import { keyRing } from '../../src/transport/identities/identities.ts';
import { type Ssh2Options, ssh2Transport } from '../../src/transport/ssh2/ssh2.ts';
import type { Connected, Connection, Failed } from '../../src/transport/transport.ts';
import { knownLine, type Scratch } from './openssh.ts';

export const silent = { stdout: () => undefined };

/** Connects to a server on loopback whose host keys are known, with one key. */
export function dialler(files: Scratch, key: string, options: Partial<Ssh2Options> = {}) {
  const warnings: string[] = [];
  let made = 0;
  const connectTo = (
    server: { readonly port: number; readonly hostKeys?: readonly string[] },
    more: Partial<Target> = {},
    special: Partial<Ssh2Options> = {},
    first?: string,
  ): Promise<Connected | Failed> => {
    const lines = (server.hostKeys ?? []).map((hostKey) => knownLine(server.port, hostKey));
    const transport = ssh2Transport({
      connectTimeoutMs: 15_000,
      hostKeyChecking: 'strict',
      knownHostsFiles: [files.write(`known_hosts_${server.port}_${++made}`, lines.join(''))],
      keys: keyRing({}),
      onWarning: (text) => warnings.push(text),
      ...options,
      ...special,
    });
    const target: Target = {
      host: 'host',
      address: '127.0.0.1',
      port: server.port,
      user: 'tester',
      identityFiles: [key],
      identitiesOnly: true,
      ...more,
    };
    return transport.connect(target, new AbortController().signal, first);
  };
  return { connectTo, warnings };
}

export function faultOf(result: Connected | Failed): Fault {
  if ('fault' in result) return result.fault;
  result.connection.close();
  throw new Error('it connected');
}

export function connectionOf(result: Connected | Failed): Connection {
  if ('connection' in result) return result.connection;
  throw new Error(`${result.fault.kind}: ${result.fault.message}`);
}

export interface Proxy {
  readonly port: number;
  /** How often the client has heard something so far: what comes at once counts as one. */
  turns(): number;
  /** From now on nothing passes in either direction, and nothing is closed. */
  freeze(): void;
  close(): void;
}

/** A TCP proxy that passes on what comes when no more has come for a while, and can fall silent after some pieces of data from the server. */
export async function startProxy(to: number, { gatherMs = 0, piecesFromServer = Infinity } = {}): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let frozen = false;
  let pieces = 0;
  let turns = 0;
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: to, host: '127.0.0.1', noDelay: true });
    const pass = (from: Socket, into: Socket, fromServer: boolean): void => {
      sockets.add(from);
      const gathered: Buffer[] = [];
      let timer: NodeJS.Timeout | undefined;
      const flush = (): void => {
        const text = Buffer.concat(gathered.splice(0));
        if (frozen || text.length === 0) return;
        if (fromServer) turns++;
        into.write(text);
      };
      from.on('data', (chunk: Buffer) => {
        if (fromServer && ++pieces > piecesFromServer) frozen = true;
        gathered.push(chunk);
        clearTimeout(timer);
        if (gatherMs === 0) flush();
        else timer = setTimeout(flush, gatherMs);
      });
      from.on('end', () => {
        clearTimeout(timer);
        flush();
        if (!frozen) into.end();
      });
      from.on('error', () => undefined);
    };
    pass(near, far, false);
    pass(far, near, true);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    turns: () => turns,
    freeze() {
      frozen = true;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
