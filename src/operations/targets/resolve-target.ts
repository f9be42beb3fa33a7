/** Inventory, flags and ssh_config → the way to a host. Ansible's order: inventory, then flags, then ssh_config, then defaults. */

import { join } from 'node:path';
import type { Inventory } from '../../inventory/index.ts';
import { type Host, type InventoryConnection, type Target, UsageError, type WayThere } from '../../model/index.ts';
import {
  type Jump,
  type Overrides,
  openSshConfig,
  type Ready,
  type Resolved,
  type SshConfig,
} from '../../ssh-config/index.ts';
import { runProgram } from '../../ssh-config/run-program.ts';
import { absolute, defaultKeys, defaultKnownHosts } from '../context/paths.ts';
import { duration, wholeNumber } from '../durations.ts';
import type { Io } from '../io.ts';
import { algorithmsSaid, loginsBySsh, notFollowed, unsupportedLogins } from './ssh-config-limits.ts';

export interface SshFlags {
  readonly user?: string | undefined;
  readonly port?: number | undefined;
  readonly 'private-key'?: string | undefined;
  readonly 'ssh-config'?: string | undefined;
  readonly 'known-hosts'?: readonly string[] | undefined;
  readonly 'host-key-checking'?: 'strict' | 'accept-new' | 'off' | undefined;
  readonly timeout?: string | undefined;
}

/** What is used where neither inventory, flags nor ssh_config name one. */
export interface LoginDefaults {
  readonly user?: string | undefined;
  readonly privateKey?: string | undefined;
}

export interface Ways {
  /** What `ssh -G` would say about a host, with what inventory and flags say of it on the command line. */
  settingsOf(host: Host): Promise<Resolved>;
  targetOf(host: Host): Promise<Target>;
  /** What ssh_config asks for and is not followed, a line each; of the hosts so far. */
  notes(): string[];
}

/**
 * Reads ssh_config at the first question: `~/.ssh/config` and `/etc/ssh/ssh_config`, or what -F or the inventory names.
 * Throws a UsageError for a mistake in it, with file and line.
 */
