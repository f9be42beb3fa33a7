/** A controller that is killed at a chosen moment: from then on nothing it asked for happens, and nothing of it is heard. */

import type { Journal } from '../../src/journal/append-log.ts';
import type { JournalRecord } from '../../src/journal/records.ts';
import type { Connection, RemoteProcess, Transport } from '../../src/transport/transport.ts';

/** `after request 2`: the bytes have left, the answer finds nobody. `before settled 1`: the first such record is not written. */
export type Moment = `${'before' | 'after'} ${'request' | JournalRecord['type']} ${number}`;

export class Mortal {
  readonly #moment: Moment | null;
  readonly #counts = new Map<string, number>();
  readonly #open = new Set<Connection>();
  readonly died: Promise<void>;
  #die: () => void = () => {};
  #dead = false;

  constructor(moment: Moment | null) {
    this.#moment = moment;
    this.died = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** As the kernel would: connections close, whatever is under way ends nowhere. */
  kill(): void {
    this.#dead = true;
    for (const connection of this.#open) connection.close();
    this.#die();
  }

  #reaches(what: string): { before: boolean; after: boolean } {
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    return { before: this.#moment === `before ${what} ${count}`, after: this.#moment === `after ${what} ${count}` };
  }

  journal(inner: Journal): Journal {
    return {
      close: () => inner.close(),
      commit: async (record) => {
        const { before, after } = this.#dead ? { before: true, after: false } : this.#reaches(record.type);
        if (before) this.kill();
        if (this.#dead) return never();
        await inner.commit(record);
        if (after) this.kill();
        if (this.#dead) return never();
      },
    };
  }

  transport(inner: Transport): Transport {
    return {
      close: () => inner.close(),
      connect: async (target, signal, first) => {
        if (this.#dead) return never();
        const connected = await inner.connect(target, signal, first);
        if ('fault' in connected) return connected;
        if (this.#dead) {
          connected.connection.close();
          return never();
        }
        this.#open.add(connected.connection);
        return { connection: this.#wrap(connected.connection) };
      },
    };
  }

  #wrap(connection: Connection): Connection {
    return {
      ...connection,
      close: () => connection.close(),
      exec: (command, output) => {
        const inner = connection.exec(command, {
          stdout: (chunk) => this.#dead || output.stdout(chunk),
          stderr: (chunk) => this.#dead || output.stderr?.(chunk),
        });
        const process: RemoteProcess = {
          ended: inner.ended.then((ended) => (this.#dead ? never() : ended)),
          end: () => inner.end(),
          abandon: () => inner.abandon(),
          write: (data) => {
            if (this.#dead) return;
            const { before, after } = this.#reaches('request');
            if (before) return this.kill();
            inner.write(data);
            if (!after) return;
            this.#dead = true;
            // long enough for the bytes to leave
            setTimeout(() => this.kill(), 60);
          },
        };
        return process;
      },
    };
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
