/** A model of a host: its disk as far as it matters, its systemd, its lock and receipts, and the programs that run on it. */
import type { Random } from './random.ts';
import { RemoteProgram } from './remote-program.ts';
import { baseOf, ETC, MASK, RUN, Systemd, type UnitFile, VENDOR, WANTS } from './systemd.ts';
import type { Life, Time } from './time.ts';

export interface Image {
  readonly units: readonly UnitFile[];
  /** Paths of links to /dev/null. */
  readonly masks: readonly string[];
  readonly enabled: readonly string[];
  readonly running: readonly string[];
  /** Masks that were made while the units ran. */
  readonly laterMasks?: readonly string[];
  /** Masks that were made without a reload: systemd has not read them. */
  readonly unreadMasks?: readonly string[];
}

/** Who does something on a host: a request of a run, or somebody else. */
export type Actor = { readonly run: string; readonly seq: number; readonly verb: string } | 'somebody' | 'boot';

export interface Mutation {
  readonly at: number;
  readonly by: Actor;
  readonly what: string;
}

/** What is true of a host, as nobody but the simulation can see it. */
export interface Truth {
  readonly at: number;
  readonly machineId: string;
  /** Links to /dev/null. */
  readonly masks: readonly string[];
  /** What is active, and not in name only. */
  readonly running: readonly string[];
  /** LoadState by unit. */
  readonly loads: ReadonlyMap<string, string>;
}

export interface Receipt {
  readonly log: string[];
  result: string | null;
  /** `ORDER NAME` */
  mark: string;
}

/** Ways in which a host, or the program on it, is not as it should be. */
export interface Quirks {
  /** `systemctl stop` succeeds, and stops nothing. */
  pretendsToStop?: boolean;
  /** What reads masked can be started all the same. */
  startsMasked?: boolean;
  /** What is read back is not what is true. */
  tells?: 'done' | 'undone' | 'nothing';
  /** Mutants of the remote program. */
  program?: 'no-fence' | 'start-first' | 'no-read-back';
}

export class Machine {
  readonly systemd: Systemd;
  readonly quirks: Quirks = {};
  readonly receipts = new Map<string, Receipt>();
  /** The highest number that was seen of a run. */
  readonly fences = new Map<string, number>();
  /** How often it was changed since it booted: odd while somebody is at work. */
  changes = 0;
  lock: { holder: RemoteProgram | 'another run' | null; pid: number; run: string; meta: string } = {
    holder: null,
    pid: 0,
    run: '',
    meta: '',
  };
  readonly mutations: Mutation[] = [];
  /** Writes below these directories fail from now on. */
  readonly unwritable = new Set<string>();
  /** So many writes succeed yet. */
  writesLeft = Number.POSITIVE_INFINITY;
  /** systemd does not answer before. */
  frozenUntil = 0;
  actor: Actor = 'somebody';
  boots = 1;
  /** Ends with this boot. */
  life: Life = { alive: true };
  readonly #programs = new Map<number, RemoteProgram>();
  #lastPid = 100;
  #lastInode = 1000;
  readonly time: Time;
  readonly random: Random;
  readonly id: string;
  /** Called before the fact. */
  onMutation: (mutation: Mutation) => void = () => {};