export function openWays(io: Io, flags: SshFlags, inventory: Inventory, unsaid: LoginDefaults = {}): Ways {
  if (flags.port !== undefined) wholeNumber('port', flags.port, 1, 65535);
  const configs = new Map<string | undefined, SshConfig>();
  const notes = new Map<string, Set<string>>();

  const configOf = (file = flags['ssh-config']): SshConfig => {
    const known = configs.get(file);
    if (known !== undefined) return known;
    const config = openSshConfig({
      files: filesOf(io, file),
      home: io.home,
      user: { name: io.user, uid: io.uid },
      localHost: io.machine,
      workingDirectory: io.cwd,
      env: io.env,
      run: runProgram,
    });
    configs.set(file, config);
    return config;
  };

  const settingsOf = async (host: Host): Promise<Resolved> => {
    const said = await resolved(host, {});
    const user = said.placeOf('user') === undefined ? unsaid.user : undefined;
    const privateKey = said.placeOf('identityfile') === undefined ? unsaid.privateKey : undefined;
    return user === undefined && privateKey === undefined ? said : resolved(host, { user, privateKey });
  };

  const resolved = ({ name, connection }: Host, defaults: LoginDefaults): Promise<Resolved> => {
    const user = connection.user ?? flags.user ?? defaults.user;
    const port = connection.port ?? flags.port;
    const key = connection.privateKeyFile ?? flags['private-key'] ?? defaults.privateKey;
    const overrides: Overrides = {
      ...(user !== undefined && { user }),
      ...(port !== undefined && { port }),
      options: [...keyOption(key), ...proxyOptions(connection), ...policy(flags), ...(connection.sshOptions ?? [])],
    };
    const settings = configOf(connection.sshConfigFile).resolve(connection.address ?? name, overrides);
    if (connection.sshOptions === undefined) return settings;
    return settings.catch((error: unknown) => {
      // a mistake in an option has no other place than the host that has it
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`${name}: its SSH arguments or ssh_config: ${error.message}`, error.hint);
    });
  };

  /** A bastion: what the hop says, then the inventory, then ssh_config. -u and --port are meant for the hosts behind it. */
  const hopSettings = (hop: Jump, file: string | undefined): Promise<Resolved> => {
    const unusable = inventory.unusable.get(hop.host);
    if (unusable !== undefined)
      throw new UsageError(`the jump host ${hop.host}: ${unusable.error.message}`, unusable.error.hint);
    const listed = inventory.hosts.get(hop.host)?.connection ?? {};
    const user = hop.user ?? listed.user;
    const port = hop.port ?? listed.port;
    return configOf(file).resolve(listed.address ?? hop.host, {
      ...(user !== undefined && { user }),
      ...(port !== undefined && { port }),
      options: [...keyOption(listed.privateKeyFile), ...policy(flags)],
    });
  };

  /** The last of the hops, which is reached through those before it; the first one as ssh_config says. */
  const throughHops = async (hops: readonly Jump[], file: string | undefined, path: readonly string[]) => {
    let via: Target | undefined;
    for (const hop of hops) {
      const resolved = await hopSettings(hop, file);
      const name = `${resolved.user}@${resolved.hostname}:${resolved.port}`;
      if (path.includes(name)) throw loop(hop.host, path);
      for (const text of notFollowed(resolved, flags['host-key-checking'])) note(hop.host, text);
      const ready = resolved.ready();
      const proxy: WayThere | undefined =
        via === undefined ? await proxyOf(ready, file, [...path, name]) : { kind: 'jump', via };
      const target = baseTarget(io, flags, hop.host, { resolved, ready, file });
      const more = flags['private-key'] === undefined ? [] : [absolute(io, flags['private-key'])];
      via = {
        ...target,
        // a key named for the hosts is offered to their bastions too, but last
        identityFiles: [...target.identityFiles, ...more.filter((key) => !target.identityFiles.includes(key))],
        ...(proxy && { proxy }),
      };
    }
    return via;
  };

  const proxyOf = async (
    ready: Ready,
    file: string | undefined,
    path: readonly string[],
  ): Promise<WayThere | undefined> => {
    if (ready.proxyCommand !== undefined) return { kind: 'command', command: ready.proxyCommand };
    const via = await throughHops(ready.jumps, file, path);
    return via && { kind: 'jump', via };
  };

  const note = (host: string, text: string): void => {
    notes.set(text, (notes.get(text) ?? new Set()).add(host));
  };

  return {
    settingsOf,
    async targetOf(host) {
      const resolved = await settingsOf(host);
      const ready = resolved.ready();
      const { connection } = host;
      const itself = `${resolved.user}@${resolved.hostname}:${resolved.port}`;
      const proxy = await proxyOf(ready, connection.sshConfigFile, [itself]);
      const named = connection.privateKeyFile ?? flags['private-key'];
      for (const text of notFollowed(resolved, flags['host-key-checking'])) note(host.name, text);
      return {
        ...baseTarget(io, flags, host.name, {
          ...{ resolved, ready, file: connection.sshConfigFile },
          options: connection.sshOptions,
        }),
        ...(named !== undefined && { requiredKeyFile: ready.identityFiles[0]! }),
        ...(proxy && { proxy }),
      };
    },
    notes: () =>
      [...notes].map(([text, named]) => {
        const hosts = [...named];
        const others = hosts.length > 3 ? ` and ${hosts.length - 3} more` : '';
        return `ssh_config of ${hosts.slice(0, 3).join(', ')}${others}: ${text}`;
      }),
  };
}

function filesOf(io: Io, file: string | undefined): Parameters<typeof openSshConfig>[0]['files'] {
  if (file === undefined) return { user: join(io.home, '.ssh', 'config'), system: '/etc/ssh/ssh_config' };
  return file === 'none' ? 'none' : { only: absolute(io, file) };
}

function loop(host: string, path: readonly string[]): UsageError {
  return new UsageError(
    `${path[0]}: the jump host ${host} would be reached through itself`,
    'Give it "ProxyJump none" in ssh_config, above the block for all hosts; or leave it out of the inventory’s -J.',
  );
}

function keyOption(key: string | undefined): string[] {
  return key === undefined ? [] : [`IdentityFile=${word(key)}`];
}

function proxyOptions({ proxyJump, proxyCommand }: InventoryConnection): string[] {
  return [
    ...(proxyJump === undefined ? [] : [`ProxyJump=${proxyJump}`]),
    ...(proxyCommand === undefined ? [] : [`ProxyCommand=${proxyCommand}`]),
  ];
}

/** What is the operator's to decide, for hosts and for bastions. */
function policy(flags: SshFlags): string[] {
  const { timeout, 'known-hosts': files, 'host-key-checking': checking } = flags;
  const strictness = { strict: 'yes', 'accept-new': 'accept-new', off: 'no' } as const;
  return [
    ...(files === undefined ? [] : [`UserKnownHostsFile=${files.map(word).join(' ')}`, 'GlobalKnownHostsFile=none']),
    ...(checking === undefined ? [] : [`StrictHostKeyChecking=${strictness[checking]}`]),
    ...(timeout === undefined ? [] : [`ConnectTimeout=${Math.ceil(duration('timeout', timeout) / 1000)}`]),
  ];
}

