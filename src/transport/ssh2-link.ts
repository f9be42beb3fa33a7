import type { Socket } from 'node:net';
import type { Client, ClientChannel } from 'ssh2';
import { printable } from '../model/index.ts';
import type { Shortcuts } from './ssh2-internals.ts';

/** An authenticated ssh2 connection, with the socket under it, which alone can end it for certain. */
export interface Link {
  /** Lets the server send this much more output before it counts as a flood. */
  expect(bytes: number): void;
  /** Exactly one of the two is called at first; `refused` may follow `started` when the refusal comes late. */
  exec(command: string, started: (channel: ClientChannel) => void, refused: (why: string) => void): void;
  /** Calls back when the connection ends, with the reason; at once when it has ended already. */
  onGone(listener: (why: string) => void): void;
  forget(listener: (why: string) => void): void;
  /** Ends it at once. `why` is what its commands are told. Idempotent. */
  destroy(why: string): void;
  /** Says goodbye first, if that is possible without waiting. Idempotent. */
  close(): void;
}

/** How long the goodbye may take to leave before the socket is destroyed. */
const GOODBYE_MS = 250;

/** What a server may send on the wire besides the output of commands: requests and channels nobody asked for. */
const BYTES_BESIDE_OUTPUT = 4 * 1024 * 1024;
/** Bytes on the wire for a byte of output: a program that writes a few bytes at a time has each wrapped in a packet. */
const WRAPPING = 8;
/** What may wait here for a server that makes this side talk and does not listen. */
const MAX_UNSENT = 4 * 1024 * 1024;

/** `shortcuts`: ssh2's private ways where they may be used, for fewer round trips. */
export function openLink(client: Client, socket: Socket, shortcuts: Shortcuts | undefined): Link {
  const listeners = new Set<(why: string) => void>();
  let why: string | undefined;
  let lastError: string | undefined;

  const gone = (reason: string): void => {
    if (why !== undefined) return;
    why = reason;
    for (const listener of [...listeners]) listener(reason);
    listeners.clear();
  };
  const destroy = (reason: string): void => {
    gone(reason);
    socket.destroy();
  };
  client.on('error', (error) => {
    lastError = printable(error.message, 200);
  });
  let received = 0;
  let allowed = BYTES_BESIDE_OUTPUT;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > allowed || socket.writableLength > MAX_UNSENT) destroy('it sent more than any answer could take');
  });
  client.on('close', () => gone(lastError ?? 'the connection was lost'));
  socket.on('close', () => gone(lastError ?? 'the connection was lost'));

  return {
    expect(bytes) {
      allowed += bytes * WRAPPING;
    },
    exec(command, started, refused) {
      const refuse = (text: string): void => refused(printable(text, 200));
      try {
        if (shortcuts?.exec !== undefined) {
          shortcuts.exec(command, started, refuse);
          return;
        }
        client.exec(command, (error, channel) => {
          if (error) refuse(error.message);
          else started(channel);
        });
      } catch (error) {
        refuse((error as Error).message); // ssh2 throws on a client that is already gone
      }
    },
    onGone(listener) {
      if (why === undefined) listeners.add(listener);
      else listener(why);
    },
    forget(listener) {
      listeners.delete(listener);
    },
    destroy,
    close() {
      if (why !== undefined) return;
      gone('the connection was closed here');
      try {
        client.end();
      } catch {
        // already unusable: the socket below is what counts
      }
      socket.destroySoon();
      setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
    },
  };
}
