import ssh2, { type AnyAuthMethod, type ParsedKey, type SignCallback, type SigningRequestOptions } from 'ssh2';
import { type Fault, fault, printable } from '../model/index.ts';
import type { Identities, Identity } from './identities.ts';

/** Authentication by public key: offers one identity after the other, and knows in the end what was tried. */
export interface Login {
  /** For ssh2, which asks for the next method; `false` ends the attempt. */
  next(methodsLeft: readonly string[] | null, partialSuccess: boolean | null): AnyAuthMethod | false;
  /** The identity being tried. */
  current(): Identity | undefined;
  /** True while the identity being tried is the last: when it fails, the login has failed. */
  isLast(): boolean;
  /** The agent did not sign with the identity being tried. */
  notSigned(why: string): void;
  /** Why nobody was let in. `said`: what the server, or the agent, said about it, safe to print. */
  refusal(said: string | undefined): Fault;
}

export function publicKeyLogin(user: string, { usable, skipped }: Identities): Login {
  const tried: Identity[] = [];
  const unsigned = new Map<Identity, string>();
  let methods: readonly string[] | undefined;
  let partial = false;

  return {
    next(methodsLeft, partialSuccess) {
      if (methodsLeft !== null) methods = methodsLeft;
      partial ||= partialSuccess === true;
      const identity = usable[tried.length];
      // After a partial success the server wants another method: offering more keys would only use up MaxAuthTries.
      if (identity === undefined || partial || methods?.includes('publickey') === false) return false;
      tried.push(identity);
      return asMethod(user, identity);
    },
    current: () => tried.at(-1),
    isLast: () => tried.length === usable.length,
    notSigned(why) {
      const identity = tried.at(-1);
      if (identity !== undefined) unsigned.set(identity, printable(why, 100));
    },
    refusal(said) {
      const parts: string[] = [];
      const labels = tried.map((identity) => {
        const why = unsigned.get(identity);
        return why === undefined ? identity.label : `${identity.label} (${why})`;
      });
      if (labels.length > 0) parts.push(`tried ${labels.join(', ')}`);
      if (skipped.length > 0) parts.push(`skipped ${skipped.map(({ source, why }) => `${source}: ${why}`).join(', ')}`);
      if (usable.length === 0 && skipped.length === 0) parts.push('there is no key file and no agent');
      if (methods !== undefined) parts.push(`the server takes ${printable(methods.join(', '), 100) || 'nothing'}`);
      const what = outcome(usable.length, partial, printable(user, 60));
      return fault('auth', `${said === undefined ? what : `${what} (${said})`}: ${parts.join('; ')}`);
    },
  };
}

function outcome(usable: number, partial: boolean, user: string): string {
  if (partial) return `The key of ${user} was accepted, but the server wants a further method`;
  return usable === 0 ? `There is no usable key to log in as ${user}` : `${user} was not let in`;
}

function asMethod(username: string, { key, signer }: Identity): AnyAuthMethod {
  if (signer.is === 'here') return { type: 'publickey', username, key };
  return { type: 'agent', username, agent: new OneIdentity(key, signer.sign) };
}

/** ssh2's way to ask for a signature asynchronously: an agent, here of one identity, so that each is tried on its own. */
class OneIdentity extends ssh2.BaseAgent<ParsedKey> {
  readonly #key: ParsedKey;
  readonly #sign: (data: Buffer) => Promise<Buffer>;
  constructor(key: ParsedKey, sign: (data: Buffer) => Promise<Buffer>) {
    super();
    this.#key = key;
    this.#sign = sign;
  }
  override getIdentities(done: (error?: Error | null, keys?: ParsedKey[]) => void): void {
    done(null, [this.#key]);
  }
  override sign(
    _key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    const done = typeof options === 'function' ? options : callback;
    this.#sign(data).then(
      (signature) => done?.(null, signature),
      (error: Error) => done?.(error),
    );
  }
}
