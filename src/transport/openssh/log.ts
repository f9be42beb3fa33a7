/** What ssh says on its standard error while it logs in: how far it got, and what it found wrong. */

import { printable } from '../../model/index.ts';
import type { Step } from '../attempts.ts';
import type { Dropped } from '../greeting.ts';
import type { AuthStep, Description } from '../transport.ts';

/**
 * Read at LogLevel DEBUG1. What decides about anything is in the lines without `debug1:`, whose texts have been the same for
 * decades; the others only describe. A server can put lines of its own in (its banner): it gains a wrong reason for not
 * letting us in, which it could have anyway. That a login succeeded is told by the control socket, not by this.
 */
export interface SshLog {
  add(chunk: Buffer): void;
  step(): Step;
  /** It has logged in, and its control socket is there. */
  ready(): boolean;
  description(): Description;
  /** Lines meant for a person, the newest last. Not safe to print. */
  complaints(): readonly string[];
  hostKey(): PresentedKey | undefined;
  /** The authority that signed the host's certificate, if it has one. Safe to print. */
  hostAuthority(): string | undefined;
  offered(): readonly OfferedKey[];
  dropped(): Dropped;
}

export interface PresentedKey {
  /** Both safe to print. */
  readonly type: string;
  readonly fingerprint: string;
}

export interface OfferedKey {
  /** Type, short fingerprint and source, as for ssh2. Safe to print. */
  readonly label: string;
  readonly source: string;
  /** The agent has it. */
  readonly held: boolean;
}

const MAX_LINE = 2_000;
const MAX_LINES = 60;
const MAX_OFFERS = 50;

const STEPS: readonly (readonly [RegExp, Step])[] = [
  [/^Connection established\.|^Local version string /, 'greeting'],
  [/^Remote protocol version /, 'key exchange'],
  [/^SSH2_MSG_SERVICE_ACCEPT received/, 'authentication'],
];

export function sshLog(): SshLog {
  let rest = '';
  let step: Step = 'connect';
  let ready = false;
  let strictKex = false;
  let hostKey: PresentedKey | undefined;
  let hostAuthority: string | undefined;
  let accepted: OfferedKey | undefined;
  let dropped: Dropped = { by: 'silence' };
  const complaints: string[] = [];
  const offered: OfferedKey[] = [];
  const auth: AuthStep[] = [];

  const authenticated = (method: string): void => {
    const identity = method === 'publickey' ? (accepted?.label ?? null) : null;
    auth.push({ method: METHODS.find((known) => known === method) ?? 'none', identity });
    accepted = undefined;
  };
  const debug = (line: string): void => {
    const next = STEPS.find(([pattern]) => pattern.test(line))?.[1];
    if (next !== undefined) step = next;
    const server = /^Server host (?:key|certificate): (\S+) ([^\s,]+)/.exec(line);
    if (server) hostKey = { type: printable(server[1]!, 60), fingerprint: printable(server[2]!, 60) };
    const authority = /^Server host certificate: .* CA (\S+) (\S+)/.exec(line);
    if (authority) hostAuthority = printable(`${authority[1]} ${authority[2]}`, 130);
    const offer = /^Offering public key: (.*)$/.exec(line);
    if (offer && offered.length < MAX_OFFERS) offered.push(keyOf(offer[1]!));
    const good = /^Server accepts key: (.*)$/.exec(line);
    if (good) accepted = keyOf(good[1]!);
    if (/resetting send seqnr/.test(line)) strictKex = true;
    if (/^Entering interactive session/.test(line)) ready = true;
    const said = /^kex_exchange_identification: banner line \d+: (.*)$/.exec(line)?.[1];
    if (said !== undefined) dropped = droppedBy(said);
  };
  const take = (line: string): void => {
    const debugged = /^debug\d: (.*)$/.exec(line)?.[1];
    const method = /^Authenticated (?:to .* )?using "([\w.@-]+)"/.exec(line)?.[1];
    if (debugged !== undefined) debug(debugged);
    else if (method !== undefined) authenticated(method);
    else complaints.push(line);
    if (complaints.length > MAX_LINES) complaints.shift();
  };

  return {
    add(chunk) {
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = (lines.pop() ?? '').slice(0, MAX_LINE);
      for (const line of lines) {
        const trimmed = line.slice(0, MAX_LINE).trimEnd();
        if (trimmed !== '') take(trimmed);
      }
    },
    step: () => step,
    ready: () => ready,
    description: () => ({ hostKey: hostKey?.type ?? 'unknown', auth: [...auth], strictKex }),
    complaints: () => (rest.trim() === '' ? complaints : [...complaints, rest.trim()]),
    hostKey: () => hostKey,
    hostAuthority: () => hostAuthority,
    offered: () => offered,
    dropped: () => dropped,
  };
}

const METHODS = [
  'publickey',
  'password',
  'keyboard-interactive',
  'hostbased',
  'gssapi-with-mic',
  'gssapi-keyex',
] as const;

/** `/path or comment TYPE SHA256:… explicit agent` → a label like those of ssh2's identities. */
function keyOf(text: string): OfferedKey {
  const [, source = text, type = 'key', print = ''] = /^(.*) (\S+) (SHA256:\S+)/.exec(text) ?? [];
  const held = / agent\b/.test(text.slice(text.indexOf(print) + print.length));
  const from = held ? `agent (${source})` : source;
  const label = `${KEY_TYPES[type] ?? type} ${print.slice(0, 'SHA256:'.length + 8)}… from ${from}`;
  return { label: printable(label, 300), source: printable(source, 300), held };
}

/** The names that ssh prints for people, by those of the protocol. */
const KEY_TYPES: Readonly<Record<string, string>> = {
  ED25519: 'ssh-ed25519',
  RSA: 'ssh-rsa',
  'ED25519-CERT': 'ssh-ed25519-cert',
  'RSA-CERT': 'ssh-rsa-cert',
  'ED25519-SK': 'sk-ssh-ed25519',
  'ECDSA-SK': 'sk-ecdsa',
};

function droppedBy(said: string): Dropped {
  if (said.includes('Exceeded MaxStartups')) return { by: 'max-startups' };
  if (said.includes('Not allowed at this time')) return { by: 'not-now' };
  return { by: 'not-ssh', said: printable(said, 80) };
}
