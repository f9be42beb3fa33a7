/** What only ssh itself can do, and what it must not do: certificates on both sides, and nothing left behind. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { Target } from '../../src/model/index.ts';
import { type OpenSshOptions, opensshTransport } from '../../src/transport/openssh/openssh.ts';
import type { Connected, Failed } from '../../src/transport/transport.ts';
import { connectionOf, faultOf, silent, startProxy } from './dialling.ts';
import { knownLine, noSshd, type Sshd, scratch, startSshd } from './openssh.ts';

const files = scratch();
const open: { close(): void }[] = [];
afterAll(() => {
  for (const one of open) one.close();
  files.close();
});

const plain = files.key('plain');
const userCa = files.key('user-ca');
const hostCa = files.key('host-ca');
const otherCa = files.key('other-ca');
/** A key with a certificate beside it. */
function certified(name: string, ...how: string[]): string {
  const key = files.key(name);
  execFileSync('ssh-keygen', ['-q', '-s', userCa, '-I', name, ...how, `${key}.pub`]);
  return key;
}
const certificateOfHost = (sshd: Sshd, ca: string, ...how: string[]): string => {
  execFileSync('ssh-keygen', ['-q', '-h', '-s', ca, '-I', 'host', ...how, `${sshd.hostKeys[0]}.pub`]);
  return `${sshd.hostKeys[0]}-cert.pub`;
};

/** Processes of ours that were given this directory: ssh, and the shell beside it. */
function left(): string[] {
  const words = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return words.flatMap((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return line.includes('ControlPath=') && line.includes(files.dir) ? [line] : [];
    } catch {
      return [];
    }
  });
}
async function nothingLeft(): Promise<void> {
  for (let tries = 0; left().length > 0 && tries < 200; tries++) await pause(25);
  expect(left()).toEqual([]);
}

let made = 0;
const transports: ReturnType<typeof opensshTransport>[] = [];
function connectTo(
  { port }: { readonly port: number },
  known: string,
  more: Partial<Target> = {},
  options: Partial<OpenSshOptions> = {},
  signal = new AbortController().signal,
): Promise<Connected | Failed> {
  const transport = opensshTransport({
    connectTimeoutMs: 20_000,
    hostKeyChecking: 'strict',
    knownHostsFiles: [files.write(`known_${++made}`, known)],
    ...options,
  });
  transports.push(transport);
  const target: Target = {
    host: 'host',
    address: '127.0.0.1',
    port,
    user: execFileSync('id', ['-un'], { encoding: 'utf8' }).trim(),
    identityFiles: [plain],
    identitiesOnly: true,
    ssh: { destination: 'host', config: 'none' },
    ...more,
  };
  return transport.connect(target, signal);
}
const knownOf = (sshd: Sshd): string => knownLine(sshd.port, sshd.hostKeys[0]!);
const authority = (ca: string, names = '*'): string => `@cert-authority ${names} ${readFileSync(`${ca}.pub`, 'utf8')}`;

async function serve(authorized: readonly string[], ...more: string[]): Promise<Sshd> {
  const sshd = await startSshd(files, authorized, more);
  open.push(sshd);
  return sshd;
}

describe.skipIf(noSshd !== undefined)('a user certificate', () => {
  const sshd = () => serve([], `TrustedUserCAKeys ${userCa}.pub`);

  it('beside its key lets in, and is what the connection tells of', async () => {
    const host = await sshd();
    const { user } = host;
    const connection = connectionOf(
      await connectTo(host, knownOf(host), { identityFiles: [certified('valid', '-n', user)] }),
    );
    expect(await connection.exec('exit 7', silent).ended).toMatchObject({ how: 'exited', code: 7 });
    expect(connection.description).toEqual({
      hostKey: 'ssh-ed25519',
      auth: [
        { method: 'publickey', identity: expect.stringMatching(/^ssh-ed25519-cert SHA256:\S{8}… from \/.*valid/) },
      ],
      strictKex: expect.any(Boolean),
    });
    connection.close();
  });

  it('somewhere else lets in when it is named', async () => {
    const host = await sshd();
    const key = certified('moved', '-n', host.user);
    execFileSync('mv', [`${key}-cert.pub`, files.path('elsewhere.pub')]);
    const more = { identityFiles: [key], certificateFiles: [files.path('elsewhere.pub')] };
    connectionOf(await connectTo(host, knownOf(host), more)).close();
  });

  it('that has expired, or is for somebody else, does not, and the error says which', async () => {
    const host = await sshd();
    const expired = certified('expired', '-n', host.user, '-V', '20200101:20200201');
    const fault = faultOf(await connectTo(host, knownOf(host), { identityFiles: [expired] }));
    expect(fault).toMatchObject({
      kind: 'auth',
      message: expect.stringMatching(/expired-cert\.pub: it expired at 2020-0/),
    });
    expect(fault.message).toMatch(/was not let in .*Permission denied.*: tried .*ssh-ed25519-cert SHA256:/);
    const early = certified('early', '-n', host.user, '-V', '20900101:20910101');
    expect(faultOf(await connectTo(host, knownOf(host), { identityFiles: [early] })).message).toMatch(
      /not valid before/,
    );
    const others = certified('others', '-n', 'bob,carol');
    const other = faultOf(await connectTo(host, knownOf(host), { identityFiles: [others] }));
    expect(other).toMatchObject({ kind: 'auth', message: expect.stringContaining('it is for bob, carol') });
  });
});

