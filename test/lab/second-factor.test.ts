/** Hosts that ask for a one-time code, by the real pam_google_authenticator: at the login, at the bastion, and of sudo. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { typed } from '../operator.ts';
import { oneTimeCodes } from '../transport/pam.ts';
import { asRun, Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, HELD, hold, sh, unit, until } from './inside.ts';
import type { LabHost } from './lab.ts';
import { kinds, outcomes } from './situation.ts';

const UNIT = 'coded.service';
const PASSWORD = 'r1ght pass';
const MODULE = 'pam_google_authenticator.so';
/** Built for this machine, it runs on all of the hosts: it needs nothing that is newer. */
const module = ['/lib/security', ...readdirSync('/lib').map((triplet) => `/lib/${triplet}/security`)]
  .map((dir) => join(dir, MODULE))
  .find(existsSync);

/** root has a key and a code, `typist` a password and a code; `op` a key, and sudo of `wheel` wants a password and a code. */
const ACCOUNTS = `
  for name in typist wheel; do id $name >/dev/null 2>&1 || useradd -m -s /bin/bash $name; printf '%s:%s\\n' $name "$1" | chpasswd; done
  printf 'typist ALL=(ALL) NOPASSWD: ALL\\nwheel ALL=(ALL) ALL\\n' >/etc/sudoers.d/coded; chmod 440 /etc/sudoers.d/coded
  mkdir -p /etc/totp; for name in root typist wheel; do printf '%s' "$2" >/etc/totp/$name; done; chmod 600 /etc/totp/*
  cat >/etc/pam.d/sshd <<'END'
auth [success=1 default=ignore] pam_succeed_if.so quiet user = root
auth required pam_unix.so
auth required ${MODULE} secret=/etc/totp/\${USER} user=root no_strict_owner
account required pam_permit.so
session required pam_permit.so
session optional pam_systemd.so
END
  cat >/etc/pam.d/sudo <<'END'
auth required pam_unix.so
auth required ${MODULE} secret=/etc/totp/\${USER} user=root no_strict_owner
account required pam_permit.so
session required pam_permit.so
END
  cat >/etc/ssh/sshd_config.d/00-coded.conf <<'END'
KbdInteractiveAuthentication yes
ChallengeResponseAuthentication yes
PermitRootLogin yes
Match User root
  AuthenticationMethods publickey,keyboard-interactive
Match User typist
  AuthenticationMethods keyboard-interactive
END
  systemctl restart ssh
  ${unit(UNIT, daemon())}
  systemctl daemon-reload; systemctl start coded`;

