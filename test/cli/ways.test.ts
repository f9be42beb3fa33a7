/** How a host is reached: inventory, flags and ssh_config, through the whole command line. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Io } from '../../src/operations/io.ts';
import { wayAgain } from '../../src/operations/targets/override-target.ts';
import { operator } from '../operator.ts';
import { knownLine, noSshd, scratch, startSshd } from '../transport/openssh.ts';

// whose name ssh -G prints
const alice = operator({ user: userInfo().username });
afterAll(() => alice.dispose());
const io = { cwd: '/here', home: '/home/alice' } as Io;
const file = (name: string, text: string): string => {
  writeFileSync(join(alice.home, name), text, { mode: 0o600 });
  return join(alice.home, name);
};

const CONFIG = file(
  'config',
  `Host web*
  HostName %h.example.com
  User deploy
  IdentityFile ~/.ssh/%r_%h
  IdentityFile /keys/second
  ProxyJump gate@bastion:2222,inner
Host db1
  Port 2200
  HostKeyAlias the-database
  UserKnownHostsFile /tmp/known1 /tmp/known2
  ConnectTimeout 7
  IdentitiesOnly yes
  IdentityAgent /run/agent
  StrictHostKeyChecking accept-new
  ServerAliveInterval 5
Host old
  ProxyCommand connect %h %p
  StrictHostKeyChecking no
Match host 10.* user root
  Port 2022
Host none*
  ProxyJump none
Host *
  ProxyCommand nobody-uses-this
  ServerAliveCountMax 4
`,
);
const HOSTS = file(
  'hosts.yaml',
  `all:
  hosts:
    web1:
    plain: { ansible_host: 10.0.0.1, ansible_user: root }
    app: { ansible_host: web9, ansible_port: 99, ansible_user: joe, ansible_ssh_private_key_file: /keys/app }
    far: { ansible_ssh_common_args: '-J boss@gate:2022' }
    piped: { ansible_ssh_common_args: '-o ProxyCommand="nc -x proxy %h %p"' }
    other: { ansible_ssh_common_args: '-F none' }
  children: { web: { hosts: { web1: }, vars: { color: blue } } }
`,
);

const oracle = (...args: string[]): Record<string, string[]> => {
  const answer: Record<string, string[]> = {};
  for (const line of execFileSync('ssh', ['-T', '-G', ...args], { encoding: 'utf8' })
    .trim()
    .split('\n')) {
    const [, key = '', value = ''] = /^(\S+) (.*)$/.exec(line) ?? [];
    answer[key] = [...(answer[key] ?? []), value];
  }
  return answer;
};

/** Flags, inventory and name here; and the same, as Ansible would tell ssh. */
const CASES: readonly (readonly [args: string, ssh: string])[] = [
  [`web1 -F ${CONFIG}`, `-F ${CONFIG} web1`],
  [`db1 -F ${CONFIG}`, `-F ${CONFIG} db1`],
  [`old -F ${CONFIG}`, `-F ${CONFIG} old`],
  [`none1 -F ${CONFIG}`, `-F ${CONFIG} none1`],
  ['web1 -F none', '-F none web1'],
  [`web1 -F ${CONFIG} -u amy --port 2201`, `-F ${CONFIG} -l amy -p 2201 web1`],
  [`web1 -F ${CONFIG} --private-key /keys/mine`, `-F ${CONFIG} -o IdentityFile=/keys/mine web1`],
  [
    `db1 -F ${CONFIG} --host-key-checking strict -T 3s`,
    `-F ${CONFIG} -o StrictHostKeyChecking=yes -o ConnectTimeout=3 db1`,
  ],
  [
    `db1 -F ${CONFIG} --known-hosts /k/one`,
    `-F ${CONFIG} -o UserKnownHostsFile=/k/one -o GlobalKnownHostsFile=none db1`,
  ],
  [`web1 -F ${CONFIG} -i ${HOSTS}`, `-F ${CONFIG} web1`],
  [`plain -F ${CONFIG} -i ${HOSTS}`, `-F ${CONFIG} -l root 10.0.0.1`],
  [`app -F ${CONFIG} -i ${HOSTS} -u amy --port 2201`, `-F ${CONFIG} -l joe -p 99 -o IdentityFile=/keys/app web9`],
  [`far -F ${CONFIG} -i ${HOSTS}`, `-F ${CONFIG} -J boss@gate:2022 far`],
  [`piped -F ${CONFIG} -i ${HOSTS}`, `-F ${CONFIG} -o ProxyCommand=nc\u00a0-x\u00a0proxy\u00a0%h\u00a0%p piped`],
  [`other -F ${CONFIG} -i ${HOSTS}`, '-F none other'],
];

