/** sudo and su with a password, on hosts of every kind: the password goes where it was asked for, once, and nowhere else. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type Fault, Secret } from '../../src/model/index.ts';
import type { Escalation } from '../../src/remote/escalate.ts';
import type { HostPassword } from '../../src/remote/password-dialogue.ts';
import { openSession } from '../../src/remote/session.ts';
import type { Connection } from '../../src/transport/transport.ts';
import { localHost } from './local.ts';

const PASSWORD = ' pä$$ "w\\o\'rd` $(id) ';
const dir = mkdtempSync(join(tmpdir(), 'fleetmask-escalate-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What the fake sudo or su was told, a line each. */
const TOLD = join(dir, 'told');
const told = () => readFileSync(TOLD, 'utf8').split('\n').slice(0, -1);
beforeEach(() => writeFileSync(TOLD, ''));

/** An account that is not root, on a host whose `sudo` and `su` are these scripts. `login`: what the login shell does. */
function hostWith(scripts: { sudo?: string; su?: string; login?: string; uid?: number }): Connection {
  const bin = mkdtempSync(join(dir, 'bin-'));
  const put = (name: string, body: string) => writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  put('id', `echo ${scripts.uid ?? 1000}`);
  // $prompt and "$@" are as sudo has them; su runs what follows -c
  const prelude = `told=${TOLD}; hear() { IFS= read -r said || return 1; printf "%s\\n" "$said" >>"$told"; }`;
  const right = `right() { [ "$said" = "$(cat ${join(bin, 'right')})" ]; }`;
  writeFileSync(join(bin, 'right'), PASSWORD);
  put('sudo', `${prelude}; ${right}; [ "$1" = -S ] || exit 9; prompt=$3; shift 4\n${scripts.sudo ?? 'exec "$@"'}`);
  put('su', `${prelude}; ${right}; [ "$1" = -c ] && [ "$3" = root ] || exit 9\n${scripts.su ?? 'exit 9'}`);
  return localHost((command) => {
    // so that id is asked who we are, and not the owner of this machine's PID 1
    const env = { PATH: `${bin}:${process.env.PATH}`, FLEETMASK_ROOT: '/nowhere', COMMAND: command };
    return spawn('/bin/sh', ['-c', scripts.login ?? 'eval "$COMMAND"'], { env });
  });
}

/** A password that is lent at once, and what became of it. */
function lender(value = PASSWORD): HostPassword & { readonly verdicts: string[] } {
  const verdicts: string[] = [];
  return {
    verdicts,
    lend: async () => ({ kind: 'lent', secret: new Secret('the sudo password', value) }),
    settle: (verdict) => void verdicts.push(verdict),
  };
}

async function open(host: Connection, escalation: Escalation, ms = 60_000) {
  const reply = await openSession(host, escalation, [], AbortSignal.timeout(ms));
  if (reply.kind === 'answer') reply.value.end();
  const fault: Fault | null = reply.kind === 'fault' ? reply.fault : null;
  const privilege = reply.kind === 'answer' ? reply.value.facts.privilege.kind : null;
  return { fault, privilege };
}

const ASK = 'printf %s "$prompt" >&2; hear || exit 1';
const AGAIN = `${ASK}; if right; then exec "$@"; fi; echo "Sorry, try again." >&2`;

