import { createPrivateKey, type KeyObject, sign as signWith } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import ssh2, { type ParsedKey } from 'ssh2';
import { printable } from '../../model/index.ts';
import { keyTypeOf } from '../host-keys/known-hosts.ts';

/** A private key file after one look at it. */
export type KeyFile =
  | { readonly state: 'ready'; readonly key: PrivateKey }
  /** Encrypted. `blob`: its public key where that can be learnt without the passphrase. */
  | { readonly state: 'locked'; readonly blob: Buffer | undefined; readonly text: string }
  /** Only the public key is here; an agent may hold the private one. `why`: what is missing otherwise. */
  | { readonly state: 'public'; readonly blob: Buffer; readonly why: string }
  /** `why` completes the sentence "this key was skipped: …". */
  | { readonly state: 'unusable'; readonly why: string; readonly needsSsh?: true };

export interface PrivateKey {
  /** For ssh2. Its `sign` is ours: see `fastSigner`. */
  readonly parsed: ParsedKey;
  readonly blob: Buffer;
  readonly type: string;
}

/** Reads a private key without its passphrase. Never rejects. */
export async function readKeyFile(file: string): Promise<KeyFile> {
  let text: string;
  try {
    text = await readFile(file, 'latin1');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    const blob = code === 'ENOENT' ? await publicHalf(file) : undefined;
    if (blob !== undefined) return { state: 'public', blob, why: 'only its public key is here, and not in the agent' };
    return { state: 'unusable', why: code === 'ENOENT' ? 'no such file' : `cannot read it (${code})` };
  }
  const only = publicKey(text);
  if (only !== undefined) return { state: 'public', blob: only, why: 'it is a public key, and not in the agent' };
  const exposed = await exposure(file);
  if (exposed !== undefined) return unusable(exposed);
  const envelope = openSshEnvelope(text);
  if (envelope !== undefined && !SUPPORTED.has(envelope.type))
    return { state: 'unusable', ...unsupportedType(envelope.type) };
  if (envelope?.encrypted || /^(Proc-Type: 4,ENCRYPTED|-----BEGIN ENCRYPTED PRIVATE KEY-----)/m.test(text)) {
    return { state: 'locked', blob: envelope?.blob ?? (await publicHalf(file)), text };
  }
  return parse(text, undefined);
}

/** Decrypts a locked key. Deriving the key from the passphrase costs 0.25–1.3 s of CPU: once per run. Never throws. */
export function unlock(text: string, passphrase: string): KeyFile {
  return parse(text, passphrase);
}

/** Why ssh2 cannot use an identity of this type, for a person to read, and whether ssh itself can. */
export function unsupportedType(type: string): { why: string; needsSsh?: true } {
  const name = printable(type, 60);
  if (type.includes('-cert-v0')) return { why: `${CERTIFICATES} (${name})`, needsSsh: true };
  if (type.startsWith('sk-')) return { why: `security keys need --transport openssh (${name})`, needsSsh: true };
  return { why: `keys of type ${name} are not supported` };
}

const CERTIFICATES = 'certificates need --transport openssh';

/** Why the certificate beside a key file is passed over; `undefined`: there is none. */
export async function certificateBeside(file: string): Promise<{ source: string; why: string } | undefined> {
  const name = `${file}-cert.pub`;
  const found = await stat(name).catch(() => undefined);
  return found && { source: printable(name), why: CERTIFICATES };
}

/** A private key that others can read is not used, as in ssh (whoever owns it other than us must know). */
async function exposure(file: string): Promise<string | undefined> {
  const { mode, uid } = await stat(file);
  if (uid !== userInfo().uid || (mode & 0o077) === 0) return undefined;
  return `others can read it (mode ${(mode & 0o777).toString(8).padStart(4, '0')}); ssh refuses it too: chmod 600`;
}

export const SUPPORTED: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
]);

const unusable = (why: string): KeyFile => ({ state: 'unusable', why });

function parse(text: string, passphrase: string | undefined): KeyFile {
  const failed = passphrase === undefined ? 'it is not a private key that can be read' : 'wrong passphrase';
  try {
    const pem = /BEGIN (ENCRYPTED )?PRIVATE KEY/.test(text) ? fromPkcs8(text, passphrase) : text;
    const parsed = ssh2.utils.parseKey(pem, pem === text ? passphrase : undefined);
    if (parsed instanceof Error || !parsed.isPrivateKey()) return unusable(failed);
    if (!SUPPORTED.has(parsed.type)) return { state: 'unusable', ...unsupportedType(parsed.type) };
    parsed.sign = fastSigner(parsed);
    return { state: 'ready', key: { parsed, blob: parsed.getPublicSSH(), type: parsed.type } };
  } catch {
    return unusable(failed);
  }
}