function word(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** What ssh_config says of a host, and which file that is, if not the one of the flags. */
interface Settled {
  readonly resolved: Resolved;
  readonly ready: Ready;
  readonly file: string | undefined;
  /** What the inventory's SSH arguments say, as after `-o`. */
  readonly options?: readonly string[] | undefined;
}

/** A target without its way there. */
function baseTarget(io: Io, flags: SshFlags, name: string, { resolved, ready, file, options }: Settled): Target {
  const byKey = resolved.all.get('pubkeyauthentication')?.[0] !== 'false';
  const environment = io.env.SSH_AUTH_SOCK || undefined;
  // new keys go to the first, which must not become the one of all users
  const own = ready.userKnownHostsFiles.length > 0 ? ready.userKnownHostsFiles : ['/dev/null'];
  const knownHosts = [...own, ...ready.globalKnownHostsFiles];
  const alive = resolved.serveraliveinterval;
  const checking = resolved.stricthostkeychecking;
  const timeout = resolved.connecttimeout;
  const family = ({ any: undefined, inet: 4, inet6: 6 } as const)[resolved.addressfamily];
  const unsupported = unsupportedLogins(resolved);
  const bySsh = loginsBySsh(resolved, ready);
  const { algorithms } = algorithmsSaid(resolved);
  const config = file ?? flags['ssh-config'];
  const [control] = resolved.all.get('controlpath') ?? [];
  return {
    host: name,
    address: resolved.hostname,
    port: resolved.port,
    user: resolved.user,
    identityFiles: !byKey ? [] : hasDefaultKeys(resolved) ? defaultKeys(io) : ready.identityFiles,
    identitiesOnly: resolved.identitiesonly === 'yes' || !byKey,
    ...(ready.agentSocket !== environment && {
      agent: ready.agentSocket === undefined ? { kind: 'none' } : { kind: 'socket', path: ready.agentSocket },
    }),
    ...(resolved.hostkeyalias !== undefined && { hostKeyAlias: resolved.hostkeyalias }),
    ...(knownHosts.join() !== defaultKnownHosts(io).join() && { knownHostsFiles: knownHosts }),
    ...(resolved.hashknownhosts === 'yes' && { hashKnownHosts: true }),
    ...(ready.revokedHostKeysFile !== undefined && { revokedHostKeysFile: ready.revokedHostKeysFile }),
    ...(flags['host-key-checking'] === undefined && checking === 'accept-new' && { hostKeyChecking: 'accept-new' }),
    ...(flags.timeout === undefined && timeout !== 'none' && timeout > 0 && { connectTimeoutMs: timeout * 1000 }),
    ...(alive > 0 && { keepalive: { everyMs: alive * 1000, missed: resolved.serveralivecountmax || 3 } }),
    ...(resolved.connectionattempts > 1 && { connectionAttempts: resolved.connectionattempts }),
    ...(Object.keys(algorithms).length > 0 && { algorithms }),
    ...(family !== undefined && { addressFamily: family }),
    ...(resolved.bindaddress !== undefined && { bindAddress: resolved.bindaddress }),
    ...(ready.certificateFiles.length > 0 && { certificateFiles: ready.certificateFiles }),
    ssh: {
      destination: resolved.host,
      ...(config !== undefined && { config: config === 'none' ? config : absolute(io, config) }),
      ...(options !== undefined && { options }),
      ...(control !== undefined && { control }),
    },
    ...(bySsh.length > 0 && { needsSsh: bySsh }),
    ...(unsupported.length > 0 && { notFollowed: unsupported }),
  };
}

/** Several values of one key, as lists; numbers as such; all else as `ssh -G` prints it. */
const NUMBERS = new Set(['port', 'connecttimeout', 'connectionattempts', 'serveraliveinterval', 'serveralivecountmax']);
const LISTS = new Set(['identityfile', 'certificatefile', 'sendenv', 'setenv']);

/** The settings of a host under the names that `ssh -G` gives them. */
export function connectionOf({ all }: Resolved): Record<string, string | number | readonly string[]> {
  return Object.fromEntries(
    [...all].sort().map(([key, values]) => {
      const text = values.join(' ');
      return [key, LISTS.has(key) ? values : NUMBERS.has(key) && /^\d+$/.test(text) ? Number(text) : text];
    }),
  );
}

/** True when nothing names a key, and `ssh -G` shows what ssh looks for by itself. */
function hasDefaultKeys({ identityfile }: Resolved): boolean {
  return identityfile[0] === '~/.ssh/id_rsa' && identityfile.includes('~/.ssh/id_xmss');
}
