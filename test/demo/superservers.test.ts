/** What the remote program finds in the configuration of inetd, xinetd and rlinetd, as their packages and their users write it. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { servedFrom } from '../../src/remote/served.ts';
import { converse } from '../contract/systemd-under-test.ts';
import { sleeper, VENDOR } from '../contract/units.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const service = (name: string, ...lines: string[]) =>
  `# default: off\nservice ${name}\n{\n${lines.map((line) => `\t${line}\n`).join('')}}\n`;

describe.each(SHELLS)('under $name', (sh) => {
  let host: SimulatedHost;
  beforeAll(async () => {
    host = await SimulatedHost.boot(sh, { files: { [`${VENDOR}/xinetd.service`]: sleeper() } });
  });
  beforeEach(() => host.reset());
  afterAll(() => host.dispose());

  async function records(files: Record<string, string>, ask = 'superservers=yes') {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(host.dir, dirname(path)), { recursive: true });
      await writeFile(join(host.dir, path), text);
    }
    const [, told] = await converse(host, [], ['probe', ask, 'name=xinetd.service']);
    return told!.rest
      .filter((record) => record.startsWith('served '))
      .map((record) => ({ kind: 'served', text: record.slice('served '.length) }));
  }
  /** `BY SERVICE PROGRAM…` */
  async function served(files: Record<string, string>) {
    const { services, whole } = servedFrom(await records(files));
    const words = services.map(({ by, service, programs }) => [by, service, ...programs].join(' '));
    return whole ? words : [...words, 'and more'];
  }

  it('nobody else pays for it', async () => {
    expect(await records({ '/etc/inetd.conf': 'telnet stream tcp nowait root /x' }, 'clock=no')).toEqual([]);
  });

  it('a host without any configuration serves nothing', async () => {
    expect(await served({})).toEqual([]);
  });

  it('inetd: what is commented out is not served, wrappers and addresses are looked through', async () => {
    const conf = `# /etc/inetd.conf: see inetd(8)
#:STANDARD: These are standard services.
#<off># ftp stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.ftpd
127.0.0.1:
127.0.0.1:telnet\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/in.telnetd
[::1]:finger stream tcp6 nowait nobody /usr/sbin/in.fingerd
rstatd/2-4 dgram rpc/udp wait root /usr/sbin/rpc.rstatd rpc.rstatd
time stream tcp nowait root internal
* * * $(reboot) "\`id\` /etc/* x
8023 stream tcp nowait root /usr/sbin/in.telnetd in.telnetd -h`;
    expect(
      await served({ '/etc/inetd.conf': conf, '/etc/inetd.d/tftp': 'tftp dgram udp wait nobody /usr/sbin/in.tftpd' }),
    ).toEqual([
      'inetd telnet tcpd in.telnetd',
      'inetd finger in.fingerd',
      'inetd rstatd rpc.rstatd rpc.rstatd',
      'inetd time internal',
      'inetd 8023 in.telnetd in.telnetd',
      'inetd tftp in.tftpd',
    ]);
  });

  it('xinetd: what is disabled is not served, by its own word or by the defaults’', async () => {
    const files = {
      '/etc/xinetd.conf':
        'defaults\n{\n\tlog_type = SYSLOG daemon info\n\tdisabled = finger\n\tdisabled += ftp-anon\n}\nincludedir /etc/xinetd.d\n',
      '/etc/xinetd.d/telnet': service(
        'telnet',
        'disable\t= no',
        'server\t= /usr/sbin/in.telnetd',
        'log_on_failure += USERID',
      ),
      '/etc/xinetd.d/tftp': service('tftp', 'disable=yes', 'server = /usr/sbin/in.tftpd'),
      '/etc/xinetd.d/finger': service('finger', 'server = /usr/sbin/in.fingerd'),
      '/etc/xinetd.d/ftp': service('ftp', 'id = ftp-anon', 'server = /usr/sbin/vsftpd'),
      '/etc/xinetd.d/rsync': service('rsync', 'server = /usr/bin/rsync', 'server_args = --daemon').replace('\n{', ' {'),
      '/etc/xinetd.d/shell.rpmsave': service('shell', 'server = /usr/sbin/in.rshd'),
      '/etc/xinetd.d/login~': service('login', 'server = /usr/sbin/in.rlogind'),
    };
    expect(await served(files)).toEqual(['xinetd rsync rsync --daemon', 'xinetd telnet in.telnetd']);
    const alone = {
      '/etc/xinetd.conf': 'defaults\n{\nenabled = rsync\n}\nincludedir /etc/xinetd.d\ninclude /etc/more\n',
      '/etc/more': service('tftp'),
    };
    expect(await served({ ...files, ...alone })).toEqual(['xinetd rsync rsync --daemon']);
  });

  it('xinetd reads the configuration of inetd where Debian’s settings say so', async () => {
    const files = {
      '/etc/inetd.conf': 'ftp stream tcp nowait root /usr/sbin/in.ftpd',
      '/etc/default/xinetd': 'INETD_COMPAT=No\n',
    };
    expect(await served(files)).toEqual(['inetd ftp in.ftpd']);
    const compat = { '/etc/default/xinetd': '# INETD_COMPAT=No\nINETD_COMPAT=Yes\n' };
    expect(await served({ ...files, ...compat })).toEqual(['inetd ftp in.ftpd', 'xinetd ftp in.ftpd']);
  });

  it('rlinetd', async () => {
    const on = 'service "telnet_tcp4" {\n  port "telnet";\n  exec "/usr/sbin/in.telnetd -h";\n}\n';
    const off = 'service "tftp" {\n enabled no;\n server "/usr/sbin/in.tftpd";\n}';
    expect(await served({ '/etc/rlinetd.conf': on, '/etc/rlinetd.d/tftp': off })).toEqual([
      'rlinetd telnet in.telnetd',
    ]);
  });

  it('what is too long is read as far as the limit, and what is no file not at all', async () => {
    const line = 'telnet stream tcp nowait root /usr/sbin/in.telnetd\n';
    await mkdir(join(host.dir, 'etc/inetd.d'), { recursive: true });
    await promisify(execFile)('mkfifo', [join(host.dir, 'etc/inetd.d/pipe')]);
    const words = await served({ '/etc/inetd.conf': '#\n'.repeat(3998) + line.repeat(10) });
    expect(words).toEqual(['inetd telnet in.telnetd', 'inetd telnet in.telnetd', 'and more']);
  });
});