describe.skipIf(!existsSync('/usr/bin/ssh'))('inventory host prints what ssh -G prints for', () => {
  for (const [args, ssh] of CASES) {
    it(args.replaceAll(`${alice.home}/`, ''), async () => {
      const { code, stdout, stderr } = await alice.run('inventory', 'host', ...args.split(' '), '-o', 'json');
      expect(code, stderr).toBe(0);
      const expected = oracle(...ssh.split(' ').map((word) => word.replaceAll('\u00a0', ' ')));
      const { connection } = JSON.parse(stdout) as { connection: Record<string, unknown> };
      // the home of this test is made up
      const shown = Object.entries(connection).filter(([key]) => key !== 'userknownhostsfile' || ssh.includes('db1'));
      for (const [key, value] of shown) {
        if (key === 'host' && expected.host === undefined) continue; // printed by later versions of ssh only
        expect({ [key]: [value].flat().map(String) }).toEqual({ [key]: expected[key] });
      }
      for (const key of ['hostname', 'port', 'user', 'identityfile']) expect(connection).toHaveProperty(key);
    });
  }
});

describe('inventory host', () => {
  it('shows groups, variables and the connection', async () => {
    const { stdout } = await alice.run('inventory', 'host', 'web1', '-i', HOSTS, '-F', CONFIG, '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      host: 'web1',
      groups: ['web'],
      vars: { color: 'blue' },
      connection: { hostname: 'web1.example.com', port: 22, user: 'deploy', proxyjump: 'gate@bastion:2222,inner' },
    });
    const table = await alice.run('inventory', 'host', 'web1', '-i', HOSTS, '-F', CONFIG);
    expect(table.stdout).toMatch(/color +blue[\s\S]*hostname +web1\.example\.com/);
  });

  it('shows that a value is in a vault, and not what is in there', async () => {
    const vault = '!vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6162';
    const inventory = file(
      'vault.yaml',
      `all:\n  hosts: {v1: }\n  vars:\n    secret: ${vault}\n    odd: !unsafe '{{ x }}'\n    both:\n    - ${vault}\n    - 1\n`,
    );
    const { stdout } = await alice.run('inventory', 'host', 'v1', '-i', inventory, '-F', 'none');
    expect(stdout).toMatch(/^ {2}secret +\(vault\)$/m);
    expect(stdout).toMatch(/^ {2}odd +\{\{ x \}\}$/m);
    expect(stdout).toMatch(/^ {2}both +\["\(vault\)",1\]$/m);
    const json = await alice.run('inventory', 'host', 'v1', '-i', inventory, '-F', 'none', '-o', 'json');
    expect(JSON.parse(json.stdout).vars.secret.__ansible_vault).toContain('6162');
  });

  it('reads ~/.ssh/config when nothing else is said, and does without', async () => {
    const hostname = async () => {
      const { stdout } = await alice.run('inventory', 'host', 'here', '-o', 'json');
      return JSON.parse(stdout).connection.hostname;
    };
    expect(await hostname()).toBe('here');
    mkdirSync(join(alice.home, '.ssh'), { mode: 0o700 });
    file('.ssh/config', 'Host here\n  HostName there\n');
    expect(await hostname()).toBe('there');
  });
});

