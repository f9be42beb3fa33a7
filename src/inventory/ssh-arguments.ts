import { splitWords } from './words.ts';

/** What an `ansible_ssh_*_args` variable says, as far as it is followed. */
export interface SshArguments {
  readonly proxyJump?: string;
  readonly proxyCommand?: string;
  readonly sshConfigFile?: string;
  /** Arguments that change neither where nor as whom one connects, and are left out. */
  readonly ignored: readonly string[];
}

export type SshArgumentsResult =
  | { readonly kind: 'arguments'; readonly said: SshArguments }
  | { readonly kind: 'unsupported'; readonly why: string };

/** Flags of ssh(1) that take a value in the same or in the next word. */
const FLAGS_WITH_VALUE = 'BbcDEeFIiJLlmOoPpQRSWw';
/** Flags without a value that change nothing about where or as whom one connects. */
const HARMLESS_FLAGS = '46AaCKkqTtVvXxYy';

/**
 * Options that may be left out: they tune OpenSSH’s own connection, or would weaken the check of host keys.
 * Whatever else there is (another host, port, account, key …) would change whom one talks to, and is refused.
 */
const HARMLESS_OPTIONS = new Set(
  `addkeystoagent batchmode checkhostip clearallforwardings compression connectionattempts connecttimeout controlmaster
   controlpath controlpersist enableescapecommandline escapechar exitonforwardfailure forwardagent forwardx11
   forwardx11trusted gssapiauthentication gssapidelegatecredentials ipqos kbdinteractiveauthentication loglevel
   nohostauthenticationforlocalhost numberofpasswordprompts passwordauthentication permitlocalcommand
   preferredauthentications pubkeyauthentication rekeylimit requesttty sendenv serveralivecountmax
   serveraliveinterval setenv stricthostkeychecking tcpkeepalive tunnel updatehostkeys userknownhostsfile
   globalknownhostsfile verifyhostkeydns visualhostkey`.split(/\s+/),
);

/** Reads the words of an SSH argument variable. Never throws. */
export function readSshArguments(text: string): SshArgumentsResult {
  const split = splitWords(text, 'no-comments');
  if (split.kind === 'broken') return { kind: 'unsupported', why: split.why };
  const said: { proxyJump?: string; proxyCommand?: string; sshConfigFile?: string } = {};
  const ignored: string[] = [];
  const words = [...split.words];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const flag = /^-([a-zA-Z0-9])/.exec(word)?.[1];
    if (flag === undefined) return { kind: 'unsupported', why: `${word} is not an option of ssh` };
    if (!FLAGS_WITH_VALUE.includes(flag)) {
      const unknown = [...word.slice(1)].find((char) => !HARMLESS_FLAGS.includes(char));
      if (unknown !== undefined) return { kind: 'unsupported', why: `-${unknown}` };
      ignored.push(word);
      continue;
    }
    const value = word.length > 2 ? word.slice(2) : words.shift();
    if (value === undefined || value === '') return { kind: 'unsupported', why: `${word} has no value` };
    if (flag === 'J') said.proxyJump ??= value;
    else if (flag === 'F') said.sshConfigFile ??= value;
    else if (flag !== 'o') return { kind: 'unsupported', why: `-${flag}` };
    else {
      const [, name = '', setting = ''] = /^\s*(\w+)\s*(?:\s|=)\s*(.*)$/s.exec(value) ?? [];
      const option = name.toLowerCase();
      // The first value wins, as in ssh.
      if (option === 'proxyjump') said.proxyJump ??= setting;
      else if (option === 'proxycommand') said.proxyCommand ??= setting;
      else if (HARMLESS_OPTIONS.has(option)) ignored.push(`-o ${value}`);
      else return { kind: 'unsupported', why: `-o ${value}` };
    }
  }
  return { kind: 'arguments', said: { ...said, ignored } };
}
