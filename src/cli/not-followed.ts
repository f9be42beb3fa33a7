/** What ssh_config asks for and is not done here. */
import type { Ready, Resolved } from '../transport/ssh-config/index.ts';

const value = (resolved: Resolved, key: string): string | undefined => resolved.all.get(key)?.[0];

/** Ways to log in, or to know a host, that ssh would have used. */
export function unsupportedLogins(resolved: Resolved, ready: Ready): string[] {
  const byKey = value(resolved, 'pubkeyauthentication') !== 'false';
  const methods = value(resolved, 'preferredauthentications')?.split(',');
  const kerberos = value(resolved, 'gssapiauthentication') === 'yes';
  const found: string[] = ready.certificateFiles.map((file) => `the certificate ${file}`);
  // Debian turns GSSAPI on for everyone: worth a word only where it is what the host wants
  if (kerberos && (!byKey || methods?.includes('publickey') === false)) found.push('Kerberos (GSSAPIAuthentication)');
  if (!byKey) found.push('a login without keys (PubkeyAuthentication no)');
  if (value(resolved, 'hostbasedauthentication') === 'yes') found.push('HostbasedAuthentication');
  for (const [key, name] of [
    ['pkcs11provider', 'PKCS11Provider'],
    ['knownhostscommand', 'KnownHostsCommand'],
  ] as const) {
    if (value(resolved, key) !== undefined) found.push(`${name} ${value(resolved, key)}`);
  }
  if (value(resolved, 'proxyusefdpass') === 'yes' && ready.proxyCommand !== undefined) found.push('ProxyUseFdpass yes');
  return found;
}

/** What an operator has to know before anything is connected to. */
export function notFollowed(resolved: Resolved, checking: string | undefined): string[] {
  const lax = checking === undefined && resolved.stricthostkeychecking === 'false';
  return lax
    ? ['StrictHostKeyChecking no is not followed, host keys are checked (--host-key-checking says otherwise)']
    : [];
}