describe.skipIf(noSshd !== undefined)('a host that wants a password', () => {
  const wanting = (methods: string) => serve([plain], 'PasswordAuthentication yes', `AuthenticationMethods ${methods}`);

  it('after the key is said to have accepted the key, and the error says how to give one', async () => {
    const host = await wanting('publickey,password');
    const fault = faultOf(await connectTo(host, knownOf(host)));
    expect(fault).toMatchObject({ kind: 'auth', hint: expect.stringMatching(/-k, .*--transport openssh/) });
    expect(fault.message).toMatch(
      /^The key of \S+ was accepted, but the server wants a further method .*: tried ssh-ed25519 SHA256:.*plain \(accepted\); the server takes password$/,
    );
  });

  it('and no key is not said to lack a key', async () => {
    const host = await wanting('password');
    const fault = faultOf(await connectTo(host, knownOf(host)));
    expect(fault).toMatchObject({ kind: 'auth', hint: expect.stringContaining('-k') });
    expect(fault.message).toMatch(/^\S+ was not let in .*: the server takes password$/);
  });

  it('or a key is said to lack one where there is none', async () => {
    const host = await wanting('password publickey');
    const fault = faultOf(await connectTo(host, knownOf(host), { identityFiles: [] }));
    expect(fault).toMatchObject({ kind: 'auth', hint: expect.stringContaining('-k') });
    expect(fault.message).toMatch(/^There is no usable key to log in as /);
  });
});

