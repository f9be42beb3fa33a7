import { execFileSync, spawn } from 'node:child_process';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Secret } from '../../src/model/index.ts';
import { keyRing } from '../../src/transport/identities/identities.ts';
import { loginPassword } from '../../src/transport/password.ts';
import { connectionOf, dialler, faultOf, silent, startProxy } from './dialling.ts';
import { noSshd, scratch, startSshd } from './openssh.ts';
import { type Behaviour, startServer, type TestServer } from './server.ts';

const SECRET = 'correct horse';
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

type OnAuth = NonNullable<Behaviour['onAuth']>;

/** A server that lets in by password alone, and keeps the passwords it has seen. */
async function passwordServer(accepted = SECRET, more: Behaviour = {}): Promise<TestServer & { seen: string[] }> {
  const seen: string[] = [];
  const onAuth: OnAuth = (context) => {
    if (context.method !== 'password') return context.reject(['password']);
    seen.push(context.password);
    if (context.password === accepted) context.accept();
    else context.reject(['password']);
  };
  return Object.assign(keep(await startServer(files, [], { onAuth, ...more })), { seen });
}

/** A server that asks by keyboard-interactive. */
async function askingServer(
  onAuth: (context: Extract<Parameters<OnAuth>[0], { method: 'keyboard-interactive' }>) => void,
) {
  return keep(
    await startServer(files, [], {
      onAuth: (context) => {
        if (context.method === 'keyboard-interactive') onAuth(context);
        else context.reject(['keyboard-interactive']);
      },
    }),
  );
}

const withPassword = (secret = SECRET) => {
  const password = loginPassword(new Secret('the SSH password', secret));
  return { password: () => password };
};
const noKeys = { identityFiles: [] };

describe.concurrent('a password', () => {
  it('is offered after the keys, and lets us in', async () => {
    const server = await passwordServer();
    const connection = connectionOf(await connectTo(server, {}, withPassword()));
    expect(await connection.exec('exit 3', silent).ended).toMatchObject({ how: 'exited', code: 3 });
    expect(connection.description.auth).toEqual([{ method: 'password', identity: null }]);
    expect(server.seen).toEqual([SECRET]);
    connection.close();
  });

  it('is enough without any key', async () => {
    connectionOf(await connectTo(await passwordServer(), noKeys, withPassword())).close();
  });

  it('is not sent where a key is let in', async () => {
    const seen: string[] = [];
    const server = keep(
      await startServer(files, [key], {
        onClient: (client) => client.on('authentication', (c) => seen.push(c.method)),
      }),
    );
    const connection = connectionOf(await connectTo(server, {}, withPassword()));
    expect(connection.description.auth).toEqual([{ method: 'publickey', identity: expect.stringContaining(key) }]);
    expect(connection.description.strictKex).toBe(true);
    connection.close();
    expect(seen).not.toContain('password');
  });

  it('that nobody gave is not asked for, and the hint says how to give one', async () => {
    const fault = faultOf(await connectTo(await passwordServer()));
    expect(fault).toMatchObject({ kind: 'auth', hint: expect.stringContaining('-k') });
    expect(fault.message).toContain('the server takes password');
  });

  it('that is wrong is tried once, named, and in no text', async () => {
    const server = await passwordServer();
    const fault = faultOf(await connectTo(server, {}, withPassword('not it')));
    expect(fault.kind).toBe('auth');
    expect(fault.message).toMatch(/^The password of tester was refused: tried ssh-ed25519 .*, password \(refused\)/);
    expect(server.seen).toEqual(['not it']);
    expect(JSON.stringify(fault)).not.toContain('not it');
  });

  it('that is accepted as the first of two methods was not refused, and others may have it', async () => {
    const asking = keep(
      await startServer(files, [], {
        onAuth: (context) =>
          context.method === 'password'
            ? context.reject(['keyboard-interactive'], true as never)
            : context.reject(['password']),
      }),
    );
    const one = withPassword();
    const { message } = faultOf(await connectTo(asking, noKeys, one));
    expect(message).toMatch(/^The password of tester was accepted, but the server wants a further method/);
    connectionOf(await connectTo(await passwordServer(), noKeys, one)).close();
  });

  it('is kept out of the fault when the server repeats it', async () => {
    const server = await passwordServer(SECRET, {
      onAuth: (context) => {
        if (context.method !== 'password') return context.reject(['password']);
        sendDisconnect(server, `wrong: ${context.password}`);
      },
    });
    const fault = faultOf(await connectTo(server, noKeys, withPassword()));
    expect(fault.message).toContain('wrong: ***');
    expect(JSON.stringify(fault)).not.toContain(SECRET);
  });

  it('that the server wants changed is a fault of its own, not a stall', async () => {
    const server = await passwordServer(SECRET, {
      onAuth: (context) => {
        if (context.method !== 'password') return context.reject(['password']);
        context.requestChange('Your password has \x1b[31mexpired', () => undefined);
      },
    });
    const fault = faultOf(await connectTo(server, noKeys, withPassword()));
    expect(fault.message).toMatch(/^The password of tester has expired/);
    expect(fault.message).not.toContain('\x1b');
  });
});

