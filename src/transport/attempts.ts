/** Trying to get in: as often, and as long, as makes sense. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Fault, fault, type Target } from '../model/index.ts';
import type { Description } from './transport.ts';
import { peerOf } from './wire.ts';

/** How far an attempt has got. */
export type Step = 'connect' | 'greeting' | 'key exchange' | 'authentication';

/** Tells what to report when an attempt is stopped at `step`. */
export type Stop = (step: Step) => Fault;

/** What became of one attempt. */
export type Attempt<Link> =
  | { readonly is: 'connected'; readonly link: Link; readonly description: Description }
  /** It failed before authentication, in a way that may be gone a moment later. */
  | { readonly is: 'transient'; readonly fault: Fault }
  /** `onlySsh`: what ssh2 has not, and the program ssh may have. */
  | { readonly is: 'failed'; readonly fault: Fault; readonly onlySsh?: string };

export interface Patience {
  readonly timeoutMs: number;
  /** How often what failed before authentication is tried again. */
  readonly retries: number;
}

export interface Stopper {
  /** Its reason, once it is aborted, is a `Stop`. */
  readonly signal: AbortSignal;
  /** Stops the clock; returns what starts it again, when nobody else holds it. */
  hold(): () => void;
}

export const RETRIES = 2;
/** A bastion that drops a login fails many hosts, and drops are what many hosts behind it must expect. */
export const RETRIES_AT_BASTIONS = 6;
const MAX_RETRY_DELAY_MS = 3_000;
/** Retries wait this long, doubled each time, give or take half of it: hosts dropped together come back apart. */
const RETRY_DELAY_MS = 400;

/** Makes attempts until one is lasting, all are used up, time is up, or the operator gives up. */
export async function attempts<Link>(
  target: Target,
  { timeoutMs, retries }: Patience,
  operator: AbortSignal,
  attempt: (stop: Stopper) => Promise<Attempt<Link>>,
): Promise<Exclude<Attempt<Link>, { is: 'transient' }>> {
  const stop = stopper(target, timeoutMs, operator);
  try {
    for (let tries = 0; ; tries++) {
      const made = await attempt(stop);
      if (made.is !== 'transient') return made;
      if (tries === retries) return { is: 'failed', fault: made.fault };
      const delay = Math.min(RETRY_DELAY_MS * 2 ** tries, MAX_RETRY_DELAY_MS) * (0.5 + Math.random());
      await pause(delay, undefined, { signal: stop.signal }).catch(() => undefined);
      if (operator.aborted) return { is: 'failed', fault: givenUp(target) };
      if (stop.signal.aborted) return { is: 'failed', fault: made.fault }; // late, and this says why
    }
  } finally {
    stop.clear();
  }
}

export function givenUp(target: Target): Fault {
  return fault('cancelled', `The connection to ${peerOf(target)} was given up`);
}

/** Joins the operator's signal and the deadline; the reason of the joint signal is a `Stop`. */
function stopper(target: Target, timeoutMs: number, operator: AbortSignal): Stopper & { clear(): void } {
  const joint = new AbortController();
  const late: Stop = (step) => {
    const progress = step === 'connect' ? 'it does not answer' : `it got as far as ${step}`;
    return fault('timed-out', `${peerOf(target)} did not let us in within ${timeoutMs / 1000} s: ${progress}`);
  };
  const onAbort = (): void => joint.abort((() => givenUp(target)) satisfies Stop);
  const clock = stopwatch(timeoutMs, () => joint.abort(late));
  if (operator.aborted) onAbort();
  else operator.addEventListener('abort', onAbort, { once: true });
  return {
    signal: joint.signal,
    hold: clock.hold,
    clear() {
      clock.stop();
      operator.removeEventListener('abort', onAbort);
    },
  };
}

/** Calls back when its time is up, not counting the time for which it is held. */
function stopwatch(ms: number, callback: () => void): { hold(): () => void; stop(): void } {
  let left = ms;
  let since = performance.now();
  let stopped = false;
  let holds = 0;
  let timer = setTimeout(callback, left);
  return {
    hold() {
      let held = true;
      if (holds++ === 0) {
        clearTimeout(timer);
        left -= performance.now() - since;
      }
      return () => {
        if (!held) return;
        held = false;
        if (--holds > 0 || stopped) return;
        since = performance.now();
        timer = setTimeout(callback, left);
      };
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Waits for `work`, or until the signal is aborted: then `undefined`, and the work goes on unobserved. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
