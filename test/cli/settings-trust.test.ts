/** Whose settings, plans and journals are followed, and what those of the current directory may say. */
import { chmodSync, chownSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IN_DIRECTORY } from '../../src/cli/directory-settings.ts';
import { KNOWN } from '../../src/cli/options.ts';
import { type Operator, operator } from '../operator.ts';

const isRoot = userInfo().uid === 0;
const OTHER = 12345;

let alice: Operator;
let marker: string;
beforeEach(() => {
  alice = operator();
  marker = join(alice.home, 'ran');
});
afterEach(() => alice.dispose());

const put = (path: string, text: string, mode = 0o600) => {
  mkdirSync(dirname(join(alice.home, path)), { recursive: true });
  writeFileSync(join(alice.home, path), text, { mode });
  chmodSync(join(alice.home, path), mode);
  return join(alice.home, path);
};
const hosts = () => put('hosts', 'web1 ansible_host=127.0.0.1 ansible_port=1\n');
const from = (cwd: string, uid = userInfo().uid, env: Record<string, string> = {}) =>
  operator({ cwd, uid, home: alice.home, env: { FLEETMASK_STATE_DIR: alice.stateDir, ...env } });

describe('a file that others could have written is refused, with the command that mends it:', () => {
  it.each([
    ['./fleetmask.yaml', 'fleetmask.yaml', 'forks: 5\n'],
    ['the user’s config.yaml', '.config/fleetmask/config.yaml', 'forks: 5\n'],
    ['the machine’s config.yaml', 'etc/config.yaml', 'forks: 5\n'],
    ['variables of the current directory', 'group_vars/all.yml', 'a: 1\n'],
  ])('%s', async (_, path, text) => {
    const file = put(path, text);
    const place = path.startsWith('group_vars') ? dirname(file) : file;
    const list = () => alice.run('inventory', 'list', '-i', hosts());
    expect((await list()).code).toBe(0);
    for (const mode of [0o020, 0o002]) {
      chmodSync(place, statSync(place).mode | mode);
      const { code, stderr } = await list();
      expect(code).toBe(2);
      expect(stderr).toContain(`chmod go-w ${place}`);
      chmodSync(place, statSync(place).mode & ~0o022);
    }
    expect((await list()).code).toBe(0);
    if (!isRoot) return;
    chownSync(place, OTHER, OTHER);
    expect(await list()).toMatchObject({ code: 2, stderr: expect.stringContaining('belongs to uid 12345') });
  });

  it('variables that are not there refuse nobody’s directory', async () => {
    const file = hosts();
    mkdirSync(join(alice.home, 'open'));
    chmodSync(join(alice.home, 'open'), 0o777);
    const bob = from(join(alice.home, 'open'));
    expect((await bob.run('inventory', 'list', '-i', file)).code).toBe(0);
    bob.dispose();
  });

  it('one in a directory that others can write, or behind a link in one', async () => {
    put('open/fleetmask.yaml', 'forks: 5\n');
    put('closed/fleetmask.yaml', 'forks: 5\n');
    symlinkSync(join(alice.home, 'open/fleetmask.yaml'), join(alice.home, 'closed/link.yaml'));
    mkdirSync(join(alice.home, 'linked'));
    symlinkSync('../open/fleetmask.yaml', join(alice.home, 'linked/fleetmask.yaml'));
    chmodSync(join(alice.home, 'open'), 0o777);
    for (const cwd of ['open', 'linked']) {
      const bob = from(join(alice.home, cwd));
      const { code, stderr } = await bob.run('runs', 'list');
      expect(code, cwd).toBe(2);
      expect(stderr).toContain(`chmod go-w ${join(alice.home, 'open')}`);
      bob.dispose();
    }
    // sticky, as /tmp: others cannot replace what is ours there
    chmodSync(join(alice.home, 'open'), 0o1777);
    const bob = from(join(alice.home, 'open'));
    expect((await bob.run('runs', 'list')).code).toBe(0);
    bob.dispose();
  });

  it.runIf(isRoot)('not those of the user who called sudo, but of any other', async () => {
    put('checkout/fleetmask.yaml', 'forks: 5\n');
    chownSync(join(alice.home, 'checkout'), OTHER, OTHER);
    const as = async (env: Record<string, string>) => {
      const root = from(join(alice.home, 'checkout'), 0, env);
      const { code } = await root.run('runs', 'list');
      root.dispose();
      return code;
    };
    expect([await as({}), await as({ SUDO_UID: '999' }), await as({ SUDO_UID: `${OTHER}` })]).toEqual([2, 2, 0]);
  });
});

