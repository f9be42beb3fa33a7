/** What sudo, doas and su say when they do not let us through, and what can be done about each. */
import { type Facts, type Fault, fault, printable } from '../model/index.ts';
import type { Ended } from '../transport/transport.ts';
import type { HostRecord } from './protocol.ts';

/** What an answer says of the password: only what proves it lets another host see it. */
export type Verdict = 'accepted' | 'refused' | 'unknown';

interface Refusal {
  /** Said in English, which LC_ALL=C asks for; matched anywhere in what came. */
  readonly says: RegExp;
  readonly message: string;
  readonly hint: string;
  /** Where the password had been sent; else `unknown`. */
  readonly proves?: 'accepted' | 'refused';
}

const UNLOCK =
  'Look at `faillock --user ACCOUNT` on the host; wait, or have it unlocked, before the password is tried again.';

const EXPIRED = 'Renew it on the host (passwd, chage), or log in as another account.';

/** The first that fits counts: what names a cause comes before the "try again" that follows it. */
const REFUSALS: readonly Refusal[] = [
  {
    says: /must have a tty|no tty present|run from a terminal|needs a terminal/i,
    message: 'it wants a terminal (requiretty)',
    hint: 'Take requiretty away for this account (Defaults:ACCOUNT !requiretty), or log in as root.',
  },
  {
    says: /password change required|(?:account|password)[^\n]* expired|expired[^\n]* (?:account|password)|required to change your password/i,
    message: 'the account or its password has expired',
    hint: EXPIRED,
  },
  {
    says: /account validation failure|(?:account|user)[^\n]* (?:locked|disabled)|too many (?:failed|incorrect)/i,
    message: 'the account is locked',
    hint: UNLOCK,
  },
  {
    // sudo asks for the password first and looks into sudoers then
    says: /not in the sudoers file|is not allowed to (?:run sudo|execute)|may not run sudo|not permitted|afraid I can't do that/i,
    message: 'this account may not become root',
    hint: 'Allow it in sudoers (or doas.conf), or log in as an account that may (-u).',
    proves: 'accepted',
  },
  {
    says: /try again|incorrect (?:password|authentication)|authentication (?:failure|failed)/i,
    message: 'the password is wrong',
    hint: 'Give the right one; it is not tried again, because repeated failures lock accounts (faillock looks like a wrong password too).',
    proves: 'refused',
  },
  {
    says: /doas: auth/i,
    message: 'it asks for a password',
    hint: 'Allow this account `nopass` in doas.conf: without a terminal doas takes no password. Or use --become-method sudo.',
  },
  {
    says: /password is required|authentication (?:is )?required|authorization required/i,
    message: 'it asks for a password',
    hint: 'Give the password with -K, allow this account NOPASSWD, or log in as root.',
  },
  {
    says: /setuid|must be suid|no new privileges|effective uid is not 0|root privileges/i,
    message: 'it cannot become root on this host',
    hint: 'Look at the mode of its file and at the options of its file system (nosuid), or log in as root.',
  },
  {
    // sudo-rs puts the name in quotes
    says: /(?:sudo|doas): '?sh'?: command not found/i,
    message: 'it does not find sh on the path that it sets',
    hint: 'Put /usr/bin and /bin into secure_path in sudoers, or log in as root.',
  },
  {
    says: /(?:sudo|doas|su): (?:command )?not found/i,
    message: 'it is not installed there',
    hint: 'Choose another with --become-method, or log in as root.',
  },
  {
    says: /permission denied/i,
    message: 'this account may not use it',
    hint: 'It may have to be in a group (wheel, sudo); or log in as root.',
  },
  {
    says: /(?:code|token|otp|pin|passphrase|passcode|response)\b[^\n]*[:?] ?$/i,
    message: 'it asks for more than a password',
    hint: 'Only a password is answered; exempt this account from the second factor, or log in as root.',
  },
  {
    says: /password[^\n]*: ?$/i,
    message: 'it asks in words of its own, and that is not answered',
    hint: 'Let sudo show its own prompt (Defaults passprompt_override), or log in as root.',
  },
];

/** What a method said, as a fault; `told`: whether it had the password when it said so. `known`: whether it is in the table. */
export function refusalOf(
  method: 'sudo' | 'su',
  said: string,
  told: 'told' | 'untold',
): { readonly fault: Fault; readonly verdict: Verdict; readonly known: 'yes' | 'no' } {
  const known = REFUSALS.find(({ says }) => says.test(said));
  const quote = printable(lineWith(said, known?.says), 200);
  const quoted = quote === '' ? '' : ` (${quote})`;
  if (known === undefined) {
    const message = `${method} did not let us through${quoted}`;
    return { fault: fault('no-privilege', message), verdict: 'unknown', known: 'no' };
  }
  // nothing was told, so nothing was wrong: somebody else's failures are being counted
  if (known.proves === 'refused' && told === 'untold') {
    const message = `${method}: it refuses before it is told a password; the account may be locked${quoted}`;
    return { fault: fault('no-privilege', message, UNLOCK), verdict: 'unknown', known: 'yes' };
  }
  return {
    fault: fault('no-privilege', `${method}: ${known.message}${quoted}`, known.hint),
    verdict: told === 'told' ? (known.proves ?? 'unknown') : 'unknown',
    known: 'yes',
  };
}

/** The hint for what a method said; undefined where it says nothing that is known. */
export function hintFor(said: string): string | undefined {
  return REFUSALS.find(({ says }) => says.test(said))?.hint;
}

/** sudo's NOEXEC lets the program run, and nothing that it starts: the shell says 126 of each. Null: it is not so. */
export function barredFrom(
  records: readonly HostRecord[],
  { privilege, systemd }: Omit<Facts, 'receipts'>,
): Fault | null {
  const barred = records.some(({ kind, text }) => kind === 'trouble' && text.endsWith(' 126'));
  if (!barred || privilege.kind !== 'sudo' || systemd.kind !== 'silent') return null;
  // bash says it twice, and differently
  const said = records.find(({ kind, text }) => /^(?:unit|manager)$/.test(kind) && /^[^=]+$/.test(text))?.text ?? '';
  return fault(
    'no-privilege',
    `sudo: what it starts can run no other program (${printable(said, 200)})`,
    'If NOEXEC (Defaults noexec) in sudoers holds for this account, take it away (EXEC: before the command), or log in as root.',
  );
}

/** The line that matched, else the last one: lectures and greetings come first. */
function lineWith(said: string, pattern: RegExp | undefined): string {
  const lines = said.split(/[\r\n]+/).map((line) => line.trim());
  const spoken = lines.filter((line) => line !== '');
  return spoken.find((line) => pattern?.test(line)) ?? spoken.at(-1) ?? '';
}

/** Why a process ended before it had said what was expected. `heard`: what it had said on stdout. */
export function endedEarly(kind: 'no-shell' | 'lost', ended: Ended, heard: string): Fault {
  if (ended.how === 'flooded') return fault('bad-reply', `the host sent more than ${ended.bytes} bytes`);
  if (ended.how === 'lost') return fault('lost', ended.why);
  const how = ended.how === 'exited' ? `exit status ${ended.code}` : `signal ${printable(ended.signal, 40)}`;
  const said = printable(firstWords(ended.stderr) || firstWords(heard), 200);
  const hint = /password has expired|change your password/i.test(said) ? EXPIRED : undefined;
  return fault(kind, `the remote program ended early (${how})${said === '' ? '' : `: ${said}`}`, hint);
}

function firstWords(text: string): string {
  return text.trim().split('\n')[0]?.trim() ?? '';
}
