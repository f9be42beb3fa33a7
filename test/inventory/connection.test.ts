import { describe, expect, it } from 'vitest';
import { complaint, read, select } from './reading.ts';

async function connection(line: string) {
  const inventory = await read(`h1 ${line}\n`);
  return select(inventory)[0]?.connection;
}

async function refusal(text: string, pattern?: string) {
  const inventory = await read(text);
  return complaint(() => select(inventory, pattern));
}

describe('connection variables', () => {
  it.each([
    [
      'ansible_host=10.0.0.1 ansible_port=2222 ansible_user=deploy',
      { address: '10.0.0.1', port: 2222, user: 'deploy' },
    ],
    ['ansible_ssh_host=a ansible_ssh_port=23 ansible_ssh_user=b', { address: 'a', port: 23, user: 'b' }],
    ['ansible_host=fe80::1%eth0', { address: 'fe80::1%eth0' }],
    ['ansible_host=2001:db8::1', { address: '2001:db8::1' }],
    ['ansible_user=CORP\\\\\\\\jo', { user: 'CORP\\\\jo' }],
    ['ansible_ssh_private_key_file=~/.ssh/k', { privateKeyFile: '~/.ssh/k' }],
    [
      'ansible_become=yes ansible_become_method=doas ansible_become_user=root',
      { become: true, becomeMethod: 'doas', becomeUser: 'root' },
    ],
    ['ansible_become=false', { become: false }],
    ['ansible_connection=ssh', {}],
    ['ansible_connection=ansible.builtin.ssh ansible_host=x', { address: 'x' }],
    ['ansible_connection=ansible.netcommon.libssh', {}],
    ['ansible_ssh_common_args="-J b1,b2 -F cfg"', { proxyJump: 'b1,b2', sshConfigFile: 'cfg' }],
    ['ansible_ssh_common_args="-Jb1"', { proxyJump: 'b1' }],
    ['ansible_ssh_extra_args="-o ProxyJump=b1"', { proxyJump: 'b1' }],
    ['ansible_ssh_extra_args="-oProxyJump=b1"', { proxyJump: 'b1' }],
    [`ansible_ssh_common_args='-o ProxyCommand="ssh -W %h:%p b1"'`, { proxyCommand: 'ssh -W %h:%p b1' }],
    [`ansible_ssh_common_args='-o "ProxyJump b1"'`, { proxyJump: 'b1' }],
  ])('%s', async (line, expected) => {
    expect(await connection(line)).toEqual(expected);
  });

  it('the older name wins over the newer one, as in Ansible’s ssh connection', async () => {
    expect(await connection('ansible_host=new ansible_ssh_host=old')).toEqual({ address: 'old' });
  });

  it('a null variable is not set', async () => {
    expect(await connection('ansible_host=None ansible_port=None')).toEqual({});
  });

  it('a host with another connection than ssh is listed, and selecting it is an error with its line', async () => {
    const text = 'h1\nlocalhost ansible_connection=local\n';
    expect(await refusal(text)).toMatch(
      /^stdin:2: ansible_connection is "local"; only ssh is supported \(host localhost\)/,
    );
    const inventory = await read(text);
    expect(select(inventory, 'all:!localhost').map(({ name }) => name)).toEqual(['h1']);
  });

  it.each([
    [
      'h1 ansible_host="{{ x }}"',
      /^stdin:1: ansible_host is the template "\{\{ x \}\}", which uses x, which is not set/,
    ],
    ['h1\n[all:vars]\nansible_user={% if x %}a{% endif %}', /^stdin:3: ansible_user is the template .* uses \{% …/],
    ['h1 ansible_user="$ANSIBLE_VAULT;1.1"', /^stdin:1: ansible_user is encrypted/],
    [
      'all:\n  hosts:\n    h1:\n      ansible_port: !vault |\n        $ANSIBLE_VAULT;1.1\n',
      /^stdin:4: ansible_port is encrypted/,
    ],
    ['h1 ansible_become_method=run0', /^stdin:1: ansible_become_method is not supported/],
    ['h1 ansible_become_method=runas', /^stdin:1: ansible_become_method is not supported/],
    ['h1 ansible_ssh_common_args="-o Include=evil"', /^stdin:1: ansible_ssh_common_args is not supported/],
    ['h1 ansible_ssh_common_args="-L 80:a:80"', /"-L"/],
    ['h1 ansible_ssh_common_args="-J"', /has no value/],
  ])('%j makes the host unusable', async (text, message) => {
    expect(await refusal(text)).toMatch(message);
  });

  it.each([
    ['-o HostName=b -o "User jo" -oPort=2222', ['HostName=b', 'User jo', 'Port=2222']],
    ['-i "~/my key" -l jo -p 23 -4', ['IdentityFile="~/my key"', 'User=jo', 'Port=23', 'AddressFamily=inet']],
    ['-o IdentitiesOnly=yes -o HostKeyAlgorithms=+ssh-rsa', ['IdentitiesOnly=yes', 'HostKeyAlgorithms=+ssh-rsa']],
    ['-o StrictHostKeyChecking=accept-new', ['StrictHostKeyChecking=accept-new']],
    ['-o UserKnownHostsFile=/srv/known', ['UserKnownHostsFile=/srv/known']],
  ])('the ssh arguments %s are options of ssh', async (args, sshOptions) => {
    expect(await connection(`ansible_ssh_common_args='${args}'`)).toEqual({ sshOptions });
  });

  it('ssh arguments that would weaken the check of host keys are left out, with a note and its line', async () => {
    const lax = '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -C -J b';
    const inventory = await read(`h1\n[all:vars]\nansible_ssh_common_args=${lax}\n`);
    expect(inventory.hosts.get('h1')?.connection).toEqual({ proxyJump: 'b' });
    expect(inventory.notes).toEqual([
      'stdin:3: ansible_ssh_common_args: -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -C is not followed',
    ]);
  });

  it('a template elsewhere stays as it is', async () => {
    const inventory = await read('h1 url="http://{{ x }}/"\n');
    expect(inventory.hosts.get('h1')?.vars.get('url')).toBe('http://{{ x }}/');
  });
});
