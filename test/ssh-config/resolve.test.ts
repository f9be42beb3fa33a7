import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSshConfig, type Resolved, type Run, type SshConfigOptions, toSshG } from '../../src/ssh-config/index.ts';
import { HERE, options } from './oracle.ts';

const directory = mkdtempSync(join(tmpdir(), 'ssh-config-resolve-'));
afterAll(() => rmSync(directory, { recursive: true }));
const local = { home: '/home/ann', user: { name: 'ann', uid: HERE.user.uid }, localHost: 'desk.example.com' };

function config(text: string, more: Partial<SshConfigOptions> = {}): ReturnType<typeof openSshConfig> {
  const file = join(directory, 'config');
  writeFileSync(file, text, { mode: 0o600 });
  const run: Run = () => Promise.reject(new Error('ssh was asked'));
  return openSshConfig(options(file, local, { run, ...more }));
}

const resolve = (text: string, host = 'web1'): Promise<Resolved> => config(text).resolve(host);

describe('what is resolved can be used', () => {
  it('numbers are numbers, and what is not set is undefined', async () => {
    const found = await resolve('Port 99\nConnectTimeout 1m\nServerAliveInterval 5');
    expect([found.port, found.connecttimeout, found.serveraliveinterval]).toEqual([99, 60, 5]);
    expect([found.proxyjump, found.hostkeyalias, found.identityagent]).toEqual([undefined, undefined, undefined]);
    expect((await resolve('')).connecttimeout).toBe('none');
  });

  it('identity files are absolute paths, while what is printed stays as written', async () => {
    const text = `IdentityFile ~/.ssh/%r@%h\nIdentityFile $\{KEYS}/x\nIdentityFile keys/y\nIdentityFile none\nUser u`;
    const found = await resolve(text);
    expect(found.identityfile).toEqual(['~/.ssh/%r@%h', `$\{KEYS}/x`, 'keys/y', 'none']);
    expect(found.ready().identityFiles).toEqual(['/home/ann/.ssh/u@web1', '/keys/x', '/work/keys/y']);
  });

  it('every token stands for what it should', async () => {
    const text = 'HostName real\nUser u\nPort 5\nHostKeyAlias alias\nCertificateFile /%%-%d-%h-%i-%k-%L-%l-%n-%p-%r-%u';
    const [file] = (await resolve(text)).ready().certificateFiles;
    expect(file).toBe(`/%-/home/ann-real-${local.user.uid}-alias-desk-desk.example.com-web1-5-u-ann`);
  });

  it('the proxy command has its tokens replaced', async () => {
    const found = await resolve('HostName real\nProxyCommand nc %h %p # %n %r 100%%');
    expect(found.ready().proxyCommand).toBe('nc real 22 # web1 ann 100%');
    expect(found.proxycommand).toBe('nc %h %p # %n %r 100%%');
  });

  it('a name from the configuration cannot smuggle commands into the proxy command', async () => {
    const host = await resolve('HostName "x;reboot"\nProxyCommand nc %h %p');
    expect(() => host.ready()).toThrow('is not a host name');
    const user = await resolve('User "$(reboot)"\nProxyCommand nc %r');
    expect(() => user.ready()).toThrow('is not a user name');
  });

  it('jumps are listed in the order in which they are visited', async () => {
    const found = await resolve('ProxyJump ops@a:2222,%h-gate,[2001:db8::1]:22');
    expect(found.ready().jumps).toEqual([
      { user: 'ops', host: 'a', port: 2222 },
      { user: undefined, host: 'web1-gate', port: undefined },
      { user: undefined, host: '2001:db8::1', port: 22 },
    ]);
    expect((await resolve('ProxyJump none')).ready().jumps).toEqual([]);
    const option = await resolve('ProxyJump -oProxyCommand=x');
    expect(() => option.ready()).toThrow('is not a host name');
  });

  it.each([
    ['', '/run/agent'],
    ['IdentityAgent none', undefined],
    ['IdentityAgent SSH_AUTH_SOCK', '/run/agent'],
    ['IdentityAgent $KEYS', '/keys'],
    ['IdentityAgent $NOT_SET', undefined],
    ['IdentityAgent ~/%r.sock', '/home/ann/ann.sock'],
  ])('the agent for %j is %j', async (text, socket) => {
    expect((await resolve(text)).ready().agentSocket).toBe(socket);
  });

  it('known_hosts files are paths, and `none` is no file', async () => {
    const found = (await resolve('UserKnownHostsFile ~/a "b c"\nGlobalKnownHostsFile none')).ready();
    expect([found.userKnownHostsFiles, found.globalKnownHostsFiles]).toEqual([['/home/ann/a', '/work/b c'], []]);
  });

  it('what is set and not acted upon is listed with its place', async () => {
    const found = await resolve('Host web1\n Ciphers aes128-ctr\n LocalForward 1 a:2\nHost x\n MACs hmac-sha1');
    const file = join(directory, 'config');
    expect(found.unsupported).toEqual([
      { keyword: 'ciphers', value: 'aes128-ctr', file, line: 2 },
      { keyword: 'localforward', value: '1 a:2', file, line: 3 },
    ]);
  });

  it('a host called __proto__ is a host like others', async () => {
    expect((await resolve('Host __proto__\n Port 5', '__proto__')).port).toBe(5);
  });
});

