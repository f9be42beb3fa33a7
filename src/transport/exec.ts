import { printable } from '../model/index.ts';
import type { Ended, OutputSink, RemoteProcess } from './transport.ts';

export interface CommandLimits {
  /** Per stream, in bytes. */
  readonly maxOutputBytes: number;
  /** How long the server may take to open a channel for the command. */
  readonly startTimeoutMs: number;
}

/** An authenticated connection, as far as commands are concerned. */
export interface CommandLink {
  /** A packet with so many bytes of output came, or is to be expected: what else a server may send counts as a flood sooner. */
  expect(bytes: number): void;
  /** Exactly one of the two is called at first; `refused` may follow `started` when the refusal comes late. */
  exec(command: string, started: (channel: CommandChannel) => void, refused: (why: string) => void): void;
  /** Calls back when the connection ends, with the reason; at once when it has ended already. */
  onGone(listener: (why: string) => void): void;
  forget(listener: (why: string) => void): void;
  /** Ends it at once. `why` is what its commands are told. Idempotent. */
  destroy(why: string): void;
}

/** A session channel with a command in it; ssh2's channels are of this kind. `exit` comes before `close`, or never. */
export interface CommandChannel {
  readonly writable: boolean;
  readonly stderr: {
    on(event: 'data', listener: (chunk: Buffer) => void): unknown;
    on(event: 'error', listener: () => void): unknown;
  };
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'exit', listener: (code: number | null, signal?: string) => void): unknown;
  on(event: 'close' | 'error', listener: () => void): unknown;
  write(data: string): unknown;
  /** Half-closes it. */
  end(): unknown;
  close(): unknown;
}

/** Per stream: what start-up files print counts too, and is dropped as it comes. An answer has limits of its own. */
export const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

const STDERR_KEPT = 8 * 1024;
/**
 * Each packet costs some 6 µs here, however little is in it: a host may send its output in so many. The remote program writes an
 * answer at once.
 */
const MAX_PIECES = 10_000;
/** How long a server may take to close a channel after it has reported the exit status. */
const CLOSE_GRACE_MS = 2_000;

type Outcome = Ended extends infer E ? (E extends Ended ? Omit<E, 'stderr'> : never) : never;

/**
 * Runs one command over a link. Everything a server can do, or leave undone, ends in exactly one settlement:
 * ssh2 itself reports no error for a channel that is never confirmed, never closed, or lost with its connection.
 */
export function startCommand(
  link: CommandLink,
  command: string,
  sink: OutputSink,
  limits: CommandLimits,
): RemoteProcess {
  let channel: CommandChannel | undefined;
  let input: string[] = [];
  let inputEnded = false;
  let exit: Outcome | undefined;
  let settled = false;
  let timer: NodeJS.Timeout | undefined;
  let stderr = Buffer.alloc(0);
  const received = { stdout: 0, stderr: 0 };
  let pieces = 0;

  let resolve: (ended: Ended) => void;
  const ended = new Promise<Ended>((done) => {
    resolve = done;
  });
  const settle = (outcome: Outcome): void => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    link.forget(gone);
    resolve({ ...outcome, stderr: stderr.toString('utf8') } as Ended);
  };
  const gone = (why: string): void => settle(exit ?? { how: 'lost', why });

  /** What of a chunk is within the cap. ssh2 does not enforce the window, so bytes are counted even after the end. */
  const admit = (stream: 'stdout' | 'stderr', chunk: Buffer): Buffer => {
    pieces += 1;
    link.expect(chunk.length);
    const room = Math.max(0, limits.maxOutputBytes - received[stream]);
    received[stream] += chunk.length;
    return chunk.subarray(0, room);
  };
  const endFlood = (stream: 'stdout' | 'stderr'): void => {
    if (received[stream] > limits.maxOutputBytes) {
      settle({ how: 'flooded', what: `more than ${limits.maxOutputBytes} bytes` });
      link.destroy(`it sent more than ${limits.maxOutputBytes} bytes on ${stream}`);
    } else if (pieces > MAX_PIECES) {
      settle({ how: 'flooded', what: `its output in more than ${MAX_PIECES} pieces` });
      link.destroy(`it sent its output in more than ${MAX_PIECES} pieces`);
    }
  };

  const attach = (opened: CommandChannel): void => {
    clearTimeout(timer);
    timer = undefined;
    channel = opened;
    channel.on('data', (chunk: Buffer) => {
      const admitted = admit('stdout', chunk);
      if (!settled && admitted.length > 0) sink.stdout(admitted);
      endFlood('stdout');
    });
    // Always drained, or a full stderr would hold up stdout.
    channel.stderr.on('data', (chunk: Buffer) => {
      const admitted = admit('stderr', chunk);
      if (!settled && admitted.length > 0) sink.stderr?.(admitted);
      if (stderr.length < STDERR_KEPT) stderr = Buffer.concat([stderr, admitted]).subarray(0, STDERR_KEPT);
      endFlood('stderr');
    });
    channel.on('exit', (code: number | null, signal?: string) => {
      if (settled) return;
      const seen: Outcome =
        code === null ? { how: 'signalled', signal: printable(signal ?? 'unknown', 40) } : { how: 'exited', code };
      exit = seen;
      timer = setTimeout(() => {
        settle(seen);
        opened.close();
      }, CLOSE_GRACE_MS);
    });
    channel.on('close', () => settle(exit ?? { how: 'lost', why: 'the channel was closed without an exit status' }));
    channel.on('error', () => undefined);
    channel.stderr.on('error', () => undefined);
    if (settled) {
      opened.close();
      return;
    }
    for (const data of input) opened.write(data);
    input = [];
    if (inputEnded) opened.end();
  };

  timer = setTimeout(
    () => settle({ how: 'lost', why: 'the server did not open a channel in time' }),
    limits.startTimeoutMs,
  );
  link.onGone(gone);
  if (!settled) link.exec(command, attach, (why) => settle({ how: 'lost', why: `the command was refused: ${why}` }));

  return {
    write(data) {
      if (settled || inputEnded) return;
      if (channel === undefined) input.push(data);
      else if (channel.writable) channel.write(data);
    },
    end() {
      if (inputEnded) return;
      inputEnded = true;
      if (channel?.writable) channel.end();
    },
    ended,
    abandon() {
      settle({ how: 'lost', why: 'abandoned' });
      input = [];
      channel?.close();
    },
  };
}
