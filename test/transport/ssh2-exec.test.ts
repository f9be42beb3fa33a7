import type { Connection as ServerSide } from 'ssh2';
import { afterAll, describe, expect, it } from 'vitest';
import { connectionOf, dialler, faultOf, silent } from './dialling.ts';
import { scratch } from './openssh.ts';
import { type Behaviour, startServer, startTcp, type TestServer } from './server.ts';

const files = scratch();
const key = files.key('id');
const { connectTo } = dialler(files, key);
const open: { close(): void }[] = [];
afterAll(() => {
  for (const one of open) one.close();
  files.close();
});

async function serve(behaviour: Behaviour): Promise<TestServer> {
  const server = await startServer(files, [key], behaviour);
  open.push(server);
  return server;
}
/** All of these connect at the same time, in one process: that takes its time where the machine is busy. */
const reach = async (behaviour: Behaviour, maxOutputBytes = 1024 * 1024, connectTimeoutMs = 60_000) =>
  connectionOf(await connectTo(await serve(behaviour), {}, { connectTimeoutMs, maxOutputBytes }));

interface ServerProtocol {
  readonly _packetRW: {
    readonly write: { allocStart: number; alloc(n: number): Buffer; finalize(packet: Buffer): Buffer };
  };
  readonly _cipher: { encrypt(packet: Buffer): void };
  readonly _handlers: Record<string, (protocol: unknown, ...args: unknown[]) => void>;
}
const protocolOf = (client: ServerSide): ServerProtocol =>
  (client as unknown as { _protocol: ServerProtocol })._protocol;

/** Sends a message that ssh2's server has no method for. */
function send(client: ServerSide, ...parts: (number | string | { uint32: number })[]): void {
  const payload = Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'number') return Buffer.from([part]);
      const number = Buffer.alloc(4);
      number.writeUInt32BE(typeof part === 'string' ? Buffer.byteLength(part) : part.uint32);
      return typeof part === 'string' ? Buffer.concat([number, Buffer.from(part)]) : number;
    }),
  );
  const { _packetRW, _cipher } = protocolOf(client);
  const packet = _packetRW.write.alloc(payload.length);
  packet.set(payload, _packetRW.write.allocStart);
  _cipher.encrypt(_packetRW.write.finalize(packet));
}
const DISCONNECT = 1;
const IGNORE = 2;
const CHANNEL_OPEN = 90;
const CHANNEL_REQUEST = 98;

