/** What sudo, doas and su say when they do not let us through, and what can be done about each. */

import { type Facts, type Fault, fault, printable } from '../model/index.ts';
import type { Ended } from '../transport/transport.ts';
import type { HostRecord } from './blocks.ts';

/** What an answer says of the password: only what proves it lets another host see it. */
export type Verdict = 'accepted' | 'refused' | 'unknown';

interface Refusal {
  /** Said in English, which LC_ALL=C asks for: whether a line says it. */
  readonly says: (line: string) => boolean;
  /** A question waits at the end of what came; all else may be said anywhere. */
  readonly where?: 'end';
  readonly message: string;
  readonly hint: string;
  /** Where the password had been sent; else `unknown`. */
  readonly proves?: 'accepted' | 'refused';
}

/** Words anywhere in a line. No pattern here may backtrack: what it is matched against is the host's to choose. */
const has = (words: RegExp) => (line: string) => words.test(line);

/** One after the other in a line: the first place of the first leaves most room for the second. */
const inOrder = (first: RegExp, second: RegExp) => (line: string) => {
  const match = first.exec(line);
  return match !== null && second.test(line.slice(match.index + match[0].length));
};

const either =
  (...says: readonly ((line: string) => boolean)[]) =>
  (line: string) =>
    says.some((each) => each(line));

const asksFor = (words: RegExp) => (line: string) => /[:?] ?$/.test(line) && words.test(line);

/** Of what a host says so much is matched, from its end: errors come last. */
const MAX_SAID = 32 * 1024;

/** A question at the end of a line, other than the one that is waited for: a one-time code, a new password. */
export const isQuestion = asksFor(/(?:password|passphrase|passcode|code|token|otp|pin|response)\b/i);

/** The same, of a second factor: `Verification code: `, `One-time password (OATH) for `root': `. */
export const asksForCode = asksFor(/(?:code|token|otp|pin|passphrase|passcode|response|one-time password)\b/i);

const UNLOCK =
  'Look at `faillock --user ACCOUNT` on the host; wait, or have it unlocked, before the password is tried again.';

const EXPIRED = 'Renew it on the host (passwd, chage), or log in as another account.';

const SECOND_FACTOR =
  'Only a password is answered: exempt this account from the second factor, allow it NOPASSWD, or log in as root.';

/** The first that fits counts: what names a cause comes before the "try again" that follows it. */
const REFUSALS: readonly Refusal[] = [
  {
    says: has(/must have a tty|no tty present|run from a terminal|needs a terminal/i),
    message: 'it wants a terminal (requiretty)',
    hint: 'Take requiretty away for this account (Defaults:ACCOUNT !requiretty), or log in as root.',
  },
  {
    says: either(
      has(/password change required|required to change your password/i),
      inOrder(/account|password/i, / expired/i),
      inOrder(/expired/i, / (?:account|password)/i),
    ),
    message: 'the account or its password has expired',
    hint: EXPIRED,
  },
  {
    says: either(
      has(/account validation failure|too many (?:failed|incorrect)/i),
      inOrder(/account|user/i, / (?:locked|disabled)/i),
    ),
    message: 'the account is locked',
    hint: UNLOCK,
  },
  {
    // sudo asks for the password first and looks into sudoers then
    says: has(
      /not in the sudoers file|is not allowed to (?:run sudo|execute)|may not run sudo|not permitted|afraid I can't do that/i,
    ),
    message: 'this account may not become root',
    hint: 'Allow it in sudoers (or doas.conf), or log in as an account that may (-u).',
    proves: 'accepted',
  },
  {
    says: has(/try again|incorrect (?:password|authentication)|authentication (?:failure|failed)/i),
    message: 'the password is wrong',
    hint: 'Give the right one; it is not tried again, because repeated failures lock accounts (faillock looks like a wrong password too).',
    proves: 'refused',
  },
  {
    says: has(/doas: auth/i),
    message: 'it asks for a password',
    hint: 'Allow this account `nopass` in doas.conf: without a terminal doas takes no password. Or use --become-method sudo.',
  },
  {
    says: has(/password is required|authentication (?:is )?required|authorization required/i),
    message: 'it asks for a password',
    hint: 'Give the password with -K, allow this account NOPASSWD, or log in as root.',
  },
  {
    says: has(/setuid|must be suid|no new privileges|effective uid is not 0|root privileges/i),
    message: 'it cannot become root on this host',
    hint: 'Look at the mode of its file and at the options of its file system (nosuid), or log in as root.',
  },
  {
    // sudo-rs puts the name in quotes
    says: has(/(?:sudo|doas): '?sh'?: command not found/i),
    message: 'it does not find sh on the path that it sets',
    hint: 'Put /usr/bin and /bin into secure_path in sudoers, or log in as root.',
  },
  {
    says: has(/(?:sudo|doas|su): (?:command )?not found/i),
    message: 'it is not installed there',
    hint: 'Choose another with --become-method, or log in as root.',
  },
  {
    says: has(/permission denied/i),
    message: 'this account may not use it',
    hint: 'It may have to be in a group (wheel, sudo); or log in as root.',
  },
  {
    says: asksForCode,
    where: 'end',
    message: 'it asks for more than a password',
    hint: SECOND_FACTOR,
  },
  {
    says: (line) => /password/i.test(line) && /: ?$/.test(line),
    where: 'end',
    message: 'it asks in words of its own, and that is not answered',
    hint: 'Let sudo show its own prompt (Defaults passprompt_override), or log in as root.',
  },
];