  constructor(number: number, time: Time, random: Random, image: Image) {
    this.id = number.toString(16).padStart(32, '0');
    this.time = time;
    this.random = random;
    this.systemd = new Systemd((what) => this.#mutated(what));
    const { files } = this.systemd;
    for (const unit of image.units) files.set(`${VENDOR}/${unit.name}`, { kind: 'file', unit });
    for (const name of image.enabled) files.set(`${WANTS}/${name}`, this.#newLink(`${VENDOR}/${name}`));
    for (const path of image.masks) files.set(path, this.#newLink(MASK));
    this.systemd.reload();
    this.systemd.start(image.running);
    // what cannot be started any more has been started once
    if (image.units.some(({ start }) => start === 'fails')) {
      for (const name of image.running) if (this.systemd.loadOf(name) === 'loaded') this.systemd.force(name);
    }
    for (const path of image.laterMasks ?? []) files.set(path, this.#newLink(MASK));
    if (image.laterMasks?.length) this.systemd.reload();
    for (const path of image.unreadMasks ?? []) files.set(path, this.#newLink(MASK));
    this.mutations.length = 0;
  }

  get bootId(): string {
    return `00000000-0000-0000-0000-${this.boots.toString().padStart(12, '0')}`;
  }

  truth(): Truth {
    const { files, active } = this.systemd;
    const names = new Set([...files.keys()].map(baseOf));
    return {
      at: this.time.now,
      machineId: this.id,
      masks: [...files.keys()].filter((path) => this.systemd.isMask(path)).sort(),
      running: [...active].flatMap(([name, { active, deaf }]) => (active === 'active' && !deaf ? [name] : [])).sort(),
      loads: new Map([...names].map((name) => [name, this.systemd.loadOf(name)])),
    };
  }

  after(ms: number, act: () => void): void {
    this.time.after(ms, this.life, act);
  }

  /** A shell that reads a program from its stdin. */
  exec(say: (text: string, truth: Truth) => void, exit: (how: 'exited' | 'killed') => void): RemoteProgram {
    const pid = ++this.#lastPid;
    const program = new RemoteProgram(this, pid, say, (how) => {
      this.#programs.delete(pid);
      exit(how);
    });
    this.#programs.set(pid, program);
    return program;
  }

  program(pid: number): RemoteProgram | undefined {
    return this.#programs.get(pid);
  }

  /** Why nothing can be written there; null when it was. */
  writeProblem(path: string): string | null {
    if ([...this.unwritable].some((dir) => path.startsWith(`${dir}/`))) return 'Read-only file system';
    if (this.writesLeft <= 0) return 'No space left on device';
    this.writesLeft -= 1;
    return null;
  }

  /** As `ln -s /dev/null PATH`. */
  link(path: string): string | null {
    if (this.systemd.files.has(path)) return 'File exists';
    const problem = this.writeProblem(path);
    if (problem !== null) return problem;
    this.#mutated(`link ${path}`);
    this.systemd.files.set(path, this.#newLink(MASK));
    return null;
  }

  /** As `rm -f PATH`. */
  unlink(path: string): string | null {
    if ([...this.unwritable].some((dir) => path.startsWith(`${dir}/`))) return 'Read-only file system';
    this.#mutated(`unlink ${path}`);
    this.systemd.files.delete(path);
    return null;
  }

  /** Inode and time of change. */
  identity(path: string): string {
    const entry = this.systemd.files.get(path);
    return entry?.kind === 'link' ? `${entry.inode}.${entry.changed}` : '';
  }

  stop(names: readonly string[]): { readonly status: number; readonly said: readonly string[]; readonly ms: number } {
    if (this.quirks.pretendsToStop) return { status: 0, said: [], ms: 0 };
    const { pending, ...ended } = this.systemd.stop(names);
    let longest = 0;
    for (const [name, ms] of pending) {
      longest = Math.max(longest, ms);
      if (ms !== Number.POSITIVE_INFINITY) this.after(ms, () => this.systemd.finishStop(name));
    }
    return { ...ended, ms: longest };
  }

  start(names: readonly string[]): { readonly status: number; readonly said: readonly string[] } {
    if (!this.quirks.startsMasked) return this.systemd.start(names);
    const masked = names.filter((name) => this.systemd.loadOf(name) === 'masked');
    for (const name of masked) this.systemd.force(name);
    return this.systemd.start(names.filter((name) => !masked.includes(name)));
  }

  /** Power is lost, and what comes up again is what is on the disk. */
  reboot(): void {
    this.life.alive = false;
    this.life = { alive: true };
    for (const program of [...this.#programs.values()]) program.kill();
    this.#programs.clear();
    this.boots += 1;
    this.actor = 'boot';
    this.lock = { holder: null, pid: 0, run: '', meta: '' };
    this.fences.clear();
    this.changes = 0;
    this.frozenUntil = 0;
    const { files } = this.systemd;
    for (const path of [...files.keys()]) if (path.startsWith(`${RUN}/`)) files.delete(path);
    for (const dir of [...this.receipts.keys()]) if (dir.startsWith('/run/')) this.receipts.delete(dir);
    this.systemd.boot();
  }

  /** Everything that a host can be cured of. */
  heal(): void {
    delete this.quirks.pretendsToStop;
    delete this.quirks.startsMasked;
    delete this.quirks.tells;
    this.unwritable.clear();
    this.writesLeft = Number.POSITIVE_INFINITY;
    this.frozenUntil = 0;
    if (this.lock.holder === 'another run') this.lock.holder = null;
  }

  #newLink(target: string) {
    return { kind: 'link', target, inode: ++this.#lastInode, changed: this.time.now } as const;
  }

  #mutated(what: string): void {
    const mutation = { at: this.time.now, by: this.actor, what };
    this.mutations.push(mutation);
    this.onMutation(mutation);
  }
}

/** The places of a unit's mask. */
export function maskPaths(unit: string): { readonly etc: string; readonly run: string } {
  return { etc: `${ETC}/${unit}`, run: `${RUN}/${unit}` };
}
