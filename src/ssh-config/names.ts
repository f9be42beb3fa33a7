import { UsageError } from '../model/index.ts';
import { quoted } from './line.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are among what is refused
const HOST_REFUSED = /^$|^-|[\s\u0000-\u001f\u007f'"`$\\;&<>|(){},]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are among what is refused
const USER_REFUSED = /^-|[\u0000-\u001f\u007f'"`;&<>|(){}]|\$(?=.)|\\$/;

/** Refuses, as ssh does, a host name that a shell or an option parser could take for something else. */
export function checkHost(host: string): void {
  if (!HOST_REFUSED.test(host)) return;
  const hint = 'A host name is not empty, does not begin with "-", and holds no spaces or shell metacharacters.';
  throw new UsageError(`${quoted(host)} is not a host name that ssh connects to.`, hint);
}

/** Refuses, as ssh does, a user name given by hand that a shell or an option parser could take for something else. */
export function checkUser(user: string): void {
  if (!USER_REFUSED.test(user)) return;
  const hint = 'A user name does not begin with "-" and holds no shell metacharacters.';
  throw new UsageError(`${quoted(user)} is not a user name that ssh logs in with.`, hint);
}
