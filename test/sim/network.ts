/** A transport without a network: what is written arrives at the model of a host when it should, or as the faults will have it. */
import { fault } from '../../src/model/index.ts';
import type { Connected, Connection, Ended, Failed, Transport } from '../../src/transport/transport.ts';
import type { Machine, Truth } from './machine.ts';
import type { Random } from './random.ts';
import { END, type RemoteProgram } from './remote-program.ts';
import type { Life, Time } from './time.ts';

/** What becomes of one message to a host, and of the connection after it. Delays in ms. */
export type Fate =
  | { readonly kind: 'pass' }
  /** The connection breaks, and the message is not delivered; or half of it, or all of it. */
  | { readonly kind: 'cut'; readonly delivered: 'nothing' | 'half' | 'all' }
  /** It is delivered and answered, and half of the answer is heard. */
  | { readonly kind: 'half-answered' }
  /** Nothing is heard any more; the connection is seen to be lost after a while. The message is delivered late, if at all. */
  | { readonly kind: 'silence'; readonly delivered: number | 'never'; readonly lostAfter: number }
  /** It is delivered, and so much later once more. */
  | { readonly kind: 'repeat'; readonly after: number };

export type Greeting = 'up' | 'refused' | 'hangs';

/** How the way to one host is. */
export interface Way {
  readonly name: string;
  machine: Machine;
  /** Milliseconds, one way. */
  readonly latency: number;
  /** Asked at each connect and each message; counted from 1, over the whole life of the simulation. */
  greeting(connect: number): Greeting;
  fate(message: number): Fate;
  /** No connection before. */
  downUntil: number;
}

/** What the controller has heard of a host, whole, and what was true when the host had last looked. */
export interface Heard {
  readonly verb: string;
  readonly seq: number;
  readonly truth: Truth;
}

const CONNECT_TIMEOUT_MS = 15_000;
const PASS: Fate = { kind: 'pass' };

export class Network {
  readonly #time: Time;
  readonly #random: Random;
  readonly #ways: ReadonlyMap<string, Way>;
  readonly #trace: (text: () => string) => void;
  readonly #connects = new Map<string, number>();
  readonly #messages = new Map<string, number>();
  readonly #open = new Set<SimConnection>();
  readonly heard = new Map<string, Heard[]>();
  /** All is well from now on. */
  healthy = false;
  /** A mutant: who answers after a reconnect is taken for who answered first. */
  hidesMachine = false;
  readonly #firstMachine = new Map<string, string>();

  constructor(time: Time, random: Random, ways: ReadonlyMap<string, Way>, trace: (text: () => string) => void) {
    this.#time = time;
    this.#random = random;
    this.#ways = ways;
    this.#trace = trace;
  }

  /** As one process sees it; its connections die with it. */
  transport(process: Life): Transport {
    return {
      connect: (target, signal) => this.#connect(target.host, process, signal),
      close: () => {},
    };
  }

