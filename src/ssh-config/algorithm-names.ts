/** Names of algorithms that every ssh of these years has. One that it does not know spoils the whole file for ssh. */
import { compilePattern } from './pattern.ts';

const MACS = ['hmac-sha1', 'hmac-sha1-96', 'hmac-sha2-256', 'hmac-sha2-512', 'hmac-md5', 'hmac-md5-96'];
const EXACT: Readonly<Record<string, readonly string[]>> = {
  ciphers: [
    ...['chacha20-poly1305@openssh.com', 'aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', '3des-cbc'],
    ...['aes128-ctr', 'aes192-ctr', 'aes256-ctr', 'aes128-cbc', 'aes192-cbc', 'aes256-cbc'],
  ],
  macs: [
    ...MACS.flatMap((name) => [name, `${name}-etm@openssh.com`]),
    ...['umac-64@openssh.com', 'umac-128@openssh.com', 'umac-64-etm@openssh.com', 'umac-128-etm@openssh.com'],
  ],
  kexalgorithms: [
    ...['curve25519-sha256', 'curve25519-sha256@libssh.org', 'diffie-hellman-group1-sha1'],
    ...['ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521', 'diffie-hellman-group14-sha1'],
    ...['diffie-hellman-group14-sha256', 'diffie-hellman-group16-sha512', 'diffie-hellman-group18-sha512'],
    ...['diffie-hellman-group-exchange-sha1', 'diffie-hellman-group-exchange-sha256'],
  ],
};
const KEYS = [
  ...['ssh-ed25519', 'ssh-rsa', 'rsa-sha2-256', 'rsa-sha2-512', 'sk-ssh-ed25519@openssh.com'],
  ...['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'sk-ecdsa-sha2-nistp256@openssh.com'],
].flatMap((name) => [name, `${name.replace('@openssh.com', '')}-cert-v01@openssh.com`]);
const WITH_PATTERNS = new Set(['hostkeyalgorithms', 'pubkeyacceptedalgorithms', 'hostbasedacceptedalgorithms']);
/** Their values have rules that only ssh applies. */
const OTHERS = new Set(['canonicaldomains', 'permitremoteopen', 'tunneldevice']);

/** Whether it takes ssh itself to tell if it takes this value. */
export function onlySshCanJudge(key: string, value: string): boolean {
  if (OTHERS.has(key)) return true;
  const known = EXACT[key];
  if ((known === undefined && !WITH_PATTERNS.has(key)) || value.startsWith('-')) return false;
  const names = value.replace(/^[+^]/, '').split(',');
  return !names.every((name) => known?.includes(name) ?? KEYS.some(compilePattern(name)));
}
