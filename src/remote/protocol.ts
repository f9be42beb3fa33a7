/**
 * The language spoken with the remote program: requests are lines of words, answers are records framed by a nonce.
 * Everything that arrives is hostile until it has passed through here.
 */
import { randomBytes } from 'node:crypto';
import { baseOf, type Change, isTrigger, type Prior, type PriorState, printable, templateOf } from '../model/index.ts';
import { firstWord, type HostRecord } from './blocks.ts';
import { encoded, metaText } from './meta.ts';

/** Of a record, with its frame. What the program says is short: a list of unit names is the longest. */
const MAX_LINE = 64 * 1024;
/** Of one answer. */
const MAX_RECORDS = 20_000;
const MAX_ANSWER = 1024 * 1024;

/** 96 random bits: nothing that a host prints by itself looks like a record. */
export function newNonce(): string {
  return randomBytes(12).toString('hex');
}

export interface RequestContext {
  readonly run: string;
  /** The name that the run has for this host: a machine that it reaches by two is told by it. */
  readonly as: string;
  /** Who and why, for the receipt and for whoever meets the lock. */
  readonly meta: Readonly<Record<string, string>>;
  /** Seconds that one stop or start may take on the host. */
  readonly stopTimeout: number;
}

/** With the prior state, so that the receipt alone is enough to undo what is done here and to judge that it was undone. */
export function applyWords(change: Change, prior: Prior, context: RequestContext): string[] {
  return [
    ...contextWords(change, context),
    `kill=${change.killLeftovers ? 'yes' : 'no'}`,
    ...entryWords(change),
    ...change.stops.map((unit) => `stop=${unit}`),
    ...(change.downs ?? []).map((unit) => `down=${unit}`),
    ...change.groups.map((group) => `group=${group}`),
    ...change.reads.map((unit) => `read=${unit}`),
    ...change.looks.map((unit) => `look=${unit}`),
    ...change.attempts.map((unit) => `try=${unit}`),
    ...wayBackWords(prior),
    ...(prior.bootId === null ? [] : [`boot=${prior.bootId}`]),
    ...(prior.machineId === null ? [] : [`machine=${prior.machineId}`]),
    ...prior.states.map((state) => `was=${stateText(state)}`),
    ...prior.masks.map((path) => `had=${path}`),
  ];
}

/** `ID,LOAD,FILE,ACTIVE[,start|stop|reload][,unread]`; receipts.ts reads it. */
function stateText({ id, load, file, active, queued, unread }: PriorState): string {
  return [id, load, file, active, ...(queued ? [queued] : []), ...(unread ? ['unread'] : [])].map(lettersOf).join(',');
}

/** A state is one of systemd's own words; what a host put there instead is left out. */
function lettersOf(text: string): string {
  return /^[A-Za-z0-9:_.\\@-]*$/.test(text) ? text : '';
}

/**
 * What undo starts, what of that was still starting, what it queues again, which sockets it starts for their name alone, and which
 * masks from before the run are off while it does.
 */
function wayBackWords(prior: Prior): string[] {
  const running = prior.states.filter(wasRunning);
  return [
    ...triggersFirst(running).map((state) => `start=${state.id}`),
    ...prior.states.filter(({ active }) => active === 'activating').map(({ id }) => `pending=${id}`),
    ...triggersFirst(prior.states.filter((state) => state.queued === 'start' && !wasRunning(state))).map(
      ({ id }) => `queue=${id}`,
    ),
    ...prior.states.filter(({ queued }) => queued === 'reload').map(({ id }) => `reload=${id}`),
    // systemd closes a socket when it reads a mask of it, and goes on calling it active
    ...running.filter(({ id, load }) => load === 'masked' && id.endsWith('.socket')).map(({ id }) => `deaf=${id}`),
    ...masksOverRunning(prior).map((path) => `lift=${path}`),
  ];
}

/** `halts`: what did not run before the change and is to be stopped should it run now. */
export function undoWords(change: Change, prior: Prior, halts: readonly string[], context: RequestContext): string[] {
  return [
    ...contextWords(change, context),
    ...entryWords(change),
    ...wayBackWords(prior),
    ...halts.map((unit) => `halt=${unit}`),
    ...change.looks.map((unit) => `look=${unit}`),
    ...unique([...change.reads, ...prior.states.map((state) => state.id)]).map((unit) => `read=${unit}`),
  ];
}

