import pLimit from 'p-limit';
import { type Fault, fault, printable, type Target } from '../../model/index.ts';
import { runProgram } from '../../ssh-config/run-program.ts';
import {
  type Attempt,
  attempts,
  givenUp,
  RETRIES,
  RETRIES_AT_BASTIONS,
  type Stop,
  type Stopper,
  unlessAborted,
} from '../attempts.ts';
import { type CommandLink, MAX_OUTPUT_BYTES, startCommand } from '../exec.ts';
import { hostKeyPolicy } from '../host-keys/policy.ts';
import type { ConnectOptions } from '../options.ts';
import type { Connected, Failed, Transport } from '../transport.ts';
import { peerOf } from '../wire.ts';
import { literal, masterArguments, quoted } from './arguments.ts';
import { openChannels } from './channels.ts';
import { isOurSocket, openShared } from './control-master.ts';
import { explainRefusal, isRevoked, lastWords } from './failure.ts';
import { identityRemarks } from './identities.ts';
import { type Master, startMaster } from './master.ts';
import { findSsh, type SshProgram } from './program.ts';

export interface OpenSshOptions extends ConnectOptions {
  /** Path of the agent's socket; absent: no agent. */
  readonly agentSocket?: string;
  /** False: every connection is a login of its own, for one that has to be proved. Default: a ControlMaster of the user's is shared. */
  readonly shareMasters?: boolean;
  /** Default `ssh`, wherever PATH has it. */
  readonly program?: string;
}

/** Each logs in to its bastion on its own, and sshd drops logins beyond its MaxStartups. */
const BEHIND_OTHERS_AT_ONCE = 8;
/** Logins cost both sides most of their CPU; more at once would only make each of them late. */
const LOGINS_AT_ONCE = 32;

interface Link extends CommandLink {
  close(): void;
}

/**
 * SSH by the program ssh: for certificates, security keys, Kerberos and whatever else only it knows. It logs in, by its own
 * means and without asking anybody; commands run over its multiplexing socket, so that exit status, signals and losses are
 * told apart as exactly as with ssh2.
 */
