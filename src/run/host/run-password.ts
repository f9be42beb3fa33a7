/**
 * The password of a run. It is lent to one host first, and to the others when that one has taken it; the first host that
 * refuses it ends the lending. So a wrong password is tried once, and not once on each of 500 hosts that all ask one directory
 * which locks the account.
 */
import type { Secret } from '../../model/index.ts';
import type { HostPassword, Loan } from '../../remote/password-dialogue.ts';

type Trust =
  | { readonly is: 'untried' }
  /** One host has it; the others wait. */
  | { readonly is: 'on-trial'; readonly host: string }
  | { readonly is: 'proved' }
  | { readonly is: 'lost'; readonly host: string; readonly how: 'refused' | 'unproved' };

export class RunPassword {
  readonly #secret: Secret;
  /** Where it was taken: these hosts may have it again, whatever happened elsewhere, or they could not be put back. */
  readonly #taken = new Set<string>();
  #trust: Trust = { is: 'untried' };
  #waiting: (() => void)[] = [];

  constructor(secret: Secret) {
    this.#secret = secret;
  }

  /** As one host sees it. */
  on(host: string): HostPassword {
    return {
      lend: (deadline) => this.#lend(host, deadline),
      settle: (verdict) => this.#settle(host, verdict),
    };
  }

  async #lend(host: string, deadline: AbortSignal): Promise<Loan> {
    const lent: Loan = { kind: 'lent', secret: this.#secret };
    if (this.#taken.has(host)) return lent;
    while (this.#trust.is === 'on-trial' && !deadline.aborted) await this.#turn(deadline);
    if (this.#trust.is === 'lost') return this.#withheld(this.#trust);
    if (deadline.aborted) return { kind: 'withheld', why: 'time was up before the password was proved', hint: RETRY };
    if (this.#trust.is === 'untried') this.#trust = { is: 'on-trial', host };
    return lent;
  }

  #settle(host: string, verdict: Parameters<HostPassword['settle']>[0]): void {
    const onTrial = this.#trust.is === 'on-trial' && this.#trust.host === host;
    if (verdict === 'accepted') {
      this.#taken.add(host);
      if (onTrial) this.#trust = { is: 'proved' };
    } else if (verdict === 'refused') {
      this.#taken.delete(host);
      this.#trust = { is: 'lost', host, how: 'refused' };
    } else if (onTrial) {
      // what got no answer may have been a failure too, and the next try the second
      this.#trust = verdict === 'unused' ? { is: 'untried' } : { is: 'lost', host, how: 'unproved' };
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #turn(deadline: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      deadline.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #withheld({ host, how }: Extract<Trust, { is: 'lost' }>): Loan {
    const { what } = this.#secret;
    const why =
      how === 'refused'
        ? `${host} refused ${what}; after that it is sent to no other host`
        : `${what} could not be proved on ${host}; unproved it is sent to no other host`;
    return { kind: 'withheld', why, hint: RETRY };
  }
}

const RETRY = 'This host was not told the password and was not touched; run it again with the right one.';
