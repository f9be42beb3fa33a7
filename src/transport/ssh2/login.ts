import type { AnyAuthMethod, KeyboardInteractiveAuthMethod } from 'ssh2';
import { type Fault, fault, printable } from '../../model/index.ts';
import type { Identities, Identity } from '../identities/identities.ts';
import type { Loan, LoginPassword } from '../password.ts';
import {
  askPassword,
  NO_KEY_HINT,
  noUsableKey,
  PASSWORD_METHODS,
  TOO_MANY_HINT,
  wantsFurtherMethod,
} from '../refused-login.ts';
import type { AuthStep } from '../transport.ts';
import { OneIdentity } from './one-identity.ts';

/**
 * One login: offers the identities one after the other, then the password where there is one, follows a server that wants
 * both, and knows in the end what was tried.
 */
export interface Login {
  /** For ssh2, which asks for the next method; `false` ends the attempt. A promise where the password has to be waited for. */
  next(methodsLeft: readonly string[] | null, partialSuccess: boolean | null): Next | Promise<Next>;
  /** The server's answer to an offer, told before `next`: of keys of an agent ssh2 keeps it to itself. */
  answered(methodsLeft: readonly string[] | null, partialSuccess: boolean): void;
  /** The identity being offered; a new object for each offer. */
  current(): KeyOffer | undefined;
  /** True while nothing could be offered after this: when it fails, the login has failed. */
  isLast(): boolean;
  /** The agent did not sign with the identity being offered. */
  notSigned(why: string): void;
  /** The server wants a new password. */
  expired(): void;
  /** The server let us in, or the attempt is over: it hung up, or we did. Settles what became of the password. */
  end(how: 'logged in' | 'hung up' | 'stopped'): void;
  /** What let us in, in order. */
  steps(): readonly AuthStep[];
  /** Why nobody was let in. `said`: what the server, or the agent, said about it. */
  refusal(said: string | undefined): Fault;
}

export type Next = AnyAuthMethod | false;

export interface KeyOffer {
  readonly identity: Identity;
}

export interface LoginOptions {
  readonly user: string;
  readonly host: string;
  readonly identities: Identities;
  /** Absent: none was given, and only keys are offered. */
  readonly password: LoginPassword | undefined;
  /** Nothing can come of this login any more; the connection is to be ended. */
  readonly giveUp: () => void;
  /** Stops the clock while the password is tried on another host; returns what starts it again. */
  readonly hold: () => () => void;
}

interface Offer {
  readonly step: AuthStep;
  readonly key: KeyOffer | undefined;
  readonly label: string;
  result: 'pending' | 'refused' | 'accepted';
  /** In addition to its result, for a person to read. */
  why?: string;
}

const PASSWORD_HINT =
  'It is offered to no other host in this run. Check it, and whether the account is locked by now; then run again for the hosts that are left.';

