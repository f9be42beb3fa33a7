import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/model/index.ts';
import { openSshConfig, type SshConfigOptions } from '../../src/ssh-config/index.ts';
import { HERE, options } from './oracle.ts';

const directory = mkdtempSync(join(tmpdir(), 'ssh-config-errors-'));
afterAll(() => rmSync(directory, { recursive: true }));

function written(text: string, name = 'config', mode = 0o600): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

async function refusal(setup: SshConfigOptions, host = 'web1'): Promise<UsageError> {
  try {
    await openSshConfig(setup).resolve(host);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a mistake is named with its file, its line, what is wrong and what to do', () => {
  it.each([
    ['Prt 22', 1, '"Prt" is not a keyword of ssh_config.'],
    ['Host x\n Prt 22', 2, '"Prt" is not a keyword of ssh_config.'],
    ['User u\n\nPort x', 3, 'Port "x" is not a port (1 to 65535).'],
    ['ControlPersist x', 1, 'ControlPersist "x" is not a time such as 90 or 1m30s.'],
    ['EscapeChar xx', 1, 'EscapeChar "xx" is not a character, ^x or none.'],
    ['ForkAfterAuthentication maybe', 1, 'ForkAfterAuthentication "maybe" is not one of yes, true, no, false.'],
    ['StreamLocalBindMask 8', 1, 'StreamLocalBindMask "8" is not an octal mask from 0 to 0777.'],
    ['Port', 1, '"Port" has no value.'],
    ['Port 22 23', 1, 'Port takes one value, but "23" follows it.'],
    ['User ""', 1, 'User has an empty value.'],
    ['User "u', 1, 'User: a quote is not closed.'],
    ['ProxyCommand sh -c "x', 1, 'ProxyCommand: a quote is not closed.'],
    ['ConnectTimeout soon', 1, 'ConnectTimeout "soon" is not a time such as 90 or 1m30s.'],
    ['ServerAliveCountMax -1', 1, 'ServerAliveCountMax "-1" is not a whole number from 0 to 2147483647.'],
    ['BatchMode si', 1, 'BatchMode "si" is not one of yes, true, no, false.'],
    [
      'StrictHostKeyChecking new',
      1,
      'StrictHostKeyChecking "new" is not one of yes, true, no, false, off, ask, accept-new.',
    ],
    ['ProxyJump a,,b', 1, 'ProxyJump "a,,b" is not a list of [user@]host[:port].'],
    ['UserKnownHostsFile none x', 1, 'UserKnownHostsFile: "none" must stand alone.'],
    ['UserKnownHostsFile /x/%q', 1, 'userknownhostsfile "/x/%q": the token %q has no meaning here.'],
    [`IdentityAgent $\{NOT_SET}/x`, 1, `identityagent "$\{NOT_SET}/x": the environment variable NOT_SET is not set.`],
    ['HostName %p', 1, 'HostName "%p": the token %p has no meaning here.'],
    ['IdentityAgent $a-b', 1, 'IdentityAgent "$a-b" is not a path or a $VARIABLE.'],
    ['SendEnv A=b', 1, 'SendEnv "A=b" is not the name of a variable.'],
    ['SetEnv A', 1, 'SetEnv "A" is not NAME=value.'],
    ['Match host', 1, 'Match "host" has no argument.'],
    ['Match hots x', 1, 'Match "hots" is not a condition that ssh knows.'],
    ['Match all user x', 1, 'Match all cannot be combined with other conditions.'],
    ['Match # x', 1, 'Match has no condition.'],
    ['Host', 1, 'Host has no value.'],
    ['Host a ""', 1, 'Host has an empty value.'],
    ['User \x1b[2J\nPort \x1b[2J', 2, 'Port "\\x1b[2J" is not a port (1 to 65535).'],
  ])('%j', async (text, line, message) => {
    const file = written(text);
    const error = await refusal(options(file, HERE));
    expect(error.message).toBe(`${file}:${line}: ${message}`);
    expect(error.hint).toMatch(/^[A-Z].*\.$/);
  });

  it('in an included file, under the name of that file', async () => {
    const included = written('\nPort x\n', 'included');
    const error = await refusal(options(written(`Host nobody\n Include ${included}\n`), HERE));
    expect(error.message).toBe(`${included}:2: Port "x" is not a port (1 to 65535).`);
  });

  it('on the command line, without a line', async () => {
    const config = openSshConfig(options(written(''), HERE));
    await expect(config.resolve('web1', { options: ['Port=x'] })).rejects.toThrow(
      'command line: Port "x" is not a port',
    );
    await expect(config.resolve('web1', { options: ['Host=x'] })).rejects.toThrow(
      'command line: Host belongs into a file',
    );
    await expect(config.resolve('web1', { user: 'a;b' })).rejects.toThrow('"a;b" is not a user name');
  });

  it('in the words of ssh, where ssh was asked', async () => {
    const run: SshConfigOptions['run'] = async () => ({ code: 255, stdout: '', stderr: 'no \x1b[31mway\r\nmore\r\n' });
    const error = await refusal(options(written('Match exec true\n'), HERE, { run }));
    expect(error.message).toBe('ssh -G "web1" failed: no \\x1b[31mway; more');
  });

  it('and a missing ssh is told apart', async () => {
    const run: SshConfigOptions['run'] = () => Promise.reject(new Error('spawn ssh ENOENT'));
    const error = await refusal(options(written('Match exec true\n'), HERE, { run }));
    expect(error.message).toContain('needs ssh itself, which did not run: spawn ssh ENOENT');
  });
});