export function opensshTransport(options: OpenSshOptions): Transport {
  const onWarning = options.onWarning ?? (() => undefined);
  const limits = {
    maxOutputBytes: options.maxOutputBytes ?? MAX_OUTPUT_BYTES,
    startTimeoutMs: options.connectTimeoutMs,
  };
  const masters = new Set<Pick<Master, 'end'>>();
  const logins = pLimit(LOGINS_AT_ONCE);
  const behindOthers = pLimit(BEHIND_OTHERS_AT_ONCE);
  let found: Promise<SshProgram> | undefined;
  let closed = false;

  const attempt = async (target: Target, ssh: Usable, stop: Stopper): Promise<Attempt<Link>> => {
    const resume = stop.hold(); // waiting for its turn is not the host's fault
    const turn = target.proxy === undefined ? logins : behindOthers;
    return turn(() => {
      resume();
      return logIn(target, ssh, stop.signal);
    });
  };

  const logIn = async (target: Target, ssh: Usable, stop: AbortSignal): Promise<Attempt<Link>> => {
    const policy = hostKeyPolicy(target, options);
    const sockets = await sharedSockets(target);
    const settings = {
      version: ssh.version,
      agentSocket: options.agentSocket,
      connectTimeoutMs: options.connectTimeoutMs,
      keepaliveMs: options.keepaliveMs ?? 15_000,
      hostKeys: (of: Target) => hostKeyPolicy(of, options),
      shared: ({ ssh: bastion }: Target) => {
        const control = bastion?.control;
        return control !== undefined && sockets.has(control) ? quoted(literal(control)) : undefined;
      },
    };
    if (stop.aborted) return stopped(stop, 'connect');
    let master: Master;
    try {
      master = startMaster(ssh.path, (socket) => masterArguments(target, socket, settings));
    } catch (error) {
      const why = printable((error as Error).message, 200);
      return { is: 'transient', fault: fault('unreachable', `${peerOf(target)} cannot be tried: ${why}`) };
    }
    masters.add(master);
    const { log } = master;
    const onStop = (): void => master.end();
    stop.addEventListener('abort', onStop, { once: true });
    const outcome = await master.outcome;
    stop.removeEventListener('abort', onStop);
    // which StrictHostKeyChecking=no lets pass with a warning
    const revoked = policy.checking === 'off' && isRevoked(log);
    if (outcome.is === 'ready' && !stop.aborted && !closed && !revoked) {
      if (policy.checking === 'off') warnOfKey(target, log.complaints(), onWarning);
      const said = () => master.ended().then((why) => why ?? lastWords(log));
      const channels = openChannels(outcome.stream, master.end, said);
      const link = { ...channels, close: () => channels.destroy('the connection was closed here') };
      link.onGone(() => masters.delete(master));
      return { is: 'connected', link, description: log.description() };
    }
    master.end();
    masters.delete(master);
    if (stop.aborted) return stopped(stop, log.step());
    if (closed) return { is: 'failed', fault: givenUp(target) };
    const why = outcome.is === 'ended' ? outcome.why : undefined;
    const remarks = async () => [
      ...(await identityRemarks(target, log.offered())),
      ...(options.shareMasters === false && target.ssh?.control !== undefined ? [OWN_LOGINS] : []),
    ];
    const { fault: is, chance } = await explainRefusal({ target, log, policy, why, remarks });
    return { is: chance === 'transient' ? 'transient' : 'failed', fault: is };
  };

  /** Over the connection that the user's own ssh has, where there is one. */
  const shared = async (target: Target): Promise<Connected | undefined> => {
    const control = target.ssh?.control;
    if (options.shareMasters === false || control === undefined) return undefined;
    const stream = await openShared(control);
    if (stream === undefined) return undefined;
    const master = { end: () => stream.destroy() };
    masters.add(master);
    const channels = openChannels(stream, master.end, async () => undefined);
    channels.onGone(() => masters.delete(master));
    const identity = `the ControlMaster at ${printable(control, 200)}`;
    return {
      connection: {
        description: { hostKey: 'checked by ssh', auth: [{ method: 'none', identity }], strictKex: true },
        exec: (command, output) => startCommand(channels, command, output, limits),
        close: () => channels.destroy('the connection was closed here'),
      },
    };
  };
  /** Of the bastions on the way. */
  const sharedSockets = async ({ proxy }: Target): Promise<ReadonlySet<string>> => {
    if (options.shareMasters === false || proxy?.kind !== 'jump') return new Set();
    const control = proxy.via.ssh?.control;
    const own = control !== undefined && (await isOurSocket(control)) ? [control] : [];
    return new Set([...own, ...(await sharedSockets(proxy.via))]);
  };

  return {
    async connect(target, signal): Promise<Connected | Failed> {
      found ??= findSsh(options.program ?? 'ssh', runProgram).then((ssh) => {
        if (ssh.is === 'usable' && options.hostKeyChecking === 'off') onWarning(UNCHECKED);
        return ssh;
      });
      const ssh = await found;
      if (signal.aborted) return { fault: givenUp(target) };
      if (ssh.is === 'unusable') return { fault: noSsh(target, ssh.why) };
      const there = await unlessAborted(signal, shared(target));
      if (signal.aborted) return { fault: givenUp(target) };
      if (there !== undefined) return there;
      const timeoutMs = target.connectTimeoutMs ?? options.connectTimeoutMs;
      const retries = target.proxy?.kind === 'jump' ? RETRIES_AT_BASTIONS : RETRIES;
      const made = await attempts(target, { timeoutMs, retries }, signal, (stop) => attempt(target, ssh, stop));
      if (made.is === 'failed') return { fault: made.fault };
      const { link, description } = made;
      const exec: Connected['connection']['exec'] = (command, output) => startCommand(link, command, output, limits);
      return { connection: { description, exec, close: link.close } };
    },
    close() {
      closed = true;
      for (const master of [...masters]) master.end();
    },
  };
}

type Usable = Extract<SshProgram, { is: 'usable' }>;

const OWN_LOGINS = 'its ControlMaster is not used: --confirm-within needs logins of its own';
const UNCHECKED = 'HOST KEYS ARE NOT CHECKED: anyone on the path can pose as these hosts (--host-key-checking off)';

function stopped(stop: AbortSignal, step: Parameters<Stop>[0]): Attempt<Link> {
  return { is: 'failed', fault: (stop.reason as Stop)(step) };
}

function noSsh(target: Target, why: string): Fault {
  return fault(
    'unreachable',
    `${peerOf(target)} was not tried: the OpenSSH transport cannot be used: ${printable(why, 200)}`,
    'Install the OpenSSH client, or say --transport ssh2, which logs in with plain keys and passwords.',
  );
}

function warnOfKey(target: Target, lines: readonly string[], onWarning: (text: string) => void): void {
  if (!lines.some((line) => line.includes('IDENTIFICATION HAS CHANGED'))) return;
  onWarning(`${printable(target.address)}: The host key has CHANGED`);
}
