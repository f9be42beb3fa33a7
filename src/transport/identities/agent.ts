import { connect } from 'node:net';
import pLimit from 'p-limit';
import { keyTypeOf } from '../host-keys/known-hosts.ts';

/**
 * A client of the ssh-agent protocol (draft-ietf-sshm-ssh-agent): list and sign, nothing else. ssh2 has one, but it drops
 * identities of types it does not know without a word, and here each of them must be reported.
 */
export interface Agent {
  /** Asked once, then remembered. Rejects when the agent cannot be reached or answers nonsense. */
  identities(): Promise<readonly AgentIdentity[]>;
  /**
   * The bare signature, without its algorithm name, in SSH's own encoding. At most 16 requests are under way at once.
   * Rejects when the agent refuses, or signs with another algorithm than asked (an old agent: SHA-1).
   */
  sign(identity: AgentIdentity, data: Buffer, algorithm: string): Promise<Buffer>;
}

export interface AgentIdentity {
  /** Public key blob. */
  readonly blob: Buffer;
  readonly type: string;
  /** As the agent has it: not yet safe to print. */
  readonly comment: string;
}

const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const RSA_FLAGS: Readonly<Record<string, number>> = { 'rsa-sha2-256': 2, 'rsa-sha2-512': 4 };

/** Beyond this many at once agents begin to refuse: 6 % of 1000 concurrent requests failed. */
const REQUESTS_AT_ONCE = 16;
const LIST_TIMEOUT_MS = 5_000;
/** Generous, since a person may have to confirm; the deadline of the connection ends it sooner. */
const SIGN_TIMEOUT_MS = 120_000;
const MAX_ANSWER = 1024 * 1024;

/** `socketPath` is what SSH_AUTH_SOCK or IdentityAgent names. Nothing is opened before the first question. */
export function openAgent(socketPath: string): Agent {
  const slot = pLimit(REQUESTS_AT_ONCE);
  let listed: Promise<readonly AgentIdentity[]> | undefined;
  return {
    identities() {
      listed ??= ask(socketPath, Buffer.from([REQUEST_IDENTITIES]), LIST_TIMEOUT_MS).then(readIdentities);
      return listed;
    },
    async sign(identity, data, algorithm) {
      const flags = Buffer.alloc(4);
      flags.writeUInt32BE(RSA_FLAGS[algorithm] ?? 0);
      const request = Buffer.concat([Buffer.from([SIGN_REQUEST]), field(identity.blob), field(data), flags]);
      const answer = await slot(() => ask(socketPath, request, SIGN_TIMEOUT_MS));
      if (answer[0] !== SIGN_RESPONSE) throw new Error('the agent refused to sign');
      const signature = new Reader(new Reader(answer.subarray(1)).field());
      const signedWith = signature.field().toString('latin1');
      if (signedWith !== algorithm) throw new Error(`the agent signed with ${signedWith}, not ${algorithm}`);
      return signature.field();
    },
  };
}

function readIdentities(answer: Buffer): readonly AgentIdentity[] {
  if (answer[0] !== IDENTITIES_ANSWER) throw new Error('the agent refused to list its identities (is it locked?)');
  const reader = new Reader(answer.subarray(1));
  const count = reader.number();
  const identities: AgentIdentity[] = [];
  while (identities.length < count) {
    const blob = reader.field();
    identities.push({ blob, type: keyTypeOf(blob) ?? 'unknown', comment: reader.field().toString('utf8') });
  }
  return identities;
}

/** One question on a connection of its own, as OpenSSH's agent expects from short-lived clients. */
function ask(socketPath: string, request: Buffer, timeoutMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(socketPath);
    const give = (settle: () => void): void => {
      socket.destroy();
      settle();
    };
    socket.setTimeout(timeoutMs, () => give(() => reject(new Error('the agent did not answer in time'))));
    socket.on('connect', () => socket.write(field(request)));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      give(() => reject(new Error(`cannot reach the agent (${error.code ?? error.message})`))),
    );
    socket.on('close', () => reject(new Error('the agent closed the connection')));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const all = Buffer.concat(chunks);
      const length = all.length < 4 ? 0 : all.readUInt32BE(0);
      if (length > MAX_ANSWER) give(() => reject(new Error('the agent’s answer is too long')));
      else if (length > 0 && all.length >= 4 + length) give(() => resolve(all.subarray(4, 4 + length)));
    });
  });
}

function field(data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, data]);
}

class Reader {
  #at = 0;
  readonly #data: Buffer;
  constructor(data: Buffer) {
    this.#data = data;
  }
  number(): number {
    if (this.#at + 4 > this.#data.length) throw new Error('the agent’s answer is malformed');
    this.#at += 4;
    return this.#data.readUInt32BE(this.#at - 4);
  }
  field(): Buffer {
    const length = this.number();
    if (this.#at + length > this.#data.length) throw new Error('the agent’s answer is malformed');
    this.#at += length;
    return this.#data.subarray(this.#at - length, this.#at);
  }
}
