import type { Socket } from 'node:net';
import type { Client, ClientChannel } from 'ssh2';
import { printable } from '../model/index.ts';
import type { Shortcuts } from './ssh2-internals.ts';

/** An authenticated ssh2 connection, with the socket under it, which alone can end it for certain. */
export interface Link {
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
  client.on('error', (error) => {
    lastError = printable(error.message, 200);
  });
  client.on('close', () => gone(lastError ?? 'the connection was lost'));
  socket.on('close', () => gone(lastError ?? 'the connection was lost'));

  return {
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
    destroy(reason) {
      gone(reason);
      socket.destroy();
    },
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
