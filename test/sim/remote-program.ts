/**
 * A model of the remote program, function by function, that takes its time in steps: between two of them anything can happen.
 * What it does and tells is held to the program itself by model.test.ts. Every generator yields milliseconds.
 */
import type { Machine, Receipt, Truth } from './machine.ts';
import { baseOf, RELATIONS } from './systemd.ts';
import type { Life } from './time.ts';

type Steps<T = void> = Generator<number, T>;

interface Request {
  readonly run: string;
  readonly as: string;
  readonly where: string;
  readonly stopTimeout: number;
  readonly meta: string;
  readonly receipts: string;
  readonly result: string;
  readonly triggers: string;
  readonly wanted: readonly string[];
  readonly links: readonly string[];
  readonly removes: readonly string[];
  readonly stops: readonly string[];
  readonly reads: readonly string[];
  readonly attempts: readonly string[];
  readonly groups: readonly string[];
  readonly starts: readonly string[];
  readonly halts: readonly string[];
  readonly lifts: readonly string[];
  readonly deaf: readonly string[];
  readonly unmoved: boolean;
}

interface Result {
  readonly status: number;
  readonly said: readonly string[];
}

/** Of a group, after its call. */
export const END = ' end\n}\n';
/** Of timeout(1). */
const TIMED_OUT: Result = { status: 124, said: [] };
const UNIT = [
  ...['Id', 'Names', 'LoadState', 'ActiveState', 'SubState', 'UnitFileState', 'FragmentPath', 'CanStart'],
  ...[
    'RefuseManualStop',
    'MainPID',
    'ControlGroup',
    'KillMode',
    'Transient',
    'Perpetual',
    'Triggers',
    'Accept',
    ...RELATIONS,
  ],
];
const RELATED = ['Id', 'LoadState', 'ActiveState', 'SubState', ...RELATIONS];
const SOCKET = ['Id', 'LoadState', 'ActiveState', 'Triggers', 'Accept'];

export class RemoteProgram {
  readonly #machine: Machine;
  readonly #pid: number;
  readonly #say: (text: string, truth: Truth) => void;
  readonly #exit: (how: 'exited' | 'killed') => void;
  readonly #life: Life = { alive: true };
  #input = '';
  #inputEnded = false;
  #busy = false;
  #nonce = '';

  // of the request that is served
  #seq = 0;
  #verb = '';
  #out: string[] = [];
  #seen: string[] = [];
  /** When it last looked. */
  #truth: Truth | null = null;
  #patience = 30;
  #request!: Request;
  #receiptDir = '';
  #said = '';
  #failed = false;
  #masked: readonly string[] = [];
  #running: readonly string[] = [];
  #names: readonly string[] = [];
  /** What a plan relies on: the changes that were counted, and what lay on the disk. */
  #seenChanges = 0;
  #seenLying = '';
  #probed: readonly string[] = [];
  /** What an undo is to start. */
  #starts: readonly string[] = [];
  #counting = false;
  /** What is read back. */
  #reads: readonly string[] = [];

  constructor(
    machine: Machine,
    pid: number,
    say: (text: string, truth: Truth) => void,
    exit: (how: 'exited' | 'killed') => void,
  ) {
    this.#machine = machine;
    this.#pid = pid;
    this.#say = say;
    this.#exit = exit;
  }

  write(text: string): void {
    this.#input += text;
    this.#next();
  }

  end(): void {
    this.#inputEnded = true;
    this.#next();
  }

  kill(): void {
    this.#die('killed');
  }

  #die(how: 'exited' | 'killed'): void {
    if (!this.#life.alive) return;
    this.#life.alive = false;
    this.#release();
    this.#exit(how);
  }