describe('./fleetmask.yaml', () => {
  it('runs no program that it names as the inventory; whoever names it on the command line runs it', async () => {
    const program = put(
      'inv.sh',
      `#!/bin/sh\ntouch ${marker}\necho '{"web": {"hosts": ["w1"]}, "_meta": {"hostvars": {}}}'\n`,
      0o700,
    );
    put('fleetmask.yaml', 'inventory: ./inv.sh\n');
    expect((await alice.run('inventory', 'list')).code).toBe(2);
    expect(existsSync(marker)).toBe(false);
    expect((await alice.run('inventory', 'list', '-i', program)).code).toBe(0);
    expect(existsSync(marker)).toBe(true);
  });

  it('names no inventory that names a command, or an ssh_config that could', async () => {
    for (const args of [`-o ProxyCommand="touch ${marker}"`, `-F ${join(alice.home, 'config')}`]) {
      put('hosts', `web1 ansible_host=127.0.0.1 ansible_ssh_common_args='${args}'\n`);
      put('config', `Match exec "touch ${marker}"\n  User x\n`);
      put('fleetmask.yaml', 'inventory: hosts\n');
      expect(await alice.run('status', 'cron')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('name the inventory with -i'),
      });
      expect(existsSync(marker)).toBe(false);
    }
    put('hosts', 'web1 ansible_host=127.0.0.1 ansible_port=1\n');
    expect((await alice.run('inventory', 'list', '--names')).stdout).toBe('web1\n');
  });

  it('weakens no check: what could is not followed, and that is said once, with its lines', async () => {
    put('config', `Match exec "touch ${marker}"\n  User x\n`);
    put(
      'fleetmask.yaml',
      `forks: 3\nssh-config: ${join(alice.home, 'config')}\nhost-key-checking: "off"\nknown-hosts: [x]\nyes: true\nlimit: all\nno-start-probe: true\nreason: x\n`,
    );
    const { code, stderr } = await alice.run('mask', 'cron', '-i', hosts());
    expect(code).toBe(2);
    expect(stderr.match(/note: .*/g)).toEqual([
      `note: ${alice.home}/fleetmask.yaml: not followed: ssh-config (line 2), host-key-checking (line 3), known-hosts (line 4), yes (line 5), limit (line 6), no-start-probe (line 7), reason (line 8); the settings of a directory may not weaken checks or name programs`,
    ]);
    expect(stderr).toContain('a change needs a limit');
    expect(existsSync(marker)).toBe(false);
    put('fleetmask.yaml', 'host-key-checking: strict\n');
    expect((await alice.run('inventory', 'list', '-i', hosts())).stderr).toBe('');
  });

  it('has a word for every setting there is', () => {
    expect(Object.keys(IN_DIRECTORY).sort()).toEqual([...KNOWN.keys()].sort());
  });
});

describe('the state directory', () => {
  const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);
  const list = () => alice.run('runs', 'list');

  it('that others can read is closed to them, with a note', async () => {
    mkdirSync(join(alice.stateDir, 'runs'), { recursive: true, mode: 0o755 });
    expect(await list()).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/(note: .* could be read by others \(mode 0755\); it is 0700 now\n){2}/),
    });
    expect([mode(alice.stateDir), mode(join(alice.stateDir, 'runs'))]).toEqual(['700', '700']);
    expect((await list()).stderr).toBe('');
  });

  it('that holds something else as well is only told of', async () => {
    mkdirSync(alice.stateDir, { mode: 0o755 });
    writeFileSync(join(alice.stateDir, 'passwd'), '');
    expect((await list()).stderr).toMatch(/could be read by others \(mode 0755\): .*chmod 700/);
    expect(mode(alice.stateDir)).toBe('755');
  });

  it('that others can write, or own, is not used; nor is such a journal', async () => {
    mkdirSync(join(alice.stateDir, 'runs'), { recursive: true, mode: 0o700 });
    chmodSync(alice.stateDir, 0o777);
    expect(await list()).toMatchObject({ code: 2, stderr: expect.stringContaining(`chmod go-w ${alice.stateDir}`) });
    chmodSync(alice.stateDir, 0o700);
    const journal = put('state/runs/20260101-000000000-aaaaaa.ndjson', '{}\n', 0o666);
    expect(await alice.run('runs', 'show', '20260101')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`chmod 600 ${journal}`),
    });
    if (!isRoot) return;
    chmodSync(journal, 0o600);
    chownSync(journal, OTHER, OTHER);
    expect(await alice.run('runs', 'show', '20260101')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('belongs to uid 12345'),
    });
    chownSync(alice.stateDir, OTHER, OTHER);
    expect((await list()).code).toBe(2);
  });

  it('may be named from the current directory', async () => {
    const bob = operator({ cwd: alice.home, env: { FLEETMASK_STATE_DIR: 'nowhere/state' } });
    mkdirSync(join(alice.home, 'nowhere'));
    expect((await bob.run('runs', 'list')).code).toBe(0);
    chmodSync(join(alice.home, 'nowhere'), 0o777);
    expect((await bob.run('runs', 'list')).stderr).toContain(`chmod go-w ${join(alice.home, 'nowhere')}`);
    bob.dispose();
  });

  it('is a directory', async () => {
    writeFileSync(alice.stateDir, '');
    expect(await list()).toMatchObject({ code: 2, stderr: expect.stringContaining('is not a directory') });
  });
});
