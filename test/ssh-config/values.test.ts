/** Values that only some lines may have: ours are refused where the ssh on PATH refuses them, and taken where it takes them. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/model/index.ts';
import { openSshConfig } from '../../src/ssh-config/index.ts';
import { HERE, options, run, sshVersion } from './oracle.ts';

const directory = mkdtempSync(join(tmpdir(), 'ssh-config-values-'));
afterAll(() => rmSync(directory, { recursive: true }));
let written = 0;
function file(text: string): string {
  const path = join(directory, `${++written}`);
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

async function ours(path: string): Promise<'taken' | 'refused'> {
  try {
    await openSshConfig(options(path, HERE)).resolve('web1');
    return 'taken';
  } catch (error) {
    if (error instanceof UsageError && new RegExp(`${path}(:1: |:? line 1: )`).test(error.message)) return 'refused';
    throw error;
  }
}

/** The lines about which we and ssh differ. */
async function disputed(lines: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  const judge = async (line: string): Promise<void> => {
    const path = file(line);
    const [mine, { code }] = await Promise.all([ours(path), run('ssh', ['-T', '-G', '-F', path, '--', 'web1'])]);
    if (mine !== (code === 0 ? 'taken' : 'refused')) found.push(`${mine}: ${line}`);
  };
  for (let i = 0; i < lines.length; i += 16) await Promise.all(lines.slice(i, i + 16).map(judge));
  return found;
}

const each = (keyword: string, ...values: readonly string[]): readonly string[] =>
  values.map((value) => `${keyword} ${value}`);

const VALUES: readonly (readonly [keyword: string, ...values: string[]])[] = [
  ['Port', 'ssh', 'http', 'domain', 'HTTP', 'tftp', 'nosuch', '" 22"', '+22', '0', '-1', '65535', '65536', '0x16'],
  ['LocalForward', '8080', '8080 web', '8080 web:80', 'http web:http', 'a:8080 web:80', '[::1]:8080 [::1]:80'],
  ['LocalForward', '8080 ::1:80', '*:8080 web:80', ':8080 :80', '0 web:80', '8080 web:0', '70000 web:80', 'x web:80'],
  ['LocalForward', '/tmp/s web:80', '/tmp/s /tmp/t', '8080 /tmp/t', '8080 /tmp/t x', '8080 web:80 # c', '8080 ""'],
  ['LocalForward', '[a]b:8080 c:80', 'a]:8080 b:80', '[a:8080 b:80', 'a\\:b web:80', '8080 web\\:80', '"" web:80'],
  ['LocalForward', `8080 $\{KEYS}/s`, `$\{KEYS} web:80`, '8080 %d', '8080 %d/s', '8080 $KEYS'],
  ['RemoteForward', '8080', '8080 web', '8080 web:80', '0', '0 web:80', 'x', 'a:8080', '/tmp/s', 'web:80:90', '65536'],
  ['DynamicForward', '1080', 'a:1080', '[::1]:1080', '0', 'x', 'x:y', '/tmp/s', '1080 x', 'socks', 'a:b:c', '""'],
  ['IPQoS', 'ef', 'EF', 'none', 'bogus', 'ef bogus', 'ef af21', 'ef af21 af22', '0x10', '255', '256', '-1', '08'],
  ['IPQoS', '010', '0x', '0', '" 10"', '+10', '0377', '0400', '""', 'ef ""', 'cs8', 'lowdelay throughput', 'mincost'],
  ['RekeyLimit', 'default', 'default none', 'none', '1G', '1G 1h', '15', '16', '0', '1T', '1kb', '1G x', '1G 1h x'],
  [
    'RekeyLimit',
    '-1',
    'Default',
    '7E',
    '8E',
    '1.5G',
    '0x10',
    '1Z',
    '1G NONE',
    '1G ""',
    'G',
    '015',
    '""',
    '99999999999G',
  ],
  ['AddKeysToAgent', 'yes', 'NO', 'ask', 'confirm', 'confirm 1h', '1h', '1h confirm', 'yes 1h', 'bogus', 'yes yes'],
  ['AddKeysToAgent', 'confirm bogus', 'confirm 1h x', 'confirm none', '0', 'none', '-1', '""', 'confirm ""', '1h30m'],
  ['CASignatureAlgorithms', 'bogus', 'ssh-ed25519', 'ssh-ed25519,rsa-sha2-256', '+ssh-rsa', '-ssh-*', '-bogus', '+'],
  ['CASignatureAlgorithms', '+bogus', '^bogus', 'ssh-*', 'bog*', '*', 'SSH-ED25519', 'ssh-ed25519 x', '""', '!ssh-rsa'],
  ['Ciphers', 'nosuch', 'aes128-ctr', 'aes256-gcm@openssh.com,3des-cbc', '+arcfour', '-nosuch', '^nosuch', 'aes*'],
  ['Ciphers', 'aes128-ctr,', '""', 'aes128-ctr aes256-ctr', 'aes128-ctr # c', 'AES128-CTR', '+', '-'],
  ['MACs', 'nosuch', 'hmac-md5', 'hmac-sha2-256,umac-128-etm@openssh.com', 'hmac-ripemd160', '+hmac-*', '-hmac-*'],
  ['KexAlgorithms', 'nosuch', 'ecdh-*', '+diffie-hellman-group1-sha1', 'sntrup761x25519-sha512@openssh.com', '^x,y'],
  ['KexAlgorithms', 'mlkem768x25519-sha256', 'curve25519-sha256@libssh.org', '-diffie-hellman-*'],
  ['HostKeyAlgorithms', 'nosuch', 'ssh-*', '*', 'ssh-dss', '+ssh-rsa', 'ssh-ed25519-cert-v01@openssh.com', 'no*'],
  ['PubkeyAcceptedAlgorithms', 'nosuch', '+ssh-rsa', '-ssh-dss', 'rsa-sha2-512,nosuch', 'ecdsa-*,!ssh-rsa'],
  ['HostbasedAcceptedAlgorithms', 'nosuch', 'ssh-rsa', '^ssh-*'],
  ['CanonicalDomains', 'example.com', '-x', 'a..b', 'none', 'none a.b', 'a b c', '.', '""', '""a'],
  ['PermitRemoteOpen', 'any', 'none', 'web:80', 'web', 'web:0', '*:*', 'any web:80'],
  ['StreamLocalBindMask', '0177', '1.5', '0x10', '8', '1777', '-1', '+7', '" 7"', '18'],
  ['CASignatureAlgorithms', ',ssh-ed25519', 'ssh-ed25519,bogus', 'ssh-ed25519-cert-v01@openssh.com', 'RSA', 'ed25519'],
];

