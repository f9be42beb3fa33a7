/** One conversation with the remote program on one host: probe, apply, undo over a single channel. */

import {
  type Change,
  type Evidence,
  type Facts,
  type Fault,
  fault,
  type KeepOrder,
  type Prior,
  type Secret,
  type SwitchEnd,
  type SwitchOrder,
  type SwitchState,
} from '../model/index.ts';
import type { Connection, RemoteProcess } from '../transport/transport.ts';
import type { HostRecord } from './blocks.ts';
import { type Conceal, concealed, concealedEnd, concealing } from './conceal.ts';
import { type Escalation, firstLine, startShell } from './escalate.ts';
import { excessOf } from './limits.ts';
import type { Verb } from './program-source.ts';
import { Answer, applyWords, newNonce, type RequestContext, readWords, undoWords } from './protocol.ts';
import { ofOurRuns, receiptsFrom } from './receipts.ts';
import { evidenceFrom, factsFrom } from './records.ts';
import { barredFrom, endedEarly } from './refusals.ts';
import { Requests, type Stored, type Wish, wishesFor } from './requests.ts';
import { arming, endsFrom, keepWords, switchesFrom } from './switch.ts';

/** Sequence numbers of a run on one host: the host refuses what is not newer than what it has seen. */
export const SEQ = { probe: 0, apply: 1 } as const;

export type Reply<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'fault'; readonly fault: Fault };

export interface Session {
  /** What the host is and has under these names (validated unit names, or patterns of the catalogue). */
  readonly facts: Facts;
  /** Of the runs whose receipts were asked for. */
  readonly switches: readonly SwitchState[];
  readonly ends: readonly SwitchEnd[];
  apply(plan: ApplyRequest, context: RequestContext, deadline: AbortSignal): Promise<Reply<Evidence>>;
  undo(request: UndoRequest, context: RequestContext, deadline: AbortSignal): Promise<Reply<Evidence>>;
  /** Decides, against the run's switch, what becomes of the change. */
  keep(request: KeepRequest, context: RequestContext, deadline: AbortSignal): Promise<Reply<Kept>>;
  /** Lets the program end. The connection stays its owner's. */
  end(): void;
}

/** Refused as `moved` when the host is not as this session has probed it. */
export interface ApplyRequest {
  readonly seq: number;
  readonly change: Change;
  readonly prior: Prior;
  /** Armed before anything is changed, or the host is refused; null: none. */
  readonly order: SwitchOrder | null;
}

export interface UndoRequest {
  readonly change: Change;
  readonly prior: Prior;
  readonly seq: number;
  /** Units that did not run before and are to be stopped should they run now. */
  readonly halts: readonly string[];
  /** Refused as `moved` when the host is not as this session has probed it. */
  readonly unmoved?: boolean;
}

export interface KeepRequest extends KeepOrder {
  readonly seq: number;
  readonly change: Change;
}

/** How a run stands after `keep`. `evidence.receipt` is false where the host had put itself back before. */
export interface Kept {
  readonly evidence: Evidence;
  readonly switch: SwitchState | null;
  readonly end: SwitchEnd | null;
}

/**
 * Starts the program and probes. Faults: `no-shell` (nothing that ran spoke the protocol), `lost`, `timed-out`, `bad-reply`,
 * and `no-privilege` where a password was to be used, or where sudo lets nothing be run. Else a host without privilege is no
 * fault here: it is a fact, as is one without systemd. `secrets`: what the host may know and repeat, to be taken out of all it
 * says.
 */
