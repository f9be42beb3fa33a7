import { splitWords } from './words.ts';

/** What an `ansible_ssh_*_args` variable says, as far as it is followed. */
export interface SshArguments {
  readonly proxyJump?: string;
  readonly proxyCommand?: string;
  readonly sshConfigFile?: string;
  /** What else configures ssh, as after `-o`, in the order written. */
  readonly sshOptions?: readonly string[];
  /** Arguments that change neither where nor as whom one connects, or would weaken the check of host keys: left out. */
  readonly ignored: readonly string[];
}

export type SshArgumentsResult =
  | { readonly kind: 'arguments'; readonly said: SshArguments }
  | { readonly kind: 'unsupported'; readonly why: string };

/** Flags of ssh(1) that take a value in the same or in the next word. */
const FLAGS_WITH_VALUE = 'BbcDEeFIiJLlmOoPpQRSWw';
/** Flags with a value that stand for an option of ssh_config. */
const AS_OPTION: Readonly<Record<string, string>> = {
  i: 'IdentityFile',
  l: 'User',
  p: 'Port',
  b: 'BindAddress',
  c: 'Ciphers',
  m: 'MACs',
};
const FAMILY: Readonly<Record<string, string>> = { 4: 'AddressFamily=inet', 6: 'AddressFamily=inet6' };
/** Flags without a value that change nothing about where or as whom one connects. */
const HARMLESS_FLAGS = 'AaCKkqTtVvXxYy';

/** Reads the words of an SSH argument variable. Never throws. */
export function readSshArguments(text: string): SshArgumentsResult {
  const split = splitWords(text, 'no-comments');
  if (split.kind === 'broken') return { kind: 'unsupported', why: split.why };
  const said: { proxyJump?: string; proxyCommand?: string; sshConfigFile?: string } = {};
  const sshOptions: string[] = [];
  const ignored: string[] = [];
  const words = [...split.words];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const flag = /^-([a-zA-Z0-9])/.exec(word)?.[1];
    if (flag === undefined) return { kind: 'unsupported', why: `${word} is not an option of ssh` };
    if (!FLAGS_WITH_VALUE.includes(flag)) {
      const flags = [...word.slice(1)];
      const unknown = flags.find((char) => !HARMLESS_FLAGS.includes(char) && FAMILY[char] === undefined);
      if (unknown !== undefined) return { kind: 'unsupported', why: `-${unknown}` };
      sshOptions.push(...flags.flatMap((char) => FAMILY[char] ?? []));
      if (flags.some((char) => HARMLESS_FLAGS.includes(char))) ignored.push(word);
      continue;
    }
    const value = word.length > 2 ? word.slice(2) : words.shift();
    if (value === undefined || value === '') return { kind: 'unsupported', why: `${word} has no value` };
    if (flag === 'J') said.proxyJump ??= value;
    else if (flag === 'F') said.sshConfigFile ??= value;
    else if (AS_OPTION[flag] !== undefined) sshOptions.push(`${AS_OPTION[flag]}=${quotedForSsh(value)}`);
    else if (flag !== 'o') return { kind: 'unsupported', why: `-${flag}` };
    else {
      const [, name = '', setting = ''] = /^\s*(\w+)\s*(?:\s|=)\s*(.*)$/s.exec(value) ?? [];
      const option = name.toLowerCase();
      // The first value wins, as in ssh.
      if (option === 'proxyjump') said.proxyJump ??= setting;
      else if (option === 'proxycommand') said.proxyCommand ??= setting;
      else if (option === 'host' || option === 'match' || option === 'include' || name === '')
        return { kind: 'unsupported', why: `-o ${value}` };
      else if (weakens(option, setting)) ignored.push(`-o ${value}`);
      else sshOptions.push(value);
    }
  }
  return { kind: 'arguments', said: { ...said, ...(sshOptions.length > 0 && { sshOptions }), ignored } };
}

/** Host keys are checked whatever an inventory says: that is turned off by a flag alone. */
function weakens(option: string, value: string): boolean {
  if (option === 'stricthostkeychecking') return /^"?(?:no|off|false)"?$/i.test(value);
  return /^(?:user|global)knownhostsfile$/.test(option) && /^"?(?:\/dev\/null|none)"?$/i.test(value);
}

function quotedForSsh(value: string): string {
  return /[\s"\\]/.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value;
}
