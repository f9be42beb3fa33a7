/** An SSH server on loopback, for one simulated host: public keys only, `exec` only, through the real /bin/sh. */
import { type ChildProcess, spawn } from 'node:child_process';
import { timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ParsedKey, type ServerChannel } from 'ssh2';

export interface ServerOptions {
  /** The private host key, in OpenSSH's form. */
  readonly hostKey: string;
  /** The one key that may log in, as any user. */
  readonly clientKey: ParsedKey;
  /** Where commands run, and all that they have in their environment. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface HostServer {
  readonly port: number;
  /** As if the power were cut: connections break, and what runs is killed. */
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1. */
export async function serve(options: ServerOptions): Promise<HostServer> {
  const connections = new Set<Connection>();
  const children = new Set<ChildProcess>();
  const server = new ssh2.Server({ hostKeys: [options.hostKey] }, (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    // A client that breaks off is nothing to tell anyone.
    connection.on('error', () => {});
    connection.on('authentication', (attempt) => authenticate(attempt, options.clientKey));
    connection.on('session', (accept) => {
      accept().on('exec', (accept, _reject, { command }) => {
        const child = spawn('/bin/sh', ['-c', command], { cwd: options.cwd, env: options.env, stdio: 'pipe' });
        children.add(child);
        child.on('close', () => children.delete(child));
        join(accept(), child);
      });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of connections) connection.end();
      const ends = [...children].map((child) => new Promise((resolve) => child.once('exit', resolve)));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all([closed, ...ends]);
    },
  };
}

function authenticate(attempt: AuthContext, key: ParsedKey): void {
  if (attempt.method !== 'publickey' || !same(attempt.key.data, key.getPublicSSH())) {
    attempt.reject(['publickey']);
    return;
  }
  // Without a signature the client only asks whether the key would do.
  const { blob, signature, hashAlgo } = attempt;
  const proved = signature === undefined || (blob !== undefined && key.verify(blob, signature, hashAlgo) === true);
  if (proved) attempt.accept();
  else attempt.reject(['publickey']);
}

function same(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/** As sshd does: bytes both ways, and at last the exit status; when the client leaves, the program's pipes close. */
function join(channel: ServerChannel, child: ReturnType<typeof spawn>): void {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('spawned without pipes');
  // The program need not read what it is sent.
  stdin.on('error', () => {});
  channel.on('error', () => {});
  channel.pipe(stdin);
  stdout.pipe(channel, { end: false });
  stderr.pipe(channel.stderr, { end: false });
  channel.on('close', () => {
    stdin.end();
    stdout.destroy();
    stderr.destroy();
  });
  child.on('close', (code, signal) => {
    if (signal === null) channel.exit(code ?? 1);
    else channel.exit(signal.slice('SIG'.length));
    channel.end();
  });
}