describe.skipIf(sshVersion() === undefined)('ssh takes and refuses the same', () => {
  it('values', async () => {
    expect(await disputed(VALUES.flatMap(([keyword, ...values]) => each(keyword, ...values)))).toEqual([]);
  });

  it('forwardings', async () => {
    const piece = fc.constantFrom('8080', '0', 'web', '/s', '*', '', '::1', '[::1]', '[a', 'b]', '\\:', '\\', '99999');
    const spec = fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(':'));
    const keyword = fc.constantFrom('LocalForward', 'RemoteForward', 'DynamicForward');
    const line = fc.tuple(keyword, spec, fc.option(spec)).map((words) => words.filter((word) => word).join(' '));
    const lines = fc.array(line, { minLength: 60, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(lines, async (some) => {
        expect(await disputed(some)).toEqual([]);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });
});

it.skipIf(!existsSync('/etc/services'))('a port may have the name of a service', async () => {
  const { port } = await openSshConfig(options(file('Port http'), HERE)).resolve('web1');
  expect(port).toBe(80);
});

describe('a bad value of what is not acted upon is named all the same', () => {
  it.each([
    ['LocalForward 8080', 'LocalForward "8080" is not'],
    ['RemoteForward x', 'RemoteForward "x" is not'],
    ['IPQoS ef bogus', 'IPQoS "bogus" is not'],
    ['RekeyLimit 1G soon', 'RekeyLimit "soon" is not'],
    ['AddKeysToAgent yes 1h', 'AddKeysToAgent "yes 1h" is not'],
    ['CASignatureAlgorithms bogus', 'CASignatureAlgorithms "bogus" is not'],
    ['DynamicForward 1080 x', 'DynamicForward takes one value, but "x" follows it.'],
  ])('%s', async (text, message) => {
    const resolving = async () => openSshConfig(options(file(text), HERE)).resolve('web1');
    await expect(resolving()).rejects.toThrow(`:1: ${message}`);
  });
});

describe('a name of an algorithm that is not known here', () => {
  const lists = ['Host old', '  KexAlgorithms +nosuch', '  Ciphers aes128-ctr'].join('\n');

  it('is for ssh to judge, once for all hosts, in whichever block it stands', async () => {
    const asked: string[] = [];
    const counting: typeof run = async (_program, args) => {
      asked.push(args.at(-1) ?? '');
      return { code: 0, stdout: 'hostname x\n', stderr: '' };
    };
    const config = openSshConfig(options(file(lists), HERE, { run: counting }));
    await Promise.all(['web1', 'web2', 'old'].map((host) => config.resolve(host)));
    await config.resolve('web3');
    expect(asked).toEqual(['web1']);
  });

  it('is what the error says, with its line, for each host that is asked about', async () => {
    const stderr = 'Unsupported KEX algorithm "nosuch"\r\nf line 2: Bad SSH2 KexAlgorithms.\r\n';
    const refusing = async () => ({ code: 255, stdout: '', stderr });
    const config = openSshConfig(options(file(lists), HERE, { run: refusing }));
    for (const host of ['web1', 'web2'])
      await expect(config.resolve(host)).rejects.toThrow(
        `ssh -G "${host}" failed: Unsupported KEX algorithm "nosuch"; f line 2: Bad SSH2 KexAlgorithms.`,
      );
  });

  it('is none where all names are as old as ssh: nobody is asked', async () => {
    const never = () => Promise.reject(new Error('asked'));
    const known = 'Ciphers +3des-cbc\nMACs umac-64@openssh.com\nHostKeyAlgorithms ssh-*,rsa-sha2-256\nKexAlgorithms -x';
    const config = openSshConfig(options(file(known), HERE, { run: never }));
    expect((await config.resolve('web1')).hostname).toBe('web1');
  });
});