describe('before anything is connected to', () => {
  const broken = file('broken', 'Host a\n  Port many\n');
  const loop = file('loop', 'Host *\n  ProxyJump gate\n');
  const NEVER: readonly (readonly [args: string, says: RegExp])[] = [
    [`doctor -w a -F ${broken}`, /broken:2/],
    ['doctor -w a -F /no/such/file', /\/no\/such\/file/],
    [`doctor -w a -F ${loop}`, /gate would be reached through itself/],
    [`doctor -w a,web1 -i ${HOSTS} -F none`, /-w: not in the inventory: a$/m],
    [`doctor -w web1 -l app -i ${HOSTS} -F none`, /-w and -l have no host in common/],
    ['doctor -w a[1 -F none', /-w/],
    ['inventory host', /which host/],
    [`inventory host nobody -i ${HOSTS}`, /no host "nobody"/],
    ['inventory list web1 -w web1', /takes no name/],
  ];
  for (const [args, says] of NEVER) {
    it(`exit 2: ${args.replaceAll(`${alice.home}/`, '')}`, async () => {
      const { code, stdout, stderr } = await alice.run(...args.split(' '));
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(says);
    });
  }

  it('names of -w are selected in their order, and stand for -l', async () => {
    const { stdout } = await alice.run('inventory', 'list', '--names', '-w', 'node[09-11],db1');
    expect(stdout).toBe('node09\nnode10\nnode11\ndb1\n');
    const many = await alice.run('inventory', 'list', '--names', '-w', 'node[1-3000]');
    expect(many.stdout.split('\n')).toHaveLength(3001);
    const { stderr } = await alice.run('mask', 'cron', '-w', 'node[1-2]', '-F', 'none');
    expect(stderr).toMatch(/consent/);
  });
});

describe('the way back that a journal knows', () => {
  const via = { host: 'gate', address: 'gate', port: 22, user: 'jump', identityFiles: ['/k'], identitiesOnly: false };
  const trust = { hostKeyChecking: 'accept-new', knownHostsFiles: ['/known'] } as const;
  const target = { ...via, ...trust, host: 'web1', proxy: { kind: 'jump', via: { ...via, ...trust } } } as const;

  it('is taken as it is when no flag says otherwise', () => {
    expect(wayAgain(io, target, {})).toEqual(target);
  });

  it('gives way to flags: those on trust for bastions too, those on the login for the host alone', () => {
    const flags = { user: 'amy', 'private-key': 'mine', 'host-key-checking': 'strict', 'known-hosts': ['x'] } as const;
    const { hostKeyChecking, knownHostsFiles, ...rest } = target;
    expect(wayAgain(io, target, flags)).toEqual({
      ...rest,
      user: 'amy',
      identityFiles: ['/here/mine'],
      requiredKeyFile: '/here/mine',
      proxy: { kind: 'jump', via },
    });
  });
});