describe.concurrent('keyboard-interactive', () => {
  it('is answered when it asks one hidden question', async () => {
    const server = await askingServer((context) =>
      context.prompt([{ prompt: 'Password: ', echo: false }], ([answer]) =>
        answer === SECRET ? context.prompt([], () => context.accept()) : context.reject(),
      ),
    );
    const connection = connectionOf(await connectTo(server, {}, withPassword()));
    expect(connection.description.auth).toEqual([{ method: 'keyboard-interactive', identity: null }]);
    connection.close();
  });

  it('is not answered when it asks anything else', async () => {
    for (const prompts of [
      [{ prompt: 'Password: ', echo: true }],
      [
        { prompt: 'Password: ', echo: false },
        { prompt: 'Token: ', echo: false },
      ],
    ]) {
      let answers = 0;
      const server = await askingServer((context) => context.prompt(prompts, () => void answers++));
      const fault = faultOf(await connectTo(server, noKeys, withPassword()));
      expect(fault.message).toContain('asked for something else than a password');
      expect(fault.message).toContain('it asked “Password:');
      expect(answers).toBe(0);
    }
  });

  it('is answered once, however often it asks', async () => {
    let answers = 0;
    const server = await askingServer((context) => {
      const ask = (): void =>
        context.prompt([{ prompt: '\x1b[2JPassword: ', echo: false }], () => {
          answers++;
          ask();
        });
      ask();
    });
    const fault = faultOf(await connectTo(server, noKeys, withPassword()));
    expect(fault.message).toContain('then it asked “\\x1b[2JPassword: ”');
    expect(answers).toBe(1);
  });

  it('that asks nothing, for ever, is ended', async () => {
    let answers = 0;
    const server = await askingServer((context) => {
      const ask = (): void =>
        context.prompt([], () => {
          answers++;
          ask();
        });
      ask();
    });
    const fault = faultOf(await connectTo(server, noKeys, withPassword()));
    expect(fault.message).toContain('keeps asking without a question');
    expect(answers).toBeLessThan(10);
  });
});