describe.skipIf(noSshd !== undefined)('the key of a host', () => {
  /** A host that has a certificate by `ca`. */
  async function certifiedHost(ca: string, ...how: string[]): Promise<Sshd> {
    const first = await startSshd(files, [plain]);
    const certificate = certificateOfHost(first, ca, ...how);
    first.close();
    return serve([plain], `HostKey ${first.hostKeys[0]}`, `HostCertificate ${certificate}`);
  }

  it('is known by a certificate of an authority in known_hosts', async () => {
    const host = await certifiedHost(hostCa, '-n', '127.0.0.1');
    const connection = connectionOf(await connectTo(host, authority(hostCa)));
    expect(connection.description.hostKey).toBe('ssh-ed25519-cert-v01@openssh.com');
    connection.close();
  });

  it('is refused with a certificate of another authority, for another name, or out of date', async () => {
    const foreign = await certifiedHost(otherCa, '-n', '127.0.0.1');
    expect(faultOf(await connectTo(foreign, authority(hostCa)))).toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/its certificate is by ssh-ed25519 SHA256:\S{43}, which is no authority in/),
    });
    const misnamed = await certifiedHost(hostCa, '-n', 'another.example');
    expect(faultOf(await connectTo(misnamed, authority(hostCa)))).toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/certificate is refused: .*principal/),
    });
    const expired = await certifiedHost(hostCa, '-n', '127.0.0.1', '-V', '20200101:20200201');
    expect(faultOf(await connectTo(expired, authority(hostCa)))).toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/certificate is refused: .*expired/),
    });
  });

  it('is refused without a certificate where only an authority is known', async () => {
    const host = await serve([plain]);
    expect(faultOf(await connectTo(host, authority(hostCa)))).toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/^Unknown host key: ssh-ed25519 SHA256:/),
    });
  });

  it('is refused when it has changed or is revoked, each in its own words', async () => {
    const host = await serve([plain]);
    const changed = faultOf(await connectTo(host, knownLine(host.port, plain)));
    expect(changed).toMatchObject({
      kind: 'host-key',
      message: expect.stringMatching(/^The host key has CHANGED: presented ssh-ed25519 SHA256:\S+, but \/\S+:1 has/),
    });
    expect(changed.hint).toContain('ssh-keygen -R');
    const revoked = faultOf(await connectTo(host, `@revoked ${knownOf(host)}`));
    expect(revoked.message).toMatch(/^The host presented a REVOKED host key/);
    const list = { revokedHostKeysFile: `${host.hostKeys[0]}.pub` };
    for (const hostKeyChecking of ['strict', 'off'] as const) {
      const listed = faultOf(await connectTo(host, knownOf(host), list, { hostKeyChecking }));
      expect(listed.message).toMatch(/^The host presented a REVOKED host key/);
    }
    const missing = { revokedHostKeysFile: files.path('no-such-list') };
    const unsure = faultOf(await connectTo(host, knownOf(host), missing));
    expect(unsure).toMatchObject({ kind: 'host-key', message: expect.stringContaining('no-such-list') });
  });

  it('is recorded by accept-new, and by nothing else', async () => {
    const host = await serve([plain]);
    connectionOf(await connectTo(host, '', {}, { hostKeyChecking: 'accept-new' })).close();
    expect(files.read(`known_${made}`)).toBe(knownOf(host));
    const warnings: string[] = [];
    const off = { hostKeyChecking: 'off', onWarning: (text: string) => warnings.push(text) } as const;
    connectionOf(await connectTo(host, '', {}, off)).close();
    expect(files.read(`known_${made}`)).toBe('');
    connectionOf(await connectTo(host, knownLine(host.port, plain), {}, off)).close();
    expect(warnings.join('\n')).toMatch(/NOT CHECKED[\s\S]*has CHANGED/);
    expect(faultOf(await connectTo(host, `@revoked ${knownOf(host)}`, {}, off)).kind).toBe('host-key');
  });
});