describe.skipIf(noSshd !== undefined)('a run', () => {
  it('goes through the bastion of ssh_config, and its journal knows the way back', async () => {
    const files = scratch();
    const key = files.key('id');
    const [host, bastion] = [await startSshd(files, [key]), await startSshd(files, [key])];
    const known = files.write(
      'known_hosts',
      knownLine(host.port, host.hostKeys[0]!, 'the-host') + knownLine(bastion.port, bastion.hostKeys[0]!),
    );
    const config = files.write(
      'config',
      `Host gate
  HostName 127.0.0.1
  Port ${bastion.port}
  ProxyJump none
Host node*
  HostName 127.0.0.1
  Port ${host.port}
  HostKeyAlias the-host
  ProxyJump gate
Host *
  User ${host.user}
  IdentityFile ${key}
  UserKnownHostsFile ${known}
  StrictHostKeyChecking no
`,
    );
    try {
      const { stdout, stderr } = await alice.run('doctor', '-w', 'node[1-3]', '-F', config, '-o', 'json');
      expect(bastion.log().split('Accepted publickey')).toHaveLength(2);
      expect(host.log().split('Accepted publickey')).toHaveLength(4);
      for (const { fault } of JSON.parse(stdout).hosts) expect(fault?.kind).not.toMatch(/unreachable|auth|host-key/);
      expect(stderr).toMatch(/gate, node1, node2 and 1 more: StrictHostKeyChecking no is not followed/);

      await alice.run('mask', 'no-such-unit-anywhere', '-w', 'node1', '-F', config, '-y');
      const runs = join(alice.stateDir, 'runs');
      const [journal = ''] = readdirSync(runs).map((name) => readFileSync(join(runs, name), 'utf8'));
      expect(JSON.parse(journal.split('\n')[0] ?? '').hosts[0]).toMatchObject({
        host: 'node1',
        hostKeyAlias: 'the-host',
        proxy: { kind: 'jump', via: { host: 'gate', address: '127.0.0.1', port: bastion.port } },
      });
    } finally {
      for (const one of [host, bastion, files]) one.close();
    }
  });

  it('refuses what RevokedHostKeys revokes, on hosts and on bastions', async () => {
    const files = scratch();
    const key = files.key('id');
    const [host, bastion] = [await startSshd(files, [key]), await startSshd(files, [key])];
    const lines = [host, bastion].map(({ port, hostKeys }) => knownLine(port, hostKeys[0]!));
    files.write('known_hosts', lines.join(''));
    const config = files.write(
      'config',
      `Host gate
  Port ${bastion.port}
  ProxyJump none
  RevokedHostKeys ${files.dir}/revoked
Host direct
  RevokedHostKeys ~/revoked
Host behind
  ProxyJump gate
Host *
  HostName 127.0.0.1
  Port ${host.port}
  User ${host.user}
  IdentityFile ${key}
  UserKnownHostsFile ${files.path('known_hosts')}
`,
    );
    const told = async (...revoked: readonly (typeof host)[]) => {
      const text = revoked.map(({ hostKeys }) => readFileSync(`${hostKeys[0]}.pub`, 'utf8')).join('');
      files.write('revoked', text);
      file('revoked', text);
      const { stdout } = await alice.run('doctor', '-i', 'direct,behind,', '-F', config, '-o', 'json');
      return JSON.parse(stdout).hosts.map(({ fault }: { fault: { kind: string; message: string } | null }) =>
        fault?.kind === 'host-key' ? fault.message : 'let in',
      );
    };
    try {
      expect(await told()).toEqual(['let in', 'let in']);
      expect(await told(host)).toEqual([expect.stringMatching(/REVOKED.*revoked:1/), 'let in']);
      expect(await told(bastion)).toEqual(['let in', expect.stringMatching(/jump host gate.*REVOKED/)]);
    } finally {
      for (const one of [host, bastion, files]) one.close();
    }
  });

  it('follows the algorithms of ssh_config, tells what is left out, and leaves to ssh what only ssh has', async () => {
    const files = scratch();
    const key = files.key('id');
    const old = await startSshd(
      files,
      [key],
      ['KexAlgorithms diffie-hellman-group14-sha1', 'MACs hmac-sha1', 'Ciphers aes128-ctr'],
    );
    const young = await startSshd(files, [key], ['KexAlgorithms sntrup761x25519-sha512@openssh.com']);
    const lines = [old, young].map(({ port, hostKeys }) => knownLine(port, hostKeys[0]!));
    const config = files.write(
      'config',
      `Host old
  Port ${old.port}
  KexAlgorithms +diffie-hellman-group14-sha1
  MACs hmac-sha1,umac-64@openssh.com
Host young
  KexAlgorithms sntrup761x25519-sha512@openssh.com
Host young stiff
  Port ${young.port}
Host *
  HostName 127.0.0.1
  User ${old.user}
  IdentityFile ${key}
  UserKnownHostsFile ${files.write('known_hosts', lines.join(''))}
`,
    );
    try {
      const { stdout, stderr } = await alice.run('doctor', '-i', 'old,young,stiff,', '-F', config, '-o', 'json');
      const kinds = JSON.parse(stdout).hosts.map(({ fault }: { fault: { kind: string } | null }) => fault?.kind);
      // stiff is reached by ssh too, once its server has said that it speaks nothing else
      expect(kinds.filter((kind: string) => /unreachable|auth|host-key/.test(kind ?? ''))).toEqual([]);
      expect(stderr).toMatch(/ssh_config of old: MACs umac-64@openssh.com is not known here, and left out/);
      expect(stderr).not.toMatch(/sntrup761.*left out/);
      expect(stderr).toMatch(/young.*KexAlgorithms sntrup761/);
    } finally {
      for (const one of [old, young, files]) one.close();
    }
  });
});
