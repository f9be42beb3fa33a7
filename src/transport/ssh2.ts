import { setTimeout as pause } from 'node:timers/promises';
import pLimit from 'p-limit';
import { type Fault, fault, printable, type Target } from '../model/index.ts';
import { openBastions } from './bastions.ts';
import { type HostKeyCheck, type HostKeyChecking, type HostKeys, hostKeys } from './host-keys.ts';
import type { Identities, KeyRing } from './identities.ts';
import type { LoginPassword } from './password.ts';
import { commandWire } from './proxy-command.ts';
import { type Dialled, dial, type Stop } from './ssh2-dial.ts';
import { startCommand } from './ssh2-exec.ts';
import type { Purpose } from './ssh2-internals.ts';
import type { Link } from './ssh2-link.ts';
import type { Connected, Connection, Description, Failed, Transport } from './transport.ts';
import { peerOf, tcpWire, type Wire } from './wire.ts';

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
  /** Offered where no key is let in, or where the server wants it besides; undefined: there is none for this host. */
  readonly password?: (target: Target) => LoginPassword | undefined;
  /** Cap per stream and command, in bytes. Default 1 MiB. */
  readonly maxOutputBytes?: number;
  /** Silence after which a keepalive is sent; three unanswered ones end the connection. Default 15 s. */
  readonly keepaliveMs?: number;
  /** Runs ProxyCommands. Default /bin/sh. */
  readonly shell?: string;
  /** What the operator should know although nothing failed, as a line that is safe to print. */
  readonly onWarning?: (text: string) => void;
}

const RETRIES = 2;
/** A bastion that drops a login fails many hosts, and drops are what many hosts behind it must expect. */
const RETRIES_AT_BASTIONS = 6;
const MAX_RETRY_DELAY_MS = 3_000;
/** Most ProxyCommands log in to a bastion, each on its own. */
const COMMANDS_AT_ONCE = 8;
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
  const hosts = hostKeysByPolicy(options, onWarning);
  const open = new Set<Link>();
  const commandStarts = pLimit(COMMANDS_AT_ONCE);
  const bastions = openBastions((bastion, stop) => reach(bastion, stop, { kind: 'forwarding' }));

  const connection = (link: Link, description: Description): Connection => {
    open.add(link);
    link.onGone(() => open.delete(link));
    return {
      description,
      exec: (command, output) => startCommand(link, command, output, limits),
      close: () => link.close(),
    };
  };

  /** One attempt, over whatever the way there is. */
  const attempt = async (target: Target, identities: Identities, stop: Stopper, purpose: Purpose): Promise<Dialled> => {
    const hostKey = await hosts(target);
    const over = (wire: Wire): Promise<Dialled> =>
      dial({
        target,
        wire,
        purpose,
        identities,
        // the password is for the hosts of the run, and not for what lies on the way
        password: purpose.kind === 'commands' ? options.password?.(target) : undefined,
        hostKey,
        stop: stop.signal,
        hold: stop.hold,
        keepalive: target.keepalive ?? { everyMs: options.keepaliveMs ?? 15_000, missed: 3 },
        onWarning,
      });
    const { proxy } = target;
    if (proxy === undefined) return over(tcpWire(target));
    const resume = once(stop.hold()); // waiting for its turn, or for the bastion, is not the host's fault
    try {
      if (proxy.kind === 'jump') return await bastions.through(proxy.via, target, stop.signal, resume, over);
      return await commandStarts(() => {
        resume();
        return over(commandWire(options.shell ?? '/bin/sh', proxy.command));
      });
    } finally {
      resume();
    }
  };

  const reach = async (target: Target, signal: AbortSignal, purpose: Purpose): Promise<Dialled> => {
    const failed = (found: Fault): Dialled => ({ is: 'failed', fault: withNotFollowed(found, target) });
    // A person may be asked for a passphrase here, so the deadline begins after it.
    const identities = await unlessAborted(signal, options.keys.identitiesFor(target));
    if (identities === undefined) return failed(givenUp(target));
    const retries = purpose.kind === 'forwarding' || target.proxy?.kind === 'jump' ? RETRIES_AT_BASTIONS : RETRIES;
    const stop = stopper(target, target.connectTimeoutMs ?? options.connectTimeoutMs, signal);
    try {
      for (let tries = 0; ; tries++) {
        const dialled = await attempt(target, identities, stop, purpose);
        if (dialled.is === 'connected') return dialled;
        if (dialled.is === 'failed' || tries === retries) return failed(dialled.fault);
        const delay = Math.min(RETRY_DELAY_MS * 2 ** tries, MAX_RETRY_DELAY_MS) * (0.5 + Math.random());
        await pause(delay, undefined, { signal: stop.signal }).catch(() => undefined);
        if (signal.aborted) return failed(givenUp(target));
        if (stop.signal.aborted) return failed(dialled.fault); // late, and this says why
      }
    } finally {
      stop.clear();
    }
  };

  return {
    async connect(target, signal, first): Promise<Connected | Failed> {
      const dialled = await reach(target, signal, { kind: 'commands', first });
      if (dialled.is !== 'connected') return { fault: dialled.fault };
      return { connection: connection(dialled.link, dialled.description) };
    },
    close() {
      for (const link of [...open]) link.close();
      bastions.close();
    },
  };
}

/** Hosts with the same known_hosts files and the same strictness share what was read. */
function hostKeysByPolicy(options: Ssh2Options, onWarning: (text: string) => void) {
  const made = new Map<string, HostKeys>();
  return (target: Target): Promise<HostKeyCheck> => {
    const policy = {
      checking: target.hostKeyChecking ?? options.hostKeyChecking,
      files: target.knownHostsFiles ?? options.knownHostsFiles,
      hashNames: target.hashKnownHosts ?? options.hashKnownHosts ?? false,
      revokedFile: target.revokedHostKeysFile,
    };
    const key = JSON.stringify(policy);
    const keys = made.get(key) ?? hostKeys({ ...policy, onWarning });
    made.set(key, keys);
    const { hostKeyAlias: alias, address, port } = target;
    return keys.checkFor(alias === undefined ? { address, port } : { address: alias, port: 22 }); // an alias has no port
  };
}

/** What ssh might have done that is not done here, where that may be the reason. */
function withNotFollowed(found: Fault, { notFollowed = [], proxy }: Target): Fault {
  const mayBeWhy = found.kind === 'auth' || found.kind === 'host-key' || proxy?.kind === 'command';
  if (notFollowed.length === 0 || !mayBeWhy) return found;
  const asked = printable(notFollowed.join(', '), 400);
  return fault(found.kind, `${found.message}; ssh_config asks for ${asked}, which is not supported`, found.hint);
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}

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