describe('by sudo, a shell of root is had', () => {
  const hosts: readonly (readonly [on: string, scripts: Parameters<typeof hostWith>[0], told: number, as: string])[] = [
    ['a host that asks', { sudo: AGAIN }, 1, 'sudo'],
    ['a host that asks nothing, which is told nothing', {}, 0, 'sudo'],
    ['a host where we are root, which is told nothing', { uid: 0, sudo: 'exit 1' }, 0, 'root'],
    [
      'a host that lectures first',
      { sudo: `printf '\\nWe trust you …\\n  #1) Respect.\\n\\n' >&2; ${AGAIN}` },
      1,
      'sudo',
    ],
    ['a host with sudo-rs', { sudo: `prompt="[sudo: $prompt] Password: "; ${AGAIN}` }, 1, 'sudo'],
    [
      'a host with sudo-rs that is slow to write',
      {
        sudo: `printf '[sudo: %s' "$prompt" >&2; sleep 0.2; printf '] Pass' >&2; sleep 0.2; prompt='word: '; ${AGAIN}`,
      },
      1,
      'sudo',
    ],
    [
      'a host whose prompt comes in pieces',
      { sudo: `printf %.9s "$prompt" >&2; sleep 0.2; prompt=\${prompt#?????????}; ${AGAIN}` },
      1,
      'sudo',
    ],
    [
      'a host that greets everybody',
      { login: 'echo Welcome; echo "Passwords: never tell them" >&2; eval "$COMMAND"', sudo: AGAIN },
      1,
      'sudo',
    ],
    [
      'a host whose start-up files leave lines open',
      { login: `printf '\\033[0m'; printf 'warning: ' >&2; eval "$COMMAND"`, sudo: AGAIN },
      1,
      'sudo',
    ],
    [
      'a host where we are root and start-up files leave a line open',
      { uid: 0, login: `printf '\\033[0m'; eval "$COMMAND"` },
      0,
      'root',
    ],
    [
      'a host whose start-up files print 600 KB on each output',
      { login: 'head -c 600000 /dev/zero | tr "\\0" x | tee /dev/stderr; eval "$COMMAND"', sudo: AGAIN },
      1,
      'sudo',
    ],
    [
      'a host whose start-up files join both ways out',
      { login: 'exec 2>&1; echo Welcome; eval "$COMMAND"', sudo: AGAIN },
      1,
      'sudo',
    ],
    [
      'a host whose start-up files join both ways out, and asks nothing',
      { login: 'exec 2>&1; eval "$COMMAND"' },
      0,
      'sudo',
    ],
    ['a host that tells each command', { login: 'set -x; eval "$COMMAND"', sudo: AGAIN }, 1, 'sudo'],
    [
      'a host that repeats the command before it asks nothing',
      { login: 'echo "$COMMAND" >&2; echo "$COMMAND"; eval "$COMMAND"' },
      0,
      'sudo',
    ],
    [
      'a host that says our mark early, and is then told nothing',
      { sudo: 'echo "$3" | sed "s/echo //; s/;.*//" ; exec "$@"' },
      0,
      'sudo',
    ],
  ];
  for (const [on, scripts, times, as] of hosts) {
    it(`on ${on}`, async () => {
      const password = lender();
      expect(await open(hostWith(scripts), { method: 'sudo', password })).toEqual({ fault: null, privilege: as });
      expect(told()).toEqual(Array(times).fill(PASSWORD));
      expect(password.verdicts).toEqual(Array(times).fill('accepted'));
    });
  }
});

describe('by su, a shell of root is had', () => {
  const asks =
    'printf "Password: " >&2; hear || exit 1; if right; then exec sh -c "$2"; fi; echo "su: Authentication failure" >&2; exit 1';

  it('on a host that asks, of a login shell that says "password:" before', async () => {
    const host = hostWith({ su: asks, login: 'printf "Your password: never tell it" >&2; eval "$COMMAND"' });
    expect(await open(host, { method: 'su', password: lender() })).toEqual({ fault: null, privilege: 'su' });
    expect(told()).toEqual([PASSWORD]);
  });

  // su starts the shell of root, and bash then reads root's .bashrc as in the session that it came from
  it('on a host where the start-up files of root leave lines open', async () => {
    const noisy = asks.replace('exec sh', "printf '\\033[0m'; printf 'warning: disk' >&2; exec sh");
    expect(await open(hostWith({ su: noisy }), { method: 'su', password: lender() })).toEqual({
      fault: null,
      privilege: 'su',
    });
    expect(told()).toEqual([PASSWORD]);
  });

  it('not where it asks for a code first: the password is not sent for one', async () => {
    for (const question of ["One-time password (OATH) for `root': ", 'Password & verification code: ']) {
      const { fault } = await open(
        hostWith({ su: `printf "%s" "${question.replaceAll('`', '\\`')}" >&2; hear; exit 1` }),
        {
          method: 'su',
          password: lender(),
        },
      );
      expect(fault?.message).toMatch(/^su: it asks for more than a password/);
      expect(told()).toEqual([]);
    }
  });

  it('not with a wrong password, which is tried once', async () => {
    const password = lender('wrong');
    const { fault } = await open(hostWith({ su: asks }), { method: 'su', password });
    expect(fault).toMatchObject({ kind: 'no-privilege', message: expect.stringMatching(/^su: the password is wrong/) });
    expect(told()).toEqual(['wrong']);
    expect(password.verdicts).toEqual(['refused']);
  });

  it('not without a password: su is not even called', async () => {
    expect(await open(hostWith({ su: `echo called >>${TOLD}` }), 'su')).toEqual({ fault: null, privilege: 'none' });
    expect(told()).toEqual([]);
  });
});