describe.concurrent('a command', () => {
  it('whose exit is reported but whose channel is never closed ends after a moment, as exited', async () => {
    const connection = await reach({ onCommand: (_command, channel) => channel.exit(4) });
    const remote = connection.exec('true', silent);
    expect(await remote.ended).toMatchObject({ how: 'exited', code: 4 });
  });

  it('whose channel is closed without an exit status is lost', async () => {
    const connection = await reach({ onCommand: (_command, channel) => channel.close() });
    const { how } = await connection.exec('true', silent).ended;
    expect(how).toBe('lost');
  });

  it('whose exit is reported twice has exited as it said first', async () => {
    const connection = await reach({
      onCommand(_command, channel) {
        channel.exit(3);
        channel.exit(0);
        channel.end();
      },
    });
    expect(await connection.exec('true', silent).ended).toMatchObject({ how: 'exited', code: 3 });
  });

  it('that dies of a signal with a wild name has the name made safe', async () => {
    const connection = await reach({
      onCommand(_command, channel, client) {
        const { id } = (channel as unknown as { outgoing: { id: number } }).outgoing;
        send(client, CHANNEL_REQUEST, { uint32: id }, 'exit-signal', 0, '\x1b[2J', 0, 'message', '');
        channel.end();
      },
    });
    expect(await connection.exec('true', silent).ended).toMatchObject({ how: 'signalled', signal: 'SIG\\x1b[2J' });
  });

  it.each([
    ['KILL', false, { how: 'signalled', signal: 'SIGKILL' }],
    ['KILL', true, { how: 'signalled', signal: 'SIGKILL' }],
    [7, true, { how: 'exited', code: 7 }],
  ])('that was sent ahead and ended (%s, closed: %s) before it was asked for ends so', async (how, closed, ended) => {
    const server = await serve({
      ident: 'OpenSSH_9.9',
      onCommand(_command, channel) {
        if (typeof how === 'number') channel.exit(how);
        else channel.exit(how);
        channel.stderr.write('oops');
        if (closed) channel.close();
      },
    });
    const connection = connectionOf(await connectTo(server, {}, {}, 'true'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await connection.exec('true', silent).ended).toMatchObject({ ...ended, stderr: 'oops' });
  });

  it('is lost with its connection, and says what the server said, made safe', async () => {
    const connection = await reach({
      onCommand: (_command, _channel, client) =>
        send(client, DISCONNECT, { uint32: 7 }, 'going \x1b[31mdown\u202e', ''),
    });
    const remote = connection.exec('true', silent);
    expect(await remote.ended).toMatchObject({ how: 'lost', why: 'going \\x1b[31mdown\\u202e' });
    expect(await connection.exec('true', silent).ended).toMatchObject({ how: 'lost' });
  });

  it('is lost when the connection is reset, and late errors harm nobody', async () => {
    const connection = await reach({
      onCommand(_command, channel, client) {
        channel.write('x');
        (client as unknown as { _sock: { resetAndDestroy(): void } })._sock.resetAndDestroy();
      },
    });
    expect((await connection.exec('true', silent).ended).how).toBe('lost');
    await new Promise((resolve) => setTimeout(resolve, 50));
    connection.close();
  });

  it.each(['OpenSSH_9.9', 'patient'])('that a server (%s) never opens a channel for is lost in time', async (ident) => {
    const connection = await reach({ ident, onSession: () => undefined }, undefined, 12_000);
    expect(await connection.exec('true', silent).ended).toMatchObject({
      how: 'lost',
      why: expect.stringMatching(/in time/),
    });
  });

  it.each(['OpenSSH_9.9', 'patient'])('that a server (%s) will not open a channel for is refused', async (ident) => {
    const connection = await reach({ ident, onSession: (_accept, reject) => reject() });
    expect(await connection.exec('true', silent).ended).toMatchObject({
      how: 'lost',
      why: expect.stringMatching(/refused/),
    });
  });

  it.each(['OpenSSH_9.9', 'patient'])('that a server (%s) does not run is refused', async (ident) => {
    const connection = await reach({ ident, onExec: (_accept, reject) => reject() });
    expect(await connection.exec('true', silent).ended).toMatchObject({
      how: 'lost',
      why: expect.stringMatching(/refused/),
    });
  });

  it('that floods beyond the window costs no more memory than the cap', async () => {
    const chunk = Buffer.alloc(32 * 1024);
    const connection = await reach({
      onCommand(_command, channel) {
        const outgoing = (channel as unknown as { outgoing: { window: number } }).outgoing;
        const push = (): void => {
          outgoing.window = 1e9; // a server that keeps no window
          for (let i = 0; i < 64 && channel.writable; i++) channel.write(chunk);
          if (channel.writable) setImmediate(push);
        };
        push();
      },
    });
    const before = process.memoryUsage().rss;
    let received = 0;
    const remote = connection.exec('true', {
      stdout: (data) => {
        received += data.length;
      },
    });
    expect((await remote.ended).how).toBe('flooded');
    expect(received).toBe(1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  });
});

describe.concurrent('a server that makes demands', () => {
  it('has its channels refused: no X11, no agent, no forwarding, nothing unheard of', async () => {
    const refused: number[] = [];
    const connection = await reach({
      onClient(client) {
        protocolOf(client)._handlers.CHANNEL_OPEN_FAILURE = (_protocol, recipient) =>
          void refused.push(recipient as number);
      },
      onCommand(_command, channel, client) {
        const window = [{ uint32: 2 ** 21 }, { uint32: 2 ** 15 }];
        send(client, CHANNEL_OPEN, 'x11', { uint32: 71 }, ...window, '127.0.0.1', { uint32: 6000 });
        send(client, CHANNEL_OPEN, 'auth-agent@openssh.com', { uint32: 72 }, ...window);
        const address = ['127.0.0.1', { uint32: 80 }, '127.0.0.1', { uint32: 81 }];
        send(client, CHANNEL_OPEN, 'forwarded-tcpip', { uint32: 73 }, ...window, ...address);
        send(client, CHANNEL_OPEN, 'forwarded-streamlocal@openssh.com', { uint32: 74 }, ...window, '/x', '');
        send(client, CHANNEL_OPEN, 'session', { uint32: 75 }, ...window);
        channel.on('data', () => {
          channel.exit(0);
          channel.end();
        });
      },
    });
    const remote = connection.exec('true', silent);
    remote.write('now the server has seen every answer');
    expect(await remote.ended).toMatchObject({ how: 'exited', code: 0 });
    expect(refused).toEqual([71, 72, 73, 74, 75]);
  });

  it.each([
    ['channels', /demand after demand/, [CHANNEL_OPEN, 'x'.repeat(100), { uint32: 1 }, { uint32: 9 }, { uint32: 9 }]],
    ['words of no meaning', /more than any answer/, [IGNORE, 'x'.repeat(10_000)]],
  ] as const)('without end is cut off: %s', async (_what, why, message) => {
    const connection = await reach(
      {
        onCommand(_command, _channel, client) {
          const push = (): void => {
            try {
              for (let i = 0; i < 200; i++) send(client, ...message);
              setImmediate(push);
            } catch {
              // cut off
            }
          };
          push();
        },
      },
      1024,
    );
    const ended = await connection.exec('true', silent).ended;
    expect(ended).toMatchObject({ how: 'lost', why: expect.stringMatching(why) });
  });

  it('before the login is cut off: a greeting without end', async () => {
    const server = await startTcp((socket) => {
      const line = Buffer.from(`${'welcome '.repeat(100)}\r\n`);
      const push = (): void => {
        while (!socket.destroyed && socket.write(line));
      };
      socket.on('drain', push);
      push();
    });
    open.push(server);
    expect(faultOf(await connectTo(server)).kind).toBe('unreachable');
  });

  it('in its last words before the login is quoted safely', async () => {
    const server = await serve({
      onAuth: () => undefined,
      onClient: (client) =>
        client.on('authentication', () => send(client, DISCONNECT, { uint32: 2 }, 'Too \x1b]0;many\x07', '')),
    });
    const { kind, message } = faultOf(await connectTo(server));
    expect(kind).toBe('auth');
    expect(message).toContain('(Too \\x1b]0;many\\x07)');
  });
});