export function startLogin({ user, host, identities, password, giveUp, hold }: LoginOptions): Login {
  const { usable, skipped } = identities;
  const offers: Offer[] = [];
  const over = new AbortController();
  let keys = [...usable];
  let methods: readonly string[] | undefined;
  let wantsMore = false;
  let loan: Loan | undefined;
  let trouble: 'expired' | 'other prompt' | undefined;

  const pending = (): Offer | undefined => offers.findLast(({ result }) => result === 'pending');
  const offer = (method: AuthStep['method'], identity?: Identity): Offer => {
    const label = identity?.label ?? (method === 'none' ? 'no credentials' : method);
    const made: Offer = {
      step: { method, identity: identity?.label ?? null },
      key: identity && { identity },
      label,
      result: 'pending',
    };
    offers.push(made);
    return made;
  };
  const judge = (verdict: 'accepted' | 'refused' | 'none'): void => {
    if (loan?.is === 'lent') loan.settle(verdict);
  };

  const answered = (left: readonly string[] | null, partial: boolean): void => {
    const latest = pending();
    if (left !== null) methods = left;
    if (latest === undefined) return;
    latest.result = partial ? 'accepted' : 'refused';
    if (byPassword(latest)) judge(latest.result);
    if (!partial) return;
    wantsMore = true;
    // A server that wants the password first has refused keys that it takes now.
    const accepted = new Set(offers.filter(({ result }) => result === 'accepted').map(({ key }) => key?.identity));
    keys = usable.filter((identity) => !accepted.has(identity));
  };

  const withPassword = async (method: 'password' | 'keyboard-interactive'): Promise<Next> => {
    const goOn = hold();
    loan = await password!.lendTo(host, over.signal);
    goOn();
    if (over.signal.aborted) judge('none');
    if (over.signal.aborted || loan.is === 'withheld') return false;
    const made = offer(method);
    if (method === 'password') return { type: method, username: user, password: loan.reveal() };
    return { type: method, username: user, prompt: answerOnce(made, loan.reveal) };
  };

  /** One hidden question is the one for the password; to anything else there is no answer. */
  const answerOnce = (made: Offer, reveal: () => string): KeyboardInteractiveAuthMethod['prompt'] => {
    let given = false;
    return (_name, _instructions, _lang, prompts, finish) => {
      const [first, ...more] = prompts;
      if (!given && first !== undefined && more.length === 0 && first.echo === false) {
        given = true;
        finish([reveal()]);
        return;
      }
      const asked = printable(password!.hideIn(prompts.map(({ prompt }) => prompt).join(' ')), 100);
      made.result = 'refused';
      made.why = given ? `then it asked “${asked}”` : `it asked “${asked}”, which is no question for a password`;
      if (!given) trouble = 'other prompt';
      judge(given ? 'refused' : 'none');
      giveUp();
    };
  };

  const choose = (): Next | Promise<Next> => {
    const passwordMethod = PASSWORD_METHODS.find((method) => methods?.includes(method));
    const open = password !== undefined && loan === undefined;
    if (wantsMore && open && passwordMethod !== undefined) return withPassword(passwordMethod);
    const identity = methods?.includes('publickey') === false ? undefined : keys.shift();
    if (identity !== undefined) return asMethod(user, offer('publickey', identity));
    if (!open) return false;
    if (passwordMethod !== undefined) return withPassword(passwordMethod);
    if (methods !== undefined) return false;
    offer('none'); // which makes the server tell what it takes
    return { type: 'none', username: user };
  };

  return {
    next(left, partial) {
      if (pending() !== undefined) answered(left, partial === true);
      return over.signal.aborted ? false : choose();
    },
    answered,
    current: () => pending()?.key,
    isLast: () => keys.length === 0 && password === undefined,
    notSigned(why) {
      const latest = pending();
      if (latest !== undefined) latest.why = printable(why, 100);
    },
    expired() {
      const latest = pending();
      if (latest !== undefined) latest.why = 'it wants a new password';
      trouble = 'expired';
      judge('none');
      giveUp();
    },
    end(how) {
      const latest = pending();
      if (how === 'logged in' && latest !== undefined) latest.result = 'accepted';
      // Whoever hangs up on a password instead of answering is taken to have refused it.
      judge(how === 'logged in' ? 'accepted' : how === 'hung up' && latest && byPassword(latest) ? 'refused' : 'none');
      over.abort();
    },
    steps: () => offers.filter(({ result }) => result === 'accepted').map(({ step }) => step),
    refusal(said) {
      const name = printable(user, 60);
      const accepted = offers.filter(({ result }) => result === 'accepted');
      const tried = offers.filter(({ step }) => step.method !== 'none').map(described);
      const parts: string[] = [];
      if (tried.length > 0) parts.push(`tried ${tried.join(', ')}`);
      const passedOver = skipped.map(({ source, why }) => `${source}: ${why}`);
      if (loan?.is === 'withheld') passedOver.push(`password: ${loan.why}`);
      else if (password !== undefined && loan === undefined) passedOver.push('password: the server does not take one');
      if (passedOver.length > 0) parts.push(`skipped ${passedOver.join(', ')}`);
      if (usable.length === 0 && skipped.length === 0 && password === undefined) {
        parts.push('there is no key file and no agent');
      }
      if (methods !== undefined) parts.push(`the server takes ${printable(methods.join(', '), 100) || 'nothing'}`);
      const last = offers.at(-1);
      const by = last !== undefined && byPassword(last);
      const [what, hint] = ((): [what: string, hint?: string | undefined] => {
        if (trouble === 'expired') {
          return [`The password of ${name} has expired`, `Log in by hand as ${name} and set a new one.`];
        }
        if (trouble === 'other prompt') return [`${name} was asked for something else than a password`];
        if (by && last.result !== 'accepted') return [`The password of ${name} was refused`, PASSWORD_HINT];
        if (loan?.is === 'withheld') return [`The password of ${name} was not offered`, PASSWORD_HINT];
        if (accepted.length > 0) {
          const which = accepted.every(({ key }) => key) ? 'key' : 'password';
          return [wantsFurtherMethod(which, name), askPass()];
        }
        if (usable.length === 0 && password === undefined) {
          return [noUsableKey(name), askPass() ?? NO_KEY_HINT];
        }
        if (/too many authentication failures/i.test(said ?? '')) return [`${name} was not let in`, TOO_MANY_HINT];
        return [`${name} was not let in`, askPass()];
      })();
      const quoted = said === undefined ? '' : ` (${printable(password?.hideIn(said) ?? said, 200)})`;
      return fault('auth', `${what}${quoted}: ${parts.join('; ')}`, hint);
    },
  };

  function askPass(): string | undefined {
    return password === undefined ? askPassword(methods) : undefined;
  }
}

function byPassword({ step }: Offer): boolean {
  return step.method === 'password' || step.method === 'keyboard-interactive';
}

function described(offer: Offer): string {
  const result = offer.result === 'accepted' ? 'accepted' : byPassword(offer) ? 'refused' : undefined;
  const remark = offer.why ?? result;
  return remark === undefined ? offer.label : `${offer.label} (${remark})`;
}

function asMethod(username: string, { key }: Offer): AnyAuthMethod {
  const { key: parsed, signer } = key!.identity;
  if (signer.is === 'here') return { type: 'publickey', username, key: parsed };
  return { type: 'agent', username, agent: new OneIdentity(parsed, signer.sign) };
}
