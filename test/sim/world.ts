/** A scenario come to life: machines, the way to each, the disk of the journal, and the faults at their time. */
import type { JournalHost } from '../../src/model/index.ts';
import { type Actor, type Image, Machine, type Mutation, maskPaths, type Truth } from './machine.ts';
import type { Mutant } from './mutants.ts';
import { Network, type Way } from './network.ts';
import { Random } from './random.ts';
import { A, draw, type Meddling, type Scenario, SOCKET, type Trouble } from './scenario.ts';
import { Storage } from './storage.ts';
import { type Life, Time } from './time.ts';

/** One address: the machine that answers there, and the one that may come to. */
export interface Place {
  readonly target: JournalHost;
  readonly way: Way;
  readonly machine: Machine;
  readonly other: Machine;
  /** What was there before anything happened. */
  readonly initially: Truth;
  readonly image: Image;
  readonly troubles: readonly Trouble[];
}

export const RUN_ID = '20261122-031500123-a1b2c3';
const WORLD: Life = { alive: true };

export class World {
  readonly scenario: Scenario;
  readonly time = new Time();
  readonly network: Network;
  readonly storage: Storage;
  readonly places: ReadonlyMap<string, Place>;
  readonly lines: string[] | null;
  readonly violations: string[] = [];
  readonly mutant: Mutant | null;
  /** Of the process that works now. */
  process: Life = { alive: true };
  /** Ctrl-C reaches whatever command runs. */
  stopping = new AbortController();
  #healthy = false;

  constructor(seed: number, options: { trace: boolean; mutant?: Mutant | null }) {
    const random = new Random(seed);
    this.lines = options.trace ? [] : null;
    this.mutant = options.mutant ?? null;
    this.scenario = draw(random.fork());
    const { hosts, troubles } = this.scenario;
    const places = new Map<string, Place>();
    const ways = new Map<string, Way>();
    for (const [index, { image, latency }] of hosts.entries()) {
      const mine = troubles.filter((trouble) => 'host' in trouble && trouble.host === index);
      const machine = new Machine(2 * index + 1, this.time, random.fork(), image);
      // a stand-by: it has the same units, and they do not run yet
      const other = new Machine(2 * index + 2, this.time, random.fork(), { ...image, running: [] });
      const name = `h${index + 1}`;
      const way: Way = {
        name,
        machine,
        latency,
        downUntil: 0,
        greeting: (connect) => {
          if (mine.some((each) => each.kind === 'moved' && each.connect === connect)) way.machine = other;
          const found = mine.find((each) => each.kind === 'greeting' && each.connect === connect);
          return found?.kind === 'greeting' ? found.greeting : 'up';
        },
        fate: (message) => {
          const found = mine.find((each) => each.kind === 'message' && each.message === message);
          return found?.kind === 'message' ? found.fate : { kind: 'pass' };
        },
      };
      ways.set(name, way);
      const place: Place = {
        target: targetOf(name),
        way,
        machine,
        other,
        initially: machine.truth(),
        image,
        troubles: mine,
      };
      places.set(name, place);
      for (const each of [machine, other]) {
        if (this.mutant?.program) each.quirks.program = this.mutant.program;
        each.onMutation = (mutation) => this.#watch(name, each, mutation);
      }
      for (const trouble of mine) this.#arm(place, trouble);
    }
    this.places = places;
    this.network = new Network(this.time, random.fork(), ways, (text) => this.trace(text));
    this.network.hidesMachine = this.mutant?.session === 'undo-before-re-probe';
    this.storage = new Storage(this.time, random.fork(), faultsOf(troubles));
    this.storage.onDeath = () => this.#die('crash');
    for (const trouble of troubles) {
      if (trouble.kind === 'killed') this.time.after(trouble.ms, WORLD, () => this.#die('killed'));
      if (trouble.kind === 'interrupt') this.time.after(trouble.ms, WORLD, () => this.#interrupt());
    }
    this.trace(() => JSON.stringify(this.scenario, null, 1));
  }

  trace(text: () => string): void {
    this.lines?.push(`${Math.round(this.time.now).toString().padStart(8)} ${text()}`);
  }

  violated(text: string): void {
    this.violations.push(text);
    this.trace(() => `VIOLATED ${text}`);
  }

  /** All faults are over; what they did stays. */
  heal(): void {
    this.trace(() => 'all is well from now on');
    this.#healthy = true;
    this.network.healthy = true;
    this.storage.healthy = true;
    for (const { way, machine, other } of this.places.values()) {
      way.machine = machine;
      way.downUntil = 0;
      machine.heal();
      other.heal();
    }
  }

  #interrupt(): void {
    this.trace(() => 'interrupted');
    this.stopping.abort();
  }

  #die(kind: 'crash' | 'killed'): void {
    if (!this.process.alive || this.#healthy) return;
    const power = this.scenario.troubles.some((trouble) => trouble.kind === kind && trouble.power);
    this.trace(() => (power ? 'the controller loses power' : 'the controller is killed'));
    this.process.alive = false;
    if (power) this.storage.losePower();
    this.network.bereave(this.process, power ? 'unseen' : 'closed');
  }

  #arm(place: Place, trouble: Trouble): void {
    const { machine, way } = place;
    if (trouble.kind === 'disk-full') machine.writesLeft = trouble.writes;
    if (trouble.kind === 'pretends-to-stop') machine.quirks.pretendsToStop = true;
    if (trouble.kind === 'starts-masked') machine.quirks.startsMasked = true;
    if (trouble.kind === 'tells-done') machine.quirks.tells = 'done';
    if (trouble.kind === 'tells-undone') machine.quirks.tells = 'undone';
    if (trouble.kind === 'tells-nothing') machine.quirks.tells = 'nothing';
    if (!('when' in trouble)) return;
    const { when } = trouble;
    const act = () => {
      if (this.#healthy) return;
      this.trace(() => `${way.name}: ${JSON.stringify(trouble)}`);
      this.#strike(place, trouble);
    };
    if ('ms' in when) this.time.after(when.ms, WORLD, act);
    else this.#waiting.push({ host: way.name, ...when, act });
  }

  #strike({ machine, way }: Place, trouble: Trouble): void {
    const { now } = this.time;
    switch (trouble.kind) {
      case 'down':
        way.downUntil = now + trouble.ms;
        break;
      case 'reboot':
        way.downUntil = Math.max(way.downUntil, now + trouble.ms);
        machine.reboot();
        break;
      case 'locked':
        if (machine.lock.holder !== null) break;
        machine.lock = { holder: 'another run', pid: 1, run: '20261122-031500123-d4e5f6', meta: 'actor=somebody' };
        machine.after(trouble.ms, () => {
          if (machine.lock.holder === 'another run') machine.lock.holder = null;
        });
        break;
      case 'frozen':
        machine.frozenUntil = now + trouble.ms;
        break;
      case 'read-only':
        machine.unwritable.add(trouble.dir);
        break;
      case 'meddling':
        meddle(machine, trouble.what);
        break;
    }
  }

