/** The embedded fleet as an SSH client sees it. */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { newKeyPair } from '../../src/demo/key-pair.ts';
import { bootstrap, firstLine } from '../../src/remote/escalate.ts';

const path = process.env.PATH ?? '';

interface Ran {
  readonly code: number | null;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

async function login(fleet: Fleet, name: string, key = ''): Promise<ssh2.Client> {
  const port = fleet.hosts.find((host) => host.name === name)?.port ?? 0;
  const privateKey = key === '' ? await readFile(fleet.privateKeyPath) : key;
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    client.on('ready', () => resolve(client)).on('error', reject);
    client.connect({ host: '127.0.0.1', port, username: 'demo', privateKey });
  });
}

function execute(client: ssh2.Client, command: string, input = ''): Promise<Ran> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      let [stdout, stderr] = ['', ''];
      channel.on('data', (chunk: Buffer) => (stdout += chunk.toString('latin1')));
      channel.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('latin1')));
      channel.on('close', (code: number | null, signal?: string) => resolve({ code, signal, stdout, stderr }));
      channel.end(Buffer.from(input, 'latin1'));
    });
  });
}

describe('the embedded fleet', () => {
  let dir: string;
  let fleet: Fleet;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fleetmask-test-'));
    const [plain, down] = [DEMO_HOSTS[0]!, DEMO_HOSTS.find(({ network }) => network === 'down')!];
    fleet = await startFleet(
      [
        plain,
        down,
        { ...plain, name: 'sudoer', image: { ...plain.image, privilege: 'sudo' } },
        { ...plain, name: 'nobody', image: { ...plain.image, privilege: 'none' } },
      ],
      { path, tempDir: dir },
    );
  });
  afterAll(async () => {
    await fleet.dispose();
    await rm(dir, { recursive: true, force: true });
  });

  it('passes bytes both ways, and the exit status or the signal', async () => {
    const client = await login(fleet, 'deb-web1');
    const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, n) => n)).repeat(4000);
    const nothing = { code: 0, signal: undefined, stdout: '', stderr: '' };
    expect(await execute(client, 'cat', bytes)).toEqual({ ...nothing, stdout: bytes });
    expect(await execute(client, 'echo out; echo err >&2; exit 7')).toEqual({
      ...nothing,
      ...{ code: 7, stdout: 'out\n', stderr: 'err\n' },
    });
    expect(await execute(client, 'kill -s KILL $$')).toMatchObject({ code: null, signal: 'SIGKILL' });
    expect((await execute(client, 'head -c 3', bytes)).code).toBe(0);
    client.end();
  });

  it('gives a command nothing of this environment but PATH', async () => {
    const client = await login(fleet, 'deb-web1');
    const { stdout } = await execute(client, 'env -u _ -u PWD -u OLDPWD -u SHLVL');
    expect(
      stdout
        .split('\n')
        .map((line) => line.split('=')[0])
        .filter(Boolean)
        .sort(),
    ).toEqual([...['FLEETMASK_ROOT', 'HOME', 'PATH']]);
    client.end();
  });

  it('lets in the one key, and neither another nor a password', async () => {
    expect(statSync(fleet.privateKeyPath).mode & 0o777).toBe(0o600);
    await expect(login(fleet, 'deb-web1', newKeyPair().private)).rejects.toThrow(
      'All configured authentication methods failed',
    );
    const client = new ssh2.Client();
    const refused = new Promise((_, reject) => client.on('error', reject));
    client.connect({ host: '127.0.0.1', port: fleet.hosts[0]!.port, username: 'root', password: 'root' });
    await expect(refused).rejects.toThrow('All configured authentication methods failed');
  });

  it('has the privilege that a host is given', async () => {
    const privilege = async (name: string) => {
      const client = await login(fleet, name);
      const { stdout } = await execute(client, bootstrap('auto'), `${firstLine('auto')}echo "$1 $2"\n`);
      client.end();
      return stdout.trim();
    };
    expect(await privilege('deb-web1')).toBe('root');
    expect(await privilege('sudoer')).toBe('sudo');
    expect(await privilege('nobody')).toBe('none sudo: a password is required');
  });

  it('says in an inventory where its hosts are', async () => {
    const inventory = parse(await readFile(fleet.inventoryPath, 'utf8'));
    expect(inventory.all.vars).toEqual({
      ansible_host: '127.0.0.1',
      ansible_user: 'demo',
      ansible_ssh_private_key_file: fleet.privateKeyPath,
    });
    const ports = Object.entries({ ...inventory.all.children.debian.hosts, ...inventory.all.children.arch.hosts });
    expect(ports).toEqual(
      ['deb-web1', 'sudoer', 'nobody', 'arch-down1'].map((name) => [
        name,
        { ansible_port: fleet.hosts.find((host) => host.name === name)?.port },
      ]),
    );
  });

  it('a host that is down refuses connections', async () => {
    await expect(login(fleet, 'arch-down1')).rejects.toThrow('ECONNREFUSED');
  });

  it('a client that leaves takes the input and the output of its command with it', async () => {
    const client = await login(fleet, 'deb-web1');
    const { dir } = fleet.hosts[0]!;
    client.exec(`trap '' HUP PIPE; cat >/dev/null; echo x; echo "$?" >"${dir}/tmp/left"`, () => client.end());
    await expect.poll(() => existsSync(join(dir, 'tmp/left'))).toBe(true);
  });

  it('is gone without a trace when it is disposed of, whatever it was doing', async () => {
    const other = await startFleet([DEMO_HOSTS[0]!], { path, tempDir: dir });
    const { port, dir: root } = other.hosts[0]!;
    const client = await login(other, 'deb-web1');
    const closed = new Promise((resolve) => client.on('close', () => resolve(undefined)));
    client.on('error', () => {});
    client.exec('echo $$ >"$HOME/pid"; exec sleep 60', () => {});
    await expect.poll(() => readFile(join(root, 'tmp/pid'), 'utf8').catch(() => '')).toMatch(/\d\n/);
    const pid = Number(await readFile(join(root, 'tmp/pid'), 'utf8'));
    await Promise.all([other.dispose(), other.dispose()]);
    await closed;
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(await readdir(dir)).toHaveLength(1);
    const refused = new Promise((_, reject) => connect(port, '127.0.0.1').on('error', reject));
    await expect(refused).rejects.toThrow('ECONNREFUSED');
  });

  it('leaves nothing behind when it cannot start', async () => {
    const broken = { ...DEMO_HOSTS[0]!, image: { ...DEMO_HOSTS[0]!.image, running: ['no-such.service'] } };
    await expect(startFleet([DEMO_HOSTS[1]!, broken], { path, tempDir: dir })).rejects.toThrow(
      'Unit no-such.service not found.',
    );
    expect(await readdir(dir)).toHaveLength(1);
  });
});

