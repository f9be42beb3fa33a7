/** Becoming root with a password, by the sudo and su of real hosts: it works, it is proved once, and it is nowhere afterwards. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, HELD, hold, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';

/** The rules that SECURITY.md recommends for an account of that name: without a password, and with one. */
const SUDOERS = [
  ...readFileSync(fileURLToPath(new URL('../../SECURITY.md', import.meta.url)), 'utf8').matchAll(
    /```sudoers\n([\s\S]*?)```/g,
  ),
].map((match) => match[1] ?? '');

const PASSWORD = ' s3cr€t "w\\o\'rd` $(id) ';
const ROOT_PASSWORD = 'r00t pass';

/**
 * Accounts: `wheel` may with its password, `stranger` may not, `ttyless` needs a terminal that there is not, what `barred` starts
 * may start nothing else.
 */
const ACCOUNTS = `
  for name in wheel stranger ttyless barred; do
    id $name >/dev/null 2>&1 || useradd -m -s /bin/bash $name
    printf '%s:%s\\n' $name "$1" | chpasswd
  done
  printf 'root:%s\\n' "$2" | chpasswd
  printf 'wheel ALL=(ALL) ALL\\nttyless ALL=(ALL) ALL\\nDefaults:ttyless requiretty\\nbarred ALL=(ALL) NOPASSWD: ALL\\nDefaults:barred noexec\\n' >/etc/sudoers.d/escalation
  chmod 440 /etc/sudoers.d/escalation
  ${unit('guarded.service', daemon())}
  systemctl daemon-reload; systemctl start guarded`;

