/** Passwords with the real server and the real PAM: an sshd that sees a shadow file of its own, which takes root. */
import { afterAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/model/index.ts';
import { loginPassword } from '../../src/transport/password.ts';
import { connectionOf, dialler, faultOf, silent } from './dialling.ts';
import { type Sshd, scratch } from './openssh.ts';
import { possible, withPam } from './pam.ts';

const SECRET = 'Tr0ub4dor&3';

const files = scratch();
const open: Sshd[] = [];
afterAll(() => {
  for (const sshd of open) sshd.close();
  files.close();
});

describe.skipIf(!possible)('OpenSSH with real accounts', () => {
  const key = files.key('id');
  const { connectTo } = dialler(files, key, { connectTimeoutMs: 15_000 });
  const given = (secret = SECRET) => {
    const password = loginPassword(new Secret('the SSH password', secret));
    return { password: () => password };
  };

  it.each([
    ['a password', ['PasswordAuthentication yes'], [], ['password']],
    ['keyboard-interactive', ['KbdInteractiveAuthentication yes', 'UsePAM yes'], [], ['keyboard-interactive']],
    [
      'a key and then a password',
      ['PasswordAuthentication yes', 'AuthenticationMethods publickey,password'],
      [key],
      ['publickey', 'password'],
    ],
    [
      'a key and then keyboard-interactive',
      ['KbdInteractiveAuthentication yes', 'UsePAM yes', 'AuthenticationMethods publickey,keyboard-interactive'],
      [key],
      ['publickey', 'keyboard-interactive'],
    ],
    [
      'a password and then a key',
      ['PasswordAuthentication yes', 'AuthenticationMethods password,publickey'],
      [key],
      ['password', 'publickey'],
    ],
  ])('lets in by %s, and nobody who has it wrong', async (_what, more, identityFiles, methods) => {
    const sshd = await withPam(files, [key], more, { password: SECRET });
    open.push(sshd);
    const target = { user: 'root', identityFiles };
    const connection = connectionOf(await connectTo(sshd, target, given()));
    expect(await connection.exec('exit 6', silent).ended).toMatchObject({ how: 'exited', code: 6 });
    expect(connection.description.auth.map(({ method }) => method)).toEqual(methods);
    connection.close();
    const fault = faultOf(await connectTo(sshd, target, given('certainly wrong')));
    expect(fault.message).toMatch(/^The password of root was refused/);
    expect(sshd.log()).not.toMatch(/dispatch_protocol_error|certainly wrong/);
  });
});
