import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { type Algorithms, algorithmsOf, emptyLists, offered } from '../../src/transport/ssh2/algorithms.ts';
import { connectionOf, dialler, faultOf, silent } from './dialling.ts';
import { freePort, noSshd, scratch, startSshd } from './openssh.ts';
import { startServer } from './server.ts';

const files = scratch();
afterAll(() => files.close());
const key = files.key('id');
const rsa = files.key('id-rsa', 'rsa');
const { connectTo } = dialler(files, key);

const KEYWORDS = {
  kex: 'KexAlgorithms',
  cipher: 'Ciphers',
  hmac: 'MACs',
  hostKey: 'HostKeyAlgorithms',
  publicKey: 'PubkeyAcceptedAlgorithms',
} as const;
type Kind = keyof typeof KEYWORDS;
const said = (kind: Kind, value: string) => algorithmsOf(new Map([[KEYWORDS[kind].toLowerCase(), value]]));

const LISTS: readonly (readonly [Kind, string])[] = [
  ['kex', 'curve25519-sha256'],
  ['kex', 'diffie-hellman-group14-sha256,sntrup761x25519-sha512@openssh.com,ecdh-sha2-nistp256'],
  ['kex', '+diffie-hellman-group14-sha1,diffie-hellman-group1-sha1'],
  ['kex', '-ecdh-*,curve25519-sha256'],
  ['kex', '^diffie-hellman-group16-sha512,ecdh-sha2-nistp521'],
  ['kex', 'diffie-hellman-group-exchange-sha256'],
  ['cipher', 'aes256-ctr,aes128-ctr'],
  ['cipher', '+aes128-cbc,3des-cbc'],
  ['cipher', '-chacha20-poly1305@openssh.com,*-ctr'],
  ['cipher', '^aes256-gcm@openssh.com'],
  ['hmac', 'umac-128-etm@openssh.com,hmac-sha2-512'],
  ['hmac', '+hmac-sha1-96'],
  ['hmac', '-*-etm@openssh.com'],
  ['hostKey', 'rsa-sha2-256,ssh-ed25519'],
  ['hostKey', '+ssh-rsa'],
  ['hostKey', '-ecdsa-*'],
  ['hostKey', '^ecdsa-sha2-nistp384'],
  ['publicKey', 'ssh-ed25519'],
  ['publicKey', '-rsa-sha2-*'],
];

describe.skipIf(!existsSync('/usr/bin/ssh'))('a list is assembled as ssh -G assembles it', () => {
  it.each(LISTS)('%s %s', (kind, value) => {
    const keyword = KEYWORDS[kind];
    const text = execFileSync('ssh', ['-T', '-G', '-F', 'none', '-o', `${keyword}=${value}`, 'host'], {
      encoding: 'utf8',
    });
    const all = new RegExp(`^${keyword} (.*)$`, 'im').exec(text)![1]!.split(',');
    const named = value.replace(/^[+^-]/, '').split(',');
    const oracle = all.filter(
      (name) => offered(kind).includes(name) || (named.includes(name) && !value.startsWith('-')),
    );
    const { algorithms, lacking } = said(kind, value);
    const known = oracle.filter((name) => !lacking.join().includes(name));
    expect(algorithms[kind]!.toSorted()).toEqual(known.toSorted());
    // what was preferred goes first in the same order
    if (!/^[+-]/.test(value)) {
      const preferred = named.filter((name) => known.includes(name));
      expect(algorithms[kind]!.slice(0, preferred.length)).toEqual(preferred);
    }
  });
});

describe('of the lists of ssh_config', () => {
  it('what is not here is told, and an empty rest is told apart', () => {
    const mixed = said('hmac', 'umac-64@openssh.com,hmac-sha2-256,umac-128@openssh.com');
    expect(mixed).toMatchObject({ lacking: ['MACs umac-64@openssh.com,umac-128@openssh.com'] });
    expect(emptyLists(mixed.algorithms)).toEqual([]);
    expect(emptyLists(said('kex', 'sntrup761x25519-sha512@openssh.com').algorithms)).toEqual(['KexAlgorithms']);
    expect(said('hostKey', 'ssh-ed25519-cert-v01@openssh.com,ssh-ed25519').lacking).toEqual([]);
  });

  it('nothing is said where nothing is, and group exchange comes in by its name alone', () => {
    expect(algorithmsOf(new Map())).toEqual({ algorithms: {}, lacking: [] });
    for (const value of ['^ecdh-sha2-nistp256', '+diffie-hellman-group14-sha1', '-ecdh-*']) {
      expect(said('kex', value).algorithms.kex!.join()).not.toContain('group-exchange');
    }
    expect(said('kex', '+diffie-*').algorithms.kex!.join()).not.toContain('group-exchange');
    expect(offered('kex').join()).not.toContain('group-exchange');
  });
});

