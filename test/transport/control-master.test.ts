/** A ControlMaster of the user's, logged in by hand: --transport openssh shares it, since nobody else can answer a second factor for it. */

import { execFileSync, spawn } from 'node:child_process';
import { chownSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Target } from '../../src/model/index.ts';
import { type OpenSshOptions, opensshTransport } from '../../src/transport/openssh/openssh.ts';
import { connectionOf, faultOf, silent } from './dialling.ts';
import { knownLine, noSshd, type Sshd, scratch, startSshd } from './openssh.ts';

const files = scratch();
const open: { close(): void }[] = [];
afterAll(() => {
  for (const one of open) one.close();
  files.close();
});

describe.skipIf(noSshd !== undefined)('a ControlMaster of the user', () => {
  const key = files.key('id');
  const control = files.path('cm %h');
  let sshd: Sshd;
  let known: string;
  beforeAll(async () => {
    sshd = await startSshd(files, [key]);
    known = files.write('known', knownLine(sshd.port, sshd.hostKeys[0]!));
    open.push(sshd);
  });
  /** Logs in by hand. */
  const login = async (): Promise<{ end(): void }> => {
    const words = ['-M', '-N', '-F', 'none', '-i', key, '-p', String(sshd.port)];
    const said = [
      `ControlPath="${control.replaceAll('%', '%%')}"`,
      `UserKnownHostsFile=${known}`,
      'IdentitiesOnly=yes',
    ];
    const child = spawn('ssh', [...words, ...said.flatMap((each) => ['-o', each]), '127.0.0.1'], { stdio: 'ignore' });
    open.push({ close: () => child.kill() });
    const check = ['-F', 'none', '-O', 'check', '-o', said[0]!, '127.0.0.1'];
    await vi.waitFor(() => execFileSync('ssh', check, { stdio: 'ignore' }), 20_000);
    return { end: () => execFileSync('ssh', [...check.with(3, 'exit')], { stdio: 'ignore' }) };
  };
  const target = (more: Partial<Target> = {}): Target => ({
    host: 'host',
    address: '127.0.0.1',
    port: sshd.port,
    user: sshd.user,
    // nothing to log in with
    identityFiles: [],
    identitiesOnly: true,
    ssh: { destination: '127.0.0.1', config: 'none', control },
    ...more,
  });
  const connect = (to: Target, more: Partial<OpenSshOptions> = {}) => {
    const transport = opensshTransport({
      connectTimeoutMs: 20_000,
      hostKeyChecking: 'strict',
      knownHostsFiles: [known],
      ...more,
    });
    open.push(transport);
    return transport.connect(to, new AbortController().signal);
  };

  it('is used for the host, and left as it was', async () => {
    const master = await login();
    for (let times = 1; times <= 2; times++) {
      const connection = connectionOf(await connect(target()));
      expect(connection.description.auth).toEqual([{ method: 'none', identity: `the ControlMaster at ${control}` }]);
      expect(await connection.exec('exit 7', silent).ended).toMatchObject({ how: 'exited', code: 7 });
      connection.close();
    }
    // the host behind the same machine as its bastion, with a login of its own
    const proxy = { kind: 'jump' as const, via: target({ host: 'gate' }) };
    const behind = target({ ssh: { destination: 'behind', config: 'none' }, identityFiles: [key], proxy });
    connectionOf(await connect(behind)).close();

    const own = faultOf(await connect(target(), { shareMasters: false }));
    expect(own).toMatchObject({
      kind: 'auth',
      message: expect.stringMatching(/ControlMaster is not used: --confirm-within/),
    });

    const lost = connectionOf(await connect(target()));
    const running = lost.exec('sleep 60', silent);
    master.end();
    expect(await running.ended).toMatchObject({ how: 'lost' });
    expect(faultOf(await connect(target())).kind).toBe('auth');
  });

  it.skipIf(process.getuid?.() !== 0)('of somebody else is not used', async () => {
    const master = await login();
    chownSync(control, 65534, 65534);
    expect(faultOf(await connect(target())).kind).toBe('auth');
    chownSync(control, 0, 0);
    master.end();
  });
});
