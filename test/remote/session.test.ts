/** Opening a session on machines that are not what one hopes: each is told apart, and none is believed. */
import { spawn } from 'node:child_process';
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

describe('a session is not opened on', () => {
  for (const [what, script, kind, message] of REFUSED) {
    it(what, async () => {
      const reply = await open(script, kind === 'timed-out' ? 2_000 : 60_000);
      expect(reply).toMatchObject({ kind: 'fault', fault: { kind, message: expect.stringMatching(message) } });
    });
  }

  it('a host whose sudo lets the program run no other, as with noexec', async () => {
    const host = hostThat(`root=$(mktemp -d); mkdir -p $root/shim $root/run/systemd/system; cd $root/shim
      printf '#!/bin/sh\\necho 1000\\n' >id
      printf '#!/bin/sh\\nshift; exec "$@"\\n' >sudo
      printf '#!/bin/sh\\necho "sh: 8: exec: timeout: Permission denied"; exit 126\\n' >timeout
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

  it('a host whose last words are escape sequences, and these do not get through', async () => {
    const reply = await open("printf '\\033]0;owned\\007\\033[2J' >&2; exit 3");
    expect(reply).toMatchObject({ kind: 'fault', fault: { message: expect.stringContaining('\\x1b]0;owned\\x07') } });
  });
});

describe('a session is opened on', () => {
  it('a host whose sudo reads ahead on its standard input, as with log_input', async () => {
    const host = hostThat(`bin=$(mktemp -d); PATH=$bin:$PATH FLEETMASK_ROOT=/nowhere; export PATH FLEETMASK_ROOT
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
    const reply = await open('PATH=/usr/bin:/bin FLEETMASK_ROOT=/nowhere; export PATH FLEETMASK_ROOT; eval "$COMMAND"');
    expect(reply).toMatchObject({ kind: 'answer', value: { facts: { systemd: { kind: 'absent' } } } });
  });
});
