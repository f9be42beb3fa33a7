import type { Target } from '../../model/index.ts';
import { absolute } from '../context/paths.ts';
import { wholeNumber } from '../durations.ts';
import type { Io } from '../io.ts';
import type { SshFlags, Ways } from './resolve-target.ts';

/** The way to a host of an earlier run, with what the flags say now in the place of what was said then. */
export function wayAgain(io: Io, target: Target, flags: SshFlags): Target {
  if (flags.port !== undefined) wholeNumber('port', flags.port, 1, 65535);
  const { user = target.user, port = target.port, 'private-key': key } = flags;
  const file = key === undefined ? undefined : absolute(io, key);
  const named = file === undefined ? {} : { identityFiles: [file], requiredKeyFile: file };
  return { ...withPolicy(target, flags), user, port, ...named };
}

/** What ssh_config says of a host of an earlier run now; where it is silent the way is as it was. Flags win. */
export async function wayByConfig(host: Target, flags: SshFlags, ways: Ways): Promise<Target> {
  const asked = { name: host.host, groups: [], vars: new Map() };
  const address = host.ssh?.destination ?? host.address;
  const says = await ways.settingsOf({ ...asked, connection: { address } });
  const silent = (...keys: readonly string[]): boolean => keys.every((key) => says.placeOf(key) === undefined);
  const sameKey = flags['private-key'] === undefined && silent('identityfile');
  const now = await ways.targetOf({
    ...asked,
    connection: {
      address,
      ...(flags.user === undefined && silent('user') && { user: host.user }),
      ...(flags.port === undefined && silent('port') && { port: host.port }),
      ...(sameKey && host.requiredKeyFile !== undefined && { privateKeyFile: host.requiredKeyFile }),
    },
  });
  const { knownHostsFiles, proxy } = host;
  return {
    ...now,
    ...(silent('hostname') && { address: host.address }),
    ...(sameKey && { identityFiles: host.identityFiles }),
    ...(silent('proxyjump', 'proxycommand') && proxy && { proxy }),
    ...(silent('userknownhostsfile', 'globalknownhostsfile') && knownHostsFiles && { knownHostsFiles }),
  };
}

/** Without what the flags now decide for all hosts and bastions. */
function withPolicy(target: Target, flags: SshFlags): Target {
  const { connectTimeoutMs, hostKeyChecking, knownHostsFiles, proxy, ...rest } = target;
  return {
    ...rest,
    ...(flags.timeout === undefined && connectTimeoutMs !== undefined && { connectTimeoutMs }),
    ...(flags['host-key-checking'] === undefined && hostKeyChecking !== undefined && { hostKeyChecking }),
    ...(flags['known-hosts'] === undefined && knownHostsFiles !== undefined && { knownHostsFiles }),
    ...(proxy && { proxy: proxy.kind === 'jump' ? { kind: 'jump', via: withPolicy(proxy.via, flags) } : proxy }),
  };
}