  #connect(name: string, process: Life, signal: AbortSignal): Promise<Connected | Failed> {
    const way = this.#ways.get(name)!;
    const count = (this.#connects.get(name) ?? 0) + 1;
    this.#connects.set(name, count);
    const isDown = !this.healthy && this.#time.now < way.downUntil;
    const greeting = this.healthy ? 'up' : isDown ? 'hangs' : way.greeting(count);
    this.#trace(() => `${name}: connect ${count}: ${greeting}`);
    return new Promise((resolve) => {
      const fail = (kind: 'unreachable' | 'timed-out', why: string) => resolve({ fault: fault(kind, why) });
      if (signal.aborted) return fail('timed-out', 'no time to connect');
      signal.addEventListener('abort', () => fail('timed-out', 'no connection in time'), { once: true });
      if (greeting === 'hangs') {
        this.#time.after(CONNECT_TIMEOUT_MS, process, () => fail('unreachable', 'no connection within 15 s'));
        return;
      }
      this.#time.after(4 * way.latency, process, () => {
        if (greeting === 'refused') return fail('unreachable', 'connection refused');
        const connection = new SimConnection(this, way, process, this.#time);
        this.#open.add(connection);
        resolve({ connection });
      });
    });
  }

  fate(way: Way): Fate {
    const count = (this.#messages.get(way.name) ?? 0) + 1;
    this.#messages.set(way.name, count);
    const fate = this.healthy ? PASS : this.#time.now < way.downUntil ? SILENT : way.fate(count);
    this.#trace(() => `${way.name}: message ${count}: ${JSON.stringify(fate)}`);
    return fate;
  }

  /** Answers come in pieces. */
  cutPoint(length: number): number {
    return this.#random.int(0, length - 1);
  }

  asHeard(name: string, text: string): string {
    if (!this.hidesMachine) return text;
    const first = this.#firstMachine.get(name) ?? /host machine=(\S+)/.exec(text)?.[1] ?? '';
    this.#firstMachine.set(name, first);
    return text.replace(/(host machine=)\S+/, `$1${first}`);
  }

  note(name: string, heard: Heard): void {
    const all = this.heard.get(name) ?? [];
    all.push(heard);
    this.heard.set(name, all);
    this.#trace(() => `${name}: heard ${heard.verb} ${heard.seq}`);
  }

  forget(connection: SimConnection): void {
    this.#open.delete(connection);
  }

  /** The process at the controller has died: the kernel closes its connections, or the machine went down with it and nobody does. */
  bereave(process: Life, how: 'closed' | 'unseen'): void {
    for (const connection of this.#open) if (connection.process === process) connection.hangUp(how);
  }
}

/** Delivered late, for the machine may be up while the way is down. */
const SILENT = { kind: 'silence', delivered: 'never', lostAfter: 20_000 } as const;

class SimConnection implements Connection {
  readonly description = { hostKey: 'ssh-ed25519', auth: [], strictKex: true };
  readonly process: Life;
  readonly #network: Network;
  readonly #way: Way;
  readonly #machine: Machine;
  readonly #time: Time;
  /** Of the client's end. */
  #state: 'open' | 'deaf' | 'closed' = 'open';
  #lose: (why: string) => void = () => {};
  #program: RemoteProgram | null = null;
  /** Nothing overtakes on one connection. */
  #lastArrival = 0;
  #lastVerb = '';
  #lastSeq = 0;
  #answerCut = false;

  constructor(network: Network, way: Way, process: Life, time: Time) {
    this.#network = network;
    this.#way = way;
    this.#machine = way.machine;
    this.process = process;
    this.#time = time;
  }

  exec(_command: string, output: { stdout(chunk: Buffer): void }) {
    let settle: (ended: Ended) => void = () => {};
    const ended = new Promise<Ended>((resolve) => {
      settle = resolve;
    });
    this.#lose = (why) => settle({ how: 'lost', why, stderr: '' });
    if (this.#state === 'closed') this.#lose('the connection is closed');
    else {
      this.#program = this.#machine.exec(
        (text, truth) => this.#answer(text, truth, output),
        (how) => {
          if (how === 'exited') this.#reach(() => settle({ how: 'exited', code: 0, stderr: '' }));
          else this.#reach(() => this.#lost('connection reset'));
        },
      );
    }
    return {
      ended,
      write: (data: string) => this.#write(data),
      end: () => this.#deliver(() => this.#program?.end()),
      abandon: () => this.#lost('abandoned'),
    };
  }

  close(): void {
    this.hangUp('closed');
    this.#lost('closed');
  }

  /** The client's end is gone; a host that hears of it ends the program's input. */
  hangUp(how: 'closed' | 'unseen'): void {
    if (this.#state === 'closed') return;
    const heard = this.#state === 'open' && how === 'closed';
    this.#state = 'closed';
    this.#network.forget(this);
    if (heard) this.#deliver(() => this.#program?.end());
  }

  #lost(why: string): void {
    if (this.#state !== 'closed') {
      this.#state = 'closed';
      this.#network.forget(this);
    }
    this.#lose(why);
  }

  #write(data: string): void {
    if (this.#state === 'closed') return;
    const fate = this.#network.fate(this.#way);
    this.#remember(data);
    const give = (text: string) => this.#program?.write(text);
    switch (fate.kind) {
      case 'pass':
        this.#deliver(() => give(data));
        return;
      case 'cut': {
        const part = { nothing: '', half: data.slice(0, data.length >> 1), all: data }[fate.delivered];
        if (part !== '') this.#deliver(() => give(part));
        this.#deliver(() => this.#program?.end());
        this.#state = 'deaf';
        this.#time.after(2 * this.#way.latency, this.process, () => this.#lost('connection reset'));
        return;
      }
      case 'half-answered':
        this.#answerCut = true;
        this.#deliver(() => give(data));
        return;
      case 'silence':
        this.#state = 'deaf';
        if (fate.delivered !== 'never') {
          this.#deliver(() => give(data), fate.delivered);
          this.#deliver(() => this.#program?.end(), fate.delivered + 1000);
        }
        this.#time.after(fate.lostAfter, this.process, () => this.#lost('no sign of life'));
        return;
      case 'repeat': {
        const seq = this.#lastSeq;
        this.#deliver(() => give(data));
        // a repetition of what was refused is no repetition of what was done
        this.#machine.after(this.#way.latency + fate.after, () => {
          if (this.#machine.mutations.some(({ by }) => typeof by === 'object' && by.seq === seq)) give(data);
        });
        return;
      }
    }
  }

  #remember(data: string): void {
    const end = data.lastIndexOf(END);
    const [, , seq, verb] = data.slice(data.lastIndexOf('\n', end) + 1, end).split(' ');
    this.#lastSeq = Number(seq);
    this.#lastVerb = verb ?? '';
  }

  /** To the host; dropped when it has gone down meanwhile. */
  #deliver(act: () => void, late = 0): void {
    const at = Math.max(this.#lastArrival, this.#time.now + this.#way.latency + late);
    this.#lastArrival = at;
    this.#machine.after(at - this.#time.now, act);
  }

  #answer(text: string, truth: Truth, output: { stdout(chunk: Buffer): void }): void {
    const [verb, seq] = [this.#lastVerb, this.#lastSeq];
    this.#reach(() => {
      if (this.#answerCut) {
        output.stdout(Buffer.from(text.slice(0, this.#network.cutPoint(text.length)), 'latin1'));
        this.#lost('connection reset');
        return;
      }
      this.#network.note(this.#way.name, { verb, seq, truth });
      output.stdout(Buffer.from(this.#network.asHeard(this.#way.name, text), 'latin1'));
    });
  }

  /** To the client, unless nothing gets there any more. */
  #reach(act: () => void): void {
    if (this.#state !== 'open') return;
    if (this.#time.now < this.#way.downUntil) {
      this.#state = 'deaf';
      this.#time.after(SILENT.lostAfter, this.process, () => this.#lost('no sign of life'));
      return;
    }
    this.#time.after(this.#way.latency, this.process, () => {
      if (this.#state === 'open') act();
    });
  }
}
