/** One bastion, as written in ProxyJump. */
export interface Jump {
  readonly user: string | undefined;
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * A list of hops as `ssh -G` prints it; `undefined` when it is malformed. Only the last hop is
 * rewritten: brackets around names that are no address go, and come around addresses.
 */
export function normalizeJumps(value: string): string | undefined {
  const hops = value.split(',');
  const parsed = hops.map(parseJump);
  const last = parsed.at(-1);
  if (last === undefined || parsed.includes(undefined)) return undefined;
  const host = /^[\d.]+$|:/.test(last.host) ? `[${last.host}]` : last.host;
  const user = last.user === undefined ? '' : `${last.user}@`;
  const port = last.port === undefined ? '' : `:${last.port}`;
  return [...hops.slice(0, -1), `${user}${host}${port}`].join(',');
}

/** The hops of a ProxyJump value in the order in which they are visited. */
export function parseJumps(value: string): readonly Jump[] {
  return value.split(',').flatMap((hop) => parseJump(hop) ?? []);
}

function parseJump(hop: string): Jump | undefined {
  const uri = hop.startsWith('ssh://');
  const text = uri ? hop.slice('ssh://'.length).replace(/\/$/, '') : hop;
  const split = text.lastIndexOf('@');
  const rawUser = split < 0 ? undefined : text.slice(0, split);
  const user = uri && rawUser !== undefined ? decoded(rawUser.replace(/;.*/s, '')) : rawUser;
  const address = /^(?:\[([^\][]+)\]|([^[:/][^:/]*))(?::([^:/]*))?$/.exec(text.slice(split + 1));
  const host = address?.[1] ?? address?.[2];
  if (host === undefined || user === '' || (split >= 0 && user === undefined)) return undefined;
  if (uri && host.includes(':')) return undefined; // ssh reads no addresses with colons from a URI
  const digits = address?.[3] ?? '';
  const port = digits === '' ? undefined : digits === 'ssh' ? 22 : /^\d+$/.test(digits) ? Number(digits) : 0;
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  return { user, host, port };
}

function decoded(user: string): string | undefined {
  try {
    return decodeURIComponent(user);
  } catch {
    return undefined;
  }
}