export async function openSession(
  connection: Connection,
  escalation: Escalation,
  names: readonly string[],
  deadline: AbortSignal,
  wishes: readonly Wish[] = [],
  secrets: readonly Secret[] = [],
): Promise<Reply<Session>> {
  const nonce = newNonce();
  const channel = new Channel(concealing(secrets, names));
  const shell = await startShell(connection, escalation, (chunk) => channel.hear(chunk), deadline);
  if (shell.kind === 'fault') return shell;
  channel.attach(shell.value);
  const requests = new Requests(nonce);
  const opening = `${firstLine(escalation)}${requests.probe(SEQ.probe, names, wishesFor(names, wishes))}`;
  const probed = await channel.ask(opening, new Answer(nonce, SEQ.probe), deadline);
  if (probed.kind === 'fault') return probed;
  const records = ofOurRuns(probed.value);
  const facts = factsFrom(records);
  const barred = barredFrom(records, facts);
  if (barred !== null) {
    channel.end();
    return { kind: 'fault', fault: barred };
  }

  const ask = (
    verb: Verb,
    seq: number,
    words: readonly string[],
    deadline: AbortSignal,
    stored: Stored | null = null,
  ) => channel.ask(requests.later(verb, seq, words, stored), new Answer(nonce, seq), deadline);
  return {
    kind: 'answer',
    value: {
      facts: { ...facts, receipts: receiptsFrom(records) },
      switches: switchesFrom(records),
      ends: endsFrom(records),
      async apply({ seq, change, prior, order }, context, deadline) {
        const armed = order && arming(order, context.run, change.where);
        const words = [...applyWords(change, prior, context), 'unmoved=yes', ...(armed?.words ?? [])];
        return read(await ask('apply', seq, words, deadline, armed?.stored), evidenceFrom);
      },
      async undo({ seq, change, prior, halts, unmoved }, context, deadline) {
        const words = [...undoWords(change, prior, halts, context), ...(unmoved ? ['unmoved=yes'] : [])];
        return read(await ask('undo', seq, words, deadline), evidenceFrom);
      },
      async keep({ seq, change, ...order }, context, deadline) {
        const words = [...readWords(change, context), ...keepWords(order)];
        return read(await ask('keep', seq, words, deadline), (records) => ({
          evidence: evidenceFrom(records),
          switch: switchesFrom(records).find(({ run }) => run === context.run) ?? null,
          end: endsFrom(records).find(({ run }) => run === context.run) ?? null,
        }));
      },
      end: () => channel.end(),
    },
  };
}

function read<T>(reply: Reply<HostRecord[]>, from: (records: readonly HostRecord[]) => T): Reply<T> {
  return reply.kind === 'fault' ? reply : { kind: 'answer', value: from(reply.value) };
}

/** Of what came before an answer so much is kept. */
const HEARD = 4 * 1024;

/** One remote process that is asked one thing after the other. */
class Channel {
  #process!: RemoteProcess;
  #listen: (chunk: Buffer) => void = () => {};
  /** The first words of whatever came that was no record: for the error text when nobody spoke the protocol. */
  #heard = '';
  #answered = false;
  readonly #conceal: Conceal;

  constructor(conceal: Conceal) {
    this.#conceal = conceal;
  }

  attach(process: RemoteProcess): void {
    this.#process = process;
  }

  hear(chunk: Buffer): void {
    if (!this.#answered && this.#heard.length < HEARD) this.#heard += chunk.toString('latin1', 0, HEARD);
    this.#listen(chunk);
  }

  async ask(request: string, answer: Answer, deadline: AbortSignal): Promise<Reply<HostRecord[]>> {
    const broken = (why: string): Reply<never> => ({ kind: 'fault', fault: fault('bad-reply', why) });
    const expired: Reply<never> = { kind: 'fault', fault: fault('timed-out', 'the host did not answer in time') };
    let expire = () => {};
    const reply = await new Promise<Reply<HostRecord[]>>((resolve) => {
      expire = () => resolve(expired);
      if (deadline.aborted) return expire();
      deadline.addEventListener('abort', expire, { once: true });
      this.#listen = (chunk) => {
        const state = answer.take(chunk);
        if (state.kind === 'broken') resolve(broken(this.#conceal(state.why)));
        if (state.kind !== 'done') return;
        this.#answered = true;
        const excess = excessOf(answer.records);
        if (excess === null) resolve({ kind: 'answer', value: concealed(answer.records, this.#conceal) });
        else resolve(broken(`the host tells of ${excess}`));
      };
      void this.#process.ended.then((end) => {
        const how = concealedEnd(end, this.#conceal);
        // what an answer said is no cause of the end
        const ended = this.#answered
          ? endedEarly('lost', how, '')
          : endedEarly('no-shell', how, this.#conceal(this.#heard));
        resolve({ kind: 'fault', fault: ended });
      });
      this.#process.write(request);
    });
    deadline.removeEventListener('abort', expire);
    this.#listen = () => {};
    return reply;
  }

  end(): void {
    this.#process.end();
  }
}
