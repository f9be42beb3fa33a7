/** Keys in the form of openssl (`BEGIN PRIVATE KEY`), which ssh2 does not read by itself. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { keyRing } from '../../src/transport/identities/identities.ts';
import { connectionOf, dialler } from './dialling.ts';
import { noSshd, scratch, startSshd } from './openssh.ts';

const files = scratch();
afterAll(() => files.close());
const PASSPHRASE = 'open s3same';

/** A key file, encrypted or not, with its public half beside it as ssh wants it. */
function write(name: string, cipher?: string): string {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const encrypted = cipher === undefined ? {} : { cipher, passphrase: PASSPHRASE };
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem', ...encrypted });
  const { x = '' } = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })).export({ format: 'jwk' });
  const blob = Buffer.concat([Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0\x20', 'latin1'), Buffer.from(x, 'base64url')]);
  files.write(`${name}.pub`, `ssh-ed25519 ${blob.toString('base64')}\n`);
  return files.write(name, pem.toString());
}

describe.skipIf(noSshd !== undefined)('an Ed25519 key in PKCS#8', () => {
  it.each([
    ['in clear', undefined],
    ['encrypted', 'aes-256-cbc'],
  ])('%s logs in to OpenSSH', async (name, cipher) => {
    const key = write(name, cipher);
    const sshd = await startSshd(files, [key]);
    const keys = keyRing({ askPassphrase: async () => PASSPHRASE });
    await keys.require([key]);
    const connection = connectionOf(await dialler(files, key, { keys }).connectTo(sshd, { user: sshd.user }));
    expect(connection.description.auth).toEqual([
      { method: 'publickey', identity: expect.stringContaining('ssh-ed25519 SHA256:') },
    ]);
    connection.close();
    sshd.close();
  });

  it('is refused with a wrong passphrase', async () => {
    const keys = keyRing({ askPassphrase: async () => 'wrong' });
    await expect(keys.require([write('locked', 'aes-256-cbc')])).rejects.toThrow(/wrong passphrase/);
  });

  it('of another curve is said to be none of ours', async () => {
    const { privateKey } = generateKeyPairSync('x25519');
    const file = files.write('x25519', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    await expect(keyRing({}).require([file])).rejects.toThrow(/not a private key that can be read/);
  });
});