describe('files', () => {
  const pair = (user: string): SshConfigOptions =>
    options('', HERE, { files: { user, system: join(directory, 'none') } });

  it('that others may write are refused for the user', async () => {
    for (const mode of [0o620, 0o602]) {
      expect((await refusal(pair(written('Port 5', 'loose', mode)))).message).toContain('may be written by others');
    }
  });

  it('that belong to somebody else are refused', async () => {
    const setup = pair(written('Port 5', 'foreign'));
    const stranger = { ...setup, user: { name: 'x', uid: setup.user.uid + 1 } };
    if (setup.user.uid === 0) return; // root's files are trusted by everybody
    expect((await refusal(stranger)).message).toContain('belongs to another user');
  });

  it('that are included are checked too, with -F as well', async () => {
    const loose = written('Port 5', 'loose', 0o666);
    expect((await refusal(options(written(`Include ${loose}`), HERE))).message).toContain(`"${loose}" may be written`);
  });

  it('given with -F may be anybody’s, but must be there', async () => {
    const config = openSshConfig(options(written('Port 5', 'loose', 0o666), HERE));
    expect((await config.resolve('web1')).port).toBe(5);
    expect((await refusal(options(join(directory, 'nowhere'), HERE))).message).toContain('there is no such file');
  });

  it('of the user win over those of the system, and both may be missing', async () => {
    const user = written('Host web1\n Port 5\n');
    const system = written('Host *\n Port 6\n User sys\n', 'system');
    const found = await openSshConfig(options('', HERE, { files: { user, system } })).resolve('web1');
    expect([found.port, found.user]).toEqual([5, 'sys']);
    const nowhere = { user: join(directory, 'a'), system: join(directory, 'b') };
    expect((await openSshConfig(options('', HERE, { files: nowhere })).resolve('web1')).port).toBe(22);
    expect((await openSshConfig(options('', HERE, { files: 'none' })).resolve('web1')).port).toBe(22);
  });

  it('with relative names are looked for in ~/.ssh', async () => {
    mkdirSync(join(directory, '.ssh', 'conf.d'), { recursive: true, mode: 0o700 });
    written('Port 7\n', '.ssh/conf.d/a.conf');
    const found = await openSshConfig(
      options(written('Include conf.d/*.conf\n'), { ...HERE, home: directory }),
    ).resolve('web1');
    expect(found.port).toBe(7);
  });
});

describe('a host name that a shell could misread is refused', () => {
  it.each([
    '',
    '-oProxyCommand=x',
    'a b',
    'a;b',
    'a$b',
    'a`b',
    "a'b",
    'a"b',
    'a|b',
    'a&b',
    'a\nb',
    'a\\b',
    'a(b)',
    'a{b}',
    'a,b',
  ])('%j', async (host) => {
    expect((await refusal(options(written(''), HERE), host)).message).toContain('is not a host name');
  });
});
