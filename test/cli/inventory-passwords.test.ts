/** Passwords that an inventory has: each host is told its own, equal ones are proved once, and none is written down. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { type HostileHost, startHostile } from '../hostile/hostile-host.ts';
import { operator } from '../operator.ts';
import { knownLine, scratch } from '../transport/openssh.ts';

/** By host: what sudo there wants. */
const SUDO = { a1: 's3cr€t "one"', a2: 's3cr€t "one"', a3: '4711', a4: 'another', a5: 'another' } as const;
/** Passwords that stand in everything that such a host says. */
const WORDS = 'cron system service systemd loaded masked debian root path etc lib 252 active link = / e'.split(' ');
const LOGIN = { p1: 'open s3same', p2: 'open barley' } as const;

const files = scratch();
const alice = operator();
const servers: HostileHost[] = [];
let fleet: Fleet;
const seen: string[] = [];

beforeAll(async () => {
  const model = DEMO_HOSTS.find(({ name }) => name === 'deb-web1')!;
  const asking = Object.keys(SUDO).map((name) => ({
    ...model,
    name,
    image: { ...model.image, privilege: 'none' as const },
  }));
  const typing = Object.keys(LOGIN).map((name) => ({ ...model, name }));
  const wordy = WORDS.map((_, i) => ({ ...asking[0]!, name: `w${i}` }));
  fleet = await startFleet([...asking, ...typing, ...wordy], { path: process.env.PATH ?? '', tempDir: alice.home });
  const key = files.key('id');
  for (const { name, dir } of fleet.hosts) {
    if (name in SUDO) writeFileSync(join(dir, 'sim/password'), SUDO[name as keyof typeof SUDO]);
    if (name.startsWith('w')) writeFileSync(join(dir, 'sim/password'), WORDS[Number(name.slice(1))]!);
    if (!(name in LOGIN)) continue;
    const server = await startHostile(
      files,
      key,
      name,
      {
        tamper: (lines) => lines,
        onAuth: (context) => {
          if (context.method !== 'password') return context.reject(['password']);
          seen.push(`${name}: ${context.password}`);
          if (context.password === LOGIN[name as keyof typeof LOGIN]) context.accept();
          else context.reject(['password']);
        },
      },
      dir,
    );
    servers.push(server);
  }
  const known = servers.flatMap(({ port, hostKeys }) => hostKeys.map((each) => knownLine(port, each)));
  files.write('known_hosts', readFileSync(fleet.knownHostsPath, 'utf8') + known.join(''));
});
afterAll(async () => {
  for (const server of servers) server.close();
  alice.dispose();
  await fleet.dispose();
  files.close();
});

/** An inventory of these hosts, each with these variables of its own. */
function inventory(vars: Readonly<Record<string, Record<string, unknown>>>): string {
  const ports = new Map([...fleet.hosts, ...servers].map(({ name, port }) => [name, port]));
  const hosts = Object.entries(vars).map(([name, own]) => {
    const way = { ansible_host: '127.0.0.1', ansible_port: ports.get(name), ansible_user: 'demo' };
    const key = !(name in LOGIN) ? { ansible_ssh_private_key_file: fleet.privateKeyPath } : {};
    return [name, { ...way, ...key, ...own }] as const;
  });
  return files.write('hosts.yaml', JSON.stringify({ all: { hosts: Object.fromEntries(hosts) } }));
}
const mask = (source: string, ...more: string[]) =>
  alice.run('mask', 'cron', '--now', '-y', '-l', 'all', '-i', source, '-F', 'none', ...way(), ...more);
const way = () => ['--known-hosts', files.path('known_hosts'), '-o', 'json'];
const rollback = (...more: string[]) => alice.run('rollback', 'last', '-y', ...way(), ...more);
const sudo = (password: unknown, name = 'ansible_become_password') => ({ ansible_become: true, [name]: password });

