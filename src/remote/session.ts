/** One conversation with fleetmask.sh on one host: probe, apply, undo over a single channel. */
import { type Change, type Evidence, type Facts, type Fault, fault, type Prior, type Secret } from '../model/index.ts';
import type { Connection, RemoteProcess } from '../transport/transport.ts';
import { type Conceal, concealed, concealedEnd, concealing } from './conceal.ts';
import { type Escalation, startShell } from './escalate.ts';
import {
  Answer,
  applyWords,
  firstRequest,
  type HostRecord,
  newNonce,
  program,
  type RequestContext,
  requestLine,
  undoWords,
  type Wish,
} from './protocol.ts';
import { receiptsFrom } from './receipts.ts';
import { evidenceFrom, factsFrom } from './records.ts';
import { endedEarly } from './refusals.ts';

/** Sequence numbers of a run on one host: the host refuses what is not newer than what it has seen. */
export const SEQ = { probe: 0, apply: 1, firstUndo: 2 } as const;

export type Reply<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'fault'; readonly fault: Fault };

export interface Session {
  /** What the host is and has under these names (validated unit names, or patterns of the catalogue). */
  readonly facts: Facts;
  apply(plan: ApplyRequest, context: RequestContext, deadline: AbortSignal): Promise<Reply<Evidence>>;
  undo(request: UndoRequest, context: RequestContext, deadline: AbortSignal): Promise<Reply<Evidence>>;
  /** Lets the program end. The connection stays its owner's. */
  end(): void;
}

export interface ApplyRequest {
  readonly change: Change;
  readonly prior: Prior;
}

export interface UndoRequest extends ApplyRequest {
  readonly seq: number;
  /** Units that did not run before and are to be stopped should they run now. */
  readonly halts: readonly string[];
}

/**
 * Starts the program and probes. Faults: `no-shell` (nothing that ran spoke the protocol), `lost`, `timed-out`, `bad-reply`,
 * and `no-privilege` where a password was to be used. Else a host without privilege is no fault here: it is a fact, as is one
 * without systemd. `secrets`: what the host may know and repeat, to be taken out of all it says.
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
  const opening = `${program(wishes)}\n${firstRequest(nonce, SEQ.probe, names, wishes)}`;
  const probed = await channel.ask(opening, new Answer(nonce, SEQ.probe), deadline);
  if (probed.kind === 'fault') return probed;

  const change = async (verb: 'apply' | 'undo', seq: number, words: readonly string[], deadline: AbortSignal) => {
    const reply = await channel.ask(requestLine(nonce, seq, verb, words), new Answer(nonce, seq), deadline);
    return reply.kind === 'fault' ? reply : ({ kind: 'answer', value: evidenceFrom(reply.value) } as const);
  };
  return {
    kind: 'answer',
    value: {
      facts: { ...factsFrom(probed.value), receipts: receiptsFrom(probed.value) },
      apply: (plan, context, deadline) =>
        change('apply', SEQ.apply, applyWords(plan.change, plan.prior, context), deadline),
      undo: (request, context, deadline) =>
        change('undo', request.seq, undoWords(request.change, request.prior, request.halts, context), deadline),
      end: () => channel.end(),
    },
  };
}

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
    if (!this.#answered && this.#heard.length < 400) this.#heard += chunk.toString('latin1');
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
        resolve({ kind: 'answer', value: concealed(answer.records, this.#conceal) });
      };
      void this.#process.ended.then((ended) => {
        const how = concealedEnd(ended, this.#conceal);
        const heard = this.#conceal(this.#heard);
        resolve({ kind: 'fault', fault: endedEarly(this.#answered ? 'lost' : 'no-shell', how, heard) });
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
