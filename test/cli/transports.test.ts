/** Which transport serves which host, through the whole command line. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { operator } from '../operator.ts';
import { knownLine, noSshd, type Sshd, scratch, startSshd } from '../transport/openssh.ts';

const files = scratch();
const alice = operator();
const plain = files.key('plain');
const authority = files.key('authority');
const open: { close(): void }[] = [alice, files].map((one) => ({ close: 'close' in one ? one.close : one.dispose }));
afterAll(() => {
  for (const one of open.reverse()) one.close();
});

/** ssh_config for hosts on one sshd; `more` comes first. */
function configFor(sshd: Sshd, known: string, more: string): string {
  return files.write(
    `config-${readdirSync(files.dir).length}`,
    `${more}
Host *
  HostName 127.0.0.1
  Port ${sshd.port}
  User ${sshd.user}
  IdentityFile ${plain}
  IdentitiesOnly yes
  UserKnownHostsFile ${files.write(`known-${readdirSync(files.dir).length}`, known)}
  GlobalKnownHostsFile none
`,
  );
}

describe.skipIf(noSshd !== undefined)('a host', () => {
  let sshd: Sshd;
  let certified: string;
  let known: string;
  beforeAll(async () => {
    sshd = await startSshd(files, [plain], [`TrustedUserCAKeys ${authority}.pub`]);
    open.push(sshd);
    certified = files.key('certified');
    execFileSync('ssh-keygen', ['-q', '-s', authority, '-I', 'alice-2026', '-n', sshd.user, `${certified}.pub`]);
    known = knownLine(sshd.port, sshd.hostKeys[0]!);
  });
  const logins = () => sshd.log().match(/Accepted publickey.*/g) ?? [];
  interface Row {
    host: string;
    hostKey: string;
    strictKex: boolean;
    login: { identity: string }[];
    fault: { kind: string; message: string } | null;
  }
  const doctor = async (...args: string[]) => {
    const before = logins().length;
    const { stdout, stderr, code } = await alice.run('doctor', ...args, '-o', 'json');
    const rows: Row[] = stdout === '' ? [] : JSON.parse(stdout).hosts;
    return {
      on: (name: string) => rows.find(({ host }) => host === name),
      stderr,
      code,
      logins: logins().slice(before),
    };
  };

  it('whose key has a certificate is reached by OpenSSH, which one note says; the others by ssh2', async () => {
    const config = configFor(sshd, known, `Host cert*\n  IdentityFile ${certified}`);
    const run = await doctor('-w', 'cert[1-5],other', '-F', config);
    expect(run.stderr.match(/by OpenSSH/g)).toHaveLength(1);
    expect(run.stderr).toContain(
      `cert1, cert2, cert3 and 2 more: by OpenSSH, which the certificate ${certified}-cert.pub needs`,
    );
    expect(run.on('cert1')).toMatchObject({ hostKey: 'ssh-ed25519', login: [{ method: 'publickey' }] });
    expect(run.on('cert1')?.login[0]?.identity).toMatch(/^ssh-ed25519-cert SHA256:/);
    expect(run.on('other')?.login[0]?.identity).toMatch(/^ssh-ed25519 SHA256:/);
    expect(run.logins.filter((line) => line.includes('ID alice-2026'))).toHaveLength(5);
    expect(run.logins).toHaveLength(6);
  });

  it('is reached as --transport says, whatever it needs', async () => {
    const config = configFor(sshd, known, `Host cert*\n  IdentityFile ${certified}`);
    const bySsh2 = await doctor('-w', 'cert1', '-F', config, '--transport', 'ssh2');
    expect(bySsh2.stderr).not.toContain('by OpenSSH');
    expect(bySsh2.on('cert1')?.login[0]?.identity).toMatch(/^ssh-ed25519 SHA256:/);
    const bySsh = await doctor('-w', 'other', '-F', config, '--transport', 'openssh');
    expect(bySsh.stderr).toBe('');
    expect(bySsh.on('other')?.fault?.kind ?? '').not.toMatch(/unreachable|auth|host-key/);
    const password = files.write('password', 'secret\n');
    const told = await doctor('-w', 'cert1', '-F', config, '--password-file', password);
    expect(told.stderr).not.toContain('by OpenSSH'); // which would not offer the password
    expect(told.on('cert1')?.login[0]?.identity).toMatch(/^ssh-ed25519 SHA256:/);
    const never = await alice.run('doctor', '-w', 'a', '--transport', 'openssh', '--password-file', password);
    expect({ code: never.code, stderr: never.stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/password/),
    });
  });

  it('needs OpenSSH where known_hosts has an authority for it and no key', async () => {
    const line = (name: string) => `@cert-authority ${name} ${readFileSync(`${authority}.pub`, 'utf8')}`;
    const config = configFor(sshd, `${known}${line('signed')}`, 'Host signed\n  HostKeyAlias signed\n');
    const run = await doctor('-w', 'signed,other', '-F', config);
    expect(run.stderr).toMatch(/^.*\bsigned: by OpenSSH, which the authority of \/\S+:2 needs$/m);
    expect(run.on('signed')?.fault).toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/^Unknown host key: ssh-ed25519 SHA256:/),
    });
    expect(run.on('other')?.fault?.kind ?? '').not.toMatch(/unreachable|auth|host-key/);
  });

  it('that ssh_config wants Kerberos, a smart card or a host’s own key for is left to OpenSSH', async () => {
    const config = configFor(
      sshd,
      known,
      `Host krb
  GSSAPIAuthentication yes
Host card
  PKCS11Provider /no/such/provider.so
Host based
  HostbasedAuthentication yes
`,
    );
    const { stderr } = await doctor('-w', 'krb,card,based,other', '-F', config);
    expect(stderr).toMatch(/krb: by OpenSSH, which Kerberos \(GSSAPIAuthentication\) needs/);
    expect(stderr).toMatch(/card: by OpenSSH, which PKCS11Provider \/no\/such\/provider\.so needs/);
    expect(stderr).toMatch(/based: by OpenSSH, which HostbasedAuthentication needs/);
    expect(stderr).not.toMatch(/other.*by OpenSSH/);
  });

  it('behind a bastion that needs OpenSSH is reached through it by OpenSSH, with our known_hosts for both', async () => {
    const bastion = await startSshd(files, [], [`TrustedUserCAKeys ${authority}.pub`]);
    open.push(bastion);
    const gate = `Host gate\n  Port ${bastion.port}\n  IdentityFile ${certified}\nHost inner\n  ProxyJump gate\n`;
    const both = files.write('both', known + knownLine(bastion.port, bastion.hostKeys[0]!));
    const config = configFor(sshd, '', gate);
    const run = await doctor('-w', 'inner', '-F', config, '--known-hosts', both);
    expect(run.stderr).toContain('inner: by OpenSSH');
    expect(run.on('inner')?.fault?.kind ?? '').not.toMatch(/unreachable|auth|host-key/);
    expect(bastion.log()).toContain('ID alice-2026');
    const stranger = await doctor('-w', 'inner', '-F', config, '--known-hosts', files.write('one', known));
    expect(stranger.on('inner')?.fault).toMatchObject({
      kind: 'host-key',
      message: expect.stringContaining('The jump host gate cannot be used'),
    });
  });
});

describe.skipIf(noSshd !== undefined)('a change over OpenSSH', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    const names = ['deb-web1', 'el-app1', 'deb-web2'];
    const hosts = DEMO_HOSTS.filter(({ name }) => names.includes(name));
    fleet = await startFleet(hosts, { path: process.env.PATH ?? '', tempDir: tmpdir() });
  });
  afterAll(() => fleet.dispose());

  it('masks, proves it and puts it back, and the journal knows how', async () => {
    const way = ['--known-hosts', fleet.knownHostsPath, '--transport', 'openssh', '-F', 'none', '-y', '-o', 'json'];
    const masked = await alice.run('mask', 'cron', '--now', '-l', 'all', '-i', fleet.inventoryPath, ...way);
    expect(masked.report.totals, masked.stderr).toEqual({ masked: 3 });
    for (const { dir } of fleet.hosts) {
      expect(readdirSync(join(dir, 'etc/systemd/system')).some((name) => /^crond?\.service$/.test(name))).toBe(true);
    }
    const again = way.filter((word) => word !== '-F' && word !== 'none');
    const back = await alice.run('rollback', 'last', ...again);
    expect(back.report.totals, back.stderr).toEqual({ restored: 3 });
  });
});
