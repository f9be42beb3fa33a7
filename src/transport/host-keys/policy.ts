import type { Target } from '../../model/index.ts';
import type { HostKeyChecking } from './host-keys.ts';
import type { HostAddress } from './known-hosts.ts';

/** What holds where neither ssh_config nor the inventory says otherwise. */
export interface HostKeyDefaults {
  readonly hostKeyChecking: HostKeyChecking;
  /** All are read; `accept-new` writes to the first. */
  readonly knownHostsFiles: readonly string[];
  /** File new hosts under the hash of their name (HashKnownHosts). Default false. */
  readonly hashKnownHosts?: boolean;
}

export interface HostKeyPolicy {
  readonly checking: HostKeyChecking;
  readonly files: readonly string[];
  readonly hashNames: boolean;
  /** Keys that no host may have, whatever known_hosts says (RevokedHostKeys). */
  readonly revokedFile: string | undefined;
}

export function hostKeyPolicy(target: Target, defaults: HostKeyDefaults): HostKeyPolicy {
  return {
    checking: target.hostKeyChecking ?? defaults.hostKeyChecking,
    files: target.knownHostsFiles ?? defaults.knownHostsFiles,
    hashNames: target.hashKnownHosts ?? defaults.hashKnownHosts ?? false,
    revokedFile: target.revokedHostKeysFile,
  };
}

/** The name under which known_hosts has a host: its alias, which has no port, or its address. */
export function knownAs({ hostKeyAlias: alias, address, port }: Target): HostAddress {
  return alias === undefined ? { address, port } : { address: alias, port: 22 };
}
