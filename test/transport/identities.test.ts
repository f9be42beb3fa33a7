import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/model/index.ts';
import { openAgent } from '../../src/transport/identities/agent.ts';
import { type Identity, keyRing } from '../../src/transport/identities/identities.ts';
import { scratch } from './openssh.ts';

const files = scratch();
const plain = files.key('plain');
const locked = files.key('locked', 'ed25519', 'secret', '-a', '1');
const lockedPem = files.key('locked-pem', 'rsa', 'secret', '-m', 'PEM');
const only = (...identityFiles: string[]) => ({ identityFiles, identitiesOnly: true });
const data = Buffer.from('to be signed');

const servers: Server[] = [];
let stopAgent = (): void => undefined;
let agentSocket = '';
beforeAll(async () => {
  agentSocket = files.path('agent.sock');
  const agent = spawn('ssh-agent', ['-D', '-a', agentSocket], { stdio: 'ignore' });
  stopAgent = () => void agent.kill();
  for (let tries = 0; tries < 1000; tries++) {
    const added = spawnSync('ssh-add', [files.key(`agent${tries}`)], { env: { SSH_AUTH_SOCK: agentSocket } });
    if (added.status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
afterAll(() => {
  stopAgent();
  for (const server of servers) server.close();
  files.close();
});

async function signed(identity: Identity): Promise<boolean> {
  const signature = await identity.signer.sign(data);
  const hash = { 'ssh-ed25519': undefined, 'ecdsa-sha2-nistp521': 'sha512', 'ecdsa-sha2-nistp384': 'sha384' };
  const algorithm = identity.algorithm in hash ? hash[identity.algorithm as keyof typeof hash] : 'sha256';
  return verify(algorithm, data, createPublicKey(identity.key.getPublicPEM()), signature);
}

describe('key files', () => {
  it.each([
    ['ed25519', []],
    ['ecdsa', ['-b', '256']],
    ['ecdsa', ['-b', '384']],
    ['ecdsa', ['-b', '521']],
    ['rsa', []],
    ['rsa', ['-m', 'PEM']],
    ['rsa', ['-m', 'PKCS8']],
    ['ecdsa', ['-m', 'PEM']],
    ['ecdsa', ['-m', 'PKCS8']],
  ])('of type %s %j sign correctly', async (type, more) => {
    const file = files.key(`${type}${more.join('')}`, type, '', ...more);
    const { usable, skipped } = await keyRing({}).identitiesFor(only(file));
    expect(skipped).toEqual([]);
    expect(usable).toHaveLength(1);
    expect(await signed(usable[0]!)).toBe(true);
    expect(usable[0]!.label).toContain(file);
  });

  it('never sign with SHA-1', async () => {
    const { usable } = await keyRing({}).identitiesFor(only(files.key('rsa1', 'rsa')));
    expect(usable[0]!.algorithm).toBe('rsa-sha2-256');
    expect(usable[0]!.key.sign(data, 'sha1')).toBeInstanceOf(Error);
  });

  it('are asked for a passphrase once for 500 hosts at a time, and one file after the other', async () => {
    const asked: string[] = [];
    let asking = 0;
    const ring = keyRing({
      async askPassphrase(file) {
        expect(++asking).toBe(1);
        asked.push(file);
        await new Promise((resolve) => setTimeout(resolve, 10));
        asking--;
        return 'secret';
      },
    });
    const all = await Promise.all(Array.from({ length: 500 }, () => ring.identitiesFor(only(locked, lockedPem))));
    expect(asked.sort()).toEqual([lockedPem, locked].sort());
    for (const { usable } of all) expect(usable).toHaveLength(2);
    expect(await signed(all[499]!.usable[0]!)).toBe(true);
  });

  it('are skipped with the reason when they cannot be used', async () => {
    const garbage = files.write('garbage', 'not a key\n');
    const cut = files.write('cut', files.read('plain').slice(0, 200));
    const ring = keyRing({ askPassphrase: async () => 'wrong' });
    const { usable, skipped } = await ring.identitiesFor(
      only(files.path('none'), garbage, cut, `${plain}.pub`, locked, lockedPem, files.dir),
    );
    expect(usable).toEqual([]);
    expect(skipped.map(({ why }) => why)).toEqual([
      'no such file',
      'it is not a private key that can be read',
      'it is not a private key that can be read',
      'it is a public key, and not in the agent',
      'wrong passphrase',
      'wrong passphrase',
      'cannot read it (EISDIR)',
    ]);
    const silent = await keyRing({}).identitiesFor(only(locked));
    expect(silent.skipped[0]?.why).toContain('no passphrase was given');
  });

  it('that others can read are refused when they were named, and skipped with the reason otherwise', async () => {
    const open = files.key('open');
    for (const mode of [0o644, 0o640, 0o602]) {
      chmodSync(open, mode);
      await expect(keyRing({}).require([open])).rejects.toThrow(/others can read it \(mode 06\d\d\)/);
      const { usable, skipped } = await keyRing({}).identitiesFor(only(open, plain));
      expect(usable).toHaveLength(1);
      expect(skipped).toEqual([{ source: open, why: expect.stringContaining('others can read it') }]);
    }
    chmodSync(open, 0o400);
    await keyRing({}).require([open]);
  });

  it('with a certificate beside them are used without it, and the certificate is named', async () => {
    const signed = files.key('signed');
    const authority = files.key('authority');
    execFileSync('ssh-keygen', ['-q', '-s', authority, '-I', 'alice', '-n', 'alice', `${signed}.pub`]);
    const { usable, skipped } = await keyRing({}).identitiesFor(only(signed));
    expect(usable).toHaveLength(1);
    expect(skipped).toEqual([{ source: `${signed}-cert.pub`, why: 'certificates need --transport openssh' }]);
  });

  it('of security keys are named as such', async () => {
    // The envelope of an OpenSSH private key whose public half says sk-ssh-ed25519.
    const field = (text: string | Buffer): Buffer => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return Buffer.concat([length, Buffer.from(text)]);
    };
    const blob = Buffer.concat([field('sk-ssh-ed25519@openssh.com'), field('x'.repeat(32)), field('ssh:')]);
    const body = ['none', 'none', ''].map(field);
    const count = Buffer.from([0, 0, 0, 1]);
    const text = Buffer.concat([Buffer.from('openssh-key-v1\0'), ...body, count, field(blob), field('')]);
    const pem = `-----BEGIN OPENSSH PRIVATE KEY-----\n${text.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
    const { skipped } = await keyRing({}).identitiesFor(only(files.write('sk', pem)));
    expect(skipped[0]?.why).toBe('security keys need --transport openssh (sk-ssh-ed25519@openssh.com)');
  });

  it('that were asked for by name are an error of the run when they cannot be used', async () => {
    const ring = keyRing({ askPassphrase: async () => 'wrong' });
    await ring.require([plain]);
    await expect(ring.require([plain, files.path('none')])).rejects.toThrow(UsageError);
    await expect(ring.require([files.path('none')])).rejects.toThrow(/none: no such file/);
    await expect(ring.require([locked])).rejects.toThrow(/locked: wrong passphrase/);
    const silent = keyRing({}).require([locked]);
    await expect(silent).rejects.toMatchObject({ hint: expect.stringMatching(/ssh-add.*terminal/) });
  });
});

describe('the agent', () => {
  it('offers its keys after the files, each once, and none with identitiesOnly', async () => {
    const ring = keyRing({ agentSocket });
    const agentKey = files.path('agent0');
    const { usable } = await ring.identitiesFor({ identityFiles: [plain], identitiesOnly: false });
    expect(usable.map(({ label }) => label.replace(/.* from /, ''))).toEqual([plain, 'agent (agent0)']);
    const twice = await ring.identitiesFor({ identityFiles: [agentKey], identitiesOnly: false });
    expect(twice.usable).toHaveLength(1);
    expect((await ring.identitiesFor(only(plain))).usable).toHaveLength(1);
  });

  it('signs', async () => {
    spawnSync('ssh-add', [files.key('agent-rsa', 'rsa')], { env: { SSH_AUTH_SOCK: agentSocket } });
    const { usable } = await keyRing({ agentSocket }).identitiesFor({ identityFiles: [], identitiesOnly: false });
    expect(await Promise.all(usable.map(signed))).toEqual([true, true]);
    spawnSync('ssh-add', ['-d', files.path('agent-rsa')], { env: { SSH_AUTH_SOCK: agentSocket } });
  });

  it('saves the question for the passphrase of a key that it holds', async () => {
    const held = files.key('held', 'ed25519', 'secret', '-a', '1');
    spawnSync('ssh-keygen', ['-p', '-q', '-P', 'secret', '-N', '', '-f', files.write('held-open', files.read('held'))]);
    spawnSync('ssh-add', [files.path('held-open')], { env: { SSH_AUTH_SOCK: agentSocket } });
    const ring = keyRing({ agentSocket, askPassphrase: () => Promise.reject(new Error('must not ask')) });
    await ring.require([held]);
    const { usable } = await ring.identitiesFor(only(held));
    expect(usable[0]?.signer.is).toBe('agent');
    spawnSync('ssh-add', ['-d', files.path('held-open')], { env: { SSH_AUTH_SOCK: agentSocket } });
  });

  it('signs for a key of which only the public half is a file', async () => {
    const half = files.write('half.pub', files.read('agent0.pub'));
    for (const file of [half, files.path('half')]) {
      const { usable } = await keyRing({ agentSocket }).identitiesFor(only(file));
      expect(usable.map(({ signer }) => signer.is)).toEqual(['agent']);
      const { skipped } = await keyRing({}).identitiesFor(only(file));
      expect(skipped).toEqual([{ source: file, why: expect.stringContaining('not in the agent') }]);
    }
  });

  it('may be another for a host, or none', async () => {
    const ring = keyRing({ agentSocket: files.path('nowhere') });
    const wanted = { identityFiles: [], identitiesOnly: false };
    const asked = await ring.identitiesFor({ ...wanted, agent: { kind: 'socket', path: agentSocket } });
    expect(asked.usable).toHaveLength(1);
    expect(await ring.identitiesFor({ ...wanted, agent: { kind: 'none' } })).toEqual({ usable: [], skipped: [] });
  });

  it('that is not there is a skipped identity, not a failure', async () => {
    const ring = keyRing({ agentSocket: files.path('nowhere') });
    const { usable, skipped } = await ring.identitiesFor({ identityFiles: [plain], identitiesOnly: false });
    expect(usable).toHaveLength(1);
    expect(skipped).toEqual([{ source: 'agent', why: 'cannot reach the agent (ENOENT)' }]);
  });

  it('has its certificates and security keys named, not dropped in silence', async () => {
    const field = (text: string | Buffer): Buffer => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      return Buffer.concat([length, Buffer.from(text)]);
    };
    const types = ['ssh-ed25519-cert-v01@openssh.com', 'sk-ssh-ed25519@openssh.com', 'ssh-dss'];
    const keys = types.map((type) =>
      Buffer.concat([field(Buffer.concat([field(type), field('k')])), field('\x1b[1m')]),
    );
    const answer = field(Buffer.concat([Buffer.from([12, 0, 0, 0, types.length]), ...keys]));
    const { skipped } = await keyRing({ agentSocket: await fakeAgent('odd', () => answer) }).identitiesFor({
      identityFiles: [],
      identitiesOnly: false,
    });
    expect(skipped.map(({ why }) => why)).toEqual([
      'certificates need --transport openssh (ssh-ed25519-cert-v01@openssh.com)',
      'security keys need --transport openssh (sk-ssh-ed25519@openssh.com)',
      'keys of type ssh-dss are not supported',
    ]);
    expect(skipped[0]?.source).toBe('agent (\\x1b[1m)');
  });

  it('is asked for at most 16 signatures at once', async () => {
    let open = 0;
    let most = 0;
    const socket = await fakeAgent(
      'busy',
      () => undefined,
      (delta) => {
        open += delta;
        most = Math.max(most, open);
      },
    );
    const agent = openAgent(socket);
    const identity = { blob: Buffer.alloc(0), type: 'ssh-ed25519', comment: '' };
    const all = await Promise.allSettled(Array.from({ length: 100 }, () => agent.sign(identity, data, 'ssh-ed25519')));
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(100);
    expect(most).toBeGreaterThan(4);
    expect(most).toBeLessThanOrEqual(16);
  });

  it.each([
    ['nonsense', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a list cut short', Buffer.from([0, 0, 0, 6, 12, 0, 0, 0, 9, 0])],
    ['a refusal', Buffer.from([0, 0, 0, 1, 5])],
    ['nothing', undefined],
  ])('that answers %s is skipped with the reason', async (name, answer) => {
    const socket = await fakeAgent(name.replaceAll(' ', '-'), () => answer);
    const { skipped } = await keyRing({ agentSocket: socket }).identitiesFor({
      identityFiles: [],
      identitiesOnly: false,
    });
    expect(skipped).toEqual([{ source: 'agent', why: expect.stringContaining('the agent') }]);
  });
});

/** Answers each request with the same bytes, or hangs up after a moment. */
async function fakeAgent(
  name: string,
  answer: () => Buffer | undefined,
  count: (delta: number) => void = () => undefined,
): Promise<string> {
  const path = files.path(`${name}.sock`);
  const server = createServer((socket) => {
    count(1);
    socket.on('close', () => count(-1));
    socket.on('error', () => undefined);
    socket.once('data', () => {
      const reply = answer();
      if (reply === undefined) setTimeout(() => socket.destroy(), 5);
      else socket.write(reply);
    });
  }).listen(path);
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  return path;
}
