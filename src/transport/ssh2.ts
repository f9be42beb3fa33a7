import { setTimeout as pause } from 'node:timers/promises';
import { type Fault, fault, printable, type Target } from '../model/index.ts';
import { type HostKeyChecking, hostKeys } from './host-keys.ts';
import type { KeyRing } from './identities.ts';
import type { LoginPassword } from './password.ts';
import { type Dialled, dial, type Stop } from './ssh2-dial.ts';
import { startCommand } from './ssh2-exec.ts';
import type { Link } from './ssh2-link.ts';
import type { Connected, Connection, Description, Failed, Transport } from './transport.ts';

export interface Ssh2Options {
  /** From the first TCP packet to being logged in, retries included; also what a command may take to be started. */
  readonly connectTimeoutMs: number;
  readonly hostKeyChecking: HostKeyChecking;
  /** All are read; `accept-new` writes to the first. */
  readonly knownHostsFiles: readonly string[];
  /** File new hosts under the hash of their name (HashKnownHosts). Default false. */
  readonly hashKnownHosts?: boolean;
  /** The keys to log in with, shared with whoever checked them before the run. */
  readonly keys: KeyRing;
  /** Offered where no key is let in, or where the server wants it besides; absent: there is none. */
  readonly password?: LoginPassword;
  /** Cap per stream and command, in bytes. Default 1 MiB. */
  readonly maxOutputBytes?: number;
  /** Silence after which a keepalive is sent; three unanswered ones end the connection. Default 15 s. */
  readonly keepaliveMs?: number;
  /** What the operator should know although nothing failed, as a line that is safe to print. */
  readonly onWarning?: (text: string) => void;
}

const RETRIES = 2;
/** Retries wait this long, doubled each time, give or take half of it: hosts dropped together come back apart. */
const RETRY_DELAY_MS = 400;

/**
 * SSH by the library ssh2. Host keys are checked against known_hosts; logins are by public key, then by the password if
 * there is one.
 * What ssh2 cannot do (certificates, security keys, Kerberos) is reported, never passed over.
 */
export function ssh2Transport(options: Ssh2Options): Transport {
  const onWarning = options.onWarning ?? (() => undefined);
  const limits = { maxOutputBytes: options.maxOutputBytes ?? 1024 * 1024, startTimeoutMs: options.connectTimeoutMs };
  const hosts = hostKeys({
    checking: options.hostKeyChecking,
    files: options.knownHostsFiles,
    hashNames: options.hashKnownHosts ?? false,
    onWarning,
  });
  const open = new Set<Link>();

  const connection = (link: Link, description: Description): Connection => {
    open.add(link);
    link.onGone(() => open.delete(link));
    return {
      description,
      exec: (command, output) => startCommand(link, command, output, limits),
      close: () => link.close(),
    };
  };

  return {
    async connect(target, signal): Promise<Connected | Failed> {
      // A person may be asked for a passphrase here, so the deadline begins after it.
      const identities = await unlessAborted(signal, options.keys.identitiesFor(target));
      if (identities === undefined) return { fault: givenUp(target) };
      const stop = stopper(target, options.connectTimeoutMs, signal);
      try {
        for (let attempt = 0; ; attempt++) {
          const hostKey = await hosts.checkFor(target);
          const dialled: Dialled = await dial({
            target,
            identities,
            password: options.password,
            hostKey,
            stop: stop.signal,
            hold: stop.hold,
            keepaliveMs: options.keepaliveMs ?? 15_000,
            onWarning,
          });
          if (dialled.is === 'connected') return { connection: connection(dialled.link, dialled.description) };
          if (dialled.is === 'failed' || attempt === RETRIES) return { fault: dialled.fault };
          const delay = RETRY_DELAY_MS * 2 ** attempt * (0.5 + Math.random());
          await pause(delay, undefined, { signal: stop.signal }).catch(() => undefined);
          if (signal.aborted) return { fault: givenUp(target) };
          if (stop.signal.aborted) return { fault: dialled.fault }; // late, and this says why
        }
      } finally {
        stop.clear();
      }
    },
    close() {
      for (const link of [...open]) link.close();
    },
  };
}

const peerOf = (target: Target): string => printable(`${target.address}:${target.port}`, 120);
const givenUp = (target: Target): Fault => fault('cancelled', `The connection to ${peerOf(target)} was given up`);

interface Stopper {
  readonly signal: AbortSignal;
  /** Stops the clock; returns what starts it again. */
  hold(): () => void;
  clear(): void;
}

/** Joins the operator's signal and the deadline; the reason of the joint signal is a `Stop`. */
function stopper(target: Target, timeoutMs: number, operator: AbortSignal): Stopper {
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
  let timer = setTimeout(callback, left);
  return {
    hold() {
      clearTimeout(timer);
      left -= performance.now() - since;
      return () => {
        if (stopped) return;
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
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
