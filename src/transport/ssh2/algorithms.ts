/**
 * What is offered in the key exchange and in the login. ssh_config's lists are followed as far as ssh2 has the algorithms:
 * a name by itself is taken although it is weak, for somebody wrote it down for a host that has nothing better.
 */
import { type Fault, fault, printable, type Target } from '../../model/index.ts';
import { compilePattern } from '../../ssh-config/pattern.ts';

interface Kind {
  /** As ssh_config calls it. */
  readonly keyword: string;
  /** In order of preference. */
  readonly offered: readonly string[];
  /** Only where ssh_config names them. */
  readonly onRequest: readonly string[];
}

/** Groups of 2048 bits and more. No group-exchange (1.5 s of CPU each), no SHA-1, no CBC, no compression. */
const KINDS = {
  kex: {
    keyword: 'KexAlgorithms',
    offered: [
      'curve25519-sha256',
      'curve25519-sha256@libssh.org',
      'ecdh-sha2-nistp256',
      'ecdh-sha2-nistp384',
      'ecdh-sha2-nistp521',
      'diffie-hellman-group16-sha512',
      'diffie-hellman-group18-sha512',
      'diffie-hellman-group14-sha256',
    ],
    onRequest: [
      'diffie-hellman-group-exchange-sha256',
      'diffie-hellman-group15-sha512',
      'diffie-hellman-group17-sha512',
      'diffie-hellman-group14-sha1',
      'diffie-hellman-group-exchange-sha1',
      'diffie-hellman-group1-sha1',
    ],
  },
  cipher: {
    keyword: 'Ciphers',
    offered: [
      'aes128-gcm@openssh.com',
      'aes256-gcm@openssh.com',
      'chacha20-poly1305@openssh.com',
      'aes256-ctr',
      'aes192-ctr',
      'aes128-ctr',
    ],
    onRequest: ['aes256-cbc', 'aes192-cbc', 'aes128-cbc', '3des-cbc'],
  },
  hmac: {
    keyword: 'MACs',
    offered: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
    onRequest: ['hmac-sha1-etm@openssh.com', 'hmac-sha1', 'hmac-sha1-96'],
  },
  hostKey: {
    keyword: 'HostKeyAlgorithms',
    offered: [
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
      'rsa-sha2-512',
      'rsa-sha2-256',
    ],
    onRequest: ['ssh-rsa'],
  },
  /** Of keys to log in with: what ours sign by. */
  publicKey: {
    keyword: 'PubkeyAcceptedAlgorithms',
    offered: ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'rsa-sha2-256'],
    onRequest: [],
  },
} as const satisfies Record<string, Kind>;

type KindName = keyof typeof KINDS;
export type Algorithms = NonNullable<Target['algorithms']>;

/** What is offered where nothing is said. */
export function offered(kind: KindName): readonly string[] {
  return KINDS[kind].offered;
}

/** What ssh_config makes of the lists. `said`: its values by lower-case keyword, as written. */
export function algorithmsOf(said: ReadonlyMap<string, string>): {
  /** Only those that it speaks of. */
  readonly algorithms: Algorithms;
  /** `keyword names` for what it names and is not here; with wildcards nothing is named. */
  readonly lacking: readonly string[];
} {
  const algorithms: { -readonly [kind in keyof Algorithms]: Algorithms[kind] } = {};
  const lacking: string[] = [];
  for (const [name, kind] of Object.entries(KINDS) as [KindName, Kind][]) {
    const value = said.get(kind.keyword.toLowerCase());
    if (value === undefined) continue;
    algorithms[name] = assembled(value, kind);
    // as in ssh, what is known of a host goes first, unless the order is somebody's wish
    if (name === 'hostKey' && /^[^+-]/.test(value)) algorithms.hostKeyOrder = 'as given';
    const all = [...kind.offered, ...kind.onRequest];
    const unknown = namesIn(value).filter((each) => !/[*?]|-cert-v0|^sk-|^webauthn-/.test(each) && !all.includes(each));
    if (unknown.length > 0 && !value.startsWith('-')) lacking.push(`${kind.keyword} ${unknown.join(',')}`);
  }
  return { algorithms, lacking };
}

/** The lists in which nothing is left, as `keyword` each: there is no talking to the host with these. */
export function emptyLists(algorithms: Algorithms = {}): string[] {
  return (Object.entries(KINDS) as [KindName, Kind][]).flatMap(([name, { keyword }]) =>
    algorithms[name]?.length === 0 && name !== 'publicKey' ? keyword : [],
  );
}

export function nothingToOffer({ host, algorithms }: Target): Fault | undefined {
  const empty = emptyLists(algorithms);
  if (empty.length === 0) return undefined;
  return fault(
    'unreachable',
    `${printable(host, 120)} cannot be talked to: of ${empty.join(' and ')} in ssh_config nothing is known here`,
    'Add an algorithm that is (KexAlgorithms curve25519-sha256, for one), or use --transport openssh.',
  );
}

/** `+` adds to what is offered, `-` takes away from it, `^` prefers; else the list is all there is. */
function assembled(value: string, { offered, onRequest }: Kind): string[] {
  // weak ones have to be named: no wildcard means them
  const matching = (name: string) => offered.filter(compilePattern(name));
  const named = [...new Set(namesIn(value).flatMap((name) => (onRequest.includes(name) ? [name] : matching(name))))];
  if (value.startsWith('+')) return [...new Set([...offered, ...named])];
  if (value.startsWith('-')) return offered.filter((name) => !named.includes(name));
  return value.startsWith('^') ? [...new Set([...named, ...offered])] : named;
}

function namesIn(value: string): string[] {
  return value
    .replace(/^[+^-]/, '')
    .split(',')
    .filter((name) => name !== '');
}
