/** Where nothing else names an inventory, a user or a key, Ansible's own settings do; and that is said. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Io } from '../../src/operations/io.ts';
import { type Operator, operator } from '../operator.ts';

const made: Operator[] = [];
afterEach(() => {
  for (const each of made.splice(0)) each.dispose();
});

/** An operator in a directory of a project, with these files in it and in the home directory. */
function at(files: Readonly<Record<string, string>>, env: Io['env'] = {}): Operator & { readonly project: string } {
  const shell = operator({ env });
  const project = join(shell.home, 'project');
  mkdirSync(project);
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(name.startsWith('~/') ? shell.home : project, name.replace(/^~\//, '')), text);
  }
  made.push(shell);
  const inProject = operator({ env, cwd: project, home: shell.home });
  made.push(inProject);
  return { ...inProject, home: shell.home, project };
}

const HOSTS = '[web]\nweb1 ansible_host=127.0.0.1\n';
const CONFIG = `# of this project
[defaults]
inventory = hosts.ini ; where they are
remote_user = deploy
private_key_file = ~/.ssh/deploy
host_key_checking = False
[ssh_connection]
inventory = nonsense
`;

describe("Ansible's own settings", () => {
  it('name the inventory, which is said once', async () => {
    const bob = at({ 'ansible.cfg': CONFIG, 'hosts.ini': HOSTS });
    const { code, stdout, stderr } = await bob.run('inventory', 'list', '--names');
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'web1\n' });
    expect(stderr).toMatch(/^note: the inventory is the one of .*ansible\.cfg: .*hosts\.ini\n$/);
  });

  it('name the user and the key where nothing else does', async () => {
    const bob = at({ 'ansible.cfg': CONFIG, 'hosts.ini': `${HOSTS}web2 ansible_user=root\n` });
    const user = async (host: string, ...args: string[]) => {
      const run = await bob.run('inventory', 'host', host, '-i', 'hosts.ini', '-o', 'json', ...args);
      const { connection } = JSON.parse(run.stdout) as { connection: { user: string; identityfile: string[] } };
      return [connection.user, connection.identityfile[0]];
    };
    expect(await user('web1')).toEqual(['deploy', join(bob.home, '.ssh/deploy')]);
    expect((await user('web1', '-u', 'alice'))[0]).toBe('alice');
    expect((await user('web2'))[0]).toBe('root');
    mkdirSync(join(bob.home, '.ssh'), { recursive: true });
    const config = join(bob.project, 'ssh_config');
    writeFileSync(config, 'Host 127.*\n  User carol\n  IdentityFile /k\n');
    expect(await user('web1', '-F', config)).toEqual(['carol', '/k']);
  });

  it('never turn off the check of host keys', async () => {
    const bob = at({ 'ansible.cfg': CONFIG, 'hosts.ini': HOSTS });
    const { stderr } = await bob.run('status', 'cron', '-l', 'web1', '-T', '1', '--port', '1');
    expect(stderr).toMatch(/host_key_checking is not followed.*--host-key-checking off/);
  });

  it.each([
    ['ANSIBLE_INVENTORY', { ANSIBLE_INVENTORY: 'hosts.ini' }],
    ['a list in ANSIBLE_INVENTORY', { ANSIBLE_INVENTORY: 'web1,' }],
    ['ANSIBLE_CONFIG', { ANSIBLE_CONFIG: 'other.cfg' }],
  ])('are taken from %s first', async (_, env) => {
    const files = {
      'ansible.cfg': '[defaults]\ninventory=nothing\n',
      'other.cfg': '[defaults]\ninventory=hosts.ini\n',
    };
    const { stdout, stderr } = await at({ ...files, 'hosts.ini': HOSTS }, env).run('inventory', 'list', '--names');
    expect(stdout, stderr).toBe('web1\n');
  });

  it('of the home directory count where the current one has none; -i wins over all', async () => {
    const files = {
      '~/.ansible.cfg': '[defaults]\ninventory=project/hosts.ini\n',
      'hosts.ini': HOSTS,
      'mine.ini': 'db1\n',
    };
    const bob = at(files, { ANSIBLE_INVENTORY: '' });
    expect((await bob.run('inventory', 'list', '--names')).stdout).toBe('web1\n');
    const { stdout, stderr } = await bob.run('inventory', 'list', '--names', '-i', 'mine.ini');
    expect({ stdout, stderr }).toEqual({ stdout: 'db1\n', stderr: '' });
  });

  it('are passed over where others could have written them', async () => {
    const bob = at({ 'ansible.cfg': CONFIG, 'hosts.ini': HOSTS });
    chmodSync(bob.project, 0o777);
    const { code, stderr } = await bob.run('inventory', 'list');
    expect(code).toBe(2);
    expect(stderr).toMatch(/no inventory was named|cannot be trusted/);
  });

  it('of the current directory name no program, and no inventory that names one', async () => {
    const program = at({ 'ansible.cfg': '[defaults]\ninventory=inv.sh\n', 'inv.sh': '#!/bin/sh\ntouch ran\n' });
    chmodSync(join(program.project, 'inv.sh'), 0o755);
    const run = await program.run('inventory', 'list');
    expect(run.code).toBe(2);
    expect(run.stderr).toMatch(/is run only where -i names it/);
    for (const args of ['-o ProxyCommand=id', '-o KnownHostsCommand=id', '-o PKCS11Provider=/tmp/x.so', '-F /tmp/x']) {
      const files = { 'ansible.cfg': CONFIG, 'hosts.ini': `${HOSTS}[web:vars]\nansible_ssh_common_args=${args}\n` };
      const refused = await at(files).run('status', 'cron', '-l', 'web1');
      expect([refused.code, refused.stderr], args).toEqual([2, expect.stringMatching(/settings of this directory/)]);
    }
  });

  it('that are named and cannot be read are an error', async () => {
    const { code, stderr } = await at({}, { ANSIBLE_CONFIG: '/no/such.cfg' }).run('inventory', 'list');
    expect(code).toBe(2);
    expect(stderr).toMatch(/ANSIBLE_CONFIG: \/no\/such\.cfg cannot be read/);
  });
});
