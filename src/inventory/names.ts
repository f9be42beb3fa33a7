import { isIPv6 } from 'node:net';
import type { UsageError } from '../model/index.ts';
import { mistake, type Origin, quoted } from './mistake.ts';

/** Letters, digits, `.`, `-`, `_`; begins with none that an option, a path or a dotfile would begin with. */
const HOST_NAME = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}._-]*$/u;
const ZONED_IPV6 = /^([0-9a-f:.]+)(%[\w.-]+)?$/i;
const MAX_LENGTH = 253;

// Spaces are allowed: a group's name never leaves this program, but it has to be printable.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]/u;

/** True for what may be dialled or used as an inventory name: a host name, an IPv4 or an IPv6 address. */
export function isHostName(text: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  if (HOST_NAME.test(text)) return true;
  const match = ZONED_IPV6.exec(text);
  return match !== null && isIPv6(match[1] ?? '');
}

/**
 * Why `name` cannot be the name of a host that is connected to; nothing where it can. Ansible takes `-oProxyCommand=id`,
 * `h;id` and `$(id)` as names; here they never get near a connection.
 */
export function hostNameMistake(name: string, origin: Origin): UsageError | undefined {
  if (isHostName(name)) return undefined;
  return mistake(origin, `${quoted(name)} is not a host name${reason(name)}`, hint(name));
}

/** Throws a UsageError unless `name` can be listed as a host's: not empty, nothing invisible in it. */
export function requireListable(name: string, origin: Origin): void {
  if (name === '' || UNPRINTABLE.test(name)) throw hostNameMistake(name, origin);
}

function reason(name: string): string {
  if (name === '') return ': it is empty';
  if (UNPRINTABLE.test(name)) return ': it has control or invisible characters';
  if (name.length > MAX_LENGTH) return `: it is longer than ${MAX_LENGTH} characters`;
  if (name.startsWith('-')) return ': it would be taken for an option';
  if (name.includes(':')) return ': it has a ":" but is neither HOST:PORT nor an IPv6 address';
  return '';
}

function hint(name: string): string {
  if (/^\w+=/.test(name)) return 'A variable follows the host on its line, or stands in a section [GROUP:vars].';
  if (name.includes('@')) return 'Write the host alone, and the account as ansible_user.';
  if (name.includes('['))
    return 'A range is [1:9], [01:20:2] or [a:f]; an IPv6 address has brackets only before :PORT.';
  if (name.includes(':')) return 'An IPv6 address with a port is written [ADDRESS]:PORT.';
  if (name.includes('{{')) return 'Templates in names are not evaluated; write the name out.';
  return 'A host name has letters, digits, ".", "-" and "_", and begins with a letter, a digit or "_".';
}

/** Throws a UsageError unless `name` can be a group's: not empty, nothing invisible in it. */
export function requireGroupName(name: string, origin: Origin): void {
  if (name === '') throw mistake(origin, 'a group has no name', 'Give it one.');
  if (UNPRINTABLE.test(name))
    throw mistake(origin, `the group name ${quoted(name)} has control or invisible characters`, 'Remove them.');
}