describeLab('hosts with a second factor', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  /** Each code is good for one login on its host. */
  const codes = new Map<string, { code(): string }>();
  let asked: string[] = [];
  /** A person with the device of each host; `answers` is how often they look at it. */
  const person =
    (answers = Number.POSITIVE_INFINITY) =>
    async (question: string) => {
      asked.push(question);
      if (asked.length > answers) return '000000';
      const host = hosts.find(({ name }) => question.startsWith(name) || question.startsWith(`gate (${name}`));
      return codes.get((host ?? hosts[0]!).name)!.code();
    };
  const file = (name: string, text: string) => {
    writeFileSync(join(operator.stateDir, name), text, { mode: 0o600 });
    return join(operator.stateDir, name);
  };
  const run = async (
    args: readonly string[],
    answer: (question: string) => Promise<string | undefined>,
  ): Promise<Run> => {
    asked = [];
    const world = { user: 'tester', env: { FLEETMASK_STATE_DIR: operator.stateDir }, prompt: answer };
    return asRun(await typed([...args, '-o', 'json'], operator.stateDir, world));
  };
  const source = (user: string, of: readonly LabHost[], more = `ansible_ssh_private_key_file=${lab.key}`) =>
    file(
      `${user}-${of.length}.ini`,
      of
        .map(
          ({ name, address, port }) =>
            `${name} ansible_host=${address} ansible_port=${port} ansible_user=${user} ${more}\n`,
        )
        .join(''),
    );
  const known = () => ['--known-hosts', lab.knownHosts, '-F', 'none'];
  const mask = (inventory: string, ...args: string[]) => [
    ...['mask', 'coded', '--now', '-y', '-l', 'all', '-i', inventory],
    ...args,
  ];
  const rollback = (done: Run, ...args: string[]) => ['rollback', done.report.run.id, '-y', ...args];
  const each = <T>(value: T, of = hosts) => Object.fromEntries(of.map(({ name }) => [name, value]));

  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'debian13']);
    if (module === undefined)
      throw new Error(`this machine has no ${MODULE}: apt-get install libpam-google-authenticator`);
    for (const host of hosts) {
      const device = oneTimeCodes();
      codes.set(host.name, device);
      const dir = (await sh(host, 'dirname "$(find /usr/lib /lib -name pam_unix.so | head -n 1)"')).trim();
      await host.writeFile(`${dir}/${MODULE}`, readFileSync(module));
      const { code, stderr } = await host.exec(['sh', '-ec', ACCOUNTS, 'accounts', PASSWORD, device.secret]);
      expect(code, stderr).toBe(0);
    }
  });
  afterAll(() => operator.forget());

  it('are masked with a key and a code, once for each login, and put back', async () => {
    const done = await run(mask(source('root', hosts), ...known()), person());
    expect(outcomes(done), done.said).toEqual(each('masked'));
    expect(asked).toHaveLength(3);
    for (const host of hosts) expect(await hold(host, UNIT)).toBe(HELD);
    const back = await run(rollback(done), person());
    expect(outcomes(back), back.said).toEqual(each('restored'));
    expect(asked).toHaveLength(3);
  });

  it('are masked with a password and a code: the person is asked for the code alone', async () => {
    const [, host] = hosts;
    const secrets = ['--password-file', file('password', PASSWORD)];
    const done = await run(mask(source('typist', [host!], ''), ...known(), ...secrets), person());
    expect(outcomes(done), done.said).toEqual(each('masked', [host!]));
    expect(asked.map((question) => question.split('\n').at(-1))).toEqual([
      expect.stringContaining('Verification code'),
    ]);
    expect(outcomes(await run(rollback(done, ...secrets), person()))).toEqual(each('restored', [host!]));
  });

  it('ask again for the second login of --confirm-within; a wrong code is no lock-out, and the host goes back', async () => {
    const [, , host] = hosts;
    const window = ['--confirm-within', '60s', '--host-timeout', '60s'];
    const done = await run(mask(source('root', [host!]), ...known(), ...window), person());
    expect(outcomes(done), done.said).toEqual(each('masked', [host!]));
    expect(asked).toHaveLength(2);
    expect(outcomes(await run(rollback(done), person()))).toEqual(each('restored', [host!]));

    const wrong = await run(mask(source('root', [host!]), ...known(), ...window), person(1));
    expect(kinds(wrong), wrong.said).toEqual(each('rolled-back: unanswered', [host!]));
    expect(wrong.stdout + wrong.stderr).not.toMatch(/lock(ed)? (you|us)|lock-?out|cut off/i);
    expect(await sh(host!, 'systemctl is-active coded')).toBe('active');
  });

  it('behind a bastion with one are asked for nothing themselves, and the bastion asks once', async () => {
    const [gate, ...behind] = hosts;
    const config = file(
      'config',
      `Host gate\n  HostName ${gate!.address}\n  Port ${gate!.port}\n  User root\n  IdentityFile ${lab.key}\n  UserKnownHostsFile ${lab.knownHosts}\n`,
    );
    const vars = `ansible_ssh_private_key_file=${lab.key} ansible_ssh_common_args="-o ProxyJump=gate"`;
    const way = ['-F', config, '--known-hosts', lab.knownHosts];
    const done = await run(mask(source('op', behind, vars), ...way), person());
    expect(outcomes(done), done.said).toEqual(each('masked', behind));
    expect(asked).toHaveLength(1);
    expect(outcomes(await run(rollback(done), person()))).toEqual(each('restored', behind));
  });

  it('are reached without a question by a connection that ssh holds already', async () => {
    const [, , host] = hosts;
    const control = join(operator.stateDir, 'cm');
    const askpass = file('askpass', `#!/bin/sh\necho ${codes.get(host!.name)!.code()}\n`);
    execFileSync('chmod', ['700', askpass]);
    const words = ['-F', 'none', '-M', '-N', '-i', lab.key, '-p', String(host!.port), '-S', control];
    const options = ['-o', `UserKnownHostsFile=${lab.knownHosts}`, '-o', 'IdentitiesOnly=yes'];
    const master = spawn('ssh', [...words, ...options, `root@${host!.address}`], {
      stdio: 'ignore',
      env: { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' },
    });
    try {
      await until(async () => existsSync(control), Boolean, 30);
      const vars = `ansible_ssh_private_key_file=${lab.key} ansible_ssh_common_args="-o ControlPath=${control}"`;
      const way = [...known(), '--transport', 'openssh'];
      const done = await run(mask(source('root', [host!], vars), ...way), person());
      expect(outcomes(done), done.said).toEqual(each('masked', [host!]));
      expect(asked).toEqual([]);
      expect(outcomes(await run(rollback(done, '--transport', 'openssh'), person()))).toEqual(
        each('restored', [host!]),
      );
      expect(asked).toEqual([]);
    } finally {
      master.kill();
    }
  });

  it('of sudo refuse the host, untouched, and the right password is not called wrong', async () => {
    const right = ['-b', '--become-password-file', file('sudo', PASSWORD)];
    const wheel = source('wheel', hosts);
    for (const host of hosts) await sh(host, 'rm -f /etc/ssh/sshd_config.d/00-coded.conf; systemctl restart ssh');
    for (const host of hosts) {
      const done = await run(
        ['mask', 'coded', '--now', '-y', '-l', host.name, '-i', wheel, ...known(), ...right],
        person(),
      );
      const why = 'it asks once more, and does not say that the password was wrong: it may want a second factor';
      expect(outcomes(done), done.said).toEqual(each(`refused: no-privilege: sudo: ${why}`, [host]));
    }
    const wrong = await run(
      [
        'mask',
        'coded',
        '--now',
        '-y',
        '-l',
        'all',
        '-i',
        wheel,
        ...known(),
        '-b',
        '--become-password-file',
        file('wrong', 'no'),
      ],
      person(),
    );
    expect(kinds(wrong), wrong.said).toEqual(each('refused: no-privilege'));
    for (const host of hosts) expect(await sh(host, 'systemctl is-active coded')).toBe('active');
  });
});
