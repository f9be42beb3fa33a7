import type { ClientChannel } from 'ssh2';
import { printable } from '../model/index.ts';
import type { Link } from './ssh2-link.ts';
import type { Ended, OutputSink, RemoteProcess } from './transport.ts';

export interface OutputLimits {
  /** Per stream, in bytes. */
  readonly maxOutputBytes: number;
}

const STDERR_KEPT = 8 * 1024;
/** How long a server may take to close a channel after it has reported the exit status. */
const CLOSE_GRACE_MS = 2_000;

type Outcome = Ended extends infer E ? (E extends Ended ? Omit<E, 'stderr'> : never) : never;

/**
 * Runs one command over a link. Everything a server can do, or leave undone, ends in exactly one settlement:
 * ssh2 itself reports no error for a channel that is never confirmed, never closed, or lost with its connection.
 */
export function startCommand(link: Link, command: string, sink: OutputSink, limits: OutputLimits): RemoteProcess {
  let channel: ClientChannel | undefined;
  let input: string[] = [];
  let inputEnded = false;
  let exit: Outcome | undefined;
  let settled = false;
  let grace: NodeJS.Timeout | undefined;
  let stderr = Buffer.alloc(0);
  const received = { stdout: 0, stderr: 0 };

  let resolve: (ended: Ended) => void;
  const ended = new Promise<Ended>((done) => {
    resolve = done;
  });
  const settle = (outcome: Outcome): void => {
    if (settled) return;
    settled = true;
    clearTimeout(grace);
    link.forget(gone);
    resolve({ ...outcome, stderr: stderr.toString('utf8') } as Ended);
  };
  const gone = (why: string): void => settle(exit ?? { how: 'lost', why });

  /** ssh2 does not enforce the window, so the bytes are counted here, also after the command was given up. */
  const count = (stream: 'stdout' | 'stderr', chunk: Buffer): Buffer => {
    const room = limits.maxOutputBytes - received[stream];
    received[stream] += chunk.length;
    if (received[stream] <= limits.maxOutputBytes) return chunk;
    settle({ how: 'flooded', bytes: received[stream] });
    link.destroy(`it sent more than ${limits.maxOutputBytes} bytes on ${stream}`);
    return chunk.subarray(0, Math.max(0, room));
  };

  const attach = (opened: ClientChannel): void => {
    channel = opened;
    channel.on('data', (chunk: Buffer) => {
      if (settled) return void count('stdout', chunk);
      const room = limits.maxOutputBytes - received.stdout;
      if (room > 0) sink.stdout(chunk.subarray(0, room));
      count('stdout', chunk);
    });
    channel.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < STDERR_KEPT) stderr = Buffer.concat([stderr, chunk.subarray(0, STDERR_KEPT - stderr.length)]);
      count('stderr', chunk);
    });
    channel.on('exit', (code: number | null, signal?: string) => {
      exit ??=
        code === null ? { how: 'signalled', signal: printable(signal ?? 'unknown', 40) } : { how: 'exited', code };
      grace = setTimeout(() => {
        if (exit) settle(exit);
        opened.close();
      }, CLOSE_GRACE_MS);
    });
    channel.on('close', () => settle(exit ?? { how: 'lost', why: 'the channel was closed without an exit status' }));
    channel.on('error', () => undefined);
    channel.stderr.on('error', () => undefined);
    if (settled) return void opened.close();
    for (const data of input) opened.write(data);
    input = [];
    if (inputEnded) opened.end();
  };

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
