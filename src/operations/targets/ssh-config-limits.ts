/** What ssh_config asks for and is not done here, or by ssh alone. */

import type { Ready, Resolved } from '../../ssh-config/index.ts';
import { algorithmsOf, emptyLists } from '../../transport/ssh2/algorithms.ts';

const value = (resolved: Resolved, key: string): string | undefined => resolved.all.get(key)?.[0];

const byKey = (resolved: Resolved): boolean => value(resolved, 'pubkeyauthentication') !== 'false';

/** Ways to log in, or to know a host, that neither transport uses. */
export function unsupportedLogins(resolved: Resolved): string[] {
  return byKey(resolved) ? [] : ['a login without keys (PubkeyAuthentication no)'];
}

/** Ways to log in, to know a host, or to get there, that only ssh itself has. */
export function loginsBySsh(resolved: Resolved, ready: Ready): string[] {
  const methods = value(resolved, 'preferredauthentications')?.split(',');
  const found: string[] = ready.certificateFiles.map((file) => `the certificate ${file}`);
  const kerberos = value(resolved, 'gssapiauthentication') === 'yes';
  // distributions turn GSSAPI on for everyone: that alone is nobody's wish
  const wished = resolved.placeOf('gssapiauthentication')?.file.startsWith('/etc/ssh/') === false;
  if (kerberos && (wished || !byKey(resolved) || methods?.includes('publickey') === false)) {
    found.push('Kerberos (GSSAPIAuthentication)');
  }
  if (value(resolved, 'hostbasedauthentication') === 'yes') found.push('HostbasedAuthentication');
  for (const [key, name] of [
    ['pkcs11provider', 'PKCS11Provider'],
    ['knownhostscommand', 'KnownHostsCommand'],
  ] as const) {
    if (value(resolved, key) !== undefined) found.push(`${name} ${value(resolved, key)}`);
  }
  if (value(resolved, 'proxyusefdpass') === 'yes' && ready.proxyCommand !== undefined) found.push('ProxyUseFdpass yes');
  const { algorithms, lacking } = algorithmsSaid(resolved);
  found.push(...emptyLists(algorithms).map((keyword) => lacking.find((text) => text.startsWith(keyword)) ?? keyword));
  return found;
}

/** What somebody made of the lists of algorithms; ssh's own defaults are not ours. */
export function algorithmsSaid({ unsupported }: Resolved): ReturnType<typeof algorithmsOf> {
  return algorithmsOf(new Map(unsupported.map(({ keyword, value }) => [keyword, value.split(' ')[0] ?? ''])));
}

/** What an operator has to know before anything is connected to. */
export function notFollowed(resolved: Resolved, checking: string | undefined): string[] {
  const lax = checking === undefined && resolved.stricthostkeychecking === 'false';
  const { algorithms, lacking } = algorithmsSaid(resolved);
  const empty = emptyLists(algorithms);
  return [
    ...(lax
      ? ['StrictHostKeyChecking no is not followed, host keys are checked (--host-key-checking says otherwise)']
      : []),
    // where nothing else is left, that is a matter of how to get there at all
    ...lacking
      .filter((text) => !empty.some((keyword) => text.startsWith(`${keyword} `)))
      .map((text) => `${text} is not known here, and left out`),
  ];
}
