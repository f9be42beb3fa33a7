/** What the remote program finds out about its own session, from the /proc of hosts of every make. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { converse, type SystemdUnderTest } from '../contract/systemd-under-test.ts';
import { sleeper, VENDOR } from '../contract/units.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

interface Process {
  readonly name: string;
  /** Lines of its /proc/PID/cgroup. */
  readonly cgroup: readonly string[];
  readonly environ?: readonly string[];
}

const SCOPE = '0::/user.slice/user-0.slice/session-4.scope';
const SSHD: Process = { name: 'sshd', cgroup: ['0::/system.slice/ssh.service'] };
const shell = (...environ: string[]): Process => ({ name: 'sh', cgroup: [SCOPE], environ });

describe.each(SHELLS)('under $name', (sh) => {
  let host: SimulatedHost;
  beforeAll(async () => {
    host = await SimulatedHost.boot(sh, {
      files: {
        [`${VENDOR}/fm-a.service`]: sleeper(),
        [`${VENDOR}/ssh.service`]: sleeper({ unit: 'Requires=fm-a.service\n' }),
        [`${VENDOR}/ssh.socket`]: '[Socket]\nListenStream=22\n',
        [`${VENDOR}/sssd.service`]: sleeper(),
        [`${VENDOR}/systemd-networkd.service`]: sleeper(),
      },
      running: ['ssh.socket', 'ssh.service', 'sssd.service'],
    });
  });
  beforeEach(() => host.reset());
  afterAll(() => host.dispose());

  /** Asks with these processes above the program, the last one's parent being PID 1; the program's own number reads `$$`. */
  async function told(names: string[], processes: Process[], extra: Record<string, string> = {}, env = '') {
    const pids = ['$$', ...processes.slice(1).map((_, index) => String(4001 + index))];
    const files = processes.map(({ name, cgroup, environ = [] }, index) => {
      const status = `Name:\\t${name}\\nUmask:\\t0022\\nPPid:\\t${pids[index + 1] ?? 1}\\nUid:\\t0\\n`;
      return `mkdir -p "$FLEETMASK_ROOT/proc/${pids[index]}"; cd "$FLEETMASK_ROOT/proc/${pids[index]}"
printf '${status}' >status; printf '${cgroup.join('\\n')}\\n' >cgroup; printf '${environ.map((each) => `${each.replaceAll('%', '%%')}\\0`).join('')}' >environ`;
    });
    for (const [path, text] of Object.entries(extra)) {
      await mkdir(join(host.dir, dirname(path)), { recursive: true });
      await writeFile(join(host.dir, path), text, { mode: 0o755 });
    }
    let own = '';
    const logged: SystemdUnderTest = {
      version: host.version,
      reset: () => host.reset(),
      shell: (script) => {
        const child = host.shell(`unset SSH_CONNECTION; ${env}\n${files.join('\n')}\n${script}`);
        own = String(child.pid);
        return child;
      },
    };
    const [, answer] = await converse(logged, [], ['probe', 'guard=yes', ...names.map((name) => `name=${name}`)]);
    const session = answer!.rest.filter((record) => record.startsWith('session '));
    return { session: session.map((record) => record.replace(` ${own} `, ' OWN ')), rest: answer!.rest };
  }

  it('who does not ask pays and hears nothing', async () => {
    const [, probed] = await converse(host, [], ['probe', 'name=fm-a.service']);
    expect(probed?.rest.filter((record) => /^(session|beyond)/.test(record))).toEqual([]);
    expect(probed?.rest.filter((record) => /Triggers|Names/.test(record))).toEqual([]);
  });

  it('each process above it is told with its unit, and the server’s end of the connection', async () => {
    const { session } = await told(
      ['fm-a.service'],
      [shell(), SSHD],
      {},
      'export SSH_CONNECTION="10.0.0.1 5 10.0.0.2 2222"',
    );
    expect(session).toEqual([
      'session process OWN session-4.scope sh',
      'session process 4001 ssh.service sshd',
      'session server 10.0.0.2 2222',
    ]);
  });

  it('what sudo took out of its environment is found in that of sudo', async () => {
    const sudo: Process = {
      name: 'sudo',
      cgroup: [SCOPE],
      environ: ['A=1\\n2', 'SSH_CONNECTION=fe80::1%eth0 5 fe80::2%eth0 22', 'SSH_TTY=9'],
    };
    const { session } = await told(['fm-a.service'], [shell('HOME=/root', 'A=b'), sudo, SSHD]);
    expect(session.at(-1)).toBe('session server fe80::2%eth0 22');
  });

  it.each([
    [
      'the first hierarchy of old hosts',
      ['9:name=systemd:/system.slice/ssh.service', '8:pids:/x.service'],
      'ssh.service',
    ],
    ['both hierarchies', ['1:name=systemd:/system.slice/ssh.service', '0::/'], 'ssh.service'],
    ['a name with colons', ['0::/system.slice/system-ssh.slice/ssh@1-[::1]:22-10.0.0.1:5.service'], '-'],
    [
      'an instance',
      ['0::/system.slice/system-ssh.slice/ssh@1-10.0.0.2:22-10.0.0.1:5.service'],
      'ssh@1-10.0.0.2:22-10.0.0.1:5.service',
    ],
    ['a subgroup of a unit', ['0::/system.slice/ssh.service/payload/x'], 'ssh.service'],
    [
      'a user’s own unit, which is not the system’s',
      ['0::/user.slice/user-7.slice/user@7.service/app.slice/cron.service'],
      'user@7.service',
    ],
    ['no unit', ['0::/'], '-'],
    ['a name that is none', ['0::/x/$(reboot).service'], '-'],
  ])('the unit is known in %s', async (_, cgroup, unit) => {
    const { session } = await told(['fm-a.service'], [{ name: 'x y', cgroup }]);
    expect(session[0]).toBe(`session process OWN ${unit} x y`);
  });

  it('what a listening socket starts is told: this session may hang on it', async () => {
    const { rest } = await told(['ssh.socket'], [shell(), SSHD]);
    expect(rest).toContain('related Id=ssh.service');
  });

  it('the listener is looked for where no process leads to it, among the main processes of the units', async () => {
    // the simulated systemd gives every service the same number
    const main = 50_000_000;
    await mkdir(join(host.dir, `proc/${main}/fd`), { recursive: true });
    await symlink('socket:[777]', join(host.dir, `proc/${main}/fd/3`));
    const tcp = (port: string, state: string) =>
      `  0: 0100007F:${port} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 0 0 777 1\n`;
    const env = 'export SSH_CONNECTION="10.0.0.1 5 10.0.0.2 22"';
    const find = async (net: string, process: Process[] = [shell()]) =>
      (await told(['ssh.service'], process, { '/proc/net/tcp': net }, env)).session.filter((each) =>
        each.includes('listener'),
      );
    expect(await find(tcp('0016', '0A'))).toEqual([`session listener ${main}`]);
    expect(await find(tcp('0017', '0A')), 'another port').toEqual([]);
    expect(await find(tcp('0016', '01')), 'a connection').toEqual([]);
    expect(await find(tcp('0016', '0A'), [shell(), SSHD]), 'not needed').toEqual([]);
  });

  it('who set up the interface is told when such a unit might be hit', async () => {
    // busybox has an `ip` of its own, which no shim can replace
    const [address, index, name] = sh.name === 'busybox' ? ['127.0.0.1', 1, 'lo'] : ['10.0.0.2', 7, 'eth0.5'];
    const from = (client: string) => `export SSH_CONNECTION="${client} 5 ${address} 22"`;
    const files = {
      '/shim/ip': `#!/bin/sh
case "$*" in
  "-o address show to ${address}") echo "${index}: ${name}    inet ${address}/24 scope global ${name}" ;;
  "-o route get 10.0.0.1") echo "10.0.0.1 via 10.0.0.9 dev eth7 src ${address}" ;;
  "-o route get 127.0.0.1") echo "local 127.0.0.1 dev ${name} src 127.0.0.1" ;;
esac
`,
      [`/sys/class/net/${name}/ifindex`]: `${index}\n`,
      [`/run/systemd/netif/links/${index}`]: 'ADMIN_STATE=configured\nOPER_STATE=routable\n',
      [`/run/NetworkManager/devices/${index}`]: '[device]\nmanaged=false\n',
      '/run/network/ifstate': `eth7=eth7\n${name}=${name}\n`,
    };
    const owners = ['systemd-networkd.service', 'networking.service', `ifup@${name}.service`];
    const facts = [`interface ${name}`, ...owners.map((owner) => `owner ${name} ${owner}`)];
    const ask = async (unit: string, env: string) => (await told([unit], [shell(), SSHD], files, env)).session.slice(3);
    const session = facts.map((fact) => `session ${fact}`);
    expect(await ask('systemd-networkd.service', from('127.0.0.1'))).toEqual(session);
    expect(await ask('fm-a.service', from('127.0.0.1'))).toEqual([]);
    if (sh.name === 'busybox') return;
    const way = [
      'session interface eth7',
      'session owner eth7 networking.service',
      'session owner eth7 ifup@eth7.service',
    ];
    expect(await ask('systemd-networkd.service', from('10.0.0.1')), 'answers leave elsewhere').toEqual([
      ...session,
      ...way,
    ]);
    const nowhere = 'export SSH_CONNECTION="192.0.2.7 5 192.0.2.77 22"';
    expect(await ask('systemd-networkd.service', nowhere), 'an address that no interface has').toEqual([]);
  });

  it('where accounts come from is told when the daemon behind them might be hit', async () => {
    const files = { '/etc/nsswitch.conf': '# x\npasswd:  sss files # mine\nhosts: files dns\nsudoers: files sss\n' };
    const hit = await told(['sssd.service'], [shell(), SSHD], files);
    expect(hit.session.slice(2)).toEqual(['session login passwd sss files ', 'session login sudoers files sss']);
    expect((await told(['fm-a.service'], [shell(), SSHD], files)).session).toHaveLength(2);
  });
});