describe('tools that a machine may lack', () => {
  const spare = (name: string) => new URL(`../../src/demo/shim/spare-${name}.sh`, import.meta.url).pathname;
  const sh = (script: string, ...args: string[]) =>
    spawnSync('sh', ['-c', script, 'sh', ...args], { encoding: 'utf8' });

  it('timeout: passes the status on, and ends what takes too long', () => {
    expect(spawnSync('sh', [spare('timeout'), '-k', '5', '10', 'sh', '-c', 'exit 3']).status).toBe(3);
    expect(spawnSync('sh', [spare('timeout'), '-k', '5', '0.1', 'sleep', '10'], { timeout: 60_000 }).status).toBe(124);
    const deaf = ['sh', '-c', 'trap "" TERM; while :; do sleep 0.05; done'];
    expect(spawnSync('sh', [spare('timeout'), '-k', '0.2', '0.1', ...deaf], { timeout: 60_000 }).status).toBe(124);
  });

  it('flock: locks for as long as the descriptor is open', () => {
    const lock = join(tmpdir(), `fleetmask-spare-lock-${process.pid}`);
    const script = `exec 9>>"$2"; sh "$1" -n 9; echo $?; (exec 9>>"$2"; sh "$1" -n 9; echo $?; sh "$1" -w 0.2 9; echo $?)
exec 9>&-; exec 9>>"$2"; sh "$1" -w 1 9; echo $?; rm "$2"`;
    expect(sh(script, spare('flock'), lock).stdout).toBe('0\n1\n1\n0\n');
  });

  it('stat: prints name, inode and time of change of the link itself', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'fleetmask-spare-'));
    await writeFile(join(dir, 'file'), '');
    const { stdout } = sh(
      'ln -s /dev/null "$2/link"; sh "$1" -c "linked %n %i.%.9Z" "$2/file" "$2/link"; ls -i "$2/link"',
      spare('stat'),
      dir,
    );
    await rm(dir, { recursive: true });
    const [file, link, inode] = stdout.split('\n');
    expect(file).toMatch(/^linked \S+\/file \d+\.\d+\.\d{9}$/);
    expect(link).toContain(`/link ${inode?.trim().split(' ')[0]}.`);
  });
});