/** What sudo really says, as seen on 1.9.5, 1.9.13, 1.9.16 and sudo-rs. */
const REFUSED: readonly (readonly [what: string, sudo: string, times: number, verdict: string | null, says: RegExp])[] =
  [
    [
      'that finds it wrong',
      `${ASK}; echo "Sorry, try again." >&2; ${ASK}; exit 1`,
      1,
      'refused',
      /^sudo: the password is wrong \(Sorry, try again/,
    ],
    ['that asks for ever', 'while :; do printf %s "$prompt" >&2; hear; done', 1, 'unknown', /asks once more/],
    [
      'that asks for ever and reads nothing',
      'while :; do printf %s "$prompt" >&2; sleep 0.05; done',
      0,
      'unknown',
      /asks once more/,
    ],
    [
      // sudo shows our prompt for PAM's code, too; seen on 1.9.16 with pam_google_authenticator
      'that asks for a code by our prompt',
      `${ASK}; right || exit 1; printf %s "$prompt" >&2; hear; exit 1`,
      1,
      'unknown',
      /asks once more, and does not say that the password was wrong: it may want a second factor$/,
    ],
    [
      'that explains its second factor first',
      `${ASK}; printf '\nDuo two-factor login for alice\n\n%s' "$prompt" >&2; hear; exit 1`,
      1,
      'unknown',
      /asks once more, .* second factor \(Duo two-factor login for alice\)$/,
    ],
    ['that allows one try', `${ASK}; echo "sudo: 1 incorrect password attempt" >&2; exit 1`, 1, 'refused', /is wrong/],
    [
      'with sudo-rs that finds it wrong',
      `prompt="[sudo: $prompt] Password: "; ${ASK}; echo "sudo: Authentication failed, try again." >&2; ${ASK}`,
      1,
      'refused',
      /is wrong/,
    ],
    [
      'with sudo-rs that asks for a code',
      `prompt="[sudo: $prompt] Password: "; ${ASK}; right || exit 1; ${ASK}; exit 1`,
      1,
      'unknown',
      /^sudo: it asks once more/,
    ],
    ['that wants a terminal', 'echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1', 0, null, /requiretty/],
    [
      'where we are not in sudoers',
      `${ASK}; right && echo "alice is not in the sudoers file." >&2; exit 1`,
      1,
      'accepted',
      /may not become root \(alice is not in/,
    ],
    [
      'where we may run something else',
      `${ASK}; echo "Sorry, user alice is not allowed to execute '/usr/bin/sh -c …' as root on web1." >&2; exit 1`,
      1,
      'accepted',
      /may not become root/,
    ],
    [
      'with sudo-rs where we may not',
      `echo "sudo: I'm sorry alice. I'm afraid I can't do that" >&2; exit 1`,
      0,
      null,
      /may not become root/,
    ],
    [
      'where the account has expired',
      `${ASK}; echo "sudo: Account expired or PAM config lacks an \\"account\\" section for sudo, contact your system administrator" >&2; exit 1`,
      1,
      'unknown',
      /has expired/,
    ],
    [
      'where the password has expired',
      `${ASK}; printf 'You are required to change your password immediately.\\nCurrent password: ' >&2; hear`,
      1,
      'unknown',
      /has expired/,
    ],
    [
      'where it is locked after failures',
      `${ASK}; echo "The account is locked due to 3 failed logins." >&2; ${ASK}; exit 1`,
      1,
      'unknown',
      /account is locked/,
    ],
    ['that turns us down before it asks', `echo "Sorry, try again." >&2; ${ASK}; exit 1`, 0, null, /may be locked/],
    [
      'that wants a second factor',
      `${ASK}; printf 'Verification code: ' >&2; hear`,
      1,
      'unknown',
      /more than a password/,
    ],
    ['that asks in words of its own', 'printf "LDAP Password: " >&2; hear', 0, null, /words of its own/],
    ['without sudo', 'echo "sh: 1: exec: sudo: not found" >&2; exit 127', 0, null, /not installed/],
    [
      'where sudo has lost its setuid bit',
      'echo "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set" >&2; exit 1',
      0,
      null,
      /cannot become root/,
    ],
    ['that ends without a word', `${ASK}; exit 1`, 1, 'unknown', /did not let us through/],
    [
      'that repeats what it was told',
      `${ASK}; echo "sudo: $said: no such password" >&2; exit 1`,
      1,
      'unknown',
      /sudo: \*\*\*: no such password/,
    ],
  ];

describe('by sudo, nothing is had from a host', () => {
  for (const [what, sudo, times, verdict, says] of REFUSED) {
    it(what, async () => {
      const password = lender();
      const { fault } = await open(hostWith({ sudo }), { method: 'sudo', password });
      expect(fault).toMatchObject({ kind: 'no-privilege', message: expect.stringMatching(says) });
      expect(fault?.hint).not.toBe('');
      if (times > 0) expect(told()).toEqual([PASSWORD]);
      else if (verdict === null) expect(told()).toEqual([]);
      expect(password.verdicts).toEqual(verdict === null ? [] : [verdict]);
      expect(inspect(fault)).not.toContain(PASSWORD.trim());
    });
  }

  it('whose sudo takes the end of input for an empty password: it is stopped before that', async () => {
    const rs = `prompt="[sudo: $prompt] Password: "; while :; do ${'printf %s "$prompt" >&2; hear || echo empty >>"$told"'}; done`;
    const { fault } = await open(hostWith({ sudo: rs }), { method: 'sudo', password: lender('wrong') });
    expect(fault?.message).toMatch(/asks once more/);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(told()).toEqual(['wrong']);
  });

  it('that takes the password and says nothing more: its time is up', async () => {
    const password = lender();
    const { fault } = await open(hostWith({ sudo: `${ASK}; exec sleep 60` }), { method: 'sudo', password }, 5_000);
    expect(fault).toMatchObject({ kind: 'timed-out', message: expect.stringContaining('after it was told') });
    expect(password.verdicts).toEqual(['unknown']);
  });

  it('that is no host for shells, and is not told anything', async () => {
    const password = lender();
    const { fault } = await open(hostWith({ login: 'echo "% Unknown command"; exit 0' }), { method: 'sudo', password });
    expect(fault).toMatchObject({ kind: 'no-shell', message: expect.stringContaining('Unknown command') });
    expect(password.verdicts).toEqual([]);
  });

  it('from which the password is withheld, and the reason is the fault', async () => {
    const withheld: HostPassword = {
      lend: async () => ({ kind: 'withheld', why: 'web1 refused it', hint: 'another' }),
      settle: () => {
        throw new Error('nothing was lent');
      },
    };
    const { fault } = await open(hostWith({ sudo: AGAIN }), { method: 'sudo', password: withheld });
    expect(fault).toEqual({ kind: 'no-privilege', message: 'web1 refused it', hint: 'another' });
    expect(told()).toEqual([]);
  });

  it('that went away while the password was waited for: it was not used', async () => {
    let lend = () => {};
    const verdicts: string[] = [];
    const slow: HostPassword = {
      lend: () =>
        new Promise((resolve) => {
          lend = () => resolve({ kind: 'lent', secret: new Secret('it', PASSWORD) });
        }),
      settle: (verdict) => void verdicts.push(verdict),
    };
    const { fault } = await open(hostWith({ sudo: `printf %s "$prompt" >&2; sleep 0.1; exit 1` }), {
      method: 'sudo',
      password: slow,
    });
    lend();
    await new Promise((resolve) => setImmediate(resolve));
    expect(fault?.kind).toBe('no-shell');
    expect(verdicts).toEqual(['unused']);
    expect(told()).toEqual([]);
  });
});

describe('without a password', () => {
  it('the program follows the command at once, and a refusal is a fact with a hint', async () => {
    const reply = await openSession(hostWith({ sudo: 'exit 1' }), 'sudo', [], AbortSignal.timeout(60_000));
    expect(reply).toMatchObject({ kind: 'answer', value: { facts: { privilege: { kind: 'none' } } } });
    if (reply.kind === 'answer') reply.value.end();
  });
});