describe.skipIf(noSshd !== undefined)('a server with nothing but', () => {
  const ONLY: readonly (readonly [Kind, string])[] = [
    ['kex', 'diffie-hellman-group-exchange-sha256'],
    ['kex', 'diffie-hellman-group14-sha1'],
    ['kex', 'diffie-hellman-group1-sha1'],
    ['cipher', 'aes128-cbc'],
    ['cipher', 'aes192-cbc'],
    ['cipher', 'aes256-cbc'],
    ['cipher', '3des-cbc'],
    ['hmac', 'hmac-sha1'],
    ['hmac', 'hmac-sha1-96'],
    ['hmac', 'hmac-sha1-etm@openssh.com'],
    ['hostKey', 'ssh-rsa'],
  ];
  it.each(ONLY)('%s %s is talked to when ssh_config names that, and not otherwise', async (kind, name) => {
    const ctr = kind === 'hmac' ? ['Ciphers aes128-ctr'] : [];
    const sshd = await startSshd(files, [key], [`${KEYWORDS[kind]} ${name}`, ...ctr], ['rsa']);
    const fault = faultOf(await connectTo(sshd, { user: sshd.user }));
    expect(fault).toMatchObject({ kind: 'unreachable', message: expect.stringMatching(/no matching/i) });
    for (const value of [`+${name}`, name]) {
      const { algorithms } = said(kind, value);
      const patience = { connectTimeoutMs: 30_000 }; // group exchange is slow
      const connection = connectionOf(await connectTo(sshd, { user: sshd.user, algorithms }, patience));
      expect(await connection.exec('exit 3', silent).ended).toMatchObject({ how: 'exited', code: 3 });
      connection.close();
    }
    sshd.close();
  });

  it('larger groups, which OpenSSH has not, is talked to', async () => {
    for (const name of ['diffie-hellman-group15-sha512', 'diffie-hellman-group17-sha512'] as const) {
      const server = await startServer(files, [key], { algorithms: { kex: [name as never] } });
      const { algorithms } = said('kex', name);
      connectionOf(await connectTo(server, { algorithms }, { connectTimeoutMs: 20_000 })).close();
      server.close();
    }
  });

  it('algorithms that are not here is no host to connect to', async () => {
    const { algorithms } = said('kex', 'sntrup761x25519-sha512@openssh.com');
    expect(faultOf(await connectTo({ port: 1 }, { algorithms }))).toMatchObject({
      kind: 'unreachable',
      message: 'host cannot be talked to: of KexAlgorithms in ssh_config nothing is known here',
    });
  });
});

it('a key whose algorithm is not accepted is not offered, and that is said', async () => {
  const server = await startServer(files, [key]);
  const algorithms: Algorithms = said('publicKey', '-ssh-ed25519').algorithms;
  const fault = faultOf(await connectTo(server, { algorithms, identityFiles: [key, rsa] }));
  expect(fault.message).toMatch(
    /tried ssh-rsa .*; skipped ssh-ed25519 .*: ssh-ed25519 is not among the PubkeyAccepted/,
  );
  server.close();
});

it('the order of host keys is that of a list, else that of known keys', async () => {
  const server = await startServer(files, [key], { hostKeyTypes: ['ed25519', 'ecdsa'] });
  const hostKey = async (value?: string) => {
    const algorithms = value === undefined ? {} : said('hostKey', value).algorithms;
    const known = { ...server, hostKeys: server.hostKeys.slice(1) };
    const connected = await connectTo(known, { algorithms });
    if ('fault' in connected) return connected.fault.kind;
    connected.connection.close();
    return connected.connection.description.hostKey;
  };
  expect(await hostKey()).toBe('ecdsa-sha2-nistp256');
  expect(await hostKey('+ssh-rsa')).toBe('ecdsa-sha2-nistp256');
  expect(await hostKey('ssh-ed25519,ecdsa-sha2-nistp256'), 'as with ssh').toBe('host-key');
  server.close();
});

it('ConnectionAttempts has a host that refuses the connection tried again', async () => {
  const server = await startServer(files, [key]);
  const port = await freePort();
  const known = { port, hostKeys: [] };
  expect(faultOf(await connectTo(known)).message).toMatch(/refused the connection/);
  let came = 0;
  const late = createServer((socket) => {
    came++;
    socket.destroy();
  });
  const connecting = connectTo(known, { connectionAttempts: 6 }, { connectTimeoutMs: 20_000 });
  setTimeout(() => late.listen(port, '127.0.0.1'), 700);
  expect(faultOf(await connecting).message).not.toMatch(/refused the connection/);
  expect(came).toBeGreaterThan(0);
  late.close();
  server.close();
});
