import { createHash, createHmac } from 'node:crypto';
import { compilePattern } from '../../ssh-config/pattern.ts';

/**
 * known_hosts as OpenSSH reads it (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"; hostfile.c decides where the page is silent).
 * Parsed once for all hosts; a lookup costs an HMAC per hashed line, and that only where no plain line names the host.
 */
export interface KnownHost {
  readonly marker: 'none' | 'cert-authority' | 'revoked';
  /** The algorithm name as written, e.g. `ssh-ed25519`. */
  readonly type: string;
  /** The public key blob, base64 without padding. */
  readonly key: string;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

/** What known_hosts says about a key that a host has just presented. */
export type Verdict =
  | { readonly is: 'known' }
  /** `authority`: a CA is trusted for this host, but the host presented a plain key, which a CA cannot vouch for. */
  | { readonly is: 'unknown'; readonly authority: KnownHost | undefined }
  | { readonly is: 'changed'; readonly conflict: KnownHost }
  | { readonly is: 'revoked'; readonly by: KnownHost };

/** A verdict that speaks against the key. */
export type Objection = Exclude<Verdict, { is: 'known' }>;

export interface HostAddress {
  readonly address: string;
  readonly port: number;
}

type Names =
  | { readonly kind: 'patterns'; readonly patterns: readonly string[] }
  | { readonly kind: 'hashed'; readonly salt: Buffer; readonly hash: Buffer };
type Line = KnownHost & { readonly names: Names };

/** The name under which ssh files a host: lower case, `[h]:port` unless the port is 22. */
export function knownHostsName(host: HostAddress): string {
  const name = host.address.toLowerCase();
  return host.port === 22 ? name : `[${name}]:${host.port}`;
}

/** As `ssh-keygen -l` prints it: `SHA256:` and 43 characters. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${unpadded(createHash('sha256').update(key).digest('base64'))}`;
}

/** The algorithm name at the front of a public key blob; `undefined` when it is not one. */
export function keyTypeOf(blob: Buffer): string | undefined {
  if (blob.length < 5) return undefined;
  const length = blob.readUInt32BE(0);
  if (length === 0 || length > 100 || blob.length < 4 + length) return undefined;
  const type = blob.toString('latin1', 4, 4 + length);
  return /^[\x21-\x7e]+$/.test(type) ? type : undefined;
}

export class KnownHosts {
  readonly #plain = new Map<string, Line[]>();
  /** Lines looked at for every host: those with wildcards, and hashed ones with a marker. */
  readonly #always: Line[] = [];
  /** Looked at only when no plain line settles the matter: each costs an HMAC. */
  readonly #hashed: Line[] = [];

  /** Adds the lines of one file. Like ssh, passes over lines it cannot read and markers it does not know. */
  addFile(file: string, text: string): void {
    text.split('\n').forEach((raw, index) => {
      const line = parseLine(raw, file, index + 1);
      if (line !== undefined) this.#add(line);
    });
  }

  /** Key types with a plain entry for this host, for the order in which host key algorithms are offered. */
  keyTypes(host: HostAddress): readonly string[] {
    const { exact, withoutPort } = this.#find(host);
    const lines = plainOnly(exact).length > 0 ? exact : withoutPort;
    return [...new Set(plainOnly(lines).map((line) => line.type))];
  }

  /** The authority trusted for this host, where no key of its own is known. */
  onlyAuthority(host: HostAddress): KnownHost | undefined {
    const { exact, withoutPort } = this.#find(host);
    const lines = [...exact, ...withoutPort];
    return plainOnly(lines).length > 0 ? undefined : lines.find((line) => line.marker === 'cert-authority');
  }

