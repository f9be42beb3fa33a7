import type { Target } from '../model/index.ts';
import type { Io } from './io.ts';
import { wholeNumber } from './options.ts';
import { absolute } from './paths.ts';
import type { SshFlags } from './ways.ts';

/** The way to a host of an earlier run, with what the flags say now in the place of what was said then. */
export function wayAgain(io: Io, target: Target, flags: SshFlags): Target {
  if (flags.port !== undefined) wholeNumber('port', flags.port, 1, 65535);
  const { user = target.user, port = target.port, 'private-key': key } = flags;
  const file = key === undefined ? undefined : absolute(io, key);
  const named = file === undefined ? {} : { identityFiles: [file], requiredKeyFile: file };
  return { ...withPolicy(target, flags), user, port, ...named };
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
