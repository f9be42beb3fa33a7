import pLimit from 'p-limit';
import { type Fault, printable, type Target } from '../../model/index.ts';
import { attempts, givenUp, RETRIES, RETRIES_AT_BASTIONS, type Stopper, unlessAborted } from '../attempts.ts';
import { MAX_OUTPUT_BYTES, startCommand } from '../exec.ts';
import { type HostKeyCheck, type HostKeys, hostKeys } from '../host-keys/host-keys.ts';
import { type HostKeyDefaults, hostKeyPolicy, knownAs } from '../host-keys/policy.ts';
import type { Identities, KeyRing } from '../identities/identities.ts';
import type { ConnectOptions } from '../options.ts';
import type { LoginPassword } from '../password.ts';
import type { Questions } from '../questions.ts';
import type { Connected, Connection, Description, Failed, Transport } from '../transport.ts';
import { tcpWire, type Wire } from '../wire.ts';
import { nothingToOffer } from './algorithms.ts';
import { openBastions } from './bastions.ts';
import { type Dialled, dial } from './dial.ts';
import type { Purpose } from './internals.ts';
import type { Link } from './link.ts';
import { commandWire } from './proxy-command.ts';

export interface Ssh2Options extends ConnectOptions {
  /** The keys to log in with, shared with whoever checked them before the run. */
  readonly keys: KeyRing;
  /** Offered where no key is let in, or where the server wants it besides; undefined: there is none for this host. */
  readonly password?: (target: Target) => LoginPassword | undefined;
  /** Absent: a server's questions are not answered, but the one for the password. */
  readonly questions?: Questions;
  /** Runs ProxyCommands. Default /bin/sh. */
  readonly shell?: string;
}

/** Most ProxyCommands log in to a bastion, each on its own. */
const COMMANDS_AT_ONCE = 8;

/**
 * SSH by the library ssh2. Host keys are checked against known_hosts; logins are by public key, then by the password if
 * there is one, then by what a person answers.
 * What ssh2 cannot do (certificates, security keys, Kerberos) is reported, never passed over.
 */
export function ssh2Transport(options: Ssh2Options): Transport {
  const onWarning = options.onWarning ?? (() => undefined);
  const limits = {
    maxOutputBytes: options.maxOutputBytes ?? MAX_OUTPUT_BYTES,
    startTimeoutMs: options.connectTimeoutMs,
  };
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
        questions: options.questions,
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
    const nothing = nothingToOffer(target);
    if (nothing !== undefined) return failed(nothing);
    // A person may be asked for a passphrase here, so the deadline begins after it.
    const found = await unlessAborted(signal, options.keys.identitiesFor(target));
    if (found === undefined) return failed(givenUp(target));
    const identities = accepted(found, target);
    const usual = purpose.kind === 'forwarding' || target.proxy?.kind === 'jump' ? RETRIES_AT_BASTIONS : RETRIES;
    const retries = Math.max(usual, (target.connectionAttempts ?? 1) - 1);
    const timeoutMs = target.connectTimeoutMs ?? options.connectTimeoutMs;
    const dialled = await attempts(target, { timeoutMs, retries }, signal, (stop) =>
      attempt(target, identities, stop, purpose),
    );
    return dialled.is === 'connected' ? dialled : { ...dialled, ...failed(dialled.fault) };
  };

  return {
    async connect(target, signal, first): Promise<Connected | Failed> {
      const dialled = await reach(target, signal, { kind: 'commands', first });
      if (dialled.is === 'failed') return dialled;
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
function hostKeysByPolicy(defaults: HostKeyDefaults, onWarning: (text: string) => void) {
  const made = new Map<string, HostKeys>();
  return (target: Target): Promise<HostKeyCheck> => {
    const policy = hostKeyPolicy(target, defaults);
    const key = JSON.stringify(policy);
    const keys = made.get(key) ?? hostKeys({ ...policy, onWarning });
    made.set(key, keys);
    return keys.checkFor(knownAs(target), target.algorithms);
  };
}

/** Those that sign by an algorithm which ssh_config accepts. */
function accepted({ usable, skipped }: Identities, { algorithms }: Target): Identities {
  const names = algorithms?.publicKey;
  if (names === undefined) return { usable, skipped };
  const without = usable.filter(({ algorithm }) => !names.includes(algorithm));
  return {
    usable: usable.filter((identity) => !without.includes(identity)),
    skipped: [
      ...skipped,
      ...without.map(({ label, algorithm }) => ({
        source: label,
        why: `${algorithm} is not among the PubkeyAcceptedAlgorithms of ssh_config`,
      })),
    ],
  };
}

/** What ssh might have done that is not done here, where that may be the reason. */
function withNotFollowed(found: Fault, { notFollowed = [], needsSsh = [], proxy }: Target): Fault {
  const mayBeWhy = found.kind === 'auth' || found.kind === 'host-key' || proxy?.kind === 'command';
  if (!mayBeWhy) return found;
  const asked = (what: readonly string[], but: string): string =>
    what.length === 0 ? '' : `; ssh_config asks for ${printable(what.join(', '), 400)}, which ${but}`;
  const more = asked(notFollowed, 'is not supported') + asked(needsSsh, 'needs --transport openssh');
  return more === '' ? found : { ...found, message: `${found.message}${more}` };
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