  /**
   * As ssh decides: revoked before all else; an equal key is known; any other plain key means changed, of whatever
   * type. For a port other than 22 an equal key filed without the port is good too, a different one there means nothing.
   */
  check(host: HostAddress, blob: Buffer): Verdict {
    const key = unpadded(blob.toString('base64'));
    const first = judge(this.#find(host), key);
    if (first.is === 'known' || first.is === 'revoked') return first;
    // A plain line that names the host has hidden the hashed ones until here: one of them may still know the key.
    return judge(this.#find(host, 'hashed too'), key);
  }

  #add(line: Line): void {
    if (line.names.kind === 'hashed') {
      (line.marker === 'none' ? this.#hashed : this.#always).push(line);
    } else if (line.names.patterns.some((pattern) => /^!|[*?]/.test(pattern))) {
      this.#always.push(line);
    } else {
      for (const name of line.names.patterns) {
        const lines = this.#plain.get(name);
        if (lines === undefined) this.#plain.set(name, [line]);
        else lines.push(line);
      }
    }
  }

  #find(host: HostAddress, hashed: 'hashed too' | 'hashed if nothing else' = 'hashed if nothing else'): Found {
    const name = knownHostsName(host);
    const bare = host.address.toLowerCase();
    const exact = this.#matching(name, hashed);
    return { exact, withoutPort: name === bare ? [] : this.#matching(bare, hashed) };
  }

  #matching(name: string, hashed: 'hashed too' | 'hashed if nothing else'): readonly Line[] {
    const found = [...(this.#plain.get(name) ?? []), ...this.#always.filter((line) => namesMatch(line.names, name))];
    if (hashed === 'hashed if nothing else' && plainOnly(found).length > 0) return found;
    return [...found, ...this.#hashed.filter((line) => namesMatch(line.names, name))];
  }
}

interface Found {
  readonly exact: readonly Line[];
  /** Empty for port 22, where it would be the same. */
  readonly withoutPort: readonly Line[];
}

function judge({ exact, withoutPort }: Found, key: string): Verdict {
  const by = [...exact, ...withoutPort].find((line) => line.marker === 'revoked' && line.key === key);
  if (by !== undefined) return { is: 'revoked', by };
  const plain = plainOnly(exact);
  if ([...plain, ...(plain.length === 0 ? plainOnly(withoutPort) : [])].some((line) => line.key === key)) {
    return { is: 'known' };
  }
  const conflict = plain[0];
  if (conflict !== undefined) return { is: 'changed', conflict };
  return { is: 'unknown', authority: [...exact, ...withoutPort].find((line) => line.marker === 'cert-authority') };
}

const plainOnly = (lines: readonly Line[]): readonly Line[] => lines.filter((line) => line.marker === 'none');
const unpadded = (base64: string): string => base64.replace(/={1,2}$/, '');

function parseLine(raw: string, file: string, line: number): Line | undefined {
  // In front only blanks are passed over, as by ssh: after a form feed the line names some other host.
  const fields = raw.replace(/^[ \t]+|[ \t\r\f\v]+$/g, '').split(/[ \t]+/);
  let marker: KnownHost['marker'] = 'none';
  if (fields[0]?.startsWith('@')) {
    const word = fields.shift();
    if (word !== '@revoked' && word !== '@cert-authority') return undefined;
    marker = word === '@revoked' ? 'revoked' : 'cert-authority';
  }
  const [hosts, type, base64] = fields;
  if (hosts === undefined || hosts.startsWith('#') || type === undefined || base64 === undefined) return undefined;
  const blob = decoded(base64);
  if (blob === undefined || keyTypeOf(blob) !== type) return undefined;
  const names = parseNames(hosts);
  return names && { marker, type, key: unpadded(blob.toString('base64')), file, line, names };
}

function parseNames(hosts: string): Names | undefined {
  if (!hosts.startsWith('|')) return { kind: 'patterns', patterns: hosts.toLowerCase().split(',') };
  const [, magic, salt, hash, ...rest] = hosts.split('|');
  if (magic !== '1' || salt === undefined || hash === undefined || rest.length > 0) return undefined;
  const hashed = { salt: decoded(salt), hash: decoded(hash) };
  if (hashed.salt?.length !== 20 || hashed.hash?.length !== 20) return undefined;
  return { kind: 'hashed', salt: hashed.salt, hash: hashed.hash };
}

/** ssh takes no base64 that is short of its padding, has too much of it, or holds anything else. */
function decoded(base64: string): Buffer | undefined {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : undefined;
}

/** `|1|salt|HMAC-SHA1(salt, name)`, the form of HashKnownHosts. */
export function hashedName(name: string, salt: Buffer): string {
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

function namesMatch(names: Names, name: string): boolean {
  if (names.kind === 'hashed') return createHmac('sha1', names.salt).update(name).digest().equals(names.hash);
  let matched = false;
  for (const pattern of names.patterns) {
    if (!compilePattern(pattern.startsWith('!') ? pattern.slice(1) : pattern)(name)) continue;
    if (pattern.startsWith('!')) return false;
    matched = true;
  }
  return matched;
}
