import type { Client, ClientChannel } from 'ssh2';
import { printable } from '../../model/index.ts';
import type { CommandLink } from '../exec.ts';
import type { Wire } from '../wire.ts';
import type { Shortcuts } from './internals.ts';

/** An authenticated ssh2 connection, with the wire under it, which alone can end it for certain. */
export interface Link extends CommandLink {
  /** A channel to another host, made by this one. `reason` as in RFC 4254 §5.1; absent when the connection is at fault. */
  forward(
    to: { readonly address: string; readonly port: number },
    opened: (channel: ClientChannel) => void,
    refused: (why: string, reason: number | undefined) => void,
  ): void;
  /** Says goodbye first, if that is possible without waiting. Idempotent. */
  close(): void;
}

/** What a server may send on the wire besides the output of commands: requests and channels nobody asked for. */
const BYTES_BESIDE_OUTPUT = 256 * 1024;
/** The same for each command, or connection through this one, that is started here. */
const BYTES_BESIDE_EACH = 64 * 1024;
/** What a packet has besides its data, at most. */
const WRAPPING = 128;
/** What may wait here for a server that makes this side talk and does not listen. */
const MAX_UNSENT = 4 * 1024 * 1024;

/** `shortcuts`: ssh2's private ways where they may be used, for fewer round trips. */
export function openLink(client: Client, wire: Wire, shortcuts: Shortcuts | undefined): Link {
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
    wire.destroy();
  };
  client.on('error', (error) => {
    lastError = printable(error.message, 200);
  });
  let received = 0;
  let allowed = BYTES_BESIDE_OUTPUT;
  const { stream } = wire;
  stream.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > allowed || stream.writableLength > MAX_UNSENT) destroy('it sent more than any answer could take');
  });
  const lost = (): void => gone(wire.why() ?? lastError ?? 'the connection was lost');
  client.on('close', lost);
  stream.on('close', lost);

  return {
    expect(bytes) {
      allowed += bytes + WRAPPING;
    },
    exec(command, started, refused) {
      allowed += BYTES_BESIDE_EACH;
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
    forward({ address, port }, opened, refused) {
      allowed += BYTES_BESIDE_EACH;
      const refuse = (error: Error & { reason?: unknown }): void => {
        const text = error.message.replace('(SSH) Channel open failure: ', '');
        refused(printable(text, 200), typeof error.reason === 'number' ? error.reason : undefined);
      };
      try {
        client.forwardOut('127.0.0.1', 0, address, port, (error, channel) => {
          if (error) refuse(error);
          else opened(channel);
        });
      } catch (error) {
        refuse(error as Error);
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
        // already unusable: the wire below is what counts
      }
      wire.finish();
    },
  };
}
