import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const SSHD = '/usr/sbin/sshd';

/** Why no real sshd can be started here; `undefined` when one can. In CI it must be there, so that no test is lost. */
export const noSshd: string | undefined =
  existsSync(SSHD) || process.env.CI ? undefined : `${SSHD} is missing: install openssh-server`;

/** A directory for keys and known_hosts, removed by `close`. */
export interface Scratch {
  readonly dir: string;
  path(name: string): string;
  /** Makes a key pair with ssh-keygen; returns the path of the private key. */
  key(name: string, type?: string, passphrase?: string, ...more: string[]): string;
  write(name: string, text: string): string;
  read(name: string): string;
  close(): void;
}

export function scratch(): Scratch {
  const dir = mkdtempSync(join(tmpdir(), 'transport-'));
  const path = (name: string): string => join(dir, name);
  return {
    dir,
    path,
    key(name, type = 'ed25519', passphrase = '', ...more) {
      const size = type === 'rsa' ? ['-b', '2048'] : []; // the default takes a second to make
      execFileSync('ssh-keygen', ['-q', '-t', type, ...size, '-N', passphrase, '-C', name, '-f', path(name), ...more]);
      return path(name);
    },
    write(name, text) {
      writeFileSync(path(name), text, { mode: 0o600 });
      return path(name);
    },
    read: (name) => readFileSync(path(name), 'utf8'),
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** Paths of the private host keys. */
  readonly hostKeys: readonly string[];
  /** The public keys that it lets in, as a file of them. */
  readonly keys: string;
  /** Lets in these instead. */
  authorize(keys: string): void;
  /** The server's log so far. */
  log(): string;
  close(): void;
}

let servers = 0;

/** A real OpenSSH server on loopback that lets the current user in with `authorized` keys (paths of private keys). */
export async function startSshd(
  files: Scratch,
  authorized: readonly string[],
  more: readonly string[] = [],
  hostKeyTypes: readonly string[] = ['ed25519'],
  run: readonly [program: string, ...words: string[]] = [SSHD],
): Promise<Sshd> {
  const port = await freePort();
  // a port comes again, and ssh-keygen overwrites no key
  const name = `sshd-${++servers}-${port}`;
  const hostKeys = hostKeyTypes.map((type) => files.key(`${name}-host-${type}`, type));
  const keys = authorized.map((key) => readFileSync(`${key}.pub`, 'utf8')).join('');
  const config = files.write(
    `${name}.conf`,
    [
      ...more, // first, for the first value wins
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      ...hostKeys.map((key) => `HostKey ${key}`),
      `AuthorizedKeysFile ${files.write(`${name}.authorized`, keys)}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      'LogLevel VERBOSE',
      '',
    ].join('\n'),
  );
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true });
  const [program, ...words] = run;
  const child: ChildProcess = spawn(program, [...words, '-D', '-e', '-f', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk;
  });
  for (let tries = 0; !(await listens(port)); tries++) {
    if (tries > 2400 || child.exitCode !== null) throw new Error(`sshd does not start: ${log}`);
    await pause(25);
  }
  const authorize = (text: string) => void files.write(`${name}.authorized`, text);
  return { port, user: userInfo().username, hostKeys, keys, authorize, log: () => log, close: () => child.kill() };
}

/** The line of known_hosts for a server on loopback. */
export function knownLine(port: number, hostKey: string, name = `[127.0.0.1]:${port}`): string {
  const [type, key] = readFileSync(`${hostKey}.pub`, 'utf8').split(' ');
  return `${name} ${type} ${key}\n`;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const give = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', () => give(true));
    socket.once('error', () => give(false));
  });
}
