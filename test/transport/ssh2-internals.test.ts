import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import ssh2, { type Client } from 'ssh2';
import { afterAll, describe, expect, it } from 'vitest';
import { shorten } from '../../src/transport/ssh2/internals.ts';
import { startLogin } from '../../src/transport/ssh2/login.ts';
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
    expect(
      shorten(client, {
        purpose: { kind: 'commands', first: undefined },
        login,
        overdone,
        software: () => 'OpenSSH_9.9',
      })?.exec,
    ).toBeTypeOf('function');
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
      expect(
        shorten(client, {
          purpose: { kind: 'commands', first: undefined },
          login,
          overdone,
          software: () => 'OpenSSH_9.9',
        }),
      ).toBeUndefined();
    }
  });

  it('are not taken with a server that may not work in order', () => {
    const client = madeClient();
    for (const software of [undefined, 'ssh2js1.17.0', 'AsyncSSH_2.18.0', 'NotOpenSSH_1']) {
      expect(
        shorten(client, { purpose: { kind: 'commands', first: undefined }, login, overdone, software: () => software })
          ?.exec,
      ).toBeUndefined();
    }
  });

  it.skipIf(noSshd !== undefined)('save turns of a conversation with OpenSSH', async () => {
    const sshd = await startSshd(files, [key]);
    /** The fewest of six: a server that is slow to say the rest may cost a turn. */
    const turnsOf = async (use: (port: number) => Promise<void>): Promise<number> => {
      const turns = [];
      for (let time = 0; time < 6; time++) {
        const proxy = await startProxy(sshd.port, { gatherMs: 150 });
        await use(proxy.port);
        proxy.close();
        turns.push(proxy.turns());
      }
      return Math.min(...turns);
    };
    const ourTurns = turnsOf(async (port) => {
      const result = await connectTo({ port, hostKeys: sshd.hostKeys }, { user: sshd.user });
      await connectionOf(result).exec('exit', silent).ended;
    });
    const theirTurns = turnsOf(
      (port) =>
        new Promise((resolve) => {
          const client = new ssh2.Client();
          client.on('error', () => undefined);
          client.on('ready', () => client.exec('exit', (_error, channel) => channel.resume().on('exit', resolve)));
          const privateKey = files.read('id');
          client.connect({ port, username: sshd.user, privateKey, authHandler: ['publickey'] });
        }),
    );
    const turnsAhead = turnsOf(async (port) => {
      const result = await connectTo({ port, hostKeys: sshd.hostKeys }, { user: sshd.user }, {}, 'exit');
      await connectionOf(result).exec('exit', silent).ended;
    });
    const [ours, theirs, ahead] = await Promise.all([ourTurns, theirTurns, turnsAhead]);
    sshd.close();
    // three of eight, and then one more
    expect(theirs - ours).toBeGreaterThanOrEqual(2);
    expect(ours - ahead).toBeGreaterThanOrEqual(1);
  });

  describe.skipIf(noSshd !== undefined)('let the first command go ahead, and', () => {
    const hear = async (first: string, ...commands: string[]): Promise<string[]> => {
      const sshd = await startSshd(files, [key]);
      const connection = connectionOf(
        await connectTo({ port: sshd.port, hostKeys: sshd.hostKeys }, { user: sshd.user }, {}, first),
      );
      const heard = [];
      for (const command of commands) {
        let said = '';
        const stdout = (chunk: Buffer) => {
          said += chunk;
        };
        const process = connection.exec(command, { stdout });
        process.write('typed\n');
        process.end();
        const ended = await process.ended;
        heard.push(`${said.trim()} ${ended.how === 'exited' ? ended.code : ended.how}`);
      }
      connection.close();
      sshd.close();
      return heard;
    };

    it('it is heard, takes its input and ends with its own status', async () => {
      expect(await hear('cat; exit 7', 'cat; exit 7', 'echo second')).toEqual(['typed 7', 'second 0']);
    });

    it('another in its place runs all the same', async () => {
      expect(await hear('cat; exit 7', 'echo other; exit 3', 'cat')).toEqual(['other 3', 'typed 0']);
    });

    it('a login that fails is still told as such', async () => {
      const sshd = await startSshd(files, [key]);
      const stranger = { user: sshd.user, identityFiles: [files.key('stranger')] };
      const result = await connectTo({ port: sshd.port, hostKeys: sshd.hostKeys }, stranger, {}, 'exit');
      sshd.close();
      expect(result).toMatchObject({ fault: { kind: 'auth' } });
    });
  });
});
