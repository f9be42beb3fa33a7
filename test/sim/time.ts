/** Virtual time: a queue of things to come. Nothing here waits, and nothing runs but in the order of its time. */
import type { Clock } from '../../src/run/host/visit.ts';

/** Whoever has died does nothing any more: what it was to do is dropped. */
export interface Life {
  alive: boolean;
}

interface Timer {
  readonly at: number;
  /** Of two at one time the one that was set first is first. */
  readonly order: number;
  readonly life: Life;
  readonly act: () => void;
}

/** One for all: a new one would record the stack each time. */
const EXPIRED = new Error('time is up');

const EPOCH = Date.UTC(2026, 0, 1);

export class Time {
  now = 0;
  #order = 0;
  /** A binary heap. */
  readonly #timers: Timer[] = [];

  after(ms: number, life: Life, act: () => void): void {
    this.#push({ at: this.now + Math.max(0, ms), order: this.#order++, life, act });
  }

  date(): string {
    return new Date(EPOCH + Math.round(this.now)).toISOString();
  }

  /**
   * Lets time pass until `done`, until nothing is to come, or until `until`. All that code awaits is caught up with before time moves on.
   */
  async pass(done: () => boolean, until = Number.POSITIVE_INFINITY): Promise<'done' | 'idle' | 'late'> {
    for (;;) {
      await settled();
      if (done()) return 'done';
      const next = this.#timers[0];
      if (next === undefined) return 'idle';
      if (next.at > until) {
        this.now = until;
        return 'late';
      }
      this.#pop();
      if (!next.life.alive) continue;
      this.now = next.at;
      next.act();
    }
  }

  clock(life: Life): Clock {
    return {
      now: () => this.now,
      date: () => this.date(),
      deadline: (ms) => {
        const controller = new AbortController();
        this.after(ms, life, () => controller.abort(EXPIRED));
        return controller.signal;
      },
      sleep: (ms) => new Promise((resolve) => this.after(ms, life, resolve)),
    };
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(timer, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (!isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A turn of the event loop: every promise that can be resolved has been, and what waited for it has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