  readonly #waiting: { host: string; mutation: number; plus: number; act: () => void }[] = [];

  /** Nothing changes on a host before its intent is on disk. */
  #watch(name: string, machine: Machine, mutation: Mutation): void {
    const { by, what } = mutation;
    this.trace(() => `${name}: ${machine.id.replace(/^0+/, 'machine ')}: ${whoIs(by)}: ${what}`);
    if (typeof by === 'string') return;
    const { length } = machine.mutations.filter((each) => typeof each.by !== 'string');
    for (const { host, mutation: nth, plus, act } of this.#waiting) {
      if (host === name && nth === length) this.time.after(plus, WORLD, act);
    }
    const intent = this.storage
      .safe()
      .some((record) => record.type === 'intent' && record.request === 'apply' && record.host === name);
    if (!intent) this.violated(`${name}: ${what}, without an intent on disk`);
    if (machine !== this.places.get(name)?.machine)
      this.violated(`${name}: ${what} on a machine that the run never planned for`);
  }
}

function whoIs(by: Actor): string {
  return typeof by === 'string' ? by : `${by.verb} ${by.seq}`;
}

function meddle(machine: Machine, what: Meddling): void {
  const { systemd } = machine;
  const masks = Object.values(maskPaths(A)).filter((path) => systemd.isMask(path));
  machine.actor = 'somebody';
  if (what === 'start') systemd.start([A]);
  else if (what === 'stop') machine.stop([A]);
  else if (what === 'trigger') systemd.trigger(SOCKET);
  else {
    if (what !== 'mask') for (const path of masks) machine.unlink(path);
    for (const path of what === 'mask' ? [maskPaths(A).etc] : what === 'remake' ? masks : []) machine.link(path);
    if (what !== 'remake') systemd.reload();
  }
}

function faultsOf(troubles: readonly Trouble[]) {
  const within = (count: number, from: number, length: number) => count >= from && count < from + length;
  return {
    write: (count: number) => {
      const full = troubles.find((each) => each.kind === 'journal-full' && within(count, each.write, each.writes));
      return full?.kind !== 'journal-full' ? 'done' : full.torn ? 'torn' : 'full';
    },
    sync: (count: number) =>
      troubles.some((each) => each.kind === 'sync-fails' && within(count, each.sync, each.syncs)) ? 'failed' : 'done',
    dies: (operation: number) => {
      const crash = troubles.find((each) => each.kind === 'crash' && each.operation === operation);
      return crash?.kind === 'crash' ? crash.moment : null;
    },
  } as const;
}

function targetOf(host: string): JournalHost {
  const way = { address: host, port: 22, user: 'root', identityFiles: [], identitiesOnly: false };
  return { host, ...way, become: 'auto' };
}
