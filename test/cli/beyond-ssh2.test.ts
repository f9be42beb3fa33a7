/** Hosts whose wants are known only when they are called: ssh itself takes over from ssh2, and one note says so. */
import { execFileSync, spawn } from 'node:child_process';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { operator } from '../operator.ts';
import { knownLine, noSshd, scratch, startSshd } from '../transport/openssh.ts';

const files = scratch();
const alice = operator();
const open: { close(): void }[] = [files, { close: alice.dispose }];
afterAll(() => {
  for (const one of open.reverse()) one.close();
});
const plain = files.key('plain');
const rsa = files.key('rsa', 'rsa');
let made = 0;

async function doctor(
  settings: string[],
  key: string,
  hostKeyType: string,
  names: string[],
  others: string[] = [],
  ...more: string[]
) {
  const sshd = await startSshd(files, [plain, rsa], settings, [hostKeyType]);
  open.push(sshd);
  const known = files.write(`known-${++made}`, others.concat(knownLine(sshd.port, sshd.hostKeys[0]!)).join(''));
  const hosts = names.map(
    (name) => `${name} ansible_host=127.0.0.1 ansible_port=${sshd.port} ansible_user=${sshd.user}`,
  );
  const source = files.write(
    `hosts-${made}.ini`,
    `${hosts.join('\n')}\n[all:vars]\nansible_ssh_private_key_file=${key}\n`,
  );
  const where = ['-i', source, '-l', 'all', '-F', 'none', '--known-hosts', known, '-o', 'json'];
  const { stdout, stderr } = await alice.run('doctor', ...where, ...more);
  const rows: { login: unknown[]; fault: { kind: string; message: string; hint: string } | null }[] =
    JSON.parse(stdout).hosts;
  return {
    rows,
    notes: stderr.split('\n').filter((line) => line.includes('by OpenSSH')),
    accepted: sshd.log().match(/Accepted publickey/g) ?? [],
  };
}

describe.skipIf(noSshd !== undefined)('a host', () => {
  const POST_QUANTUM = ['KexAlgorithms sntrup761x25519-sha512@openssh.com'];

  it('with post-quantum key exchange only is reached by OpenSSH, and one note says so', async () => {
    const { rows, notes, accepted } = await doctor(POST_QUANTUM, plain, 'ed25519', ['one', 'two']);
    expect(rows.map(({ login }) => login.length)).toEqual([1, 1]);
    expect(accepted).toHaveLength(2);
    expect(notes).toEqual([
      expect.stringMatching(/(one|two): by OpenSSH, which its key exchange needs; so are hosts like it/),
    ]);
  });

  it('behind a bastion of that sort is reached by OpenSSH too', async () => {
    const bastion = await startSshd(files, [plain], POST_QUANTUM);
    open.push(bastion);
    const known = knownLine(bastion.port, bastion.hostKeys[0]!);
    const jump = `ansible_ssh_common_args="-J ${bastion.user}@127.0.0.1:${bastion.port}"`;
    const { rows, notes } = await doctor([], plain, 'ed25519', [`one ${jump}`], [known], '--private-key', plain);
    expect(rows[0]!.login).toHaveLength(1);
    expect(notes).toHaveLength(1);
  });

  it('of that sort says under --transport ssh2 what to do', async () => {
    const { rows } = await doctor(POST_QUANTUM, plain, 'ed25519', ['one'], [], '--transport', 'ssh2');
    expect(rows[0]!.fault).toMatchObject({
      kind: 'unreachable',
      hint: expect.stringMatching(/post-quantum\) needs --transport openssh/),
    });
  });

  it('that takes RSA keys with rsa-sha2-512 only is reached by OpenSSH', async () => {
    const accepts = (name: string) => [`PubkeyAcceptedAlgorithms ${name}`];
    const newer = await doctor(accepts('rsa-sha2-512'), rsa, 'ed25519', ['one']);
    expect(newer.accepted).toHaveLength(1);
    expect(newer.notes).toEqual([
      expect.stringMatching(/one: by OpenSSH, which an RSA key where rsa-sha2-256 is not accepted needs/),
    ]);
  });

  it('for which the agent has a key with a destination constraint is reached by OpenSSH', async () => {
    const socket = files.path('agent.sock');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    open.push({ close: () => void agent.kill() });
    const sshd = await startSshd(files, [plain]);
    open.push(sshd);
    const known = files.write('known-constrained', knownLine(sshd.port, sshd.hostKeys[0]!));
    const add = ['-q', '-H', known, '-h', `[127.0.0.1]:${sshd.port}`, plain];
    await vi.waitFor(() => execFileSync('ssh-add', add, { env: { SSH_AUTH_SOCK: socket }, stdio: 'pipe' }), 10_000);
    const bob = operator({ env: { SSH_AUTH_SOCK: socket } });
    open.push({ close: bob.dispose });
    const host = `one ansible_host=127.0.0.1 ansible_port=${sshd.port} ansible_user=${sshd.user}\n`;
    const where = ['-i', files.write('constrained.ini', host), '-l', 'all', '-F', 'none', '--known-hosts', known];
    const { stdout, stderr } = await bob.run('doctor', ...where, '-o', 'json');
    expect(JSON.parse(stdout).hosts[0].login, stdout).toHaveLength(1);
    expect(stderr).toMatch(/one: by OpenSSH, which a key that the agent signs with for certain hosts alone needs/);
  });

  it('that has an SHA-1 host key only shows its offer and how to allow it, which works', async () => {
    const old = ['HostKeyAlgorithms ssh-rsa'];
    const refused = await doctor(old, plain, 'rsa', ['one']);
    expect(refused.rows[0]!.fault!.message).toMatch(/no matching host key type found\. Their offer: ssh-rsa/);
    expect(refused.rows[0]!.fault!.hint).toMatch(/HostKeyAlgorithms.*\+NAME/);
  });
});
