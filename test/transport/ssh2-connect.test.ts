import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { connectionOf, dialler, faultOf, silent, startProxy } from './dialling.ts';
import { freePort, noSshd, scratch, startSshd } from './openssh.ts';
import { startServer, startTcp } from './server.ts';

const files = scratch();
const key = files.key('id');
const { connectTo, warnings } = dialler(files, key);
const open: { close(): void }[] = [];
function keep<T extends { close(): void }>(one: T): T {
  open.push(one);
  return one;
}
afterAll(() => {
  for (const one of open) one.close();
  files.close();
});

describe.concurrent('a server that stops answering', () => {
  it('at any step of the login is given up at the deadline, and the fault says how far it got', async () => {
    const server = keep(await startServer(files, [key]));
    const steps = await Promise.all(
      [0, 1, 2, 3, 4, 5, 6, 7, 8].map(async (piecesFromServer) => {
        const proxy = keep(await startProxy(server.port, { piecesFromServer }));
        const result = await connectTo(
          { port: proxy.port, hostKeys: server.hostKeys },
          {},
          { connectTimeoutMs: 5_000 },
        );
        if ('connection' in result) {
          result.connection.close();
          return 'connected';
        }
        expect(result.fault.kind).toBe('timed-out');
        return /got as far as (.*)$/.exec(result.fault.message)?.[1];
      }),
    );
    expect(steps[0]).toBe('greeting');
    expect(steps).toContain('key exchange');
    expect(steps).toContain('authentication');
    expect(steps.at(-1)).toBe('connected');
  });

  it('after the login is found out by keepalives, and what runs is lost', async () => {
    const server = keep(await startServer(files, [key]));
    const proxy = keep(await startProxy(server.port));
    const connection = connectionOf(
      await connectTo({ port: proxy.port, hostKeys: server.hostKeys }, {}, { keepaliveMs: 50 }),
    );
    const remote = connection.exec('cat', silent);
    await new Promise((resolve) => setTimeout(resolve, 100));
    proxy.freeze();
    expect(await remote.ended).toMatchObject({ how: 'lost', why: expect.stringContaining('Keepalive') });
  });
});

describe.concurrent('a server that does not let anyone in', () => {
  const dropper = async (text: string, drops: number, then: number) => {
    const count = { connections: 0 };
    const tcp = await startTcp((socket) => {
      if (++count.connections > drops) return void socket.destroy();
      socket.end(text);
    });
    return keep({ ...tcp, count, then });
  };

  it('because too many log in at once is tried again, then named', async () => {
    const server = await dropper('Exceeded MaxStartups\r\n', 99, 0);
    const fault = faultOf(await connectTo(server));
    expect(fault).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('MaxStartups') });
    expect(server.count.connections).toBe(3);
  });

  it('at first, but does later, is reached', async () => {
    const server = keep(await startServer(files, [key]));
    const proxy = keep(await startProxy(server.port));
    let connections = 0;
    const front = keep(
      await startTcp((socket) => {
        if (++connections === 1) return void socket.end('Exceeded MaxStartups\r\n');
        if (connections === 2) return void socket.resetAndDestroy();
        const far = connect(proxy.port, '127.0.0.1');
        far.on('error', () => undefined);
        socket.pipe(far).pipe(socket);
      }),
    );
    const connection = connectionOf(await connectTo({ port: front.port, hostKeys: server.hostKeys }));
    connection.close();
    expect(connections).toBe(3);
  });

  it('gives the reason of the drop, not just “late”, when the deadline ends the retries', async () => {
    const server = await dropper('Exceeded MaxStartups\r\n', 99, 0);
    // a deadline that falls into an attempt is another case
    await vi.waitFor(async () => {
      const fault = faultOf(await connectTo(server, {}, { connectTimeoutMs: 500 }));
      expect(fault).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('MaxStartups') });
    }, 60_000);
  });

  it('in the words of OpenSSH since 9.8, for that or for a penalty, is tried again, then both are named', async () => {
    const server = await dropper('Not allowed at this time\r\n', 99, 0);
    expect(faultOf(await connectTo(server)).message).toMatch(/MaxStartups, or PerSourcePenalties/);
    expect(server.count.connections).toBe(3);
  });

  it('because it is no SSH server is quoted, safely, once', async () => {
    const server = await dropper('HTTP/1.1 400 \x1b[31mBad\r\n\r\n', 99, 0);
    const fault = faultOf(await connectTo(server));
    expect(fault.message).toContain('not an SSH server: it said “HTTP/1.1 400 \\x1b[31mBad”');
    expect(server.count.connections).toBe(1);
  });

  it('and hangs up after its greeting without a word is tried again, then reported', async () => {
    const server = await dropper('SSH-2.0-OpenSSH_9.2p1\r\n', 99, 0);
    expect(faultOf(await connectTo(server)).message).toContain('closed the connection during key exchange');
    expect(server.count.connections).toBe(3);
  });

  it('because nothing listens there is reported at once', async () => {
    const before = performance.now();
    expect(faultOf(await connectTo({ port: await freePort() })).message).toContain('refused');
    expect(performance.now() - before, 'long before the deadline').toBeLessThan(5_000);
  });

  it('because its name does not resolve, or its port is none, is reported', async () => {
    const nowhere = await connectTo({ port: 22 }, { address: 'nowhere.invalid' });
    expect(faultOf(nowhere)).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('cannot be found'),
    });
    expect(faultOf(await connectTo({ port: 70_000 })).kind).toBe('unreachable');
  });

  it('and has no algorithm in common is not tried again', async () => {
    const kex = ['diffie-hellman-group14-sha1' as const];
    const server = keep(await startServer(files, [key], { algorithms: { kex } }));
    const fault = faultOf(await connectTo(server));
    expect(fault.message).toContain('no matching key exchange algorithm');
    expect(fault.hint).toContain('KexAlgorithms');
    expect(server.clients).toHaveLength(1);
  });
});

