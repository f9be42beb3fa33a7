import type { AnyAuthMethod } from 'ssh2';
import { type Fault, fault, printable } from '../../model/index.ts';
import type { Identities, Identity } from '../identities/identities.ts';
import type { Loan, LoginPassword, Verdict } from '../password.ts';
import type { Questions } from '../questions.ts';
import { askPassword, NO_KEY_HINT, noUsableKey, TOO_MANY_HINT, wantsFurtherMethod } from '../refused-login.ts';
import type { AuthStep } from '../transport.ts';
import { type Dialogue, startDialogue, whyUnanswered } from './dialogue.ts';
import { OneIdentity } from './one-identity.ts';

/**
 * One login: offers the identities one after the other, then the password where there is one, follows a server that wants
 * both or has questions besides, and knows in the end what was tried.
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
  /** What kept us out and the program ssh may have, where nothing but keys was told the server; undefined: nothing. */
  onlySsh(): string | undefined;
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
  /** Absent: questions other than the one for the password are not answered. */
  readonly questions?: Questions | undefined;
  /** What the host is here, for the person who is asked: `web1`, `the jump host bastion`. Safe to print. */
  readonly asker?: string;
  /** Nothing can come of this login any more; the connection is to be ended. */
  readonly giveUp: () => void;
  /** Stops the clock while the password is tried on another host; returns what starts it again. */
  readonly hold: () => () => void;
}

interface Offer {
  readonly step: AuthStep;
  readonly key: KeyOffer | undefined;
  readonly label: string;
  readonly dialogue?: Dialogue;
  result: 'pending' | 'refused' | 'accepted';
  /** In addition to its result, for a person to read. */
  why?: string;
}

/** Which algorithms it takes it need not say: sshd's list of them (RFC 8308) ignores its PubkeyAcceptedAlgorithms. */
const RSA = 'an RSA key where rsa-sha2-256 is not accepted';
/** `ssh-add -h`: only ssh tells the agent to which host it is connected. */
const CONSTRAINED = 'a key that the agent signs with for certain hosts alone';
const PASSWORD_HINT =
  'It is offered to no other host in this run. Check it, and whether the account is locked by now; then run again for the hosts that are left.';

