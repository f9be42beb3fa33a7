import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { revokedKeys } from '../../src/transport/host-keys/revoked-keys.ts';
import { connectionOf, dialler, faultOf } from './dialling.ts';
import { scratch } from './openssh.ts';
import { startServer } from './server.ts';

const files = scratch();
afterAll(() => files.close());
const keygen = (...args: string[]) => spawnSync('ssh-keygen', args, { encoding: 'utf8' });
const publicKey = (file: string) => files.read(`${file}.pub`).split(' ').slice(0, 2).join(' ');
const blob = (file: string) => Buffer.from(publicKey(file).split(' ')[1]!, 'base64');

const NAMES = ['ed25519', 'ecdsa', 'rsa'];
for (const type of NAMES) files.key(type, type);
files.key('ca');
keygen('-q', '-s', files.path('ca'), '-I', 'host', '-h', files.path('ed25519.pub'));

/** Whether the file speaks against a key: by us, and by ssh-keygen, to which an unreadable file is an objection too. */
async function verdicts(file: string): Promise<[ours: boolean[], oracle: boolean[]]> {
  const revoked = await revokedKeys(file);
  return [
    NAMES.map((name) => revoked.objectionTo(blob(name)) !== undefined),
    NAMES.map((name) => keygen('-Q', '-f', file, files.path(`${name}.pub`)).status !== 0),
  ];
}

const SPECS: readonly (readonly [what: string, spec: () => string, revoked: boolean[]])[] = [
  ['nothing', () => '# nobody\n', [false, false, false]],
  ['a key', () => `${publicKey('ed25519')} comment\n`, [true, false, false]],
  ['two keys', () => `${publicKey('rsa')}\n\n${publicKey('ecdsa')}\n`, [false, true, true]],
  ['a key by SHA-1', () => `sha1: ${publicKey('ecdsa')}\n`, [false, true, false]],
  ['a key by SHA-256', () => `sha256: ${publicKey('rsa')}\n`, [false, false, true]],
  [
    'a key by its fingerprint',
    () => `hash: ${keygen('-lf', files.path('rsa')).stdout.split(' ')[1]}\n`,
    [false, false, true],
  ],
  ['serial numbers of certificates', () => 'serial: 1-100\nserial: 7\nid: host\n', [false, false, false]],
  [
    'certificates and keys',
    () => `serial: 3\n${publicKey('rsa')}\nsha256: ${publicKey('ed25519')}\n`,
    [true, false, true],
  ],
];

describe.skipIf(!existsSync('/usr/bin/ssh-keygen'))('a revocation list', () => {
  it.each(SPECS)('of %s is read as by ssh-keygen -Q', async (what, spec, revoked) => {
    const [list, text] = [files.path(`krl ${what}`), files.write('spec', spec())];
    expect(keygen('-k', '-s', files.path('ca.pub'), '-z', '3', '-f', list, text).stderr).toBe('');
    expect(await verdicts(list)).toEqual([revoked, revoked]);
  });

  it('of keys that is damaged lets nothing pass that ssh-keygen -Q would not', async () => {
    const spec = files.write(
      'spec',
      `sha1: ${publicKey('ecdsa')}\n${publicKey('rsa')}\nsha256: ${publicKey('ed25519')}\n`,
    );
    keygen('-k', '-s', files.path('ca.pub'), '-f', files.path('whole'), spec);
    const whole = spawnSync('cat', [files.path('whole')]).stdout;
    const cut = fc.record({
      length: fc.integer({ min: 8, max: whole.length }),
      at: fc.nat(),
      by: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(cut, fc.boolean(), async ({ length, at, by }, flip) => {
        const damaged = Buffer.from(flip ? whole : whole.subarray(0, length));
        const place = 8 + (at % (whole.length - 8));
        if (flip) damaged[place] = damaged[place]! ^ by;
        writeFileSync(files.path('damaged'), damaged);
        const [ours, oracle] = await verdicts(files.path('damaged'));
        for (const [i, objected] of oracle.entries()) if (objected) expect(ours[i], `${NAMES[i]}`).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a list of lines', () => {
  const where = async (text: string, name: string) => {
    const found = (await revokedKeys(files.write('lines', text))).objectionTo(blob(name));
    return found?.is === 'revoked' ? found.where : found;
  };

  it('names the line of a key, whatever stands around it', async () => {
    const text = `# retired\r\n\n  ${publicKey('rsa')} old web1\n${publicKey('ecdsa')}`;
    expect(await where(text, 'rsa')).toBe(`${files.path('lines')}:3`);
    expect(await where(text, 'ecdsa')).toBe(`${files.path('lines')}:4`);
    expect(await where(text, 'ed25519')).toBeUndefined();
  });

  it('with a line that is none vouches for nobody, as with ssh', async () => {
    for (const line of [
      `web1 ${publicKey('rsa')}`,
      'ssh-ed25519 AAAA',
      'ssh-ed25519',
      `ssh-rsa ${publicKey('ed25519').split(' ')[1]}`,
      `${publicKey('rsa').slice(0, 200)}`,
      files.read('ed25519-cert.pub').trim(),
    ]) {
      const why = `${files.path('lines')}:2 is no public key`;
      expect(await where(`${publicKey('ecdsa')}\n${line}\n`, 'rsa'), line).toEqual({ is: 'unreadable', why });
    }
    expect((await revokedKeys(files.path('nowhere'))).objectionTo(blob('rsa'))).toMatchObject({ is: 'unreadable' });
  });
});

it('a host with a revoked key is refused, known or not, checked or not', async () => {
  const key = files.key('id');
  const server = await startServer(files, [key]);
  const { connectTo } = dialler(files, key);
  const [type, base64] = files.read(`${server.hostKeys[0]!.slice(files.dir.length + 1)}.pub`).split(' ');
  const revoked = files.write('revoked', `${type} ${base64}\n`);
  const others = files.write('others', `${publicKey('ed25519')}\n`);
  for (const policy of [{}, { hostKeyChecking: 'off' }, { hostKeyChecking: 'accept-new' }] as const) {
    const connect = (file: string) => connectTo(server, { revokedHostKeysFile: file }, policy);
    connectionOf(await connect(others)).close();
    expect(faultOf(await connect(revoked))).toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(new RegExp(`REVOKED host key.*revoked at ${revoked}:1$`)),
    });
    expect(faultOf(await connect(files.path('none')))).toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/No host key is trusted.*none cannot be read \(ENOENT\)/),
    });
  }
  server.close();
});