  /** What arrived of the next request, if it is whole. */
  #next(): void {
    while (!this.#busy && this.#life.alive) {
      const end = this.#input.indexOf(END);
      if (end < 0) {
        if (this.#inputEnded) this.#die('exited');
        return;
      }
      const call = this.#input.slice(this.#input.lastIndexOf('\n', end) + 1, end);
      this.#input = this.#input.slice(end + END.length);
      const [by, nonce = '', seq, verb, ...words] = call.split(' ').map(unquoted);
      if (by === 'main') this.#nonce = nonce;
      else if (nonce !== this.#nonce) continue;
      this.#go(this.#serve(Number(seq), verb ?? '', words));
    }
  }

  #go(steps: Steps): void {
    this.#busy = true;
    const machine = this.#machine;
    const step = () => {
      const before = machine.actor;
      machine.actor = { run: this.#request?.run ?? '', seq: this.#seq, verb: this.#verb };
      const { done, value } = steps.next();
      machine.actor = before;
      if (!this.#life.alive) return;
      if (!done) machine.time.after(value, this.#life, step);
      else {
        this.#busy = false;
        this.#next();
      }
    };
    step();
  }

  *#serve(seq: number, verb: string, words: readonly string[]): Steps {
    this.#seq = seq;
    this.#verb = verb;
    this.#out = [];
    this.#seen = [];
    this.#patience = 30;
    this.#request = parse(words);
    this.#reads = this.#request.reads;
    this.#truth = null;
    yield this.#short();
    let keep: Receipt | undefined;
    if (verb === 'probe') yield* this.#probe();
    else if (verb === 'apply') keep = yield* this.#apply(words);
    else if (verb === 'undo') yield* this.#undo();
    else this.#rec('refused malformed');
    this.#rec(`done ${this.#out.length + 1}`);
    const text = this.#out.join('');
    if (keep !== undefined && this.#machine.writeProblem(`${this.#receiptDir}/result`) === null) keep.result = text;
    this.#say(text, this.#truth ?? this.#machine.truth());
  }

  *#probe(): Steps {
    const { wanted, receipts, result, triggers } = this.#request;
    const rec = (text: string) => this.#rec(text);
    rec('os ID=debian');
    rec('os VERSION_ID="12"');
    rec('host privilege=root');
    rec(`host boot=${this.#machine.bootId}`);
    rec(`host machine=${this.#machine.id}`);
    rec('manager Version=252.39-1~deb12u1');
    const { changes, lock } = this.#machine;
    this.#seenChanges = changes % 2 === 1 && lock.holder !== null ? -1 : changes;
    this.#probed = [];
    this.#seenLying = '';
    if (receipts !== '') this.#tellReceipts(receipts, result);
    if (wanted.length === 0) return;
    const first = yield* this.#show('unit', UNIT, wanted);
    const names = [...first.names];
    let todo = first.relations;
    let { wakers } = first;
    for (let round = 0; triggers === 'yes' && round < 4; round += 1) {
      const fresh = [...new Set(wakers)].filter((name) => !names.includes(name));
      if (fresh.length === 0) break;
      const more = yield* this.#show('unit', UNIT, fresh);
      names.push(...more.names);
      todo = [...todo, ...more.relations];
      ({ wakers } = more);
    }
    this.#truth = this.#machine.truth();
    this.#paths(names);
    this.#probed = names;
    this.#seenLying = this.#lying();
    const known = new Set(names);
    for (let round = 0; round < 8; round += 1) {
      const fresh = [...new Set(todo)].filter((name) => !known.has(name));
      if (fresh.length === 0) break;
      for (const name of fresh) known.add(name);
      todo = (yield* this.#show('related', RELATED, fresh)).relations;
    }
  }

  #tellReceipts(of: string, resultOf: string): void {
    const { receipts, fences, systemd } = this.#machine;
    // those that outlive a boot first
    const rank = ([dir]: [string, Receipt]) => `${dir.startsWith('/run') ? 1 : 0} ${dir}`;
    const inOrder = [...receipts].filter(([dir]) => of === 'all' || of === baseOf(dir));
    inOrder.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    const linked: { run: string; path: string; identity: string }[] = [];
    for (const [dir, { log, result, mark }] of inOrder) {
      const run = baseOf(dir);
      if (fences.has(run)) this.#rec(`fence ${run} ${fences.get(run)}`);
      this.#rec(`mark ${run} ${mark}`);
      for (const line of log) {
        this.#rec(`log ${run} ${line}`);
        const [key, path = '', identity = ''] = line.split(' ');
        if (key === 'linked' && systemd.isMask(path)) linked.push({ run, path, identity });
      }
      if (run !== resultOf || result === null) continue;
      for (const line of result.split('\n').slice(0, -1))
        this.#rec(`told ${run} ${line.split(' ').slice(2).join(' ')}`);
    }
    for (const { run, path, identity } of linked) {
      if (this.#machine.identity(path) === identity) this.#rec(`holds ${run} ${path}`);
    }
  }

  /** One changing request at a time, and none that is not newer than the last of its run. */
  *#begin(): Steps<boolean> {
    const machine = this.#machine;
    const { run, where, meta } = this.#request;
    if (!/^[A-Za-z0-9-]+$/.test(run)) {
      this.#rec('refused malformed');
      return false;
    }
    this.#receiptDir = `${where === 'etc' ? '/var/lib/fleetmask' : '/run/fleetmask/runs'}/${run}`;
    yield this.#short();
    if (this.#verb !== 'undo' && !machine.receipts.has(this.#receiptDir)) {
      const problem = machine.writeProblem(`${this.#receiptDir}/log`);
      if (problem !== null) {
        this.#rec(`refused write no receipt in ${this.#receiptDir}: ${problem}`);
        return false;
      }
    }
    const { holder, pid, run: owner, meta: ownerMeta } = machine.lock;
    if (holder !== null) {
      const rival = machine.program(pid);
      if (
        this.#verb !== 'undo' ||
        owner !== run ||
        holder === 'another run' ||
        rival === undefined ||
        rival !== holder
      ) {
        this.#rec(`refused locked ${owner} ${ownerMeta}`);
        return false;
      }
      rival.kill();
    }
    machine.lock = { ...machine.lock, holder: this };
    yield this.#short();
    const fence = machine.fences.get(run) ?? 0;
    if (fence >= this.#seq && machine.quirks.program !== 'no-fence') {
      this.#rec(`refused fenced ${fence}`);
      this.#release();
      return false;
    }
    machine.lock = { holder: this, pid: this.#pid, run, meta };
    machine.fences.set(run, this.#seq);
    const moved = machine.changes !== this.#seenChanges || this.#lying() !== this.#seenLying;
    // that holds off late requests as well
    if (this.#request.unmoved && moved && machine.quirks.program !== 'no-fence') {
      this.#rec('refused moved');
      this.#release();
      return false;
    }
    machine.changes += 1 + (machine.changes % 2);
    this.#counting = true;
    return true;
  }

  #lying(): string {
    const { systemd } = this.#machine;
    return this.#probed.flatMap((name) => systemd.lying(name).map((path) => `${path} ${systemd.isMask(path)}`)).join();
  }

  #release(): void {
    if (this.#counting && this.#life.alive) this.#machine.changes += 1;
    this.#counting = false;
    if (this.#machine.lock.holder === this) this.#machine.lock.holder = null;
  }

  /** The receipt that the answer is to be kept in. */
  *#apply(words: readonly string[]): Steps<Receipt | undefined> {
    if (!(yield* this.#begin())) return undefined;
    const machine = this.#machine;
    const receipt: Receipt = machine.receipts.get(this.#receiptDir) ?? { log: [], result: null, mark: '' };
    const orders = [...machine.receipts.values()].map(({ mark }) => Number(mark.split(' ')[0]));
    receipt.mark = `${Math.max(0, ...orders) + 1} ${this.#request.as}`;
    machine.receipts.set(this.#receiptDir, receipt);
    const refuse = (why: string) => {
      machine.receipts.delete(this.#receiptDir);
      this.#rec(`refused write ${why}`);
      this.#release();
    };
    if (!this.#note(receipt, `request ${words.join(' ')} end`)) {
      refuse(`no receipt in ${this.#receiptDir}: ${this.#said}`);
      return undefined;
    }
    yield this.#short();
    const links = yield* this.#changeLinks(receipt);
    if (links === 'failed') {
      refuse(this.#said);
      return undefined;
    }
    if (links === 'broken') yield* this.#look();
    else if (yield* this.#stopUnits()) {
      this.#patience = 90;
      yield* this.#reload();
      yield* this.#look();
      yield* this.#stopAgain();
      for (const group of this.#request.groups) this.#rec(`left 0 0 ${group}`);
      yield* this.#tryStarts();
    }
    if (machine.quirks.program === 'no-read-back') this.#assume();
    this.#out.push(...this.#seen);
    this.#release();
    return receipt;
  }

  /** `failed`: nothing was changed. `broken`: something was. */
  *#changeLinks(receipt: Receipt): Steps<'done' | 'failed' | 'broken'> {
    const machine = this.#machine;
    let changed: 'failed' | 'broken' = 'failed';
    for (const path of this.#request.removes) {
      if (!machine.systemd.isMask(path)) continue;
      if (!this.#note(receipt, `removing ${path} /dev/null`) || !this.#take(receipt, path)) return changed;
      yield this.#short();
      if (!this.#step(`remove:${path}`, machine.unlink(path))) return changed;
      changed = 'broken';
      yield this.#short();
    }
    const made: string[] = [];
    for (const path of this.#request.links) {
      if (!this.#note(receipt, `linking ${path}`)) return changed;
      yield this.#short();
      if (!this.#step(`link:${path}`, machine.link(path))) {
        this.#note(receipt, `not-linked ${path}`);
        return changed;
      }
      made.push(path);
      changed = 'broken';
      yield this.#short();
    }
    for (const path of made) {
      if (machine.writeProblem(`${this.#receiptDir}/log`) !== null) return changed;
      receipt.log.push(`linked ${path} ${machine.identity(path)}`);
    }
    return 'done';
  }

  /** A link is about to go: it may be an earlier run's own, and that run's again when it is back. */
  #take(receipt: Receipt, path: string): boolean {
    return this.#note(receipt, `taking ${path} ${this.#machine.identity(path)}`);
  }

  /** It is back, a new link: whose receipt has the one that was taken learns of it. */
  #handBack(log: readonly string[], path: string): void {
    const last = (lines: readonly string[], key: string) =>
      lines.findLast((line) => line.startsWith(`${key} ${path} `))?.split(' ')[2];
    const taken = last(log, 'taking');
    if (taken === undefined) return;
    for (const other of this.#machine.receipts.values()) {
      if (last(other.log, 'linked') === taken) other.log.push(`linked ${path} ${this.#machine.identity(path)}`);
    }
  }

  #note(receipt: Receipt, line: string): boolean {
    const problem = this.#machine.writeProblem(`${this.#receiptDir}/log`);
    if (problem === null) receipt.log.push(line);
    else this.#said = `cannot write ${this.#receiptDir}/log`;
    return problem === null;
  }

  /** Whether what was to stop does not run. */
  *#stopUnits(): Steps<boolean> {
    const { stops, stopTimeout } = this.#request;
    if (stops.length === 0) return true;
    this.#patience = stopTimeout;
    if ((yield* this.#stop('stop', stops)) === 0) return true;
    yield* this.#look();
    return !this.#isRunning();
  }

  *#stopAgain(): Steps {
    for (let attempt = 1; attempt <= 3 && this.#isRunning(); attempt += 1) {
      this.#patience = this.#request.stopTimeout;
      yield* this.#stop(`stop-again:${attempt}`, this.#request.stops);
      yield* this.#look();
    }
  }

  #isRunning(): boolean {
    return this.#request.stops.some((name) => this.#running.includes(name));
  }

  *#tryStarts(): Steps {
    this.#patience = 30;
    const seen = this.#masked;
    for (const name of this.#request.attempts) {
      if (!seen.includes(name)) {
        this.#rec(`step try:${name} untried`);
        continue;
      }
      const { status, said } = yield* this.#ctl(() => this.#machine.start([name]));
      this.#tell(`try:${name}`, status, said);
      if (status === 0 || !said.join().includes('masked')) yield* this.#look();
    }
  }

  *#undo(): Steps {
    if (!(yield* this.#begin())) return;
    const machine = this.#machine;
    const { halts, deaf, stopTimeout } = this.#request;
    this.#starts = this.#request.starts;
    const receipt = machine.receipts.get(this.#receiptDir);
    this.#failed = false;
    let closed = yield* this.#findClosed();
    const startFirst = machine.quirks.program === 'start-first';
    if (startFirst && this.#starts.length > 0) yield* this.#startAgain(receipt);
    let touched: readonly string[] = [];
    if (receipt === undefined) this.#rec('receipt none');
    else {
      yield* this.#restoreLinks(receipt);
      touched = touchedBy(receipt);
      this.#patience = 90;
      if ((yield* this.#reload()) !== 0) this.#failed = true;
    }
    // what a mask had closed is not opened where that mask is gone
    const spared = deaf.filter((name) => !this.#isMaskedOnDisk(name));
    this.#starts = this.#starts.filter((name) => !spared.includes(name));
    closed = closed.filter((name) => !spared.includes(name));
    const starts = this.#starts;
    this.#reads = [...new Set([...this.#request.reads, ...starts, ...touched])];
    const restoreActivity = function* (this: RemoteProgram): Steps {
      this.#patience = stopTimeout;
      if (halts.length > 0 && (yield* this.#stop('halt', halts)) !== 0) this.#failed = true;
      if (closed.length > 0) yield* this.#stopClosed(closed);
      if (!startFirst && starts.length > 0 && !(yield* this.#startAgain(receipt))) this.#failed = true;
      yield* this.#look();
    }.bind(this);
    const failedBefore = this.#failed;
    yield* restoreActivity();
    if (this.#masked.some((name) => !this.#isMaskedOnDisk(name))) {
      this.#patience = 90;
      this.#failed = failedBefore;
      if ((yield* this.#reload()) !== 0) this.#failed = true;
      yield* restoreActivity();
    }
    this.#out.push(...this.#seen);
    this.#prove(touched);
    if (receipt !== undefined) this.#proveLog(receipt);
    if (!this.#failed) machine.receipts.delete(this.#receiptDir);
    this.#release();
  }

  /** What was to be started runs, and of each name that the run touched systemd shows what lies on the disk. */
  #prove(touched: readonly string[]): void {
    const lacking = [
      ...this.#starts.filter((name) => !this.#running.includes(name)),
      ...touched.filter(
        (name) => !this.#names.includes(name) || (this.#masked.includes(name) && !this.#isMaskedOnDisk(name)),
      ),
    ];
    for (const name of lacking) this.#rec(`lacking ${name}`);
    if (lacking.length > 0) this.#failed = true;
  }

  /** What the request names and is in effect, the log knows of. */
  #proveLog({ log }: Receipt): void {
    const { links, removes } = this.#request;
    const knows = (what: string, path: string) => log.some((line) => line.startsWith(`${what} ${path}`));
    const { systemd } = this.#machine;
    const unknown = [
      ...links.filter((path) => systemd.isMask(path) && !knows('linking', path)),
      ...removes.filter((path) => !systemd.files.has(path) && !knows('removing', path)),
    ];
    for (const path of unknown) this.#rec(`lacking ${path}`);
    if (unknown.length > 0) this.#failed = true;
  }

  #isMaskedOnDisk(name: string): boolean {
    const { systemd } = this.#machine;
    const [path] = systemd.lying(name);
    return path !== undefined && systemd.isMask(path);
  }

  *#restoreLinks({ log }: Receipt): Steps {
    const machine = this.#machine;
    for (const line of [...log]) {
      const [what, path = ''] = line.split(' ');
      if (what === 'linking') {
        if (!machine.systemd.isMask(path)) continue;
        const identity = log.reduce<string | null>((found, each) => {
          const [key, named, text = ''] = each.split(' ');
          if (named !== path) return found;
          return key === 'not-linked' ? 'no' : key === 'linked' ? text : found;
        }, null);
        if (identity === 'no') continue;
        if (identity !== null && identity !== machine.identity(path)) {
          this.#rec(`foreign ${path}`);
          this.#failed = true;
          continue;
        }
        if (!this.#step(`unlink:${path}`, machine.unlink(path))) this.#failed = true;
      } else if (what === 'removing') {
        if (machine.systemd.files.get(path)?.kind === 'link') continue;
        if (this.#step(`relink:${path}`, machine.link(path))) this.#handBack(log, path);
        else this.#failed = true;
      }
      yield this.#short();
    }
  }

  /** Sockets that were stopped, or were active when systemd read a mask of them: closed then, and active in name. */
  *#findClosed(): Steps<string[]> {
    const sockets = this.#request.starts.filter((name) => name.endsWith('.socket'));
    if (sockets.length === 0) return [];
    const { masked, running } = yield* this.#showSockets(sockets);
    return sockets.filter((name) => masked.includes(name) || !running.includes(name));
  }

  /** No socket starts beside the service that it is to start. */
  *#stopClosed(closed: readonly string[]): Steps<boolean> {
    const { masked, woken } = yield* this.#showSockets(closed);
    const sockets = closed.filter((name) => !masked.includes(name));
    if (sockets.length === 0) return false;
    const beside = [...sockets, ...woken];
    const { running } = yield* this.#showSockets(beside);
    const inTheWay = beside.filter((name) => running.includes(name));
    if (inTheWay.length > 0 && (yield* this.#stop('stop-closed', inTheWay)) !== 0) this.#failed = true;
    return true;
  }

  *#showSockets(sockets: readonly string[]) {
    const told = this.#out;
    this.#out = [];
    const shown = yield* this.#show('socket', SOCKET, sockets);
    this.#out = told;
    return shown;
  }

  *#startAgain(receipt: Receipt | undefined): Steps<boolean> {
    const starts = this.#starts;
    const { status: asked } = yield* this.#ctl(() => ({ status: 0, said: [] }));
    if (asked !== 0) return true; // `is-active` said nothing: the loop in the program has no turn
    const idle = this.#idle(starts);
    yield* this.#resetFailed(idle);
    if (idle.length === 0) return true;
    const lifted = receipt === undefined ? false : yield* this.#lift(receipt);
    let failed = yield* this.#tryStart(idle);
    // a socket has a better chance once the service that a client had started before it is stopped
    for (let tries = 0; failed && tries < 3; tries += 1) {
      const closed = this.#idle(starts).filter((name) => name.endsWith('.socket'));
      if (closed.length === 0 || lifted || !(yield* this.#stopClosed(closed))) break;
      const left = this.#idle(starts);
      yield* this.#resetFailed(left);
      yield* this.#tryStart(left);
      failed = this.#idle(starts).length > 0;
    }
    if (lifted && receipt !== undefined) {
      yield* this.#restoreLinks(receipt);
      if ((yield* this.#reload()) !== 0) this.#failed = true;
    }
    return !failed;
  }

  *#tryStart(names: readonly string[]): Steps<boolean> {
    const { status, said } = yield* this.#ctl(() => this.#machine.start(names));
    this.#tell('start', status, said);
    return status !== 0;
  }

  *#resetFailed(names: readonly string[]): Steps {
    const { systemd } = this.#machine;
    const broken = names.filter((name) => systemd.activity(name)?.active === 'failed');
    if (broken.length === 0) return;
    const { status } = yield* this.#ctl(() => {
      systemd.resetFailed(broken);
      return { status: 0, said: [] };
    });
    this.#tell('reset-failed', status, []);
  }

  #idle(names: readonly string[]): string[] {
    return names.filter((name) => this.#machine.systemd.activity(name)?.active !== 'active');
  }

  *#lift(receipt: Receipt): Steps<boolean> {
    let lifted = false;
    for (const path of this.#request.lifts) {
      if (!this.#machine.systemd.isMask(path)) continue;
      if (!this.#note(receipt, `removing ${path} /dev/null`) || !this.#take(receipt, path)) return lifted;
      yield this.#short();
      if (this.#step(`lift:${path}`, this.#machine.unlink(path))) lifted = true;
    }
    if (lifted) yield* this.#reload();
    return lifted;
  }

  *#stop(step: string, names: readonly string[]): Steps<number> {
    let ms = 0;
    const ended = yield* this.#ctl(() => {
      const stopping = this.#machine.stop(names);
      ({ ms } = stopping);
      return stopping;
    });
    const limit = this.#patience * 1000;
    if (ms > 0) yield Math.min(ms, limit) + this.#short();
    const { status, said } = ms > limit ? TIMED_OUT : ended;
    this.#tell(step, status, said);
    return status;
  }

  *#reload(): Steps<number> {
    const { status } = yield* this.#ctl(() => {
      this.#machine.systemd.reload();
      return { status: 0, said: [] };
    });
    this.#tell('reload', status, []);
    return status;
  }

  /** systemctl, under timeout(1). */
  *#ctl<T extends Result>(act: () => T): Steps<T | Result> {
    yield this.#machine.random.int(5, 60);
    const wait = this.#machine.frozenUntil - this.#machine.time.now;
    if (wait > this.#patience * 1000) {
      yield this.#patience * 1000;
      return TIMED_OUT;
    }
    if (wait > 0) yield wait;
    return act();
  }

  *#look(): Steps {
    this.#patience = 30;
    const reads = this.#reads;
    if (reads.length === 0) return;
    const told = this.#out;
    this.#out = [];
    const { names } = yield* this.#show('unit', UNIT, reads);
    this.#truth = this.#machine.truth();
    this.#paths(names);
    this.#seen = this.#out;
    this.#out = told;
  }

  *#show(kind: string, properties: readonly string[], asked: readonly string[]) {
    const shown: (readonly [string, string])[][] = [];
    const { status } = yield* this.#ctl(() => {
      for (const name of asked) shown.push(this.#properties(kind, name));
      return { status: 0, said: [] };
    });
    if (status !== 0) this.#rec(`trouble ${kind} ${status}`);
    const names: string[] = [];
    const relations: string[] = [];
    const wakers: string[] = [];
    const woken: string[] = [];
    const masked: string[] = [];
    const running: string[] = [];
    for (const all of shown) {
      const of = new Map(all);
      for (const [key, value] of all) {
        if (value !== '' && properties.includes(key)) this.#rec(`${kind} ${key}=${value}`);
        if (value !== '' && RELATIONS.some((relation) => relation === key) && properties.includes(key)) {
          relations.push(...value.split(' '));
        }
      }
      this.#rec(kind);
      wakers.push(...(of.get('TriggeredBy') ?? '').split(' ').filter((name) => name !== ''));
      if (properties.includes('Triggers')) {
        const starts = (of.get('Triggers') ?? '').split(' ').filter((name) => name !== '');
        woken.push(...starts);
        relations.push(...starts);
      }
      names.push(of.get('Id') ?? '');
      if (of.get('LoadState') === 'masked') masked.push(of.get('Id') ?? '');
      const active = of.get('ActiveState');
      if (active !== 'inactive' && active !== 'failed') running.push(of.get('Id') ?? '');
    }
    if (kind === 'unit') {
      this.#names = names;
      this.#masked = masked;
      this.#running = running;
    }
    return { names: [...new Set(names)], relations, wakers, woken, masked, running };
  }

  /** What systemd says of a unit; a host that lies has its own idea after a change, when it is read back. */
  #properties(kind: string, name: string): (readonly [string, string])[] {
    const { tells } = this.#machine.quirks;
    const properties = this.#machine.systemd.properties(name);
    if (tells === undefined || this.#verb === 'probe' || kind !== 'unit') return properties;
    if (tells === 'nothing') return [['Id', 'fm-other.service']];
    const masked = (tells === 'done') === (this.#verb === 'apply');
    return properties.map(([key, value]) => {
      if (key === 'LoadState') return [key, masked ? 'masked' : 'loaded'];
      if (key === 'ActiveState') return [key, masked ? 'inactive' : 'active'];
      if (key === 'CanStart') return [key, masked ? 'no' : 'yes'];
      return [key, value];
    });
  }

  /** The mutant that judges by exit codes: what has not failed has done what it should. */
  #assume(): void {
    if (this.#out.some((line) => /step (?:link|remove|stop|reload)\S* (?!0)/.test(line))) return;
    this.#out = this.#out.map((line) => line.replace(/step (try:\S+) 0/, 'step $1 1'));
    this.#seen = this.#seen.map((line) =>
      line
        .replace(/LoadState=.*/, 'LoadState=masked')
        .replace(/ActiveState=.*/, 'ActiveState=inactive')
        .replace(/CanStart=.*/, 'CanStart=no'),
    );
  }

  #paths(names: readonly string[]): void {
    const { systemd } = this.#machine;
    for (const name of names) {
      for (const path of systemd.lying(name)) {
        this.#rec(systemd.isMask(path) ? `path null ${path}` : `path file ${path}`);
      }
    }
  }

  /** What a step of coreutils came to: null is success. */
  #step(name: string, problem: string | null): boolean {
    this.#said = problem === null ? '' : `cannot change '${name}': ${problem}`;
    this.#tell(name, problem === null ? 0 : 1, problem === null ? [] : [this.#said]);
    return problem === null;
  }

  #tell(step: string, status: number, said: readonly string[]): void {
    this.#rec(`step ${step} ${status}`);
    for (const line of said) this.#rec(`said ${step} ${line}`);
  }

  #rec(text: string): void {
    this.#out.push(`@${this.#nonce} ${this.#seq} ${text}\n`);
  }

  /** Some processes are started, some files are read. */
  #short(): number {
    return this.#machine.random.int(1, 12);
  }
}

/** Units under whose names a run made or removed something. */
function touchedBy({ log }: Receipt): string[] {
  return log.flatMap((line) => {
    const [what = '', path = ''] = line.split(' ');
    return what === 'linking' || what === 'removing' ? [baseOf(path)] : [];
  });
}

function unquoted(word: string): string {
  return word.replace(/^'(.*)'$/, '$1');
}

function parse(words: readonly string[]): Request {
  const all = (key: string) =>
    words.filter((word) => word.startsWith(`${key}=`)).map((word) => word.slice(key.length + 1));
  const last = (key: string, otherwise: string) => all(key).at(-1) ?? otherwise;
  return {
    run: last('run', ''),
    as: last('as', ''),
    where: last('where', 'etc'),
    stopTimeout: Number(last('stop-timeout', '60')),
    meta: last('meta', '-'),
    receipts: last('receipts', ''),
    result: last('result', ''),
    triggers: last('triggers', ''),
    wanted: all('name'),
    links: all('link'),
    removes: all('remove'),
    stops: all('stop'),
    reads: all('read'),
    attempts: all('try'),
    groups: all('group'),
    starts: all('start'),
    halts: all('halt'),
    lifts: all('lift'),
    deaf: all('deaf'),
    unmoved: last('unmoved', '') === 'yes',
  };
}
