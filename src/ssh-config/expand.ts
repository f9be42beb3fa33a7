import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lowerCase } from './keyword-values.ts';

/** Whose `~` is meant. */
export interface Homes {
  readonly home: string;
}

/** What the tokens stand for on this host. */
export interface Tokens {
  readonly values: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** `~/x` and `~user/x`; `undefined` when there is no such user. */
export function expandTilde(path: string, { home }: Homes): string | undefined {
  const [, user, rest] = /^~([^/]*)\/*(.*)$/s.exec(path) ?? [];
  if (user === undefined || rest === undefined) return path;
  const directory = user === '' ? home : homeOf(user);
  return directory === undefined ? undefined : `${directory.replace(/\/$/, '')}/${rest}`;
}

function homeOf(user: string): string | undefined {
  try {
    const accounts = readFileSync('/etc/passwd', 'utf8').split('\n');
    return accounts.map((account) => account.split(':')).find(([name]) => name === user)?.[5];
  } catch {
    return undefined;
  }
}

/** Text with its tokens (and, unless `only tokens`, `${VARIABLES}`) replaced, or why that cannot be. */
export function expand(
  text: string,
  { values, env }: Tokens,
  allowed: string,
  which: 'tokens and variables' | 'only tokens' = 'only tokens',
): { readonly text: string } | { readonly why: string } {
  let why: string | undefined;
  const expression = which === 'only tokens' ? /%([\s\S]?)/g : /%([\s\S]?)|\$\{(?:(\w+)\})?/g;
  const expanded = text.replace(expression, (found, token: string | undefined, variable: string | undefined) => {
    if (token === '%') return '%';
    if (token !== undefined) {
      const value = token !== '' && allowed.includes(token) ? values[token] : undefined;
      if (value === undefined) why ??= `the token ${found} has no meaning here`;
      return value ?? '';
    }
    const value = variable === undefined ? undefined : env[variable];
    if (variable === undefined) why ??= `${found} is not followed by a name and }`;
    else if (value === undefined) why ??= `the environment variable ${variable} is not set`;
    return value ?? '';
  });
  return why === undefined ? { text: expanded } : { why };
}

/** The value of `%C`. */
export function connectionHash(localHost: string, host: string, port: string, user: string): string {
  return createHash('sha1').update(`${localHost}${host}${port}${user}`).digest('hex');
}

/**
 * A host name as ssh goes on to use it: names in lower case, addresses in their usual form (`10.1` is `10.0.0.1`).
 * An address that differs in case only stays as it is, and so does what merely looks like an address. (ssh also
 * renames the zone of a link-local address after the interfaces of this machine; here it stays as written.)
 */
export function normalizeHost(name: string, family: string): string {
  const address = family === 'inet6' ? undefined : ipv4(name);
  if (address !== undefined) return address;
  if (!/[:%]/.test(name)) return lowerCase(name);
  const normal = family === 'inet' ? undefined : ipv6(name);
  return normal === undefined || normal === name.toLowerCase() ? name : normal;
}

function ipv4(name: string): string | undefined {
  if (!/^(0x[\da-f]+|\d+)(\.(0x[\da-f]+|\d+)){0,3}$/i.test(name)) return undefined;
  return URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : undefined;
}

function ipv6(name: string): string | undefined {
  if (!/^[\da-f:.]+$/i.test(name) || !URL.canParse(`http://[${name}]`)) return undefined;
  return withDottedTail(new URL(`http://[${name}]`).hostname.slice(1, -1));
}

/** The C library shows the last 32 bits of IPv4-mapped and IPv4-compatible addresses with dots. */
function withDottedTail(address: string): string {
  const [, prefix, high, low] = /^(::(?:ffff:)?)([\da-f]{1,4}):([\da-f]{1,4})$/.exec(address) ?? [];
  if (prefix === undefined || high === undefined || low === undefined) return address;
  const [h, l] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return `${prefix}${h >> 8}.${h & 255}.${l >> 8}.${l & 255}`;
}

/** A path made absolute. */
export function absolute(path: string, directory: string): string {
  return path.startsWith('/') ? path : join(directory, path);
}
