/** Opening a session on machines that are not what one hopes: each is told apart, and none is believed. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/remote/session.ts';
import { localHost } from './local.ts';

/** A host whose login shell runs `script` instead of the command, with the command in $COMMAND. */
const hostThat = (script: string) =>
  localHost((command) => spawn('/bin/sh', ['-c', script], { env: { PATH: process.env.PATH, COMMAND: command } }));

async function open(script: string, ms = 60_000) {
  const reply = await openSession(hostThat(script), 'never', [], AbortSignal.timeout(ms));
  if (reply.kind === 'answer') reply.value.end();
  return reply;
}

const REFUSED: readonly (readonly [what: string, script: string, kind: string, message: RegExp])[] = [
  [
    'an account without a shell',
    'echo This account is currently not available.; exit 1',
    'no-shell',
    /exit status 1.*not available/,
  ],
  ['a router’s command line', 'cat >/dev/null & echo "% Unknown command"; exit 0', 'no-shell', /Unknown command/],
  ['a shell that knows no POSIX', 'echo "Unmatched single quote" >&2; exit 2', 'no-shell', /Unmatched/],
  ['an account whose start-up files read a line', 'read -r line; eval "$COMMAND"', 'no-shell', /reads standard input/],
  [
    'an account whose start-up files read a block',
    'head -c 4096 >/dev/null; eval "$COMMAND"',
    'no-shell',
    /reads standard/,
  ],
  ['a shell that is killed', 'kill -9 $$', 'no-shell', /signal SIGKILL/],
  ['a host that says nothing', 'exec sleep 30', 'timed-out', /did not answer/],
  ['a host that talks of other things', 'while :; do echo hello; sleep 0.01; done', 'timed-out', /did not answer/],
  ['a host that repeats what it hears', 'exec cat', 'timed-out', /did not answer/],
  [
    'a host with a nonce of its own',
    'echo "@000000000000000000000000 0 done 1"; exec sleep 30',
    'timed-out',
    /did not answer/,
  ],
  [
    'a host that reads our nonce and counts wrong',
    'while read -r line; do set -- $line; if [ "$1" = main ] && [ $# -gt 3 ]; then echo "@$2 0 os ID=x"; echo "@$2 0 done 7"; fi; done',
    'bad-reply',
    /7 records arrived with 2/,
  ],
];

/** What start-up files of an account say on every session. */
const NOISY: readonly (readonly [what: string, profile: string])[] = [
  ['a colour, and no end of the line', "printf '\\033[0m'"],
  ['a greeting without an end of the line, on both outputs', 'printf "Welcome: "; printf "Password: " >&2'],
  ['a line of MS-DOS', "printf 'Welcome\\r'"],
  ['NUL bytes', "printf '\\0\\0'"],
  ['what looks like a record', "printf '@0123456789abcdef01234567 0 os ID=x @'"],
  ['700 KB in lines, and 300 KB in one', 'yes 123456789 | head -c 700000; head -c 300000 /dev/zero | tr "\\0" x'],
  ['600 KB of errors', 'head -c 600000 /dev/zero | tr "\\0" x >&2'],
  ['each command, by set -x', 'set -x; true'],
  ['each command, by set -x for all shells', 'set -x; export SHELLOPTS'],
  ['something more later on', '{ sleep 0.2; printf late; printf late >&2; } &'],
  ['all errors on stdout', 'exec 2>&1; printf warning'],
];

describe('a session is opened although start-up files print', () => {
  for (const shell of ['bash', 'sh']) {
    it.each(NOISY)(`%s (${shell})`, async (_what, profile) => {
      const home = mkdtempSync(join(tmpdir(), 'fleetmask-home-'));
      writeFileSync(join(home, '.bashrc'), profile);
      // as sshd starts it: bash reads .bashrc then
      const env = { PATH: process.env.PATH, HOME: home, SSH_CLIENT: '192.0.2.1 1 22', COMMAND: '' };
      const host = localHost((command) =>
        shell === 'bash'
          ? spawn('bash', ['-c', command], { env })
          : spawn('sh', ['-c', '. "$HOME/.bashrc"; eval "$COMMAND"'], { env: { ...env, COMMAND: command } }),
      );
      const reply = await openSession(host, 'never', [], AbortSignal.timeout(60_000));
      rmSync(home, { recursive: true });
      expect(reply).toMatchObject({ kind: 'answer', value: { facts: { os: { id: expect.stringMatching(/./) } } } });
      if (reply.kind === 'answer') reply.value.end();
    });
  }
});

