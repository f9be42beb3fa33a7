/** Flags → the transport and the clock that a run works with. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalHost } from '../../model/index.ts';
import type { Clock, Crew } from '../../run/host/visit.ts';
import { duration, wholeNumber } from '../durations.ts';
import type { Io } from '../io.ts';
import { assertCapacity, capacity } from './capacity.ts';
import type { PasswordFlags } from './passwords.ts';
import { absolute, defaultKnownHosts } from './paths.ts';
import type { TransportFlags } from './transports.ts';

export interface CrewFlags extends PasswordFlags, TransportFlags {
  readonly 'private-key'?: string | undefined;
  readonly timeout?: string | undefined;
  readonly 'host-timeout': string;
  readonly 'rollback-timeout'?: string | undefined;
  readonly 'host-key-checking'?: 'strict' | 'accept-new' | 'off' | undefined;
  readonly 'known-hosts'?: readonly string[] | undefined;
  readonly forks: number;
  readonly 'confirm-within'?: string | undefined;
}

export interface Watcher {
  warning(text: string): void;
  readonly progress: Crew['progress'];
  /** A host asks something while it lets us in: the screen is needed until `asked` is called. */
  asks?(): () => void;
  /** The person broke off such a question. */
  brokenOff?(): void;
}

/**
 * Everything that can be wrong with flags and keys is wrong here, before any host is connected to. Passphrases are asked for
 * here too, once each.
 */
export async function crewOf(io: Io, flags: CrewFlags, hosts: readonly JournalHost[], on: Watcher): Promise<Crew> {
  wholeNumber('forks', flags.forks, 1, 10_000);
  const connectTimeoutMs = duration('timeout', flags.timeout ?? '15s');
  const hostTimeout = duration('host-timeout', flags['host-timeout']);
  const rollbackTimeout = duration('rollback-timeout', flags['rollback-timeout'] ?? '150s');
  // loaded here, so that help and usage errors do not wait for the SSH library
  const [{ hostsOverOpenSsh, transportFor }, { openQuestions }, { keyRing }, { passwordsOf }] = await Promise.all([
    import('./transports.ts'),
    import('../../transport/questions.ts'),
    import('../../transport/identities/identities.ts'),
    import('./passwords.ts'),
  ]);
  const agentSocket = io.env.SSH_AUTH_SOCK || undefined;
  const keys = keyRing({
    ...(agentSocket !== undefined && { agentSocket }),
    askPassphrase: async (file) => (await io.prompt(`Passphrase for ${file}: `, 'hidden')) ?? undefined,
  });
  const { login, ...passwords } = await passwordsOf(io, flags, hosts);
  const means = {
    connectTimeoutMs,
    hostKeyChecking: flags['host-key-checking'] ?? 'strict',
    knownHostsFiles: flags['known-hosts']?.map((file) => absolute(io, file)) ?? defaultKnownHosts(io),
    keys,
    agentSocket,
    // which proves the change by a second login; over a connection that was there before, nothing would be proved
    shareMasters: flags['confirm-within'] === undefined,
    shell: io.env.SHELL || '/bin/sh',
    login,
    questions: openQuestions(
      async (question, answer, given) => {
        const asked = on.asks?.();
        try {
          return await io.prompt(question, answer, given);
        } finally {
          asked?.();
        }
      },
      () => on.brokenOff?.(),
    ),
    onWarning: on.warning,
  };
  const overOpenSsh = await hostsOverOpenSsh(flags, hosts, means);
  const byProgram = hosts.filter((host) => overOpenSsh.has(host.host) || host.proxy?.kind === 'command').length;
  assertCapacity({ hosts: hosts.length, forks: flags.forks, byProgram }, capacity());
  // Only keys that somebody named must work; those of ssh_config and the default ones are tried if they are there.
  const named = (hosts: readonly JournalHost[]) => [
    ...new Set(hosts.flatMap(({ requiredKeyFile: file }) => file ?? [])),
  ];
  await keys.require(named(hosts.filter(({ host }) => !overOpenSsh.has(host))));
  await keys.exist(named(hosts.filter(({ host }) => overOpenSsh.has(host))));
  const transport = transportFor(flags, overOpenSsh, means);
  return {
    transport,
    clock: clockOf(io),
    hostTimeout,
    rollbackTimeout,
    guardrails: io.guardrails,
    ...passwords,
    progress: on.progress,
  };
}

function clockOf(io: Io): Clock {
  return {
    now: () => io.now(),
    date: () => io.date().toISOString(),
    deadline: (ms) => AbortSignal.timeout(Math.max(0, Math.round(ms))),
    sleep: (ms, until) => sleep(ms, undefined, until && { signal: until }).catch(() => {}),
  };
}
