/**
 * What one remote program is sent: groups in braces, each a request and those parts of the program that it needs and has not got
 * yet, so that no request waits for a part. A shell does nothing of a group before it has read its end.
 */
import { isTemplate, superServerOf, topicOf } from '../model/index.ts';
import { type Part, part, partsOf, partsOfProbe, source, type Verb } from './program-source.ts';

/** What a probe tells only when asked, so that nobody else pays for it. */
export type Wish =
  /** Its time. */
  | 'clock=yes'
  /** All about what can start the units, as of the units themselves. */
  | 'triggers=yes'
  /** What could run the same past a mask. */
  | 'ways=yes'
  /** What a mask must not cut. */
  | 'guard=yes'
  /** With it: what the host makes use of; asked where one of the names may be idle. */
  | 'uses=yes'
  /** What inetd and its like serve; asked where one of them is among the names. */
  | 'superservers=yes'
  /** What runs beside units that run nothing themselves, and instances beside their template. */
  | 'members=yes'
  /** The receipts of all runs, or of one. */
  | 'receipts=all'
  | `receipts=${string}`
  /** What the host answered this run, where its receipt is told. */
  | `result=${string}`;

/** The wishes, and those that follow from the names. */
export function wishesFor(names: readonly string[], wishes: readonly Wish[]): Wish[] {
  const uses = wishes.includes('guard=yes') && names.some((name) => topicOf(name) !== null);
  const served = names.some((name) => superServerOf(name) !== null);
  return [...wishes, ...(uses ? ['uses=yes' as const] : []), ...(served ? ['superservers=yes' as const] : [])];
}

/** What a host stores to roll a run back by itself: its program, and `switch.sh`. */
export interface Stored {
  readonly program: string;
  readonly switch: string;
}

export class Requests {
  readonly #nonce: string;
  readonly #sent = new Set<Part>();

  constructor(nonce: string) {
    this.#nonce = nonce;
  }

  /** What the program begins with. It defines the nonce. */
  probe(seq: number, names: readonly string[], wishes: readonly Wish[] = []): string {
    const words = names.map((name) => `${isTemplate(name) ? 'look' : 'name'}=${assertWord(name)}`);
    const call = this.#call('main', seq, 'probe', [...wishes, ...words]);
    return `${part('shells.sh')}\n${group([...this.#unsent(partsOfProbe(wishes)), call])}`;
  }

  later(verb: Verb, seq: number, words: readonly string[], stored: Stored | null = null): string {
    const texts =
      stored === null ? [] : [`stored_program=${quoted(stored.program)} stored_switch=${quoted(stored.switch)}`];
    return group([...this.#unsent(partsOf(verb)), ...texts, this.#call('next', seq, verb, words)]);
  }

  #unsent(parts: readonly Part[]): string[] {
    const fresh = parts.filter((each) => !this.#sent.has(each));
    for (const each of fresh) this.#sent.add(each);
    return fresh.length === 0 ? [] : [source(fresh)];
  }

  #call(by: 'main' | 'next', seq: number, verb: Verb | 'probe', words: readonly string[]): string {
    return [by, this.#nonce, String(seq), verb, ...words.map((word) => `'${assertWord(word)}'`), 'end'].join(' ');
  }
}

/** So long that another process to read it costs bash less than to read it byte by byte. */
const LONG = 2048;

function group(lines: readonly string[]): string {
  const text = `{\n${lines.join('\n')}\n}\n`;
  return text.length < LONG ? text : `[ -z "\${BASH_VERSION-}" ]||eval "$(exec head -c ${text.length})"\n${text}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Words end at blanks; quotes would end a shell word. Whoever builds them has validated them: this is the last gate. */
function assertWord(word: string): string {
  if (!/^[\x21-\x7e]+$/.test(word) || word.includes("'")) throw new Error(`not a word for a request: ${word}`);
  return word;
}