/** ssh2 knows PKCS#1 and SEC1 but not PKCS#8, which `ssh-keygen -m PKCS8` and openssl write. */
function fromPkcs8(text: string, passphrase: string | undefined): string {
  const key = createPrivateKey(passphrase === undefined ? text : { key: text, passphrase });
  if (key.asymmetricKeyType === 'rsa') return key.export({ type: 'pkcs1', format: 'pem' }).toString();
  if (key.asymmetricKeyType === 'ec') return key.export({ type: 'sec1', format: 'pem' }).toString();
  if (key.asymmetricKeyType === 'ed25519') return openSshForm(key);
  throw new Error('no other form of this key is known to ssh2');
}

/** An Ed25519 key as ssh-keygen writes it (PROTOCOL.key), in clear. */
function openSshForm(key: KeyObject): string {
  const { x = '', d = '' } = key.export({ format: 'jwk' });
  const [open, secret] = [Buffer.from(x, 'base64url'), Buffer.from(d, 'base64url')];
  const text = (content: Buffer | string): Buffer => {
    const body = Buffer.from(content as string);
    return Buffer.concat([number(body.length), body]);
  };
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const type = text('ssh-ed25519');
  const twice = Buffer.alloc(8); // by which a wrong passphrase would show
  const body = Buffer.concat([twice, type, text(open), text(Buffer.concat([secret, open])), text('')]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(0, (8 - (body.length % 8)) % 8);
  const file = Buffer.concat([
    ...[Buffer.from(OPENSSH_MAGIC, 'latin1'), text('none'), text('none'), text(''), number(1)],
    ...[text(Buffer.concat([type, text(open)])), text(Buffer.concat([body, padding]))],
  ]);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${file.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/**
 * ssh2 parses the PEM again for every signature: 518 µs, against 37 µs with a key object that is kept.
 * It also falls back to SHA-1 for RSA when a server does not announce what it takes; this refuses. By ssh2's
 * convention a failure is returned, not thrown.
 */
function fastSigner(parsed: ParsedKey): ParsedKey['sign'] {
  let kept: KeyObject | undefined;
  return (data, algo) => {
    if (parsed.type === 'ssh-rsa' && algo !== 'sha256' && algo !== 'sha512') return refusal('SHA-1 is not used');
    kept ??= createPrivateKey(parsed.getPrivatePEM());
    return signWith(hashOf(parsed.type, algo), Buffer.from(data as Buffer), kept);
  };
}

const refusal = (why: string): Buffer => new Error(why) as unknown as Buffer;

function hashOf(type: string, algo: string | undefined): string | undefined {
  if (type === 'ssh-rsa') return algo;
  if (type === 'ecdsa-sha2-nistp256') return 'sha256';
  if (type === 'ecdsa-sha2-nistp384') return 'sha384';
  if (type === 'ecdsa-sha2-nistp521') return 'sha512';
  return undefined;
}

const OPENSSH_MAGIC = 'openssh-key-v1\0';

/** OpenSSH's own format (PROTOCOL.key) tells the public key, and so the type, even when it is encrypted. */
function openSshEnvelope(text: string): { type: string; blob: Buffer; encrypted: boolean } | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END/.exec(text)?.[1];
  const data = Buffer.from(body ?? '', 'base64');
  if (data.toString('latin1', 0, OPENSSH_MAGIC.length) !== OPENSSH_MAGIC) return undefined;
  let at = OPENSSH_MAGIC.length;
  const field = (): Buffer => {
    const length = data.readUInt32BE(at);
    at += 4 + length;
    return data.subarray(at - length, at);
  };
  try {
    const encrypted = field().toString('latin1') !== 'none';
    field(); // kdf
    field(); // its options
    at += 4; // number of keys, always 1
    const blob = field();
    const type = keyTypeOf(blob);
    return type === undefined ? undefined : { type, blob, encrypted };
  } catch {
    return undefined; // cut short: the parser will say so
  }
}

async function publicHalf(file: string): Promise<Buffer | undefined> {
  return publicKey(await readFile(`${file}.pub`, 'latin1').catch(() => ''));
}

/** The key of a line such as `ssh-ed25519 AAAA… comment`. */
function publicKey(text: string): Buffer | undefined {
  const [type, base64 = ''] = text.split(/\s+/);
  const blob = Buffer.from(base64, 'base64');
  return type !== undefined && keyTypeOf(blob) === type ? blob : undefined;
}
