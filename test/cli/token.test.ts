/** Keys on a token (PKCS#11), with a token in software: ssh asks nobody for its PIN, and that is said. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { operator } from '../operator.ts';
import { knownLine, noSshd, scratch, startSshd } from '../transport/openssh.ts';

const PROVIDER = '/usr/lib/softhsm/libsofthsm2.so';
const files = scratch();
const alice = operator();
const open: { close(): void }[] = [files, { close: alice.dispose }];
afterAll(() => {
  delete process.env.SOFTHSM2_CONF;
  for (const one of open.reverse()) one.close();
});

describe.skipIf(noSshd !== undefined || !(existsSync(PROVIDER) || process.env.CI))('a key on a token', () => {
  it('that wants its PIN is named, and how to give it', async () => {
    mkdirSync(files.path('tokens'));
    process.env.SOFTHSM2_CONF = files.write('softhsm2.conf', `directories.tokendir = ${files.path('tokens')}\n`);
    const util = (...words: string[]) =>
      execFileSync('softhsm2-util', [...words, '--pin', '1234'], { stdio: 'ignore' });
    util('--init-token', '--free', '--label', 't', '--so-pin', '1234');
    const key = files.key('on-token', 'rsa', '', '-m', 'PKCS8');
    util('--import', key, '--token', 't', '--label', 'k', '--id', '01');
    const sshd = await startSshd(files, [key]);
    open.push(sshd);
    const known = files.write('known', knownLine(sshd.port, sshd.hostKeys[0]!));
    const source = files.write(
      'hosts.ini',
      `one ansible_host=127.0.0.1 ansible_port=${sshd.port} ansible_user=${sshd.user}\n`,
    );
    const config = files.write('config', `Host *\n  PKCS11Provider ${PROVIDER}\n`);
    const where = ['-i', source, '-l', 'all', '-F', config, '--known-hosts', known, '-o', 'json'];
    const { stdout, stderr } = await alice.run('doctor', ...where);
    expect(JSON.parse(stdout).hosts[0].fault, stderr).toMatchObject({
      kind: 'auth',
      message: expect.stringMatching(/PKCS11Provider: pin required/i),
      hint: expect.stringMatching(/PIN.*ssh-add -s/),
    });
  });
});
