import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Target } from '../../src/model/index.ts';
import type { Connection, Ended, Transport } from '../../src/transport/transport.ts';

/** One way in, with a host behind it that runs commands in a POSIX shell. */
export interface Way {
  readonly transport: Transport;
  readonly target: Target;
  /** The transport's cap per stream. */
  readonly maxOutputBytes: number;
  /** The same host, with a key it does not let in. */
  readonly stranger: Target;
  /** A host whose key nobody has vouched for. */
  readonly unknown: Target;
  /** A port where nothing listens. */
  readonly closed: Target;
  close(): void;
}

export const never = (): AbortSignal => new AbortController().signal;

export async function connected(transport: Transport, target: Target): Promise<Connection> {
  const result = await transport.connect(target, never());
  if ('fault' in result) throw new Error(`${result.fault.kind}: ${result.fault.message}`);
  return result.connection;
}

export async function run(
  connection: Connection,
  command: string,
  input = '',
): Promise<{ ended: Ended; stdout: Buffer }> {
  const chunks: Buffer[] = [];
  const remote = connection.exec(command, { stdout: (chunk) => chunks.push(Buffer.from(chunk)) });
  if (input !== '') remote.write(input);
  remote.end();
  return { ended: await remote.ended, stdout: Buffer.concat(chunks) };
}

