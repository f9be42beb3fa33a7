import { type Fault, fault, printable } from '../../model/index.ts';
import type { Step } from '../attempts.ts';
import type { Dropped } from '../greeting.ts';

/** What ended an attempt, as ssh2 and the socket under it tell. */
export interface Ending {
  readonly step: Step;
  /** `undefined`: the connection was closed without an error, as after LoginGraceTime. */
  readonly error: SshError | undefined;
  readonly dropped: Dropped;
  /** `address:port`, safe to print. */
  readonly peer: string;
}

export type SshError = Error & { readonly level?: string; readonly code?: string | number };

export interface Failure {
  readonly fault: Fault;
  /** Transient: before authentication, and plausibly gone a moment later. */
  readonly chance: 'transient' | 'lasting';
  /** What ssh2 has not, and the program ssh may have. */
  readonly onlySsh?: string;
}

/** Socket errors by code: what happened, in words. ssh2 passes them on with level `client-socket`. */
const SOCKET_ERRORS: Readonly<Record<string, readonly [what: string, chance: Failure['chance']]>> = {
  ECONNREFUSED: ['refused the connection', 'lasting'],
  ECONNRESET: ['reset the connection', 'transient'],
  EPIPE: ['closed the connection', 'transient'],
  ETIMEDOUT: ['did not answer', 'lasting'],
  EHOSTUNREACH: ['cannot be reached: no route to the host', 'lasting'],
  EHOSTDOWN: ['cannot be reached: the host is down', 'lasting'],
  ENETUNREACH: ['cannot be reached: no route to its network', 'lasting'],
  ENOTFOUND: ['cannot be found: the name does not resolve', 'lasting'],
  EAI_AGAIN: ['cannot be found: the name server does not answer', 'transient'],
  EMFILE: ['cannot be tried: too many open files here', 'transient'],
  ENFILE: ['cannot be tried: too many open files on this machine', 'transient'],
  EADDRNOTAVAIL: ['cannot be tried: no local port is free, or BindAddress is not of this machine', 'transient'],
};

const OLD =
  'It speaks only what is not offered here: where that is old and must do, name it in ssh_config for this host (KexAlgorithms, HostKeyAlgorithms, Ciphers or MACs with +NAME); what is new (post-quantum) needs --transport openssh.';
const NEW =
  'It speaks only what is newer than this ssh: update the OpenSSH client here, or allow curve25519-sha256 there.';
const POST_QUANTUM = /mlkem|sntrup/i;

/** Explains an attempt that failed before or during authentication, except for host keys and credentials. */
export function explain({ step, error, dropped, peer }: Ending): Failure {
  const chance = step === 'authentication' ? 'lasting' : 'transient';
  const unreachable = (what: string, is: Failure['chance'] = chance, hint?: string): Failure => ({
    fault: fault('unreachable', `${peer} ${what}`, hint),
    chance: is,
  });

  const known = typeof error?.code === 'string' ? SOCKET_ERRORS[error.code] : undefined;
  if (known !== undefined) return unreachable(known[0], chance === 'lasting' ? 'lasting' : known[1]);
  if (step === 'connect') return unreachable(`cannot be reached: ${text(error)}`, 'lasting');
  if (typeof error?.code === 'number') return unreachable(`disconnected: ${text(error)}`, 'lasting');
  if (step === 'greeting') {
    switch (dropped.by) {
      case 'max-startups':
        return unreachable(
          'has too many logins under way (MaxStartups)',
          'transient',
          'Lower --forks, or raise MaxStartups in its sshd_config.',
        );
      case 'not-now':
        return unreachable(
          'does not let this machine in at the moment (MaxStartups, or PerSourcePenalties after failed logins)',
          'transient',
          'Lower --forks, or raise MaxStartups in its sshd_config; after failed logins wait for the penalty to pass, then check the key and the user.',
        );
      case 'not-ssh':
        return unreachable(`is not an SSH server: it said “${dropped.said}”`, 'lasting', 'Check the port.');
      case 'silence':
        return unreachable('closed the connection before it said anything');
    }
  }
  if (error === undefined) return unreachable(`closed the connection during ${step}`);
  const lacking = /no matching (key exchange|host key|\S* ?cipher|\S* ?MAC)/i.exec(error.message)?.[1];
  if (lacking !== undefined) {
    const hint = POST_QUANTUM.test(error.message) ? NEW : OLD;
    return { ...unreachable(`failed during ${step}: ${text(error)}`, 'lasting', hint), onlySsh: `its ${lacking}` };
  }
  return unreachable(`failed during ${step}: ${text(error)}`, error.level === 'handshake' ? 'lasting' : chance);
}

const text = (error: Error | undefined): string => printable(error?.message ?? 'no reason given', 200);
