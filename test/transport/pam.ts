/** A real sshd with the real PAM: in a mount namespace of its own, where root has a password of ours and PAM the rules of a test. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { noSshd, type Scratch, type Sshd, startSshd } from './openssh.ts';

export const possible =
  noSshd === undefined &&
  userInfo().uid === 0 &&
  ['unshare -m true', 'openssl version'].every((command) => spawnSync('sh', ['-c', command]).status === 0);

/** Where modules of PAM are, and whether this one is there; with CI set it has to be. */
export function hasModule(name: string): boolean {
  if (process.env.CI) return true;
  const places = ['/lib/security', ...readdirSync('/lib').map((triplet) => `/lib/${triplet}/security`)];
  return places.some((place) => spawnSync('test', ['-e', `${place}/${name}`]).status === 0);
}

/** `pam`: the rules for sshd; absent: those of this machine. */
export async function withPam(
  files: Scratch,
  keys: readonly string[],
  more: readonly string[],
  { password, pam }: { readonly password: string; readonly pam?: string },
): Promise<Sshd> {
  const hash = execFileSync('openssl', ['passwd', '-6', password], { encoding: 'utf8' }).trim();
  const shadow = files.write('shadow', readFileSync('/etc/shadow', 'utf8').replace(/^root:[^:]*:/m, `root:${hash}:`));
  const rules = pam === undefined ? undefined : files.write(`pam-${keys.length}-${Math.random()}`, pam);
  const mounts = [
    `mount --bind '${shadow}' /etc/shadow`,
    ...(rules ? [`mount --bind '${rules}' /etc/pam.d/sshd`] : []),
  ];
  const script = `${mounts.join(' && ')} && exec /usr/sbin/sshd "$@"`;
  return startSshd(files, keys, more, ['ed25519'], ['unshare', '-m', 'sh', '-c', script, 'sh']);
}

const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

/** What a host keeps of a device, and the code that the device shows now (RFC 6238, 30 s, SHA-1). Each code is good for one login. */
export function oneTimeCodes(): { readonly secret: string; code(): string } {
  let step = Math.floor(Date.now() / 30_000) - 4;
  return {
    secret: `${SECRET}\n" DISALLOW_REUSE\n" WINDOW_SIZE 17\n" TOTP_AUTH\n`,
    code() {
      const counter = Buffer.alloc(8);
      counter.writeBigUInt64BE(BigInt(step++));
      const mac = createHmac('sha1', Buffer.from('12345678901234567890')).update(counter).digest();
      const at = mac[19]! & 15;
      return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
    },
  };
}

/** The rule for a second factor, and its codes. */
export function secondFactor(files: Scratch): { readonly rule: string; code(): string } {
  const { secret, code } = oneTimeCodes();
  const file = files.write(`totp-${Math.random()}`, secret);
  return { rule: `auth required pam_google_authenticator.so secret=${file} user=root no_strict_owner\n`, code };
}

/** Lets everybody in whom the rules before have authenticated. */
export const REST = 'account required pam_permit.so\nsession required pam_permit.so\n';
