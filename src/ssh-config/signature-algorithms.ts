/** Which signatures of an authority count. Nothing is made of them here; a name that no ssh knows spoils the file. */
import { type ReadValue, words, wrong } from './keyword-values.ts';
import { compilePattern } from './pattern.ts';

const NAMES = [
  ...['ssh-ed25519', 'sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'],
  ...['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ...['webauthn-sk-ecdsa-sha2-nistp256@openssh.com', 'ssh-dss', 'ssh-rsa', 'rsa-sha2-256', 'rsa-sha2-512'],
];
/** What `ssh-keygen -l` calls the keys, which is taken too, in any case. */
const SHORT_NAMES = new Set(['ed25519', 'ed25519-sk', 'ecdsa', 'ecdsa-sk', 'dsa', 'rsa']);

/** A list of names and patterns, `+` or `^` before it; behind `-` anything goes. */
export const signatureAlgorithms: ReadValue = (line) => {
  const [list = ''] = words(line, 1);
  if (list.startsWith('-')) return [list];
  const names = list.replace(/^[+^]/, '').split(',');
  const unknown = names.length === 1 && names[0] === '' ? '' : names.find((name) => name !== '' && !isKnown(name));
  return unknown === undefined ? [list] : wrong(line, list, `a list of signature algorithms (ssh -Q key-sig)`);
};

/** A name with an @ is somebody's own, and known to those who have it. */
function isKnown(name: string): boolean {
  if (name.includes('@') || SHORT_NAMES.has(name.toLowerCase())) return true;
  return NAMES.some(compilePattern(name.replace(/^!/, '')));
}