export function startLogin(options: LoginOptions): Login {
  const { user, host, identities, password, questions, giveUp, hold } = options;
  const { usable, skipped } = identities;
  const offers: Offer[] = [];
  const over = new AbortController();
  const asked = new Set<string>();
  let keys = [...usable];
  let methods: readonly string[] | undefined;
  let wantsMore = false;
  let loan: Loan | undefined;
  let expired = false;
  /** By keyboard-interactive, since the server last accepted something. */
  let asking: Dialogue | undefined;

  const pending = (): Offer | undefined => offers.findLast(({ result }) => result === 'pending');
  const offer = (method: AuthStep['method'], more: { identity?: Identity; dialogue?: Dialogue } = {}): Offer => {
    const { identity, dialogue } = more;
    const label = identity?.label ?? (method === 'none' ? 'no credentials' : method);
    const made: Offer = {
      step: { method, identity: identity?.label ?? null },
      key: identity && { identity },
      label,
      ...(dialogue && { dialogue }),
      result: 'pending',
    };
    offers.push(made);
    return made;
  };
  const judge = (verdict: Verdict): void => {
    if (loan?.is === 'lent') loan.settle(verdict);
  };
  const answered = (left: readonly string[] | null, partial: boolean): void => {
    const latest = pending();
    if (left !== null) methods = left;
    if (latest === undefined) return;
    latest.result = partial ? 'accepted' : 'refused';
    if (byPassword(latest)) judge(partial ? 'accepted' : refusedBy(latest));
    if (!partial) return;
    wantsMore = true;
    asking = undefined;
    // A server that wants the password first has refused keys that it takes now.
    const accepted = new Set(offers.filter(({ result }) => result === 'accepted').map(({ key }) => key?.identity));
    keys = usable.filter((identity) => !accepted.has(identity));
  };

  const lend = async (): Promise<Loan> => {
    const goOn = hold();
    loan = await password!.lendTo(host, over.signal);
    goOn();
    if (over.signal.aborted) judge('none');
    return loan;
  };
  const withPassword = async (): Promise<Next> => {
    const lent = await lend();
    if (over.signal.aborted || lent.is === 'withheld') return false;
    offer('password');
    return { type: 'password', username: user, password: lent.reveal() };
  };
  const withAnswers = (): Next => {
    asking = startDialogue({
      asker: options.asker ?? printable(host, 100),
      password,
      lend: password !== undefined && loan === undefined ? lend : undefined,
      questions,
      asked,
      given: over.signal,
      hold,
      giveUp() {
        answered(null, false);
        giveUp();
      },
    });
    offer('keyboard-interactive', { dialogue: asking });
    return { type: 'keyboard-interactive', username: user, prompt: asking.prompt };
  };

  const choose = (): Next | Promise<Next> => {
    const takes = (method: string): boolean => methods?.includes(method) === true;
    const open = password !== undefined && loan === undefined;
    const given = asking?.answered();
    // what was answered was refused: whatever is offered now is one more failure, and accounts are locked for those
    if (given !== undefined && (given.password || given.questions > 0)) return false;
    // like ssh, before the password: PAM would be given that for every hidden question, a one-time code too
    const byAnswers = takes('keyboard-interactive') && asking === undefined && (open || questions !== undefined);
    const further = (): Next | Promise<Next> | undefined =>
      byAnswers ? withAnswers() : open && takes('password') ? withPassword() : undefined;
    const second = wantsMore ? further() : undefined;
    if (second !== undefined) return second;
    const identity = methods === undefined || takes('publickey') ? keys.shift() : undefined;
    if (identity !== undefined) return asMethod(user, offer('publickey', { identity }));
    // nobody is asked for a password whose key was merely not let in
    const only = open || !takes('publickey') ? further() : undefined;
    if (only !== undefined) return only;
    if (methods !== undefined || (!open && questions === undefined)) return false;
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
      expired = true;
      judge('none');
      giveUp();
    },
    end(how) {
      const latest = pending();
      if (how === 'logged in' && latest !== undefined) latest.result = 'accepted';
      // Whoever hangs up on a password instead of answering is taken to have refused it.
      const hungUp = how === 'hung up' && latest !== undefined && byPassword(latest);
      judge(how === 'logged in' ? 'accepted' : hungUp ? refusedBy(latest) : 'none');
      over.abort();
    },
    onlySsh() {
      const keysAlone = offers.every(
        ({ step, result }) => result === 'refused' && /^(?:publickey|none)$/.test(step.method),
      );
      if (!keysAlone || loan !== undefined) return undefined;
      if (offers.some(({ why }) => why?.includes('refused to sign'))) return CONSTRAINED;
      return offers.some(({ key }) => key?.identity.algorithm === 'rsa-sha2-256') ? RSA : undefined;
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
      else if (password !== undefined && loan === undefined && asking === undefined)
        passedOver.push('password: the server does not take one');
      if (passedOver.length > 0) parts.push(`skipped ${passedOver.join(', ')}`);
      if (usable.length === 0 && skipped.length === 0 && password === undefined) {
        parts.push('there is no key file and no agent');
      }
      if (methods !== undefined) parts.push(`the server takes ${printable(methods.join(', '), 100) || 'nothing'}`);
      const last = offers.at(-1);
      const by = last !== undefined && byPassword(last);
      const unanswered = asking === undefined || expired ? undefined : whyUnanswered(name, asking);
      const [what, hint] = ((): [what: string, hint?: string | undefined] => {
        if (expired) {
          return [`The password of ${name} has expired`, `Log in by hand as ${name} and set a new one.`];
        }
        if (unanswered !== undefined) return unanswered;
        if (by && last.result !== 'accepted') {
          const { password: told = true, questions: given = 0 } = last.dialogue?.answered() ?? {};
          if (told && given > 0) return [`The password of ${name}, or an answer besides, was refused`, PASSWORD_HINT];
          if (told) return [`The password of ${name} was refused`, PASSWORD_HINT];
        }
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
      return fault(unanswered ? 'unanswered' : 'auth', `${what}${quoted}: ${parts.join('; ')}`, hint);
    },
  };

  /** What became of the password where this was refused: after other answers nobody knows which was wrong. */
  function refusedBy({ dialogue }: Offer): Verdict {
    if (dialogue === undefined) return 'refused';
    const { password: told, questions: given } = dialogue.answered();
    if (!told) return 'none';
    const why = dialogue.stuck()?.why ?? 'asked again';
    return given > 0 || why !== 'asked again' ? 'unproved' : 'refused';
  }

  function askPass(): string | undefined {
    return password === undefined ? askPassword(methods) : undefined;
  }
}

function byPassword({ step }: Offer): boolean {
  return step.method === 'password' || step.method === 'keyboard-interactive';
}

function described(offer: Offer): string {
  const { dialogue } = offer;
  const stuck = dialogue?.stuck();
  const told = dialogue !== undefined && (dialogue.answered().password || dialogue.answered().questions > 0);
  if (stuck !== undefined && stuck.why !== 'withheld') {
    const what = stuck.why === 'other prompt' && !told ? ', which is no question for a password' : '';
    return `${offer.label} (${told ? 'then ' : ''}it asked “${stuck.asked}”${what})`;
  }
  const result = offer.result === 'accepted' ? 'accepted' : byPassword(offer) ? 'refused' : undefined;
  const remark = offer.why ?? result;
  return remark === undefined ? offer.label : `${offer.label} (${remark})`;
}

function asMethod(username: string, { key }: Offer): AnyAuthMethod {
  const { key: parsed, signer } = key!.identity;
  if (signer.is === 'here') return { type: 'publickey', username, key: parsed };
  return { type: 'agent', username, agent: new OneIdentity(parsed, signer.sign) };
}
