import { createServer } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { keyRing } from '../../src/transport/identities/identities.ts';
import { connectionOf, dialler, faultOf, silent } from './dialling.ts';
import { noSshd, scratch, startSshd } from './openssh.ts';
import { startServer } from './server.ts';

const files = scratch();
const key = files.key('id');
const { connectTo } = dialler(files, key);
const open: { close(): void }[] = [];
function keep<T extends { close(): void }>(one: T): T {
  open.push(one);
  return one;
}
afterAll(() => {
  for (const one of open) one.close();
  files.close();
});

describe.concurrent('authentication', () => {
  it('tries one key after the other, and says nothing of it when one is let in', async () => {
    const others = ['k1', 'k2'].map((name) => files.key(name));
    const server = keep(await startServer(files, [key]));
    connectionOf(await connectTo(server, { identityFiles: [...others, key] })).close();
  });

  it('says what was tried and what was skipped and why', async () => {
    const stranger = files.key('k3');
    const locked = files.key('k4', 'ed25519', 'secret', '-a', '1');
    const server = keep(await startServer(files, [key]));
    const { kind, message } = faultOf(await connectTo(server, { identityFiles: [stranger, locked] }));
    expect(kind).toBe('auth');
    expect(message).toContain(`tried ssh-ed25519 SHA256:`);
    expect(message).toContain(`from ${stranger}`);
    expect(message).toContain(`skipped ${locked}: it is encrypted, and no passphrase was given`);
    expect(message).toContain('the server takes publickey');
  });

  it('quotes the banner of a server that hangs up without another word', async () => {
    const server = keep(
      await startServer(files, [key], {
        banner: 'System is booting up.\u001b[2J Unprivileged users are not permitted to log in yet.\r\n',
        onAuth: () => server.clients[0]!.end(),
      }),
    );
    const { kind, message } = faultOf(await connectTo(server, { identityFiles: [key] }));
    expect(kind).toBe('auth');
    expect(message).toContain('was not let in (it hung up after it said: System is booting up.');
    expect(message).toContain('Unprivileged users are not permitted to log in yet.): tried ssh-ed25519');
    expect(message).not.toContain('\u001b');
  });

  it('without any key says so', async () => {
    const server = keep(await startServer(files, [key]));
    const { kind, message, hint } = faultOf(await connectTo(server, { identityFiles: [] }));
    expect(kind).toBe('auth');
    expect(message).toContain('no usable key');
    expect(hint).toMatch(/--private-key.*ssh-add.*-k/);
  });

  it('offers no more keys once the server wants another method', async () => {
    let offered = 0;
    const onAuth = (context: { method: string; reject(left: string[], partial?: boolean): void }): void => {
      offered++;
      context.reject(['keyboard-interactive'], true);
    };
    const server = keep(await startServer(files, [key], { onAuth: onAuth as never }));
    const fault = faultOf(await connectTo(server, { identityFiles: [key, files.key('k5')] }));
    expect(fault.message).toMatch(/wants a further method.*the server takes keyboard-interactive/);
    expect(offered).toBe(1);
  });

  it('never answers a server that asks for signature after signature', async () => {
    let asked = 0;
    const server = keep(
      await startServer(files, [key], {
        onAuth: (context) => {
          asked++;
          if (context.method !== 'publickey') return context.reject();
          const { algo, data } = context.key;
          const protocol = (
            server.clients[0] as unknown as { _protocol: { authPKOK(algo: string, key: Buffer): void } }
          )._protocol;
          protocol.authPKOK(algo, data);
        },
      }),
    );
    expect(faultOf(await connectTo(server)).message).toContain('second signature');
    expect(asked).toBe(1);
  });

  it('goes on to the next identity when an agent does not sign', async () => {
    const agentSocket = files.path('refusing.sock');
    const [, base64] = files.read('id.pub').split(' ');
    const blob = Buffer.from(base64!, 'base64');
    const field = (data: Buffer): Buffer => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(data.length);
      return Buffer.concat([length, data]);
    };
    const list = field(Buffer.concat([Buffer.from([12, 0, 0, 0, 1]), field(blob), field(Buffer.from('card'))]));
    const agent = createServer((socket) =>
      socket.once('data', (request) => socket.write(request[4] === 11 ? list : Buffer.from([0, 0, 0, 1, 5]))),
    );
    await new Promise<void>((resolve) => agent.listen(agentSocket, resolve));
    keep({ close: () => agent.close() });
    const server = keep(await startServer(files, [key]));
    const keys = keyRing({ agentSocket });
    const alone = await connectTo(server, { identityFiles: [], identitiesOnly: false }, { keys });
    expect(faultOf(alone).message).toMatch(/from agent \(card\) \(the agent refused to sign\)/);
  });
});

describe.skipIf(noSshd !== undefined)('authentication with OpenSSH', () => {
  it('that ends before the right key was tried says how to name it', async () => {
    const sshd = keep(await startSshd(files, [key], ['MaxAuthTries 2']));
    const identityFiles = [files.key('k8'), files.key('k9'), files.key('k10'), key];
    const rejected = faultOf(await connectTo(sshd, { user: sshd.user, identityFiles }));
    expect(rejected).toMatchObject({ kind: 'auth', hint: expect.stringContaining('IdentitiesOnly') });
  });

  it('tries the last key in a hurry and the others patiently, whichever is let in', async () => {
    const sshd = keep(await startSshd(files, [key]));
    const other = files.key('k6');
    for (const identityFiles of [[key], [key, other], [other, key]]) {
      const connection = connectionOf(await connectTo(sshd, { user: sshd.user, identityFiles }));
      expect(await connection.exec('exit 5', silent).ended).toMatchObject({ how: 'exited', code: 5 });
      connection.close();
    }
    const rejected = await connectTo(sshd, { user: sshd.user, identityFiles: [other, files.key('k7')] });
    expect(faultOf(rejected)).toMatchObject({ kind: 'auth', message: expect.stringContaining('k7') });
  });
});
