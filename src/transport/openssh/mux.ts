/** The multiplexing socket of an ssh master, in proxy mode (OpenSSH's PROTOCOL.mux, and mux.c and channels.c for the framing). */
import { connect, type Socket } from 'node:net';
import { SshData, SshDataReader } from '../ssh-data.ts';

/**
 * A stream of packets of the SSH connection protocol (RFC 4254), in clear: the master numbers the channels anew and does the
 * rest. It ends when the master ends, which is when its connection does.
 */
export interface MuxStream {
  /** Each packet from its type on. Called in order; nothing is called after `onEnd`. */
  onPacket(listener: (type: number, body: SshDataReader) => void): void;
  onEnd(listener: () => void): void;
  /** `fields`: everything after the type. */
  send(type: number, fields: SshData): void;
  /** Bytes that wait here to be taken. */
  unsent(): number;
  received(): number;
  destroy(): void;
}

const HELLO = 0x00000001;
const VERSION = 4;
const PROXY = 0x1000000f;
const PROXY_GRANTED = 0x8000000f;
const REQUEST_ID = 0;

/** The largest packet of ssh is 256 KiB; what comes of a hostile server is bounded by it. */
const MAX_PACKET = 256 * 1024 + 1024;

/**
 * Connects to a master that has logged in. Rejects when there is no socket (yet), with its code, or when it is that of an ssh that knows no
 * proxy mode (before 7.4).
 */
export function openMux(path: string): Promise<MuxStream> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const frames = new Frames();
    let state: 'hello' | 'granting' | 'open' = 'hello';
    let received = 0;
    let takePacket: (type: number, body: SshDataReader) => void = () => undefined;
    let takeEnd: () => void = () => undefined;
    let ended = false;

    const end = (why: string, error = new Error(why)): void => {
      if (ended) return;
      ended = true;
      socket.destroy();
      if (state === 'open') takeEnd();
      else reject(error);
    };
    const stream: MuxStream = {
      onPacket(listener) {
        takePacket = listener;
      },
      onEnd(listener) {
        takeEnd = listener;
      },
      send(type, fields) {
        if (!ended) socket.write(framed(new SshData().byte(0).byte(type).bytes(fields)));
      },
      unsent: () => socket.writableLength,
      received: () => received,
      destroy: () => end('destroyed'),
    };
    const take = (frame: Buffer): void => {
      const body = new SshDataReader(frame);
      if (state === 'open') {
        body.byte(); // padding length: none
        takePacket(body.byte(), body);
        return;
      }
      const type = body.number();
      if (state === 'hello' && type === HELLO && body.number() === VERSION) {
        state = 'granting';
        socket.write(framed(new SshData().number(PROXY).number(REQUEST_ID)));
      } else if (state === 'granting' && type === PROXY_GRANTED) {
        state = 'open';
        resolve(stream);
      } else {
        end('this ssh knows no multiplexing in proxy mode');
      }
    };

    socket.on('connect', () => socket.write(framed(new SshData().number(HELLO).number(VERSION))));
    socket.on('error', (error) => end(error.message, error));
    socket.on('close', () => end('ssh closed its socket'));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      try {
        frames.add(chunk);
        batched(socket, () => {
          for (let frame = frames.next(); frame !== undefined && !ended; frame = frames.next()) take(frame);
        });
      } catch (error) {
        end((error as Error).message); // malformed: from here on nothing can be believed
      }
    });
  });
}

/** What is written meanwhile goes out in one system call. */
function batched(socket: Socket, work: () => void): void {
  socket.cork();
  try {
    work();
  } finally {
    socket.uncork();
  }
}

function framed(fields: SshData): Buffer {
  const body = fields.take();
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Cuts a stream into frames with a length before each. */
class Frames {
  #chunks: Buffer[] = [];
  #held = 0;
  /** Bytes of the next frame with its length; 4 until that is known. */
  #wanted = 4;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /** The next whole frame without its length. Throws for one that is too long. */
  next(): Buffer | undefined {
    while (this.#held >= this.#wanted) {
      // one concatenation for many small chunks, none for many frames in a chunk
      const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
      const length = all.readUInt32BE(0);
      if (length < 2 || length > MAX_PACKET) throw new Error('a packet of impossible length');
      this.#wanted = 4 + length;
      this.#chunks = [all];
      if (all.length < this.#wanted) return undefined;
      const rest = all.subarray(this.#wanted);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#held = rest.length;
      this.#wanted = 4;
      return all.subarray(4, 4 + length);
    }
    return undefined;
  }
}
