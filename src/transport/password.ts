import { printable, type Secret } from '../model/index.ts';

/**
 * The SSH password of a run. It is shown to one host first, and to the others when that one has let us in by it: a wrong
 * password that hundreds of hosts hand on to one directory locks the account. After its first failure nobody sees it.
 */
export interface LoginPassword {
  /** Waits for its turn. `host` names whom to blame; `given`: up to whom it is no longer wanted. Never rejects. */
  lendTo(host: string, given: AbortSignal): Promise<Loan>;
  /** A text from a host that may know the password, without it. Raw: before anything in it is escaped. */
  hideIn(text: string): string;
}

export type Loan =
  | {
      readonly is: 'lent';
      reveal(): string;
      /**
       * Only the first verdict counts. `none`: the password was not sent, or nobody judged it; `unproved`: more was asked
       * and that failed, so that it may be right, and is shown to nobody else all the same.
       */
      settle(verdict: Verdict): void;
    }
  /** `why` completes the sentence "the password was not offered: …". Safe to print. */
  | { readonly is: 'withheld'; readonly why: string };

export type Verdict = 'accepted' | 'refused' | 'unproved' | 'none';

interface Lost {
  readonly is: 'lost';
  readonly by: string;
  readonly how: 'refused' | 'unproved';
}

export function loginPassword(secret: Secret): LoginPassword {
  let trust: { readonly is: 'untried' | 'on trial' | 'proved' } | Lost = { is: 'untried' };
  const waiting = new Set<() => void>();
  /** Hosts that were let have it and took it: they must be reachable again, if only to be put back. */
  const takers = new Set<string>();

  const settle = (host: string, verdict: Verdict): void => {
    if (verdict === 'accepted') takers.add(host);
    if (trust.is === 'lost') return;
    if (verdict === 'refused' || verdict === 'unproved') trust = { is: 'lost', by: host, how: verdict };
    else if (verdict === 'accepted') trust = { is: 'proved' };
    else if (trust.is === 'on trial') trust = { is: 'untried' };
    // In the order in which they came: where nothing was proved the first of them is the next to try, the rest wait again.
    const woken = [...waiting];
    waiting.clear();
    for (const wake of woken) wake();
  };
  const turn = (given: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        given.removeEventListener('abort', wake);
        waiting.delete(wake);
        resolve();
      };
      waiting.add(wake);
      given.addEventListener('abort', wake, { once: true });
    });

  return {
    async lendTo(host, given) {
      while (trust.is === 'on trial' && !takers.has(host) && !given.aborted) await turn(given);
      if (given.aborted) return { is: 'withheld', why: 'the connection ended before its turn came' };
      if (trust.is === 'lost' && !takers.has(host)) {
        const by = printable(trust.by, 100);
        const what = trust.how === 'refused' ? `${by} refused it` : `it was not proved on ${by}`;
        return { is: 'withheld', why: `${what}, and after that it is shown to no other host` };
      }
      if (trust.is === 'untried') trust = { is: 'on trial' };
      let settled = false;
      return {
        is: 'lent',
        reveal: () => secret.reveal(),
        settle(verdict) {
          if (settled) return;
          settled = true;
          settle(host, verdict);
        },
      };
    },
    hideIn: (text) => secret.hideIn(text),
  };
}
