/** Ways in other than a key of root on OpenSSH: passwords with the real PAM, doas, and dropbear beside OpenSSH. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import {
  changes,
  type Dumps,
  daemon,
  dumps,
  HELD,
  hold,
  letGo,
  receiptOf,
  reloadMark,
  sh,
  stopping,
  unit,
  unlinked,
  WAITS,
} from './inside.ts';
import type { LabHost } from './lab.ts';
import { outcomes } from './situation.ts';

const UNIT = 'reached.service';
const PASSWORD = ' p€ss "w\\o\'rd` $(id) ';
const DROPBEAR_PORT = 2229;

/** `typist` has nothing but a password, for sshd and for sudo; `ruled` and `guest` are for doas. */
const ACCOUNTS = `
  for name in typist ruled guest; do id $name >/dev/null 2>&1 || useradd -m -s /bin/bash $name; done
  printf 'typist:%s\\n' "$1" | chpasswd
  printf 'typist ALL=(ALL) ALL\\n' >/etc/sudoers.d/ways-in; chmod 440 /etc/sudoers.d/ways-in
  printf 'Match User typist\\n  AuthenticationMethods %s\\n' "$2" >/etc/ssh/sshd_config.d/zz-ways-in.conf
  cat >/etc/ssh/sshd_config.d/00-ways-in.conf <<'END'
PasswordAuthentication yes
KbdInteractiveAuthentication yes
ChallengeResponseAuthentication yes
END
  systemctl restart ssh.service 2>/dev/null || systemctl restart sshd.service
  printf 'permit nopass ruled\\npermit guest\\n' >/etc/doas.conf; chmod 600 /etc/doas.conf
  ${unit(UNIT, daemon())}
  systemctl daemon-reload; systemctl start reached`;

/** One more server, with a host key of this type and the lab's key for root. */
const DROPBEAR = `
  mkdir -p /root/.ssh; chmod 700 /root/.ssh; cp /etc/ssh/authorized_keys /root/.ssh/authorized_keys
  rm -f /etc/dropbear.key; dropbearkey -t "$1" -f /etc/dropbear.key >/dev/null 2>&1
  systemctl stop lab-dropbear 2>/dev/null || :
  systemd-run -q --collect --unit=lab-dropbear -p KillMode=process dropbear -F -E -p "$2" -r /etc/dropbear.key
  dropbearkey -y -f /etc/dropbear.key | grep -o '^[es][^ ]* [^ ]*'`;

