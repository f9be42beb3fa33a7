/** One at a time, within this process and among processes: two that boot or wipe the same host would undo each other. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export class Lock {
  readonly #path: string;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  hold<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(async () => {
      const release = await this.#take();
      try {
        return await work();
      } finally {
        release();
      }
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** Node has no flock. This holder ends with its stdin, and so with this process, however that dies. */
  async #take(): Promise<() => void> {
    const holder = spawn('flock', [this.#path, 'sh', '-c', 'echo held; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const refused = once(holder, 'exit').then(([code]) =>
      Promise.reject(new Error(`cannot lock ${this.#path} (${code})`)),
    );
    await Promise.race([once(holder.stdout, 'data'), refused]);
    refused.catch(() => {});
    return () => holder.stdin.end();
  }
}
