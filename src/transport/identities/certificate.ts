/** What an SSH certificate says of itself (OpenSSH's PROTOCOL.certkeys), for people who wonder why it is refused. Nothing is verified. */
import { printable } from '../../model/index.ts';
import { SshDataReader } from '../ssh-data.ts';

export interface Certificate {
  readonly kind: 'user' | 'host';
  readonly principals: readonly string[];
  /** Seconds since 1970; `null`: no bound. */
  readonly validAfter: number | null;
  readonly validBefore: number | null;
}

/** How many fields the public key takes, by the certificate's type. */
const KEY_FIELDS: readonly (readonly [RegExp, number])[] = [
  [/^ssh-ed25519-cert/, 1],
  [/^(?:ssh-rsa|rsa-sha2-\d+|ecdsa-sha2-\w+|sk-ssh-ed25519)-cert/, 2],
  [/^sk-ecdsa-sha2-nistp256-cert/, 3],
  [/^ssh-dss-cert/, 4],
];
const FOR_EVER = 0xffff_ffff_ffff_ffffn;

/** Reads the line of a `-cert.pub` file; `undefined` when it is none. */
export function readCertificate(text: string): Certificate | undefined {
  try {
    const reader = new SshDataReader(Buffer.from(text.trim().split(/\s+/)[1] ?? '', 'base64'));
    const type = reader.text();
    const fields = KEY_FIELDS.find(([pattern]) => pattern.test(type))?.[1];
    if (fields === undefined) return undefined;
    for (let field = 0; field < 1 + fields; field++) reader.string(); // a nonce, and the key
    reader.long(); // serial
    const kind = reader.number() === 2 ? 'host' : 'user';
    reader.string(); // key id
    const names = new SshDataReader(reader.string());
    const principals: string[] = [];
    while (names.left > 0) principals.push(names.text());
    return { kind, principals, validAfter: seconds(reader.long()), validBefore: seconds(reader.long()) };
  } catch {
    return undefined;
  }
}

function seconds(value: bigint): number | null {
  return value === FOR_EVER || value === 0n ? null : Number(value);
}

/** Why it may not let `user` in, a phrase; `undefined`: nothing is to be seen in it. */
export function objection(certificate: Certificate, user: string, now: number): string | undefined {
  const { kind, principals, validAfter, validBefore } = certificate;
  const at = (time: number): string => new Date(time * 1000).toISOString().slice(0, 16).replace('T', ' ');
  if (kind === 'host') return 'it is for a host, not for a user';
  if (validBefore !== null && now >= validBefore) return `it expired at ${at(validBefore)} UTC`;
  if (validAfter !== null && now < validAfter) return `it is not valid before ${at(validAfter)} UTC`;
  if (principals.length > 0 && !principals.includes(user)) return `it is for ${printable(principals.join(', '), 200)}`;
  return undefined;
}
