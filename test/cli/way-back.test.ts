/** `rollback RUN -F FILE`: the way back when the way there has changed. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { operator } from '../operator.ts';
import { freePort, knownLine, noSshd, type Sshd, scratch, startSshd } from '../transport/openssh.ts';

const alice = operator();
const files = scratch();
let fleet: Fleet;
let gate: Sshd;
beforeAll(async () => {
  const host = DEMO_HOSTS.find(({ name }) => name === 'deb-web1')!;
  fleet = await startFleet([host], { path: process.env.PATH ?? '', tempDir: tmpdir() });
  writeFileSync(`${fleet.privateKeyPath}.pub`, execFileSync('ssh-keygen', ['-y', '-f', fleet.privateKeyPath]));
  if (noSshd === undefined) gate = await startSshd(files, [fleet.privateKeyPath]);
});
afterAll(async () => {
  gate?.close();
  await fleet.dispose();
  alice.dispose();
  files.close();
});

describe.skipIf(noSshd !== undefined)('rollback with -F', () => {
  it('takes from the file what it says, and from the journal the rest', async () => {
    const known = files.write(
      'known',
      readFileSync(fleet.knownHostsPath, 'utf8') + knownLine(gate.port, gate.hostKeys[0]!),
    );
    const way = ['--known-hosts', known, '-o', 'json'];
    const run = await alice.run('mask', 'cron', '-y', '-l', 'all', '-i', fleet.inventoryPath, '-F', 'none', ...way);
    expect(run.report.totals, run.stderr).toEqual({ masked: 1 });

    const broken = files.write('broken', 'Host 127.0.0.1\n  Port many\n');
    const mistaken = await alice.run('rollback', 'last', '-y', '-F', broken, ...way);
    expect(mistaken).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/broken:2/) });
    const elsewhere = files.write('elsewhere', `Host 127.0.0.1\n  Port ${await freePort()}\n`);
    const lost = await alice.run('rollback', 'last', '-y', '-F', elsewhere, '--host-timeout', '2s', ...way);
    expect(lost.report.totals).toEqual({ unreachable: 1 });
    expect(lost.report.hosts[0]?.fault?.hint).toMatch('It is as the run left it');
    const nobody = files.write('nobody', 'Host 127.0.0.1\n  IdentityFile /no/such/key\n  IdentitiesOnly yes\n');
    const refused = await alice.run('rollback', 'last', '-y', '-F', nobody, ...way);
    expect(refused.report.hosts[0]).toMatchObject({ outcome: 'unreachable', fault: { kind: 'auth' } });

    const through = files.write(
      'through',
      `Host 127.0.0.1
  ProxyJump gate
Host gate
  HostName 127.0.0.1
  Port ${gate.port}
  User ${gate.user}
  IdentityFile ${fleet.privateKeyPath}
`,
    );
    const back = await alice.run('rollback', 'last', '-y', '-F', through, ...way);
    expect(back.report.totals, back.stdout).toEqual({ restored: 1 });
    expect(gate.log()).toMatch(/Accepted publickey/);
  });
});
