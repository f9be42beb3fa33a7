/** Which transport serves which host. */
import { type JournalHost, type Target, UsageError } from '../../model/index.ts';
import { needOfSsh, perHost } from '../../transport/choice.ts';
import type { HostKeyDefaults } from '../../transport/host-keys/policy.ts';
import type { KeyRing } from '../../transport/identities/identities.ts';
import { opensshTransport } from '../../transport/openssh/openssh.ts';
import type { LoginPassword } from '../../transport/password.ts';
import type { Questions } from '../../transport/questions.ts';
import { ssh2Transport } from '../../transport/ssh2/ssh2.ts';
import type { Transport } from '../../transport/transport.ts';

export interface TransportFlags {
  readonly transport?: 'ssh2' | 'openssh' | undefined;
}

export interface Means extends HostKeyDefaults {
  readonly connectTimeoutMs: number;
  readonly keys: KeyRing;
  readonly agentSocket: string | undefined;
  /** Whether ssh may use the connections that the user's own ssh holds. */
  readonly shareMasters: boolean;
  readonly shell: string;
  readonly onWarning: (text: string) => void;
  readonly questions: Questions;
  login(target: Target): LoginPassword | undefined;
}

/**
 * The hosts that ssh itself is to reach, by name. Those that need it are told in a warning, if nobody asked for it. Where there is
 * a password to log in with, identities that ssh2 cannot use are no reason: ssh would take no password.
 */
export async function hostsOverOpenSsh(
  { transport }: TransportFlags,
  hosts: readonly JournalHost[],
  { keys, login, onWarning, ...defaults }: Means,
): Promise<ReadonlySet<string>> {
  if (transport === 'ssh2') return new Set();
  if (transport === 'openssh') {
    const told = hosts.find((host) => login(host) !== undefined);
    if (told === undefined) return new Set(hosts.map(({ host }) => host));
    throw new UsageError(
      `--transport openssh takes no SSH password, and there is one for ${told.host}: ssh would ask a terminal for it`,
      'Leave --transport out: ssh2 uses the password, and hosts that need OpenSSH are still reached by it.',
    );
  }
  const needs = needOfSsh(keys, defaults);
  const byReason = new Map<string, string[]>();
  for (const host of hosts) {
    const { asked, identities } = await needs(host);
    const withheld = login(host) !== undefined;
    const reasons = [...new Set(withheld ? asked : [...asked, ...identities])].join(', ');
    const reason = withheld ? `${reasons} needs; its SSH password is not offered` : `${reasons} needs`;
    if (reasons !== '') byReason.set(reason, [...(byReason.get(reason) ?? []), host.host]);
  }
  for (const [reason, named] of byReason) {
    const others = named.length > 3 ? ` and ${named.length - 3} more` : '';
    onWarning(`${named.slice(0, 3).join(', ')}${others}: by OpenSSH, which ${reason}`);
  }
  return new Set([...byReason.values()].flat());
}

export function transportFor({ transport }: TransportFlags, overOpenSsh: ReadonlySet<string>, means: Means): Transport {
  const { login, agentSocket, onWarning, ...rest } = means;
  const once = new Set<string>();
  const shared = {
    ...rest,
    onWarning: (text: string) => {
      if (!once.has(text)) onWarning(text); // both may have to say it
      once.add(text);
    },
  };
  const ssh2 = ssh2Transport({ ...shared, password: login });
  const openssh = opensshTransport({ ...shared, ...(agentSocket !== undefined && { agentSocket }) });
  const beyond = transport === undefined ? { transport: openssh, note: shared.onWarning } : undefined;
  return perHost(({ host }) => (overOpenSsh.has(host) ? openssh : ssh2), [ssh2, openssh], beyond);
}
