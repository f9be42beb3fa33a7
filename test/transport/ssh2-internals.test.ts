import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import ssh2, { type Client } from 'ssh2';
import { afterAll, describe, expect, it } from 'vitest';
import { shorten } from '../../src/transport/ssh2-internals.ts';
import { startLogin } from '../../src/transport/ssh2-login.ts';
import { connectionOf, dialler, silent, startProxy } from './dialling.ts';
import { noSshd, scratch, startSshd } from './openssh.ts';

const files = scratch();
const key = files.key('id');
const { connectTo } = dialler(files, key);
afterAll(() => files.close());

/** A client that has made its fields, and goes nowhere. */
function madeClient(): Client {
  const client = new ssh2.Client();
  client.on('error', () => undefined);
  return client.connect({ sock: new Socket(), username: 'tester' });
}

describe('the private ways through ssh2', () => {
  const login = startLogin({
    user: 'tester',
    host: 'host',
    identities: { usable: [], skipped: [] },
    password: undefined,
    giveUp: () => undefined,
    hold: () => () => undefined,
  });

  const overdone = (): void => undefined;

  it('are all there in the version that is pinned', () => {
    const client = madeClient();
    expect(shorten(client, { purpose: 'commands', login, overdone, software: () => 'OpenSSH_9.9' })?.exec).toBeTypeOf(
      'function',
    );
    expect((createRequire(import.meta.url)('ssh2/package.json') as { version: string }).version).toBe('1.17.0');
  });

  it('are left alone when one of them is missing', () => {
    for (const path of ['_protocol', '_protocol.authPK', '_protocol._handlers.SERVICE_ACCEPT', '_chanMgr.add']) {
      const client = madeClient();
      const parents = path.split('.');
      const last = parents.pop()!;
      const owner = parents.reduce<Record<string, unknown>>(
        (inside, name) => inside[name] as Record<string, unknown>,
        client as unknown as Record<string, unknown>,
      );
      owner[last] = undefined;
      expect(shorten(client, { purpose: 'commands', login, overdone, software: () => 'OpenSSH_9.9' })).toBeUndefined();
    }
  });

  it('are not taken with a server that may not work in order', () => {
    const client = madeClient();
    for (const software of [undefined, 'ssh2js1.17.0', 'AsyncSSH_2.18.0', 'NotOpenSSH_1']) {
      expect(shorten(client, { purpose: 'commands', login, overdone, software: () => software })?.exec).toBeUndefined();
    }
  });

  it.skipIf(noSshd !== undefined)('save turns of a conversation with OpenSSH', async () => {
    const sshd = await startSshd(files, [key]);
    const turnsOf = async (use: (port: number) => Promise<void>): Promise<number> => {
      const proxy = await startProxy(sshd.port, { delayMs: 5 });
      await use(proxy.port);
      proxy.close();
      return proxy.turns();
    };
    const ours = await turnsOf(async (port) => {
      const result = await connectTo({ port, hostKeys: sshd.hostKeys }, { user: sshd.user });
      await connectionOf(result).exec('exit', silent).ended;
    });
    const theirs = await turnsOf(
      (port) =>
        new Promise((resolve) => {
          const client = new ssh2.Client();
          client.on('error', () => undefined);
          client.on('ready', () => client.exec('exit', (_error, channel) => channel.resume().on('exit', resolve)));
          const privateKey = files.read('id');
          client.connect({ port, username: sshd.user, privateKey, authHandler: ['publickey'] });
        }),
    );
    sshd.close();
    // Three, of eight; one may be lost to how the server’s first words fall into packets.
    expect(theirs - ours).toBeGreaterThanOrEqual(2);
  });
});