/** The row of the table for what came, and the line that says it; else the last line: lectures and greetings come first. */
function recognised(said: string): { readonly known: Refusal | undefined; readonly line: string } {
  const lines = said.slice(-MAX_SAID).split(/[\r\n]/);
  const end = lines.at(-1) ?? '';
  for (const known of REFUSALS) {
    const line = known.where === 'end' ? (known.says(end) ? end : undefined) : lines.find(known.says);
    if (line !== undefined) return { known, line: line.trim() };
  }
  return { known: undefined, line: lines.findLast((line) => line.trim() !== '')?.trim() ?? '' };
}

/** What a method said, as a fault; `told`: whether it had the password when it said so. `known`: whether it is in the table. */
export function refusalOf(
  method: 'sudo' | 'su',
  said: string,
  told: 'told' | 'untold',
): { readonly fault: Fault; readonly verdict: Verdict; readonly known: 'yes' | 'no' } {
  const { known, line } = recognised(said);
  const quote = printable(line, 200);
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

/**
 * What a method said that asks once more after it was told the password. One that was wrong is said to be so; else what is asked now may be
 * another question, and nothing is proved.
 */
export function refusalOnceMore(
  method: 'sudo' | 'su',
  said: string,
): { readonly fault: Fault; readonly verdict: Verdict } {
  const before = said.slice(0, said.lastIndexOf('\n') + 1);
  const refusal = refusalOf(method, before, 'told');
  if (refusal.known === 'yes') return refusal;
  const quote = printable(recognised(before).line, 200);
  const message = `${method}: it asks once more, and does not say that the password was wrong: it may want a second factor${quote === '' ? '' : ` (${quote})`}`;
  return { fault: fault('no-privilege', message, SECOND_FACTOR), verdict: 'unknown' };
}

/** The hint for what a method said; undefined where it says nothing that is known. */
export function hintFor(said: string): string | undefined {
  return recognised(said).known?.hint;
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
  return noExec(said);
}

function noExec(said: string): Fault {
  return fault(
    'no-privilege',
    `sudo: what it starts can run no other program (${printable(said, 200)})`,
    'If NOEXEC (Defaults noexec) in sudoers holds for this account, take it away (EXEC: before the command), or log in as root.',
  );
}

/** What the program says of itself before it ends, on stderr: among warnings of the loader and of shells. */
const UNFIT = /^fleetmask does not run under .*$/m;

/** Why a process ended before it had said what was expected. `heard`: what it had said on stdout, its beginning. */
export function endedEarly(kind: 'no-shell' | 'lost', ended: Ended, heard: string): Fault {
  if (ended.how === 'flooded') {
    const before = kind === 'no-shell' ? ' before it answered' : '';
    return fault('bad-reply', `the host sent ${ended.what}${before}`, before === '' ? undefined : NOISY);
  }
  if (ended.how === 'lost') return fault('lost', ended.why);
  const how = ended.how === 'exited' ? `exit status ${ended.code}` : `signal ${printable(ended.signal, 40)}`;
  const unfit = UNFIT.exec(ended.stderr)?.[0];
  if (unfit !== undefined) return fault(kind, printable(unfit, 200), OTHER_SHELL);
  const said = firstWords(ended.stderr) || firstWords(heard);
  if (ended.how === 'exited' && ended.code === 126 && inOrder(/\benv: /, /denied|not permitted/)(said))
    return noExec(said);
  const hint = /password has expired|change your password/i.test(`${ended.stderr}\n${heard}`) ? EXPIRED : undefined;
  const shown = printable(said, 200);
  return fault(kind, `the remote program ended early (${how})${shown === '' ? '' : `: ${shown}`}`, hint);
}

const NOISY =
  'If a start-up file of this account prints that, make it silent for sessions without a terminal; else treat the host with suspicion.';

const OTHER_SHELL = 'Make /bin/sh of this host a link to dash, bash or busybox.';

function firstWords(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.find((line) => line !== '' && !line.startsWith('ERROR: ld.so: ')) ?? '';
}
