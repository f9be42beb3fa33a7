/** A line between fleetmask and a host that is cut after so many bytes, in either direction. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { LabHost } from './lab.ts';

export type Way = 'up' | 'down';

export class Relay {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  /** What the newest connection has carried so far. */
  carried: Record<Way, number> = { up: 0, down: 0 };
  #cut: { way: Way; bytes: number } | null = null;
  #refuses = false;
  #stays = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(host: LabHost): Promise<Relay> {
    const server = createServer();
    const relay = new Relay(server);
    server.on('connection', (near) => relay.#join(near, host));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts the next connection when it has carried so many bytes this way; `stays`: and lets none through after that. */
  cutAfter(way: Way, bytes: number, stays = false): void {
    this.#cut = { way, bytes };
    this.#stays = stays;
  }

  mend(): void {
    this.#cut = null;
    this.#refuses = false;
  }

  /** Whether the cut that was asked for has happened. */
  get isCut(): boolean {
    return this.#cut === null || this.#refuses;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #join(near: Socket, host: LabHost): void {
    if (this.#refuses) {
      near.destroy();
      return;
    }
    const far = connect({ host: host.address, port: host.port });
    const carried = { up: 0, down: 0 };
    this.carried = carried;
    const carry = (from: Socket, to: Socket, way: Way) => {
      this.#open.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.#open.delete(from);
        to.destroy();
      });
      from.on('end', () => to.end());
      from.on('data', (chunk: Buffer) => {
        const room = this.#cut?.way === way ? this.#cut.bytes - carried[way] : Number.POSITIVE_INFINITY;
        carried[way] += chunk.length;
        if (chunk.length < room) {
          to.write(chunk);
          return;
        }
        // the last bytes still get there: the end is a FIN after them, not a reset
        to.end(chunk.subarray(0, room));
        from.destroy();
        this.#refuses = this.#stays;
        this.#cut = null;
      });
    };
    carry(near, far, 'up');
    carry(far, near, 'down');
  }
}
