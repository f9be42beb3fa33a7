import type { HostSecrets, SECRETS, Secret } from './secret.ts';

/** A host as the inventory names it. Data only; nothing here was verified on the host. */
export interface Host {
  /** The inventory name: what tables, journals and limits show. */
  readonly name: string;
  /** Groups it is in, directly or through children, sorted, without `all`. */
  readonly groups: readonly string[];
  /** Merged variables, by Ansible's precedence. A Map, so that a name such as `__proto__` is just a name. */
  readonly vars: ReadonlyMap<string, unknown>;
  /** Connection settings taken out of `vars` and validated; absent = not said by the inventory. */
  readonly connection: InventoryConnection;
}

export interface InventoryConnection {
  readonly address?: string;
  readonly port?: number;
  readonly user?: string;
  readonly privateKeyFile?: string;
  /** Escalate (`ansible_become`), how and to whom. */
  readonly become?: boolean;
  readonly becomeMethod?: 'sudo' | 'doas' | 'su';
  readonly becomeUser?: string;
  /** `ansible_password` and `ansible_become_password`. */
  readonly password?: Secret;
  readonly becomePassword?: Secret;
  /** `-J`, `-o ProxyJump=`, `-o ProxyCommand=` and `-F` of the ssh arguments, as written there. */
  readonly proxyJump?: string;
  readonly proxyCommand?: string;
  readonly sshConfigFile?: string;
  /** What else the ssh arguments configure, as after ssh's `-o`. */
  readonly sshOptions?: readonly string[];
}

/**
 * Where and as whom to connect, after inventory, flags and ssh_config were merged. What is absent was not said by any of
 * them, and the transport's default holds.
 */
export interface Target {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Key files to try, in order, absolute paths. */
  readonly identityFiles: readonly string[];
  /** True: only `identityFiles`, the agent is asked for nothing else. */
  readonly identitiesOnly: boolean;
  /** Certificates that ssh_config names; those beside a key file are found by whoever can use them. */
  readonly certificateFiles?: readonly string[];
  /** The key file that a flag or the inventory names: it must work, or nothing is connected to. */
  readonly requiredKeyFile?: string;
  /** Which agent; absent: the one of the environment. */
  readonly agent?: { readonly kind: 'none' } | { readonly kind: 'socket'; readonly path: string };
  /** The name under which its key is in known_hosts, whatever its address and port. */
  readonly hostKeyAlias?: string;
  /** Where its key may be; new ones go to the first. */
  readonly knownHostsFiles?: readonly string[];
  readonly hostKeyChecking?: 'strict' | 'accept-new';
  readonly hashKnownHosts?: boolean;
  /** Keys that no host may have any more. */
  readonly revokedHostKeysFile?: string;
  readonly connectTimeoutMs?: number;
  /** How long it may be silent before it is asked for a sign of life, and how often in vain. */
  readonly keepalive?: { readonly everyMs: number; readonly missed: number };
  /** How often a connection that is refused is tried in all. */
  readonly connectionAttempts?: number;
  /** What to offer instead of the usual, in order of preference. */
  readonly algorithms?: {
    readonly kex?: readonly string[];
    readonly cipher?: readonly string[];
    readonly hmac?: readonly string[];
    readonly hostKey?: readonly string[];
    /** Absent: those of known keys first. */
    readonly hostKeyOrder?: 'as given';
    /** Of signatures by the keys that log in. */
    readonly publicKey?: readonly string[];
  };
  readonly addressFamily?: 4 | 6;
  /** Connect from this address of this machine. */
  readonly bindAddress?: string;
  /** The way there; absent: directly. */
  readonly proxy?: WayThere;
  /**
   * How ssh itself would be called: by which name, with which file instead of the usual ones (or `none`), and what `-o` says. `control`: the
   * socket of a ControlMaster, if the user has one.
   */
  readonly ssh?: {
    readonly destination: string;
    readonly config?: string;
    readonly options?: readonly string[];
    readonly control?: string;
  };
  /** What ssh_config asks for here that only ssh itself does, one phrase each. */
  readonly needsSsh?: readonly string[];
  /** What ssh_config asks for here that is not done, one phrase each: it may be why a login fails. */
  readonly notFollowed?: readonly string[];
  readonly [SECRETS]?: HostSecrets;
}

export type WayThere =
  /** Through a bastion, over its own connection; how that is reached is its own matter. */
  | { readonly kind: 'jump'; readonly via: Target }
  /** Over the standard input and output of a command for the user's shell. */
  | { readonly kind: 'command'; readonly command: string };

/** How an account that is not root becomes root. `auto`: nobody said, so `sudo -n` is tried; `never`: it may not. */
export type Become = 'auto' | 'never' | 'sudo' | 'doas' | 'su';

/** How a host was reached, so that the run can be undone without the inventory. No secrets. */
export interface JournalHost extends Target {
  readonly become: Become;
  /** Of the account that recorded it; see operations/targets/recorded-connections.ts. */
  readonly seal?: string;
}