describe.concurrent('one password for many hosts', () => {
  it('is shown to no second host when the first has refused it', async () => {
    const servers = await Promise.all([1, 2, 3, 4, 5].map(() => passwordServer('another')));
    const shared = withPassword();
    const faults = await Promise.all(
      servers.map(async (server, i) => faultOf(await connectTo(server, { ...noKeys, host: `web${i}` }, shared))),
    );
    expect(servers.flatMap(({ seen }) => seen)).toEqual([SECRET]);
    const withheld = faults.filter(({ message }) => message.includes('was not offered'));
    expect(withheld).toHaveLength(4);
    for (const { message } of withheld) expect(message).toMatch(/skipped password: web\d refused it/);
  });

  it('is proved on one host before the others see it, and they wait without their deadline running', async () => {
    let trials = 0;
    let atOnce = 0;
    const onAuth: OnAuth = (context) => {
      if (context.method !== 'password') return context.reject(['password']);
      atOnce = Math.max(atOnce, ++trials);
      setTimeout(() => context.accept(), 6_000);
    };
    const slow = await passwordServer(SECRET, { onAuth });
    const later = await Promise.all([1, 2].map(() => passwordServer()));
    const shared = { ...withPassword(), connectTimeoutMs: 5_000 };
    const first = connectTo(slow, noKeys, { ...shared, connectTimeoutMs: 30_000 });
    await vi.waitUntil(() => trials === 1, 30_000);
    const others = later.map((server) => connectTo(server, noKeys, shared));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(later.flatMap(({ seen }) => seen)).toEqual([]);
    for (const result of await Promise.all([first, ...others])) connectionOf(result).close();
  });

  /** Connects to a server that never judges the password which it is shown; here when that was shown. */
  async function stalling(shared: ReturnType<typeof withPassword>) {
    let show = (): void => undefined;
    const shown = new Promise<void>((resolve) => {
      show = resolve;
    });
    const onAuth: OnAuth = (context) => (context.method === 'password' ? show() : context.reject(['password']));
    const result = connectTo(await passwordServer(SECRET, { onAuth }), noKeys, { ...shared, connectTimeoutMs: 5_000 });
    await shown;
    return { result };
  }

  it('does not hold up hosts that take a key', async () => {
    const server = keep(await startServer(files, [key]));
    const shared = withPassword();
    const first = await stalling(shared);
    const ended: string[] = [];
    const hold = first.result.then((result) => {
      ended.push('first');
      return result;
    });
    connectionOf(await connectTo(server, {}, shared)).close();
    expect(ended).toEqual([]);
    expect(faultOf(await hold).kind).toBe('timed-out');
  });

  it('goes on to the next host when the first never judges it', async () => {
    const good = await passwordServer();
    const shared = withPassword();
    const first = await stalling(shared);
    connectionOf(await connectTo(good, noKeys, shared)).close();
    expect(faultOf(await first.result).kind).toBe('timed-out');
  });

  it('counts as refused when the host hangs up on it', async () => {
    const rude = await passwordServer(SECRET, {
      onAuth: (context) => {
        if (context.method !== 'password') return context.reject(['password']);
        rude.close();
      },
    });
    const good = await passwordServer();
    const shared = withPassword();
    expect(faultOf(await connectTo(rude, noKeys, shared)).kind).toBe('auth');
    expect(faultOf(await connectTo(good, noKeys, shared)).message).toContain('was not offered');
    expect(good.seen).toEqual([]);
  });
});

describe.concurrent('a key and a password together', () => {
  const both = (order: readonly ('publickey' | 'password')[], offered: string[]): OnAuth => {
    const left = [...order];
    return (context) => {
      offered.push(context.method);
      if (context.method !== left[0]) return context.reject([left[0]!]);
      if (context.method === 'publickey' && context.signature === undefined) return context.accept();
      left.shift();
      if (left.length === 0) context.accept();
      else context.reject([left[0]!], true);
    };
  };

  it('are given in whichever order the server wants them', async () => {
    for (const order of [
      ['publickey', 'password'],
      ['password', 'publickey'],
    ] as const) {
      const server = keep(await startServer(files, [key], { onAuth: both(order, []) }));
      const connection = connectionOf(await connectTo(server, {}, withPassword()));
      expect(connection.description.auth.map(({ method }) => method)).toEqual(order);
      connection.close();
    }
  });

  it('waste no further key after the first was accepted', async () => {
    const offered: string[] = [];
    const server = keep(await startServer(files, [key], { onAuth: both(['publickey', 'password'], offered) }));
    const identityFiles = [key, files.key('second'), files.key('third')];
    connectionOf(await connectTo(server, { identityFiles }, withPassword())).close();
    expect(offered).toEqual(['publickey', 'password']);
  });
});