describe('a password of the inventory', () => {
  it('for becoming root is told its own host, and written nowhere', async () => {
    const source = inventory({
      a1: sudo(SUDO.a1),
      a2: sudo(SUDO.a2, 'ansible_become_pass'),
      a3: sudo(4711, 'ansible_sudo_pass'),
    });
    const run = await mask(source);
    expect(run.report.totals, run.stdout).toEqual({ masked: 3 });
    const without = await rollback();
    expect(without.report.totals).toEqual({ refused: 3 });
    const back = await rollback('-i', source);
    expect(back.report.totals, back.stdout).toEqual({ restored: 3 });
    const journals = readdirSync(join(alice.stateDir, 'runs')).map((name) =>
      readFileSync(join(alice.stateDir, 'runs', name), 'utf8'),
    );
    const texts = [...journals, ...[run, without, back].flatMap(({ stdout, stderr }) => [stdout, stderr])];
    for (const text of texts) expect(text).not.toMatch(/s3cr|4711/);
  });

  it('that is wrong is told one of the hosts that share it, and the others go on with theirs', async () => {
    const run = await mask(inventory({ a1: sudo(SUDO.a1), a3: sudo('4711'), a4: sudo('wrong'), a5: sudo('wrong') }));
    expect([run.on('a1').outcome, run.on('a3').outcome]).toEqual(['masked', 'masked']);
    const faults = ['a4', 'a5'].map((name) => run.on(name).fault?.message).sort();
    expect(faults[0]).toMatch(/^a\d refused the password for becoming root; after that it is sent to no other host/);
    expect(faults[1]).toMatch(/^sudo: the password is wrong/);
    expect((await rollback('-i', inventory({ a1: sudo(SUDO.a1), a3: sudo('4711') }))).code).toBe(0);
  });

  it('wins over -K, which is for the hosts that have none', async () => {
    const secret = files.write('secret', SUDO.a4);
    const source = inventory({ a3: sudo('4711'), a4: {}, a5: {} });
    const run = await mask(source, '--become-password-file', secret);
    expect(run.report.totals, run.stdout).toEqual({ masked: 3 });
    expect((await rollback('-i', source, '--become-password-file', secret)).code).toBe(0);
  });

  it('for the login is shown its own host, and hidden where that repeats it', async () => {
    seen.length = 0;
    const source = inventory({ p1: { ansible_password: LOGIN.p1 }, p2: { ansible_ssh_pass: LOGIN.p2 } });
    const run = await mask(source);
    expect(run.report.totals, run.stdout).toEqual({ masked: 2 });
    expect(seen.toSorted()).toEqual([`p1: ${LOGIN.p1}`, `p2: ${LOGIN.p2}`]);
    expect((await rollback('-i', source)).code).toBe(0);
    const wrong = await mask(inventory({ p1: { ansible_password: 'no' }, p2: { ansible_password: LOGIN.p2 } }));
    expect(wrong.on('p1').fault).toMatchObject({ kind: 'auth', message: expect.stringMatching(/was refused/) });
    expect(wrong.on('p2').outcome).toBe('masked');
  });

  it('that cannot be read is noted with the flag that can give it, and the host is used', async () => {
    const template = inventory({ a4: sudo('{{ vault_sudo }}'), a5: sudo('$ANSIBLE_VAULT;1.1;AES256 6162') });
    const run = await mask(template, '--become-password-file', files.write('secret', SUDO.a4));
    expect(run.report.totals, run.stdout).toEqual({ masked: 2 });
    expect(run.stderr).toMatch(
      /hosts\.yaml:1: ansible_become_password is a template that cannot be evaluated and is not read; give .* with -K/,
    );
    expect(run.stderr).toMatch(/is encrypted with ansible-vault and is not read/);
    expect(run.stderr).not.toMatch(/vault_sudo|6162/);
    for (const value of [true, ['a'], 'two\nlines', '']) {
      const { code, stderr } = await mask(inventory({ a4: sudo(value) }));
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/is not a line of text/) });
      expect(stderr).not.toContain('two');
    }
  });

  it('that is an ordinary word changes nothing in what is done', async () => {
    const source = inventory(Object.fromEntries(WORDS.map((word, i) => [`w${i}`, sudo(word)])));
    const run = await mask(source);
    expect(run.report.totals, run.stdout).toEqual({ masked: WORDS.length });
    for (const { units } of run.report.hosts) {
      expect(units[0]).toMatchObject({
        unit: 'cron.service',
        after: { load: 'masked', file: 'masked', active: 'inactive' },
      });
    }
    expect((await rollback('-i', source)).report.totals).toEqual({ restored: WORDS.length });
  });
});
