/** Flags → the transport and the clock that a run works with. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Secret } from '../model/index.ts';
import type { JournalHost } from '../run/journal.ts';
import type { Clock, Crew } from '../run/visit.ts';
import type { Io } from './io.ts';
import { duration, wholeNumber } from './options.ts';
import { readSecret } from './secrets.ts';
import { absolute } from './targets.ts';

export interface CrewFlags {
  readonly 'private-key'?: string | undefined;
  readonly 'ask-pass'?: boolean | undefined;
  readonly 'password-file'?: string | undefined;
  readonly 'password-fd'?: number | undefined;
  readonly timeout: string;
  readonly 'host-timeout': string;
  readonly 'host-key-checking': 'strict' | 'accept-new' | 'off';
  readonly 'known-hosts'?: readonly string[] | undefined;
  readonly forks: number;
}

/**
 * Everything that can be wrong with flags and keys is wrong here, before any host is connected to. Passphrases are asked for
 * here too, once each.
 */
export async function crewOf(
  io: Io,
  flags: CrewFlags,
  hosts: readonly JournalHost[],
  on: { warning(text: string): void; progress: Crew['progress'] },
): Promise<Crew> {
  wholeNumber('forks', flags.forks, 1, 10_000);
  const connectTimeoutMs = duration('timeout', flags.timeout);
  const hostTimeout = duration('host-timeout', flags['host-timeout']);
  // loaded here, so that help and usage errors do not wait for the SSH library
  const [{ ssh2Transport }, { keyRing }, { loginPassword }] = await Promise.all([
    import('../transport/ssh2.ts'),
    import('../transport/identities.ts'),
    import('../transport/password.ts'),
  ]);
  const agentSocket = io.env.SSH_AUTH_SOCK;
  const keys = keyRing({
    ...(agentSocket ? { agentSocket } : {}),
    askPassphrase: (file) => io.prompt(`Passphrase for ${file}: `, 'hidden'),
  });
  // Only keys that somebody named must work; the default ones are tried if they are there.
  const defaults = new Set(['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(io.home, '.ssh', name)));
  const named = new Set(hosts.flatMap((host) => host.identityFiles).filter((file) => !defaults.has(file)));
  await keys.require([...named]);
  const password = await sshPassword(io, flags);
  const knownHostsFiles = flags['known-hosts']?.map((file) => absolute(io, file)) ?? [
    join(io.home, '.ssh', 'known_hosts'),
    join(io.home, '.ssh', 'known_hosts2'),
    '/etc/ssh/ssh_known_hosts',
    '/etc/ssh/ssh_known_hosts2',
  ];
  const transport = ssh2Transport({
    connectTimeoutMs,
    hostKeyChecking: flags['host-key-checking'],
    knownHostsFiles,
    keys,
    ...(password === undefined ? {} : { password: loginPassword(password) }),
    onWarning: on.warning,
  });
  return { transport, clock: clockOf(io), hostTimeout, progress: on.progress };
}

/** OpenSSH's limit for a password line. */
const MAX_PASSWORD_BYTES = 1023;

function sshPassword(io: Io, flags: CrewFlags): Promise<Secret | undefined> {
  return readSecret(io, {
    what: 'the SSH password',
    ask: { flag: '-k', given: flags['ask-pass'] },
    file: { flag: '--password-file', given: flags['password-file'] },
    fd: { flag: '--password-fd', given: flags['password-fd'] },
    maxBytes: MAX_PASSWORD_BYTES,
  });
}

function clockOf(io: Io): Clock {
  return {
    now: () => io.now(),
    date: () => io.date().toISOString(),
    deadline: (ms) => AbortSignal.timeout(Math.max(0, Math.round(ms))),
    sleep: (ms) => sleep(ms),
  };
}
