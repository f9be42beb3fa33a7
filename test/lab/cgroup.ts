/** One host's cgroup. It is the lab's only record of what runs: a crash of the lab cannot make it wrong. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export class Cgroup {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Claims it for a new boot; throws when another process just did. */
  create(): void {
    mkdirSync(join(this.path, '..'), { recursive: true });
    mkdirSync(this.path);
  }

  get populated(): boolean {
    return /^populated 1$/m.test(this.#read('cgroup.events'));
  }

  get cpuUsec(): number {
    return Number(/^usage_usec (\d+)$/m.exec(this.#read('cpu.stat'))?.[1] ?? 0);
  }

  /** The process that is PID 1 inside, as this machine numbers it. */
  get leader(): number | undefined {
    return this.#pids(join(this.path, 'payload', 'init.scope')).find((pid) =>
      /^NSpid:.*\t1$/m.test(readOr(`/proc/${pid}/status`)),
    );
  }

  async freeze(frozen: boolean): Promise<void> {
    writeFileSync(join(this.path, 'cgroup.freeze'), frozen ? '1' : '0');
    const want = `frozen ${frozen ? 1 : 0}`;
    while (!this.#read('cgroup.events').includes(want)) await sleep(5);
  }

  /** SIGKILL to every process in it and no other, then the cgroup itself goes. */
  async kill(): Promise<void> {
    while (this.populated) {
      if (existsSync(join(this.path, 'cgroup.kill'))) writeFileSync(join(this.path, 'cgroup.kill'), '1');
      else for (const dir of this.#tree()) for (const pid of this.#pids(dir)) killQuietly(pid);
      await sleep(10);
    }
    if (existsSync(this.path)) for (const dir of this.#tree()) rmdirSync(dir);
  }

  /** Itself and all below it, the deepest first. */
  #tree(dir = this.path): string[] {
    const below = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...below.flatMap((entry) => this.#tree(join(dir, entry.name))), dir];
  }

  #pids(dir: string): number[] {
    return readOr(join(dir, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  }

  #read(file: string): string {
    return readOr(join(this.path, file));
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it was quicker
  }
}