describeLab('becoming root', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  const secret = (content: string) => {
    const file = join(operator.stateDir, '..', `${operator.stateDir.split('/').at(-1)}-${content.length}`);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  };
  const inventory = (user: string | ((host: LabHost) => string)) => {
    const of = typeof user === 'string' ? () => user : user;
    const lines = hosts.map(
      (host) =>
        `    ${host.name}: { ansible_host: ${host.address}, ansible_port: ${host.port}, ansible_user: ${of(host)}, ansible_private_key_file: ${lab.key} }`,
    );
    const file = join(operator.stateDir, `hosts-${of(hosts[0]!)}-${of(hosts[1]!)}.yaml`);
    writeFileSync(file, `all:\n  hosts:\n${lines.join('\n')}\n`);
    return file;
  };
  const known = () => ['--known-hosts', lab.knownHosts, '-o', 'json'];
  const mask = (user: Parameters<typeof inventory>[0], ...args: string[]) =>
    operator.run(['mask', 'guarded', '--now', '-y', '-l', 'all', '-i', inventory(user), ...args, ...known()]);
  const rollback = (run: Run, ...args: string[]) =>
    operator.run(['rollback', run.report.run.id, '-y', ...args, ...known()]);
  const holds = () => Promise.all(hosts.map((host) => hold(host, 'guarded.service')));
  const faults = (run: Run) => run.report.hosts.map(({ outcome, fault }) => `${outcome}: ${fault?.message ?? ''}`);
  /** How often sudo on all hosts was told something wrong so far: that is what locks accounts. */
  const failures = async () => {
    const counts = hosts.map((host) =>
      sh(host, "journalctl --sync; journalctl -q -t sudo | grep -c 'sudo:auth.: authentication failure' || :"),
    );
    return (await Promise.all(counts)).reduce((sum, count) => sum + Number(count), 0);
  };

  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'debian13']);
    for (const { code, stderr } of await Promise.all(
      hosts.map((host) => host.exec(['sh', '-ec', ACCOUNTS, 'accounts', PASSWORD, ROOT_PASSWORD])),
    )) {
      expect(code, stderr).toBe(0);
    }
  });
  afterAll(() => operator.forget());

  it('by sudo with a password masks and puts back, and leaves the password nowhere', async () => {
    const file = secret(PASSWORD);
    const run = await mask('wheel', '--become-password-file', file);
    expect(faults(run)).toEqual(hosts.map(() => 'masked: '));
    expect(await holds()).toEqual(hosts.map(() => HELD));

    const without = await rollback(run);
    expect(without.exitCode, 'it is not touched, and can be put back yet').toBe(4);
    for (const host of hosts) expect(without.on(host).fault?.hint).toContain('-K');
    const back = await rollback(run, '-b', '--become-password-file', file);
    expect(faults(back)).toEqual(hosts.map(() => 'restored: '));

    const written = readdirSync(operator.stateDir, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ndjson'))
      .map((name) => readFileSync(join(operator.stateDir, name), 'utf8'));
    expect(written.length).toBe(1);
    const said = [run, without, back].map(({ stdout, stderr }) => stdout + stderr);
    expect([...written, ...said].filter((text) => text.includes('s3cr'))).toEqual([]);
    for (const host of hosts) {
      const found = await sh(
        host,
        "journalctl --sync; journalctl -q | grep -c 's3cr' || :; grep -rl 's3cr' /var/lib/fleetmask /run/fleetmask /var/log 2>/dev/null || :",
      );
      expect(found).toBe('0');
    }
  });

  it('with a wrong password is tried on one host, once, and the hosts that need none go on', async () => {
    const before = await failures();
    const wrong = secret('wrong');
    const refused = await mask('wheel', '--become-password-file', wrong);
    expect(refused.exitCode, refused.said).toBe(4);
    expect(await failures()).toBe(before + 1);
    const [first, ...others] = faults(refused).sort((a, b) => b.indexOf('is wrong') - a.indexOf('is wrong'));
    expect(first).toMatch(/^refused: sudo: the password is wrong/);
    for (const other of others)
      expect(other).toMatch(/^refused: debian\d+-1 refused the password .* sent to no other host/);

    const mixed = await mask((host) => (host === hosts[0] ? 'op' : 'wheel'), '--become-password-file', wrong);
    expect(mixed.on(hosts[0]!).outcome, mixed.said).toBe('masked');
    expect(await failures()).toBe(before + 2);
    const back = await rollback(mixed);
    expect(back.exitCode, back.said).toBe(0);
  });

  it('by the rules of SECURITY.md masks and puts back, and starts no other program', async () => {
    const script = `id fleetmask >/dev/null 2>&1 || useradd -m -s /bin/bash fleetmask
      printf 'fleetmask:%s\\n' "$2" | chpasswd
      printf %s "$1" >/etc/sudoers.d/fleetmask; chmod 440 /etc/sudoers.d/fleetmask; visudo -c`;
    expect(SUDOERS.length).toBe(2);
    for (const [i, rule] of SUDOERS.entries()) {
      for (const host of hosts) {
        const { code, stderr } = await host.exec(['sh', '-ec', script, 'rule', rule, PASSWORD]);
        expect(code, stderr).toBe(0);
        const other = await host.exec(`runuser -u fleetmask -- sudo -S id <<'END'\n${PASSWORD}\nEND\n`);
        expect(other.code, other.stdout).not.toBe(0);
      }
      const args = i === 0 ? [] : ['-b', '--become-password-file', secret(PASSWORD)];
      const run = await mask('fleetmask', ...args);
      expect(faults(run)).toEqual(hosts.map(() => 'masked: '));
      expect(await holds()).toEqual(hosts.map(() => HELD));
      expect(faults(await rollback(run, ...args))).toEqual(hosts.map(() => 'restored: '));
    }
  });

  it('by su takes the password of root', async () => {
    const run = await mask('stranger', '--become-method', 'su', '--become-password-file', secret(ROOT_PASSWORD));
    expect(faults(run)).toEqual(hosts.map(() => 'masked: '));
    const back = await rollback(run, '--become-password-file', secret(ROOT_PASSWORD));
    expect(faults(back)).toEqual(hosts.map(() => 'restored: '));
    const wrong = await mask('stranger', '--become-method', 'su', '--become-password-file', secret('not it'));
    expect(faults(wrong).join('\n')).toMatch(/su: the password is wrong \(su: Authentication failure\)/);
  });

  it('says why it is refused', async () => {
    const file = secret(PASSWORD);
    const reasons: readonly (readonly [user: string, args: string[], says: RegExp])[] = [
      ['stranger', ['--become-password-file', file], /may not become root \(stranger is not in the sudoers file/],
      ['ttyless', ['--become-password-file', file], /requiretty/],
      ['barred', [], /can run no other program \(.*Permission denied\)$/],
      ['wheel', [], /sudo: a password is required/],
      ['wheel', ['--become-method', 'doas'], /doas: doas is not enabled/],
    ];
    for (const [user, args, says] of reasons) {
      const run = await mask(user, ...args);
      expect(run.exitCode, run.said).toBe(4);
      for (const host of hosts) expect(run.on(host).fault).toMatchObject({ kind: 'no-privilege' });
      for (const fault of faults(run)) expect(fault).toMatch(says);
    }
    expect(await Promise.all(hosts.map((host) => sh(host, 'systemctl is-active guarded')))).toEqual(
      hosts.map(() => 'active'),
    );
  });
});
