import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { printable, type Target } from '../model/index.ts';

/** The byte stream under an SSH connection: TCP, a channel through a bastion, or a command's standard input and output. */
export interface Wire {
  readonly kind: 'tcp' | 'jump' | 'command';
  /** For ssh2. `client.end()` and `client.destroy()` do nothing to it once its write side has ended. */
  readonly stream: Duplex;
  /** To be called right before ssh2 is given the stream. May throw, for a port that is none. */
  start(): void;
  /** Ends it at once. Idempotent. */
  destroy(): void;
  /** Ends it when what was written has left, or a moment later. Idempotent. */
  finish(): void;
  /** Why it ended, where that is known by other means than the stream. Safe to print. */
  why(): string | undefined;
  /** Whether it may end otherwise another time. Absent: it may. */
  chance?(): 'transient' | 'lasting';
}

/** How long the goodbye may take to leave. */
const GOODBYE_MS = 250;

/** Straight to the host. */
export function tcpWire({ address, port, addressFamily, bindAddress }: Target): Wire {
  const socket = new Socket().setNoDelay(true);
  return {
    kind: 'tcp',
    stream: socket,
    start() {
      const from = bindAddress === undefined ? {} : { localAddress: bindAddress };
      socket.connect({ host: address, port, ...(addressFamily && { family: addressFamily }), ...from });
    },
    destroy: () => socket.destroy(),
    finish() {
      socket.destroySoon();
      destroyLater(() => socket.destroy());
    },
    why: () => undefined,
  };
}

export function destroyLater(destroy: () => void): void {
  setTimeout(destroy, GOODBYE_MS).unref();
}

/** A host as messages name it. */
export function peerOf({ address, port, proxy }: Target): string {
  const through = proxy?.kind === 'jump' ? ` through ${proxy.via.host}` : '';
  return printable(`${address}:${port}${through}`, 160);
}
