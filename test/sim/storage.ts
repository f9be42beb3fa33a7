/** The disk that the journal of a run is on: what was written is safe only when it was synced, and a disk can be full. */

import { type Journal, journalOn, recordsOf } from '../../src/journal/append-log.ts';
import type { JournalRecord } from '../../src/journal/records.ts';
import type { Random } from './random.ts';
import type { Life, Time } from './time.ts';

export interface StorageFaults {
  /** Asked at each write and each sync, counted from 1. `torn`: part of what was to be written is. */
  write(count: number): 'done' | 'full' | 'torn';
  sync(count: number): 'done' | 'failed';
  /** The process dies at this operation: before it, or when it is done and nobody was told. */
  dies(operation: number): 'before' | 'after' | null;
}

export class Storage {
  readonly #time: Time;
  readonly #random: Random;
  readonly #faults: StorageFaults;
  #text = '';
  #synced = 0;
  readonly #safe: { length: number; readonly records: JournalRecord[] } = { length: 0, records: [] };
  #read: { readonly text: string; readonly records: readonly JournalRecord[] } = { text: '', records: [] };
  #writes = 0;
  #syncs = 0;
  #operations = 0;
  healthy = false;
  /** Called when the process that writes is to die. */
  onDeath: () => void = () => {};

  constructor(time: Time, random: Random, faults: StorageFaults) {
    this.#time = time;
    this.#random = random;
    this.#faults = faults;
  }

  /** For one process. */
  open(process: Life): Journal {
    const operation = <T>(act: () => T) =>
      new Promise<T>((resolve, reject) => {
        this.#operations += 1;
        const dies = this.healthy ? null : this.#faults.dies(this.#operations);
        this.#time.after(this.#random.int(0, 4), process, () => {
          if (dies === 'before') return this.onDeath();
          try {
            const result = act();
            if (dies === 'after') this.onDeath();
            else resolve(result);
          } catch (error) {
            reject(error);
          }
        });
      });
    const file = {
      appendFile: (data: string) => operation(() => this.#append(data)),
      datasync: () => operation(() => this.#sync()),
      close: async () => {},
    };
    return journalOn(file, this.#text);
  }

  #append(data: string): void {
    this.#writes += 1;
    const fate = this.healthy ? 'done' : this.#faults.write(this.#writes);
    if (fate === 'torn') this.#text += data.slice(0, this.#random.int(1, data.length - 1));
    if (fate !== 'done') throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    this.#text += data;
  }

  #sync(): void {
    this.#syncs += 1;
    if (!this.healthy && this.#faults.sync(this.#syncs) === 'failed') {
      throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    }
    this.#synced = this.#text.length;
  }

  /** The power was lost: of what was not synced any part is there. */
  losePower(): void {
    this.#text = this.#text.slice(0, this.#random.int(this.#synced, this.#text.length));
    this.#synced = this.#text.length;
  }

  /** What survives whatever comes. */
  safe(): readonly JournalRecord[] {
    if (this.#safe.length < this.#synced) {
      this.#safe.records.push(...recordsOf(this.#text.slice(this.#safe.length, this.#synced), 'journal'));
      this.#safe.length = this.#synced;
    }
    return this.#safe.records;
  }

  read(): readonly JournalRecord[] {
    if (this.#read.text !== this.#text) this.#read = { text: this.#text, records: recordsOf(this.#text, 'journal') };
    return this.#read.records;
  }
}