/** What every transport does, whatever it is made of. */
export function transportContract(name: string, open: () => Promise<Way>): void {
  describe(`a transport over ${name}`, () => {
    let way: Way;
    beforeAll(async () => {
      way = await open();
    });
    afterAll(() => {
      way?.transport.close();
      way?.close();
    });
    const session = async (use: (connection: Connection) => Promise<void>): Promise<void> => {
      const connection = await connected(way.transport, way.target);
      try {
        await use(connection);
      } finally {
        connection.close();
      }
    };

    it('runs a command and tells its output, its errors and its exit code apart', () =>
      session(async (connection) => {
        const { ended, stdout } = await run(connection, 'echo out; echo err >&2; exit 3');
        expect(ended).toEqual({ how: 'exited', code: 3, stderr: 'err\n' });
        expect(stdout.toString()).toBe('out\n');
      }));

    it('delivers what was written before the command had started, in order, and then the end of input', () =>
      session(async (connection) => {
        let text = '';
        const remote = connection.exec('cat; echo done', {
          stdout: (chunk) => {
            text += chunk;
          },
        });
        remote.write('one ');
        remote.write('two\n');
        remote.end();
        expect(await remote.ended).toMatchObject({ how: 'exited', code: 0 });
        expect(text).toBe('one two\ndone\n');
      }));

    it('carries a conversation: output comes while input is still open', () =>
      session(async (connection) => {
        let heard: (line: string) => void;
        const answer = new Promise<string>((resolve) => {
          heard = resolve;
        });
        const remote = connection.exec('read a; echo "heard $a"; read b; echo "$b"', {
          stdout: (chunk) => heard(chunk.toString()),
        });
        remote.write('me\n');
        expect(await answer).toBe('heard me\n');
        remote.end();
        expect(await remote.ended).toMatchObject({ how: 'exited' });
      }));

    it('takes a script of 300 KiB on standard input', () =>
      session(async (connection) => {
        const script = `${'# a long comment line, to fill the window of the channel\n'.repeat(5_500)}echo end`;
        const { stdout } = await run(connection, 'sh -s', script);
        expect(stdout.toString()).toBe('end\n');
      }));

    it('keeps bytes as they are', () =>
      session(async (connection) => {
        const { stdout } = await run(connection, "printf '\\000\\377\\r\\n\\033[31m'");
        expect(stdout).toEqual(Buffer.from('\x00\xff\r\n\x1b[31m', 'latin1'));
      }));

    it('passes on long output whole', () =>
      session(async (connection) => {
        const text = randomBytes(100_000).toString('hex');
        const { ended, stdout } = await run(connection, 'cat', text);
        expect(ended).toMatchObject({ how: 'exited', code: 0 });
        expect(stdout.toString() === text).toBe(true);
      }));

    it('tells a command that was killed from one that exited', () =>
      session(async (connection) => {
        const { ended } = await run(connection, 'kill -TERM $$');
        expect(ended).toMatchObject({ how: 'signalled', signal: 'SIGTERM' });
      }));

    it('runs several commands at once over one connection', () =>
      session(async (connection) => {
        const slow = connection.exec('cat', { stdout: () => undefined });
        const all = await Promise.all(['a', 'b', 'c'].map((word) => run(connection, `echo ${word}`)));
        expect(all.map(({ stdout }) => stdout.toString())).toEqual(['a\n', 'b\n', 'c\n']);
        slow.end();
        expect(await slow.ended).toMatchObject({ how: 'exited', code: 0 });
      }));

    it('keeps 8 KiB of a long stderr, and is not held up by it', () =>
      session(async (connection) => {
        const { ended, stdout } = await run(connection, 'head -c 300000 /dev/zero | tr "\\0" e >&2; echo after');
        expect(stdout.toString()).toBe('after\n');
        expect(ended.stderr).toBe('e'.repeat(8 * 1024));
      }));

    it('delivers stderr as it comes to whoever listens, within the same cap', () =>
      session(async (connection) => {
        let heard: (text: string) => void;
        const prompt = new Promise<string>((resolve) => {
          heard = resolve;
        });
        const remote = connection.exec('printf "who? " >&2; read -r a; echo "$a" >&2', {
          stdout: () => undefined,
          stderr: (chunk) => heard(chunk.toString()),
        });
        expect(await prompt).toBe('who? ');
        remote.write('me\n');
        expect(await remote.ended).toMatchObject({ how: 'exited', stderr: 'who? me\n' });
        let received = 0;
        const flood = connection.exec('exec cat /dev/zero >&2', {
          stdout: () => undefined,
          stderr: (chunk) => {
            received += chunk.length;
          },
        });
        expect((await flood.ended).how).toBe('flooded');
        expect(received).toBe(way.maxOutputBytes);
      }));

    it('ends a command that floods, delivers no more than the cap, and closes the connection', () =>
      session(async (connection) => {
        const { ended, stdout } = await run(connection, 'exec cat /dev/zero');
        expect(ended.how).toBe('flooded');
        expect(stdout.length).toBe(way.maxOutputBytes);
        expect((await run(connection, 'true')).ended.how).toBe('lost');
      }));

    it('ends a command that floods stderr', () =>
      session(async (connection) => {
        expect((await run(connection, 'exec cat /dev/zero >&2')).ended.how).toBe('flooded');
      }));

    it('settles an abandoned command at once, and the connection lives on', () =>
      session(async (connection) => {
        const remote = connection.exec('sleep 60', { stdout: () => undefined });
        remote.abandon();
        expect(await remote.ended).toMatchObject({ how: 'lost', why: 'abandoned' });
        remote.write('ignored');
        remote.end();
        expect((await run(connection, 'echo alive')).stdout.toString()).toBe('alive\n');
      }));

    it('settles what runs when the connection is closed, and what is started later', () =>
      session(async (connection) => {
        const remote = connection.exec('sleep 60', { stdout: () => undefined });
        connection.close();
        connection.close();
        expect((await remote.ended).how).toBe('lost');
        expect((await run(connection, 'true')).ended.how).toBe('lost');
      }));

    it('names the keys it tried when none is let in', async () => {
      const result = await way.transport.connect(way.stranger, never());
      const file = way.stranger.identityFiles[0];
      expect(result).toMatchObject({ fault: { kind: 'auth', message: expect.stringContaining(`from ${file}`) } });
      expect(result).toMatchObject({ fault: { message: expect.stringMatching(/ssh-ed25519 SHA256:.{8}…/) } });
    });

    it('refuses a host whose key is unknown, and shows its fingerprint', async () => {
      const result = await way.transport.connect(way.unknown, never());
      expect(result).toMatchObject({ fault: { kind: 'host-key', message: expect.stringMatching(/SHA256:.{43}/) } });
    });

    it('says that nothing listens', async () => {
      const result = await way.transport.connect(way.closed, never());
      expect(result).toMatchObject({ fault: { kind: 'unreachable', message: expect.stringContaining('refused') } });
    });

    it('gives up at once when the operator does', async () => {
      const before = new AbortController();
      before.abort();
      expect(await way.transport.connect(way.target, before.signal)).toMatchObject({ fault: { kind: 'cancelled' } });
      const meanwhile = new AbortController();
      const result = way.transport.connect(way.target, meanwhile.signal);
      setImmediate(() => meanwhile.abort());
      expect(await result).toMatchObject({ fault: { kind: 'cancelled' } });
    });
  });
}