describe.skipIf(noSshd !== undefined)('a connection by ssh', () => {
  it('that is cut in mid-command is lost, as ssh tells it', async () => {
    const host = await serve([plain]);
    const between = await startProxy(host.port);
    open.push(between);
    const known = knownLine(between.port, host.hostKeys[0]!);
    const connection = connectionOf(await connectTo(between, known));
    const running = [connection.exec('sleep 60', silent), connection.exec('cat', silent)];
    await pause(200);
    between.close();
    for (const { ended } of running) expect(await ended).toMatchObject({ how: 'lost' });
    expect(await connection.exec('true', silent).ended).toMatchObject({ how: 'lost' });
    await nothingLeft();
  });

  it('that falls silent is lost when its keepalives are not answered', async () => {
    const host = await serve([plain]);
    const between = await startProxy(host.port);
    open.push(between);
    const known = knownLine(between.port, host.hostKeys[0]!);
    const connection = connectionOf(await connectTo(between, known, { keepalive: { everyMs: 1000, missed: 1 } }));
    const running = connection.exec('sleep 60', silent);
    between.freeze();
    expect(await running.ended).toMatchObject({ how: 'lost', why: expect.stringMatching(/^Timeout, server/) });
  });

  it('says what it got to when its time is up, and whose fault it was when given up', async () => {
    const host = await serve([plain]);
    const server = await startProxy(host.port, { piecesFromServer: 0 });
    open.push(server);
    const late = faultOf(await connectTo(server, '', {}, { connectTimeoutMs: 5_000 }));
    expect(late).toMatchObject({ kind: 'timed-out', message: expect.stringMatching(/got as far as greeting$/) });
    const giveUp = new AbortController();
    const result = connectTo(server, '', {}, {}, giveUp.signal);
    setTimeout(() => giveUp.abort(), 300);
    expect(faultOf(await result).kind).toBe('cancelled');
    await nothingLeft();
  });

  it('leaves no process and no directory, whether it was closed or its transport was', async () => {
    const host = await serve([plain]);
    const before = readdirSync(tmpdir()).filter((name) => /^fleetmask-ssh-/.test(name));
    const all = await Promise.all(Array.from({ length: 4 }, () => connectTo(host, knownOf(host))));
    const made = readdirSync(tmpdir()).filter((name) => /^fleetmask-ssh-/.test(name) && !before.includes(name));
    expect(made.length).toBeGreaterThanOrEqual(4);
    expect(left().length).toBeGreaterThanOrEqual(4);
    connectionOf(all[0]!).close();
    for (const transport of transports) transport.close();
    await nothingLeft();
    expect(readdirSync(tmpdir()).filter((name) => made.includes(name))).toEqual([]);
  });

  it('with an encrypted key says that ssh is not asked for passphrases', async () => {
    const host = await serve([plain]);
    const locked = files.key('locked', 'ed25519', 'secret');
    const fault = faultOf(await connectTo(host, knownOf(host), { identityFiles: [locked] }));
    expect(fault).toMatchObject({ kind: 'auth', message: expect.stringMatching(/locked: it is encrypted.*agent/) });
  });

  it('follows ssh_config for the rest, but neither its commands nor its forwardings', async () => {
    const host = await serve([plain]);
    const mark = files.path('local-command-ran');
    const config = files.write(
      'config',
      `Host web*
  PermitLocalCommand yes
  LocalCommand touch ${mark}
  RemoteCommand touch ${mark}
  LocalForward 127.0.0.1:1 127.0.0.1:2
  ExitOnForwardFailure yes
  ControlMaster auto
  ControlPersist yes
  ForkAfterAuthentication yes
  ProxyCommand touch ${mark}
  KnownHostsCommand /bin/echo ${knownOf(host).trim()}
`,
    );
    const connection = connectionOf(await connectTo(host, '', { ssh: { destination: 'web1', config } }));
    expect(await connection.exec(`test ! -e ${mark}`, silent).ended).toMatchObject({ how: 'exited', code: 0 });
    connection.close();
    await nothingLeft();
    const broken = files.write('broken', 'Host *\n  NoSuchKeyword yes\n');
    const fault = faultOf(await connectTo(host, knownOf(host), { ssh: { destination: 'web1', config: broken } }));
    expect(fault).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('broken: line 2') });
  });
});

describe('without a usable ssh', () => {
  it('says so, and what to do', async () => {
    const missing = faultOf(await connectTo({ port: 1 }, '', {}, { program: '/no/such/ssh' }));
    expect(missing).toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('no program “/no/such/ssh”'),
    });
    expect(missing.hint).toContain('--transport ssh2');
    const other = faultOf(await connectTo({ port: 1 }, '', {}, { program: '/bin/true' }));
    expect(other.message).toContain('is not OpenSSH');
  });
});

describe.skipIf(noSshd !== undefined)('a fleetmask that is killed', () => {
  it('takes its ssh and their directories with it', async () => {
    const host = await serve([plain]);
    const program = files.write(
      'killed.mts',
      `import { opensshTransport } from '${join(import.meta.dirname, '../../src/transport/openssh/openssh.ts')}';
       const transport = opensshTransport({
         connectTimeoutMs: 20_000,
         hostKeyChecking: 'strict',
         knownHostsFiles: ['${files.write('known_of_killed', knownOf(host))}'],
       });
       const target = {
         host: 'host', address: '127.0.0.1', port: ${host.port}, user: '${host.user}', identityFiles: ['${plain}'],
         identitiesOnly: true, ssh: { destination: 'host', config: 'none' },
       };
       const made = await transport.connect(target, new AbortController().signal);
       console.log('connection' in made ? 'connected' : made.fault.message);`,
    );
    const temp = files.path('temp');
    mkdirSync(temp);
    const child = spawn(process.execPath, ['--import', 'tsx', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: temp },
      cwd: join(import.meta.dirname, '../..'),
    });
    const said = await new Promise((resolve) => {
      child.stdout.once('data', (chunk) => resolve(String(chunk)));
      child.once('exit', (code) => resolve(`exit ${code}`));
    });
    expect(said).toBe('connected\n');
    expect(readdirSync(temp).filter((name) => name.startsWith('fleetmask-ssh-'))).toHaveLength(1);
    expect(left().length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await nothingLeft();
    expect(readdirSync(temp).filter((name) => name.startsWith('fleetmask-ssh-'))).toEqual([]);
  });
});
