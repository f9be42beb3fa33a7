/** Kerberos with a real KDC: ssh logs in by a ticket, and who has none is told to get one. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { operator } from '../operator.ts';
import { freePort, knownLine, noSshd, type Sshd, scratch, startSshd } from '../transport/openssh.ts';

const possible =
  noSshd === undefined && userInfo().uid === 0 && (existsSync('/usr/sbin/krb5kdc') || process.env.CI !== undefined);

const files = scratch();
const open: { close(): void }[] = [files];
afterAll(() => {
  for (const one of open.reverse()) one.close();
});

describe.skipIf(!possible)('a host with Kerberos', () => {
  let sshd: Sshd;
  let env: Record<string, string>;
  const admin = (query: string) => execFileSync('kadmin.local', ['-q', query], { env, stdio: 'ignore' });
  const ticket = (...how: string[]) =>
    execFileSync('kinit', [...how, 'root@FLEET.TEST'], { env, input: 'secret\n', stdio: ['pipe', 'ignore', 'ignore'] });

  beforeAll(async () => {
    const port = await freePort();
    const { dir } = files;
    const realm = `FLEET.TEST = {\n kdc = 127.0.0.1:${port}\n }`;
    const lib = `default_realm = FLEET.TEST\n dns_lookup_kdc = false\n rdns = false\n dns_canonicalize_hostname = false\n default_ccache_name = FILE:${dir}/cc`;
    const config = files.write(
      'krb5.conf',
      `[libdefaults]\n ${lib}\n[realms]\n ${realm}\n[domain_realm]\n localhost = FLEET.TEST\n`,
    );
    const places = `database_name = ${dir}/principal\n key_stash_file = ${dir}/stash\n acl_file = ${dir}/acl`;
    const profile = files.write(
      'kdc.conf',
      `[kdcdefaults]\n kdc_listen = 127.0.0.1:${port}\n kdc_tcp_listen = 127.0.0.1:${port}\n[realms]\n FLEET.TEST = {\n ${places}\n }\n`,
    );
    env = { PATH: `${process.env.PATH}:/usr/sbin`, KRB5_CONFIG: config, KRB5_KDC_PROFILE: profile };
    execFileSync('kdb5_util', ['create', '-s', '-r', 'FLEET.TEST', '-P', 'master'], { env, stdio: 'ignore' });
    admin('addprinc -pw secret root@FLEET.TEST');
    admin('addprinc -randkey host/localhost@FLEET.TEST');
    admin(`ktadd -k ${dir}/keytab host/localhost@FLEET.TEST`);
    const kdc = spawn('krb5kdc', ['-n'], { env, stdio: 'ignore' });
    open.push({ close: () => kdc.kill() });
    await vi.waitFor(
      () => new Promise<void>((resolve, reject) => void connect(port, '127.0.0.1', resolve).on('error', reject)),
      20_000,
    );
    const keys = ['env', `KRB5_CONFIG=${config}`, `KRB5_KTNAME=FILE:${dir}/keytab`, '/usr/sbin/sshd'] as const;
    const settings = ['GSSAPIAuthentication yes', 'GSSAPIStrictAcceptorCheck no', 'PubkeyAuthentication no'];
    sshd = await startSshd(files, [], settings, ['ed25519'], keys);
    open.push(sshd);
    process.env.KRB5_CONFIG = config; // ssh, a child of this process, reads it
  });
  afterAll(() => {
    delete process.env.KRB5_CONFIG;
  });

  const login = async (vars: string, config: string) => {
    const alice = operator();
    open.push({ close: alice.dispose });
    const source = files.write(
      'hosts.ini',
      `one ansible_host=localhost ansible_port=${sshd.port} ansible_user=root ${vars}\n`,
    );
    const known = files.write('known', knownLine(sshd.port, sshd.hostKeys[0]!, `[localhost]:${sshd.port}`));
    const where = ['-i', source, '-l', 'all', '-F', config, '--known-hosts', known, '-o', 'json'];
    return JSON.parse((await alice.run('doctor', ...where)).stdout).hosts[0];
  };
  const wished = () => files.write('config', 'Host *\n  GSSAPIAuthentication yes\n  BindAddress 127.0.0.1\n');

  it('is logged in to with a ticket, whether ssh_config or the inventory asks for it', async () => {
    ticket();
    const byConfig = await login('', wished());
    expect(byConfig.login, JSON.stringify(byConfig)).toEqual([{ method: 'gssapi-with-mic', identity: null }]);
    const byInventory = await login(
      'ansible_ssh_common_args="-o GSSAPIAuthentication=yes -o BindAddress=127.0.0.1"',
      'none',
    );
    expect(byInventory.login, JSON.stringify(byInventory)).toEqual([{ method: 'gssapi-with-mic', identity: null }]);
  });

  it('says kinit where there is no ticket, or it has expired', async () => {
    execFileSync('kdestroy', { env });
    const none = await login('', wished());
    expect(none.fault).toMatchObject({ kind: 'auth', hint: expect.stringMatching(/\bkinit\b/) });
    expect(none.fault.message).toMatch(/No Kerberos credentials available/);
    ticket('-l', '2s');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const late = await login('', wished());
    expect(late.fault).toMatchObject({ kind: 'auth', hint: expect.stringMatching(/\bkinit\b/) });
  });
});