/** An ssh that finds `Match exec` commands true if they contain `true`, by resolving a file where they are so. */
function pretendSsh(text: string): { readonly run: Run; readonly asked: string[] } {
  const asked: string[] = [];
  const run: Run = async (_, args) => {
    const host = args.at(-1)!;
    asked.push(host);
    const decided = text.replace(/exec "([^"]*)"/g, (_found, command: string) =>
      command.replaceAll('%h', host).includes('true') ? 'user *' : 'user nobody-at-all',
    );
    const file = join(directory, 'decided');
    writeFileSync(file, decided, { mode: 0o600 });
    const found = await openSshConfig(options(file, local)).resolve(host);
    return { code: 0, stdout: `${toSshG(found).join('\n')}\n`, stderr: '' };
  };
  return { run, asked };
}

describe('ssh is asked only where it alone can tell', () => {
  const hosts = ['web1', 'web2', 'web3'];

  it('never, without opaque conditions', async () => {
    const found = await resolve('Match host web1 user ann\n Port 5\nMatch final\n User last');
    expect(found.port).toBe(5);
  });

  it('not for a host that does not get as far as the condition', async () => {
    expect((await resolve('Match host db* exec "x"\n Port 5')).port).toBe(22);
  });

  it('once for hosts that are alike, even at the same time', async () => {
    const text = 'Host *\n HostName %h.example.com\nMatch exec "true"\n Port 5\nMatch exec "false"\n Port 6';
    const { run, asked } = pretendSsh(text);
    const open = config(text, { run });
    const found = await Promise.all(hosts.map((host) => open.resolve(host)));
    expect(found.map(({ hostname, port }) => `${hostname}:${port}`)).toEqual(
      hosts.map((host) => `${host}.example.com:5`),
    );
    expect(asked).toHaveLength(1);
  });

  it('for each kind of host', async () => {
    const text = 'Host web1\n User u\nMatch exec "true"\n Port 5';
    const { run, asked } = pretendSsh(text);
    const open = config(text, { run });
    for (const host of hosts) expect((await open.resolve(host)).port).toBe(5);
    expect(asked).toEqual(['web1', 'web2']);
  });

  it('for each host, when the command differs by host', async () => {
    const text = 'Match exec "%h is true"\n Port 5';
    const { run, asked } = pretendSsh(text);
    const open = config(text, { run });
    for (const host of hosts) await open.resolve(host);
    expect(asked).toEqual(hosts);
  });

  it('for each host, when the answer of one could mean two things for another', async () => {
    const text = 'Match exec "true"\n HostName web1\nMatch all\n HostName %h';
    const { run, asked } = pretendSsh(text);
    const open = config(text, { run });
    const found = [];
    for (const host of hosts) found.push((await open.resolve(host)).hostname);
    expect(found).toEqual(['web1', 'web1', 'web1']);
    expect(asked).toContain('web2');
  });

  it('with the file and what wins over it, and no way to mistake the host for an option', async () => {
    const seen: (readonly string[])[] = [];
    const run: Run = async (_, args) => {
      seen.push(args);
      return { code: 0, stdout: 'host web1\nhostname web1\nuser u\nport 22\n', stderr: '' };
    };
    await config('Match exec "true"\n', { run }).resolve('web1', { user: 'u', port: 5, options: ['BatchMode=yes'] });
    const file = join(directory, 'config');
    expect(seen).toEqual([['-T', '-G', '-F', file, '-l', 'u', '-p', '5', '-o', 'BatchMode=yes', '--', 'web1']]);
  });
});

describe('cost', () => {
  it('2000 hosts with a file of 500 lines take under a second', async () => {
    const blocks = Array.from(
      { length: 100 },
      (_, i) => `Host rack${i}-* !rack${i}-99\n Port ${i + 1}\n IdentityFile ~/k${i}\n User u${i}\n\n`,
    );
    const open = config(`${blocks.join('')}Host *\n ProxyJump bastion\n ServerAliveInterval 30\n`);
    const rounds: number[] = []; // of CPU, and the best of several: other tests run at the same time
    for (let round = 0; round < 5; round++) {
      const before = process.cpuUsage();
      const found = await Promise.all(Array.from({ length: 2000 }, (_, i) => open.resolve(`rack${i % 100}-${i}`)));
      const { user, system } = process.cpuUsage(before);
      rounds.push((user + system) / 1000);
      expect(found[150]?.port).toBe(51);
    }
    expect(Math.min(...rounds)).toBeLessThan(1_000);
  });
});