describe('a session is not opened on', () => {
  for (const [what, script, kind, message] of REFUSED) {
    it(what, async () => {
      const reply = await open(script, kind === 'timed-out' ? 2_000 : 60_000);
      expect(reply).toMatchObject({ kind: 'fault', fault: { kind, message: expect.stringMatching(message) } });
    });
  }

  it('a host whose sudo lets the program run no other, as with noexec', async () => {
    const host = hostThat(`root=$(mktemp -d); mkdir -p $root/shim $root/sim $root/run/systemd/system; cd $root/shim
      printf '#!/bin/sh\\necho 1000\\n' >id
      printf '#!/bin/sh\\nshift; exec "$@"\\n' >sudo
      printf '#!/bin/sh\\necho "sh: 8: exec: timeout: Permission denied" >&2; exit 126\\n' >timeout
      printf '#!/bin/sh\\n' >systemctl
      chmod +x *; PATH=$root/shim:$PATH FLEETMASK_ROOT=$root; export PATH FLEETMASK_ROOT; eval "$COMMAND"`);
    for (const names of [[], ['cron.service']]) {
      const reply = await openSession(host, 'sudo', names, AbortSignal.timeout(5000));
      expect(reply).toMatchObject({
        kind: 'fault',
        fault: {
          kind: 'no-privilege',
          message: expect.stringMatching(/timeout: Permission denied/),
          hint: expect.stringMatching(/NOEXEC/),
        },
      });
    }
  });

  it.each(['mksh', 'ksh93', 'posh', 'yash', 'zsh'])('a host whose sh is %s, which is named', async (name) => {
    const path = [`/usr/bin/${name}`, `/bin/${name}`].find((each) => existsSync(each));
    if (path === undefined && process.env.CI === undefined) return;
    const reply = await open(`root=$(mktemp -d); mkdir $root/sim $root/shim; ln -s ${path} $root/shim/sh
      PATH=$root/shim:$PATH FLEETMASK_ROOT=$root; export PATH FLEETMASK_ROOT; eval "$COMMAND"`);
    expect(reply).toMatchObject({
      kind: 'fault',
      fault: {
        kind: 'no-shell',
        message: `fleetmask does not run under ${name.replace('93', '')}, which is the sh of this host`,
        hint: expect.stringMatching(/dash, bash or busybox/),
      },
    });
  });

  it('a host whose sudo lets its shell run no program at all', async () => {
    const host =
      hostThat(`bin=$(mktemp -d); PATH=$bin:$PATH FLEETMASK_ROOT=$(mktemp -d); export PATH FLEETMASK_ROOT; mkdir $FLEETMASK_ROOT/sim
      printf '#!/bin/sh\\necho 1000\\n' >$bin/id
      printf '#!/bin/sh\\n[ "$4" = : ] || { echo "sh: 1: exec: env: Permission denied" >&2; exit 126; }\\n' >$bin/sudo
      chmod +x $bin/*; eval "$COMMAND"`);
    const reply = await openSession(host, 'sudo', [], AbortSignal.timeout(5000));
    expect(reply).toMatchObject({
      kind: 'fault',
      fault: { kind: 'no-privilege', hint: expect.stringMatching(/NOEXEC/) },
    });
  });

  it('a host whose last words are escape sequences, and these do not get through', async () => {
    const reply = await open("printf '\\033]0;owned\\007\\033[2J' >&2; exit 3");
    expect(reply).toMatchObject({ kind: 'fault', fault: { message: expect.stringContaining('\\x1b]0;owned\\x07') } });
  });
});

describe('a session is opened on', () => {
  it('a host whose sudo reads ahead on its standard input, as with log_input', async () => {
    const host =
      hostThat(`bin=$(mktemp -d); PATH=$bin:$PATH FLEETMASK_ROOT=$(mktemp -d); mkdir $FLEETMASK_ROOT/sim; export PATH FLEETMASK_ROOT
      printf '#!/bin/sh\\necho 1000\\n' >$bin/id
      printf '#!/bin/sh\\nshift; [ "$2" = -s ] || head -c 4096 >/dev/null; exec "$@"\\n' >$bin/sudo
      chmod +x $bin/*; eval "$COMMAND"`);
    const reply = await openSession(host, 'sudo', [], AbortSignal.timeout(60_000));
    expect(reply).toMatchObject({ kind: 'answer', value: { facts: { privilege: { kind: 'sudo' } } } });
    if (reply.kind === 'answer') reply.value.end();
  });

  it('a host whose start-up files greet everybody', async () => {
    const reply = await open('echo "Welcome!"; echo "@ 0 done 1"; eval "$COMMAND"');
    expect(reply.kind).toBe('answer');
  });

  it('a host without systemd, which is a fact and no fault', async () => {
    const reply = await open(
      'PATH=/usr/bin:/bin FLEETMASK_ROOT=$(mktemp -d); mkdir $FLEETMASK_ROOT/sim; export PATH FLEETMASK_ROOT; eval "$COMMAND"',
    );
    expect(reply).toMatchObject({ kind: 'answer', value: { facts: { systemd: { kind: 'absent' } } } });
  });
});
