import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ServerChannel, type ServerConfig } from 'ssh2';
import { freePort, type Scratch } from './openssh.ts';

/** How an in-process ssh2 server behaves; what is left out, it does properly. */
export interface Behaviour {
  /** Identification string after `SSH-2.0-`. Servers that call themselves OpenSSH are hurried by the transport. */
  readonly ident?: string;
  /** Said before the login is decided. */
  readonly banner?: string;
  readonly hostKeyTypes?: readonly string[];
  readonly algorithms?: ServerConfig['algorithms'];
  readonly onClient?: (client: Connection) => void;
  readonly onAuth?: (context: AuthContext) => void;
  readonly onCommand?: (command: string, channel: ServerChannel, client: Connection) => void;
  /** Called instead of accepting an exec request. */
  readonly onExec?: (accept: () => ServerChannel, reject: () => void) => void;
  /** Called instead of accepting a session channel. */
  readonly onSession?: (accept: () => unknown, reject: () => void) => void;
}

export interface TestServer {
  readonly port: number;
  readonly hostKeys: readonly string[];
  readonly clients: readonly Connection[];
  close(): void;
}

export async function startServer(
  files: Scratch,
  authorized: readonly string[],
  behaviour: Behaviour = {},
): Promise<TestServer> {
  const port = await freePort();
  const hostKeys = (behaviour.hostKeyTypes ?? ['ed25519']).map((type) => files.key(`server-${port}-${type}`, type));
  const clients: Connection[] = [];
  const allowed = authorized.map((key) => ssh2.utils.parseKey(readFileSync(`${key}.pub`)));
  const config: ServerConfig = { hostKeys: hostKeys.map((key) => readFileSync(key)) };
  if (behaviour.ident !== undefined) config.ident = behaviour.ident;
  if (behaviour.banner !== undefined) config.banner = behaviour.banner;
  if (behaviour.algorithms !== undefined) config.algorithms = behaviour.algorithms;
  const server = new ssh2.Server(config, (client) => {
    clients.push(client);
    client.on('error', () => undefined);
    client.on('authentication', (context) => {
      if (behaviour.onAuth !== undefined) return behaviour.onAuth(context);
      if (context.method !== 'publickey') return context.reject(['publickey']);
      const key = allowed.find((one) => !(one instanceof Error) && one.getPublicSSH().equals(context.key.data));
      if (key === undefined || key instanceof Error) return context.reject(['publickey']);
      const { signature, blob, hashAlgo } = context;
      if (signature && blob && key.verify(blob, signature, hashAlgo) !== true) return context.reject(['publickey']);
      context.accept();
    });
    client.on('session', (accept, reject) => {
      if (behaviour.onSession !== undefined) return behaviour.onSession(accept, reject);
      accept().on('exec', (acceptExec, rejectExec, { command }) => {
        if (behaviour.onExec !== undefined) return behaviour.onExec(acceptExec, rejectExec);
        const channel = acceptExec();
        channel.on('error', () => undefined);
        (behaviour.onCommand ?? runInShell)(command, channel, client);
      });
    });
    behaviour.onClient?.(client);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = (): void => {
    for (const client of clients) (client as unknown as { _sock: Socket })._sock.destroy();
    server.close();
  };
  return { port, hostKeys, clients, close };
}

function runInShell(command: string, channel: ServerChannel): void {
  const child = spawn('/bin/sh', ['-c', command]);
  channel.pipe(child.stdin);
  for (const stream of [child.stdin, channel, channel.stderr]) stream.on('error', () => undefined);
  channel.on('close', () => child.kill());
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on('close', (code, signal) => {
    if (!channel.writable) return;
    if (signal === null) channel.exit(code ?? 255);
    else channel.exit(signal.slice('SIG'.length));
    channel.end();
  });
}

/** A TCP server that is no SSH server, or only the beginning of one. */
export async function startTcp(onSocket: (socket: Socket) => void): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server: NetServer = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