describe('keys of an agent and a password together', () => {
  it('waste no further key of the agent after the first was accepted', async () => {
    const agentSocket = files.path('agent.sock');
    const agent = spawn('ssh-agent', ['-D', '-a', agentSocket], { stdio: 'ignore' });
    keep({ close: () => void agent.kill() });
    const held = ['held1', 'held2', 'held3'].map((name) => files.key(name));
    const add = () => execFileSync('ssh-add', ['-q', ...held], { env: { SSH_AUTH_SOCK: agentSocket } });
    await vi.waitFor(add, 30_000);
    const offered: string[] = [];
    const onAuth: OnAuth = (context) => {
      const signed = context.method === 'publickey' && context.signature !== undefined;
      offered.push(signed ? 'signature' : context.method);
      if (context.method === 'password') context.accept();
      else if (context.method !== 'publickey') context.reject(['publickey']);
      else if (signed) context.reject(['password'], true);
      else context.accept();
    };
    const server = keep(await startServer(files, [], { onAuth }));
    const fromAgent = { identityFiles: [], identitiesOnly: false };
    const keys = keyRing({ agentSocket });
    connectionOf(await connectTo(server, fromAgent, { ...withPassword(), keys })).close();
    expect(offered).toEqual(['publickey', 'signature', 'password']);
    offered.length = 0;
    const { message } = faultOf(await connectTo(server, fromAgent, { keys }));
    expect(offered).toEqual(['publickey', 'signature']);
    expect(message).toContain('wants a further method');
  });
});

describe.skipIf(noSshd !== undefined)('OpenSSH', () => {
  const twice = ['AuthenticationMethods publickey,publickey'];

  it('that wants two keys gets two', async () => {
    const second = files.key('another');
    const sshd = keep(await startSshd(files, [key, second], twice));
    const wanted = { user: sshd.user, identityFiles: [key, second] };
    const connection = connectionOf(await connectTo(sshd, wanted));
    expect(await connection.exec('exit 4', silent).ended).toMatchObject({ how: 'exited', code: 4 });
    expect(connection.description.auth).toHaveLength(2);
    connection.close();
  });

  it('that wants a password besides is sent nothing early', async () => {
    const more = ['PasswordAuthentication yes', 'AuthenticationMethods publickey,password', 'MaxAuthTries 2'];
    const sshd = keep(await startSshd(files, [key], more));
    const proxy = keep(await startProxy(sshd.port, { gatherMs: 2 }));
    const fault = faultOf(
      await connectTo(
        { port: proxy.port, hostKeys: sshd.hostKeys },
        { user: sshd.user },
        withPassword('certainly wrong'),
      ),
    );
    expect(fault.message).toMatch(/was refused.*\(accepted\), password \(refused\)/);
    expect(sshd.log()).toMatch(/Partial publickey/);
    expect(sshd.log()).not.toMatch(/dispatch_protocol_error|unexpected|bad packet/i);
    expect(sshd.log()).not.toContain('certainly wrong');
  });
});

function sendDisconnect(server: TestServer, text: string): void {
  const message = Buffer.from(text);
  const packetText = Buffer.alloc(13 + message.length);
  packetText[0] = 1;
  packetText.writeUInt32BE(2, 1);
  packetText.writeUInt32BE(message.length, 5);
  message.copy(packetText, 9);
  const { _protocol } = server.clients[0] as unknown as {
    _protocol: {
      _packetRW: { write: { allocStart: number; alloc(n: number): Buffer; finalize(p: Buffer): Buffer } };
      _cipher: { encrypt(packet: Buffer): void };
    };
  };
  const { write } = _protocol._packetRW;
  const start = write.allocStart;
  const packet = write.alloc(packetText.length);
  packetText.copy(packet, start);
  _protocol._cipher.encrypt(write.finalize(packet));
}
