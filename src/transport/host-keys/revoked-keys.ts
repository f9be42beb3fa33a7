import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import ssh2 from 'ssh2';
import { printable } from '../../model/index.ts';
import { SUPPORTED } from '../identities/key-file.ts';
import { keyTypeOf } from './known-hosts.ts';

/**
 * A file of revoked host keys (RevokedHostKeys): public keys, one a line, or a key revocation list as `ssh-keygen -k` makes it
 * (OpenSSH's PROTOCOL.krl). As with ssh, a file that cannot be read whole vouches for no key; what a list says of certificates
 * is not looked at, since none is accepted here.
 */
export interface RevokedKeys {
  /** What speaks against this key, safe to print, as the end of a sentence. */
  objectionTo(key: Buffer): Objection | undefined;
}

export type Objection =
  /** `where`: the file, and the line in it if it has lines. */
  { readonly is: 'revoked'; readonly where: string } | { readonly is: 'unreadable'; readonly why: string };

/** Reads the file once. Never rejects. */
export async function revokedKeys(file: string): Promise<RevokedKeys> {
  const name = printable(file);
  try {
    const content = await readFile(file);
    const where = content.subarray(0, KRL_MAGIC.length).equals(KRL_MAGIC) ? fromList(content) : fromLines(content);
    return {
      objectionTo(key) {
        const found = where(key);
        return found === undefined ? undefined : { is: 'revoked', where: `${name}${found}` };
      },
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = error instanceof Malformed ? `${name}${message}` : `${name} cannot be read (${code ?? 'error'})`;
    return { objectionTo: () => ({ is: 'unreadable', why }) };
  }
}

/** Tells where in the file a key is revoked: `:3`, or nothing more than that it is. */
type Where = (key: Buffer) => string | undefined;

class Malformed extends Error {}

function fromLines(content: Buffer): Where {
  const lines = new Map<string, number>();
  content
    .toString('latin1')
    .split('\n')
    .forEach((raw, index) => {
      const [type = '', base64 = ''] = raw.trim().split(/[ \t]+/);
      if (type === '' || type.startsWith('#')) return;
      const blob = Buffer.from(base64, 'base64');
      const whole = !SUPPORTED.has(type) || !(ssh2.utils.parseKey(`${type} ${base64}`) instanceof Error);
      // a certificate is more than its key: what is meant by it here is not known
      if (keyTypeOf(blob) !== type || !whole || type.includes('-cert-v')) {
        throw new Malformed(`:${index + 1} is no public key`);
      }
      const key = blob.toString('base64');
      if (!lines.has(key)) lines.set(key, index + 1);
    });
  return (key) => {
    const line = lines.get(key.toString('base64'));
    return line === undefined ? undefined : `:${line}`;
  };
}

const KRL_MAGIC = Buffer.from('SSHKRL\n\0', 'latin1');
const CERTIFICATES = 1;
const SIGNATURE = 4;
const EXTENSION = 255;
/** The sections that revoke plain keys, and the form in which each lists them. */
const KEYS: ReadonlyMap<number, (key: Buffer) => Buffer> = new Map([
  [2, (key: Buffer) => key],
  [3, (key: Buffer) => createHash('sha1').update(key).digest()],
  [5, (key: Buffer) => createHash('sha256').update(key).digest()],
]);

function fromList(content: Buffer): Where {
  const reader = new Reader(content.subarray(KRL_MAGIC.length));
  if (reader.number() !== 1) throw new Malformed(' is a revocation list of an unknown version');
  reader.skip(3 * 8); // its version, its date, flags
  reader.text(); // reserved
  reader.text(); // comment
  const revoked = new Map([...KEYS.keys()].map((section) => [section, new Set<string>()]));
  while (!reader.atEnd) {
    const section = reader.byte();
    const data = reader.text();
    if (section === SIGNATURE) {
      reader.text(); // of the list so far: ssh does not check it either
      continue;
    }
    if (section === CERTIFICATES) continue;
    const found = revoked.get(section);
    if (found !== undefined) {
      for (const entries = new Reader(data); !entries.atEnd; ) found.add(entries.text().toString('base64'));
    } else if (section !== EXTENSION || isCritical(data)) {
      throw new Malformed(' is a revocation list with a part that is not known here');
    }
  }
  return (key) =>
    [...KEYS].some(([section, form]) => revoked.get(section)?.has(form(key).toString('base64'))) ? '' : undefined;
}

function isCritical(extension: Buffer): boolean {
  const reader = new Reader(extension);
  reader.text(); // its name
  return reader.byte() !== 0;
}

class Reader {
  readonly #data: Buffer;
  #at = 0;
  constructor(data: Buffer) {
    this.#data = data;
  }
  get atEnd(): boolean {
    return this.#at === this.#data.length;
  }
  skip(length: number): Buffer {
    if (this.#at + length > this.#data.length) throw new Malformed(' is a revocation list that is cut short');
    this.#at += length;
    return this.#data.subarray(this.#at - length, this.#at);
  }
  byte(): number {
    return this.skip(1)[0]!;
  }
  number(): number {
    return this.skip(4).readUInt32BE();
  }
  text(): Buffer {
    return this.skip(this.number());
  }
}