/** Read back is what undo would read. */
export function readWords(change: Change, context: RequestContext): string[] {
  return [
    ...contextWords(change, context),
    ...change.looks.map((unit) => `look=${unit}`),
    ...change.reads.map((unit) => `read=${unit}`),
  ];
}

/** What is made, removed and moved; an undo does that by the receipt, and proves by this that the receipt knew of all. */
function entryWords({ links, removes, displaces }: Change): string[] {
  const words = (key: string, paths: readonly string[]) => paths.map((path) => `${key}=${path}`);
  return [...words('link', links), ...words('remove', removes), ...words('displace', displaces)];
}

function contextWords(change: Change, { run, as, meta, stopTimeout }: RequestContext): string[] {
  return [
    `run=${run}`,
    `as=${encoded(as)}`,
    `where=${change.where}`,
    `stop-timeout=${Math.max(1, Math.floor(stopTimeout))}`,
    `meta=${metaText(meta)}`,
  ];
}

/** A socket refuses to listen once the service that it is to start runs. */
function triggersFirst(states: readonly PriorState[]): PriorState[] {
  return [...states].sort((a, b) => Number(isTrigger(b.id)) - Number(isTrigger(a.id)));
}

/** What was on its way out is not brought back: deactivating, or with a stop queued. */
function wasRunning({ active, queued }: PriorState): boolean {
  if (queued === 'stop') return false;
  return active === 'active' || active === 'reloading' || active === 'activating' || active === 'refreshing';
}

/** A unit that ran under a mask, or waited to start what is under one, can start again only while that mask is off. */
function masksOverRunning({ masks, states }: Prior): readonly string[] {
  const running = states.filter(wasRunning).map(({ id }) => id);
  if (running.some(isTrigger)) return masks;
  const names = new Set(running.flatMap((id) => [id, templateOf(id) ?? id]));
  return masks.filter((mask) => names.has(baseOf(mask)));
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)];
}

/**
 * Collects the records of one answer from a byte stream, whatever else the host prints before, between and beside them: a record
 * begins with its frame, also where a start-up file of the account has left a line open. Linear in what arrives, however it is cut.
 */
export class Answer {
  readonly records: HostRecord[] = [];
  readonly #frame: string;
  /** The line that has not ended yet; of one without a frame only what the frame may begin in. */
  #line = '';
  #bytes = 0;

  constructor(nonce: string, seq: number) {
    this.#frame = `@${nonce} ${seq} `;
  }

  /**
   * Takes what arrived (latin1, so that a byte is a character and UTF-8 cut in two does no harm).
   * `done`: the answer is whole. `broken`: it will never be; the text says why.
   */
  take(chunk: Buffer): Taken {
    const text = chunk.toString('latin1');
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      const line = this.#line + text.slice(from, end);
      this.#line = '';
      from = end + 1;
      const taken = this.#take(line);
      if (taken.kind !== 'more') return taken;
    }
    this.#line += text.slice(from);
    if (this.#line.length <= MAX_LINE) return { kind: 'more' };
    const at = this.#line.indexOf(this.#frame);
    this.#line = this.#line.slice(at < 0 ? -this.#frame.length : at);
    return this.#line.length <= MAX_LINE
      ? { kind: 'more' }
      : { kind: 'broken', why: `a record of over ${MAX_LINE} bytes` };
  }

  #take(line: string): Taken {
    const at = line.indexOf(this.#frame);
    if (at < 0) return { kind: 'more' };
    const record = line.slice(at + this.#frame.length);
    const [kind, text] = firstWord(record);
    if (kind === 'done') {
      const count = this.records.length + 1;
      return text === String(count)
        ? { kind: 'done' }
        : { kind: 'broken', why: `an answer of ${printable(text, 40)} records arrived with ${count}` };
    }
    if (record.length > MAX_LINE) return { kind: 'broken', why: `a record of over ${MAX_LINE} bytes` };
    this.#bytes += line.length - at;
    if (this.records.length >= MAX_RECORDS) return { kind: 'broken', why: `more than ${MAX_RECORDS} records` };
    if (this.#bytes > MAX_ANSWER) return { kind: 'broken', why: `an answer of over ${MAX_ANSWER} bytes` };
    this.records.push({ kind: alone(kind), text: alone(text) });
    return { kind: 'more' };
  }
}

export type Taken =
  | { readonly kind: 'more' }
  | { readonly kind: 'done' }
  | { readonly kind: 'broken'; readonly why: string };

/** UTF-8 from its bytes, in memory of its own: a piece of a string keeps all of that string. */
function alone(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}