describeLab('a host', (lab) => {
  const operator = new Operator(lab);
  const file = (name: string, text: string) => {
    writeFileSync(join(operator.stateDir, name), text, { mode: 0o600 });
    return join(operator.stateDir, name);
  };
  let hosts: LabHost[];
  const inventory = (name: string, vars: (host: LabHost) => string) =>
    file(`${name}.ini`, hosts.map((host) => `${host.name} ansible_host=${host.address} ${vars(host)}\n`).join(''));
  const mask = (source: string, ...args: string[]) =>
    operator.run(['mask', 'reached', '--now', '-y', '-l', 'all', '-i', source, '-F', 'none', '-o', 'json', ...args]);
  const rollback = (run: Run, ...args: string[]) =>
    operator.run(['rollback', run.report.run.id, '-y', '-o', 'json', ...args]);
  const each = <T>(value: T) => Object.fromEntries(hosts.map(({ name }) => [name, value]));
  const dumped = () => Promise.all(hosts.map((host) => dumps(host, [UNIT])));
  const changed = async (before: readonly Dumps[]) =>
    (await Promise.all(hosts.map((host, i) => changes(host, before[i]!)))).flat();
  /** `secrets`: what the rollback needs to be told again, for no journal has it. */
  const masksAndPutsBack = async (source: string, args: string[], secrets: string[] = []): Promise<Run> => {
    const before = await dumped();
    const run = await mask(source, ...args, ...secrets);
    expect(outcomes(run)).toEqual(each('masked'));
    for (const host of hosts) expect(await hold(host, UNIT)).toBe(HELD);
    expect(outcomes(await rollback(run, ...secrets))).toEqual(each('restored'));
    expect(await changed(before)).toEqual([]);
    return run;
  };

  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'debian13']);
    const methods = ['password', 'keyboard-interactive', 'password'];
    for (const { code, stderr } of await Promise.all(
      hosts.map((host, i) => host.exec(['sh', '-ec', ACCOUNTS, 'accounts', PASSWORD, methods[i]!])),
    )) {
      expect(code, stderr).toBe(0);
    }
  });
  afterAll(async () => {
    await Promise.all(
      hosts.map((host) =>
        sh(
          host,
          `rm -f /etc/ssh/sshd_config.d/*ways-in.conf /etc/doas.conf /etc/sudoers.d/ways-in
           systemctl stop lab-dropbear 2>/dev/null || :; pkill -x dropbear || :; systemctl restart ssh`,
        ),
      ),
    );
    operator.forget();
  });

  it('that takes nothing but a password, for the login and for sudo, is masked and put back', async () => {
    const source = inventory('typist', ({ port }) => `ansible_user=typist ansible_port=${port}`);
    const secret = file('secret', PASSWORD);
    const secrets = ['--password-file', secret, '--become-password-file', secret];
    const run = await masksAndPutsBack(source, ['--known-hosts', lab.knownHosts], secrets);
    const written = readdirSync(join(operator.stateDir, 'runs')).map((name) =>
      readFileSync(join(operator.stateDir, 'runs', name), 'utf8'),
    );
    expect([...written, run.stdout, run.stderr].join()).not.toContain('p€ss');
  });

  it('that is given a wrong SSH password is one of them, once; none is touched', async () => {
    const source = inventory('typist', ({ port }) => `ansible_user=typist ansible_port=${port}`);
    const failures = async () => {
      const counts = hosts.map((host) =>
        sh(host, "journalctl --sync; journalctl -q | grep -c 'sshd:auth.: authentication failure' || :"),
      );
      return (await Promise.all(counts)).reduce((sum, count) => sum + Number(count), 0);
    };
    const before = [await failures(), await dumped(), await Promise.all(hosts.map(reloadMark))] as const;
    const run = await mask(source, '--known-hosts', lab.knownHosts, '--password-file', file('wrong', 'not it'));
    expect(run.exitCode, run.said).toBe(4);
    const said = run.report.hosts.map(({ outcome, fault }) => `${outcome}: ${fault?.kind}: ${fault?.message}`);
    expect(said.filter((text) => /^unreachable: auth: The password of typist was refused/.test(text))).toHaveLength(1);
    expect(said.filter((text) => /^unreachable: auth: The password of typist was not offered/.test(text))).toHaveLength(
      2,
    );
    expect(await failures()).toBe(before[0] + 1);
    expect(await changed(before[1])).toEqual([]);
    expect(await Promise.all(hosts.map(reloadMark))).toEqual(before[2]);
    for (const host of hosts) expect(await receiptOf(host, run.report.run.id)).toBe('');
  });

  it('is masked by way of doas where doas.conf lets it, and says why where it does not', async () => {
    const as = (user: string) =>
      inventory(
        user,
        ({ port }) => `ansible_user=${user} ansible_port=${port} ansible_ssh_private_key_file=${lab.key}`,
      );
    const args = ['--known-hosts', lab.knownHosts, '--become-method', 'doas'];
    await masksAndPutsBack(as('ruled'), args);
    for (const [user, says, hint] of [
      ['guest', /doas: Authentication required|doas: Authorization required|a password/i, /nopass/],
      ['nopriv', /Operation not permitted/i, /doas\.conf/],
    ] as const) {
      const run = await mask(as(user), ...args);
      for (const host of hosts) {
        expect(run.on(host), run.said).toMatchObject({ outcome: 'refused', fault: { kind: 'no-privilege' } });
        expect(run.on(host).fault?.message).toMatch(says);
        expect(run.on(host).fault?.hint).toMatch(hint);
      }
    }
  });

  it.each(['ed25519', 'ecdsa', 'rsa'])(
    'that has a dropbear with a key of %s beside OpenSSH is masked by either',
    async (type) => {
      const keys = await Promise.all(
        hosts.map(async (host) => {
          const { code, stdout, stderr } = await host.exec([
            ...['sh', '-ec', DROPBEAR, 'dropbear', type, `${host.address}:${DROPBEAR_PORT}`],
          ]);
          expect(code, stderr).toBe(0);
          return `[${host.address}]:${DROPBEAR_PORT} ${stdout.trim()}\n`;
        }),
      );
      const known = file('known', readFileSync(lab.knownHosts, 'utf8') + keys.join(''));
      const vars = `ansible_user=root ansible_ssh_private_key_file=${lab.key}`;
      const through = (port: (host: LabHost) => number) =>
        inventory('dropbear', (host) => `${vars} ansible_port=${port(host)}`);
      await masksAndPutsBack(
        through(() => DROPBEAR_PORT),
        ['--known-hosts', known],
      );
      // its key is not that of the OpenSSH at the same address
      const swapped = await mask(
        through(() => DROPBEAR_PORT),
        '--known-hosts',
        lab.knownHosts,
      );
      expect(swapped.report.hosts.map(({ fault }) => fault?.kind)).toEqual(hosts.map(() => 'host-key'));
      await masksAndPutsBack(
        through(({ port, name }) => (name === hosts[0]!.name ? DROPBEAR_PORT : port)),
        ['--known-hosts', known],
      );
    },
  );

  it('whose dropbear session is killed in mid-change is called again and put back', async () => {
    const [host] = hosts as [LabHost];
    await sh(host, `rm -f /run/let-go; ${unit(UNIT, daemon(WAITS))} systemctl daemon-reload; systemctl start reached`);
    const before = await dumped();
    const source = inventory('cut', ({ port, name }) => {
      const at = name === host.name ? DROPBEAR_PORT : port;
      return `ansible_user=root ansible_ssh_private_key_file=${lab.key} ansible_port=${at}`;
    });
    const running = mask(source, '--known-hosts', join(operator.stateDir, 'known'));
    await stopping(host, UNIT);
    // the server itself is the main process of its unit, its sessions are children
    await sh(host, 'pkill -KILL -P "$(systemctl show -p MainPID lab-dropbear | cut -d= -f2)" -x dropbear');
    await unlinked(host, UNIT);
    await letGo(host);
    const run = await running;
    expect(run.on(host), run.said).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'lost' } });
    for (const other of hosts.slice(1)) expect(run.on(other).outcome, run.said).toBe('masked');
    const back = await rollback(run);
    expect(back.exitCode, back.said).toBe(0);
    expect(await changed(before)).toEqual([]);
  });
});