describe.concurrent('the host key', () => {
  it('that is wrong ends the attempt before any key is offered', async () => {
    let offered = 0;
    const server = keep(await startServer(files, [key], { onAuth: () => void offered++ }));
    const fault = faultOf(await connectTo({ port: server.port, hostKeys: [files.key('another-host')] }));
    expect(fault).toMatchObject({ kind: 'host-key', message: expect.stringContaining('CHANGED') });
    expect(offered).toBe(0);
    expect(server.clients).toHaveLength(1);
  });

  it('of the known type is asked for, so that a host with several keys raises no alarm', async () => {
    const server = keep(await startServer(files, [key], { hostKeyTypes: ['ed25519', 'rsa', 'ecdsa'] }));
    for (const known of server.hostKeys) {
      connectionOf(await connectTo({ port: server.port, hostKeys: [known] })).close();
    }
  });

  it('is checked again at a rekey: the same one is fine', async () => {
    const server = keep(await startServer(files, [key]));
    const connection = connectionOf(await connectTo(server));
    const cat = connection.exec('cat; exit 7', silent);
    await new Promise<void>((resolve) => server.clients[0]?.once('rekey', resolve).rekey());
    cat.write('still here');
    cat.end();
    expect(await cat.ended).toMatchObject({ how: 'exited', code: 7 });
  });

  it('is checked again at a rekey: another one ends the connection', async () => {
    const server = keep(await startServer(files, [key]));
    const connection = connectionOf(await connectTo(server));
    const cat = connection.exec('cat', silent);
    const other = ssh2.utils.parseKey(files.read(files.key('swapped').slice(files.dir.length + 1)));
    const client = server.clients[0]!;
    (client as unknown as { _protocol: { _hostKeys: unknown } })._protocol._hostKeys = { 'ssh-ed25519': other };
    client.rekey();
    expect(await cat.ended).toMatchObject({ how: 'lost', why: expect.stringContaining('Host denied') });
  });

  it('comes with a warning when the server is open to Terrapin and so is the cipher', async () => {
    const { KexInit } = createRequire(import.meta.url)('ssh2/lib/protocol/kex.js') as {
      KexInit: new (offer: unknown) => unknown;
    };
    const side = { cipher: ['chacha20-poly1305@openssh.com'], mac: ['hmac-sha2-256'], compress: ['none'], lang: [] };
    const offer = { kex: ['curve25519-sha256'], serverHostKey: ['ssh-ed25519'], cs: side, sc: side };
    const lax = keep(
      await startServer(files, [key], {
        onClient(client) {
          const { _protocol } = client as unknown as { _protocol: { _offer: unknown; _strictMode: boolean } };
          _protocol._offer = new KexInit(offer);
          _protocol._strictMode = false;
        },
      }),
    );
    const strict = keep(await startServer(files, [key], { algorithms: { cipher: ['chacha20-poly1305@openssh.com'] } }));
    for (const server of [lax, strict]) connectionOf(await connectTo(server)).close();
    expect(warnings.filter((text) => text.includes('Terrapin'))).toEqual([expect.stringContaining(`:${lax.port} `)]);
  });
});

describe.skipIf(noSshd !== undefined)('OpenSSH', () => {
  it('that drops connections because of MaxStartups is named, and reached when it has room again', async () => {
    const sshd = keep(await startSshd(files, [key], ['MaxStartups 1:100:1']));
    const holder = await holdLogin(sshd.port);
    const user = { user: sshd.user };
    const fault = faultOf(await connectTo(sshd, user));
    expect(fault).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('MaxStartups') });
    const result = connectTo(sshd, { ...user, connectionAttempts: 9 }, { connectTimeoutMs: 60_000 });
    holder.destroy();
    connectionOf(await result).close();
  });

  it('that has room for one session only refuses a second command with a reason', async () => {
    const sshd = keep(await startSshd(files, [key], ['MaxSessions 1']));
    const connection = connectionOf(await connectTo(sshd, { user: sshd.user }));
    const first = connection.exec('cat', silent);
    first.write('x');
    const second = connection.exec('true', silent);
    expect(await second.ended).toMatchObject({ how: 'lost', why: expect.stringContaining('refused') });
    first.end();
    expect(await first.ended).toMatchObject({ how: 'exited', code: 0 });
    connection.close();
  });
});

/** Connects and stays silent before the login, in the one place that the server has for that. */
async function holdLogin(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const said = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    if (said.startsWith('SSH-')) return socket;
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
