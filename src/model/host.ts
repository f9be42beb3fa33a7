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
  /** `-J`, `-o ProxyJump=`, `-o ProxyCommand=` and `-F` of the ssh arguments, as written there. */
  readonly proxyJump?: string;
  readonly proxyCommand?: string;
  readonly sshConfigFile?: string;
}

/** Where and as whom to connect, after flags, inventory and ssh_config were merged. */
export interface Target {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Key files to try, in order, absolute paths. */
  readonly identityFiles: readonly string[];
  /** True: only `identityFiles`, the agent is asked for nothing else. */
  readonly identitiesOnly: boolean;
}
