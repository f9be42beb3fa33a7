/** Second factors: what a server asks besides is put to the person at the terminal, once, in the host's own words. */
import { afterAll, describe, expect, it } from 'vitest';
import { Secret, type Target } from '../../src/model/index.ts';
import { loginPassword } from '../../src/transport/password.ts';
import { openQuestions, type Prompt } from '../../src/transport/questions.ts';
import { connectionOf, dialler, faultOf, silent } from './dialling.ts';
import { scratch } from './openssh.ts';
import { hasModule, possible, REST, secondFactor, withPam } from './pam.ts';
import { type Behaviour, startServer } from './server.ts';

const PASSWORD = 'Tr0ub4dor&3';
const files = scratch();
const key = files.key('id');
const { connectTo } = dialler(files, key, { connectTimeoutMs: 15_000 });
const open: { close(): void }[] = [];
function keep<T extends { close(): void }>(one: T): T {
  open.push(one);
  return one;
}
afterAll(() => {
  for (const one of open) one.close();
  files.close();
});

/** A person who answers by what is asked; `asked` is what was on the screen. */
function person(answer: (question: string) => string | null | undefined | Promise<string | null>) {
  const asked: string[] = [];
  const prompt: Prompt = async (question, how) => {
    asked.push(`${how}: ${question}`);
    return answer(question);
  };
  return { asked, questions: openQuestions(prompt) };
}
const nobody = () => person(() => undefined);
const given = (secret = PASSWORD) => {
  const password = loginPassword(new Secret('the SSH password', secret));
  return { password: () => password };
};

type OnAuth = NonNullable<Behaviour['onAuth']>;
type Asking = Extract<Parameters<OnAuth>[0], { method: 'keyboard-interactive' }>;

/** Takes any key as the first factor, and then asks; `first: null` asks at once. */
async function asks(second: (context: Asking) => void, first: 'publickey' | null = 'publickey') {
  let partial = first === null;
  return keep(
    await startServer(files, [key], {
      onAuth(context) {
        if (!partial && context.method === 'publickey') {
          if (context.signature === undefined) return context.accept();
          partial = true;
          return context.reject(['keyboard-interactive'], true);
        }
        if (context.method === 'keyboard-interactive' && partial) return second(context);
        context.reject([partial ? 'keyboard-interactive' : 'publickey']);
      },
    }),
  );
}

describe.skipIf(!possible || !hasModule('pam_google_authenticator.so'))('OpenSSH with one-time codes', () => {
  const byBoth = [
    'KbdInteractiveAuthentication yes',
    'UsePAM yes',
    'AuthenticationMethods publickey,keyboard-interactive',
  ];
  const byPam = [
    'KbdInteractiveAuthentication yes',
    'PasswordAuthentication yes',
    'PubkeyAuthentication no',
    'UsePAM yes',
  ];
  const root: Partial<Target> = { user: 'root' };
  const start = async (rules: string, more: readonly string[]) =>
    keep(await withPam(files, [key], more, { password: PASSWORD, pam: rules + REST }));

  it('and a key asks for the code, for every login anew', async () => {
    const factor = secondFactor(files);
    const sshd = await start(factor.rule, byBoth);
    const alice = person(() => factor.code());
    // a password for other hosts is no answer to this question
    for (let logins = 1; logins <= 2; logins++) {
      const connection = connectionOf(
        await connectTo(sshd, root, { questions: alice.questions, ...given() }, 'exit 6'),
      );
      expect(await connection.exec('exit 6', silent).ended).toMatchObject({ how: 'exited', code: 6 });
      expect(connection.description.auth.map(({ method }) => method)).toEqual(['publickey', 'keyboard-interactive']);
      connection.close();
      expect(alice.asked).toHaveLength(logins);
    }
    expect(alice.asked[0]).toMatch(
      /^hidden: host asks, to let us in:\n {2}host \| (?:\(root@\S+\) )?Verification code: $/,
    );

    const wrong = person(() => '000000');
    const { message, hint } = faultOf(await connectTo(sshd, root, { questions: wrong.questions }));
    expect(message).toMatch(/^The answers? of root.* (?:was|were) refused/);
    expect(hint).toMatch(/wait for the next one/);
    expect(wrong.asked).toHaveLength(1);

    const fault = faultOf(await connectTo(sshd, root, { questions: nobody().questions, ...given() }));
    expect(fault.message).toMatch(
      /^root was asked “Verification code: ”, and there is no terminal to answer at: tried ssh-ed/,
    );
    expect(fault.hint).toMatch(/--transport openssh/);
  });

  it('and a password asks the person for the code alone, and never calls the right password wrong', async () => {
    const factor = secondFactor(files);
    const sshd = await start(`auth required pam_unix.so\n${factor.rule}`, byPam);
    const alice = person(() => factor.code());
    const shared = { ...given(), questions: alice.questions };
    for (let logins = 1; logins <= 2; logins++)
      connectionOf(await connectTo(sshd, { ...root, identityFiles: [] }, shared)).close();
    expect(alice.asked).toHaveLength(2);
    expect(alice.asked.join()).not.toMatch(/Password/);

    const bob = { ...given(), questions: person(() => '123').questions };
    const { message } = faultOf(await connectTo(sshd, { ...root, host: 'first', identityFiles: [] }, bob));
    expect(message).toMatch(/^The password of root, or an answer besides, was refused/);
    const next = faultOf(await connectTo(sshd, { ...root, identityFiles: [] }, bob));
    expect(next.message).toMatch(/was not offered.*it was not proved on first/);

    const alone = faultOf(await connectTo(sshd, { ...root, identityFiles: [] }, { ...given(), ...nobody() }));
    expect(alone.message).toMatch(/^root was asked “Verification code: ”, and there is no terminal/);
    expect(sshd.log()).not.toContain(PASSWORD);
  });
});

describe('questions of a server', () => {
  it('come in several rounds, shown or hidden as it says, each line under its name', async () => {
    const server = await asks((context) => {
      const menu = 'Duo two-factor login for root\n\n 1. Duo Push\n 2. Phone\n\nPasscode or option (1-2): ';
      context.prompt([{ prompt: menu, echo: true }], 'Duo', 'Enter a passcode', ([option]) => {
        if (option !== '2') return context.reject();
        context.prompt([{ prompt: '\x1b[2JCode: ', echo: false }], ([code]) =>
          code === '77' ? context.accept() : context.reject(),
        );
      });
    });
    const alice = person((question) => (question.includes('Code:') ? '77' : '2'));
    connectionOf(await connectTo(server, { host: 'web1' }, { questions: alice.questions })).close();
    expect(alice.asked).toEqual([
      `shown: web1 asks, to let us in:\n${['Duo', 'Enter a passcode', 'Duo two-factor login for root', '1. Duo Push', '2. Phone', 'Passcode or option (1-2):'].map((line) => `  web1 | ${line}`).join('\n')} `,
      'hidden: web1 asks, to let us in:\n  web1 | \\x1b[2JCode: ',
    ]);
  });

  it('that are asked again are not answered again, and are bounded in number and size', async () => {
    let answers = 0;
    const nagging = (next: () => string) =>
      asks((context) => {
        const ask = (): void =>
          context.prompt([{ prompt: next(), echo: true }], () => {
            answers++;
            ask();
          });
        ask();
      });
    const alice = person(() => 'x');
    const again = faultOf(await connectTo(await nagging(() => 'Code: '), {}, { questions: alice.questions }));
    expect(again.message).toMatch(/^The answer of tester to “Code: ” was refused/);
    expect(answers).toBe(1);
    let n = 0;
    const many = await connectTo(
      await nagging(() => `${'x'.repeat(900)}\n`.repeat(30) + n++),
      {},
      { questions: alice.questions },
    );
    expect(faultOf(many)).toMatchObject({ message: expect.stringMatching(/asked too many questions/) });
    expect(alice.asked.length).toBeLessThanOrEqual(9);
    for (const question of alice.asked) expect(question.length).toBeLessThan(6_000);
  });

  it('never get the password that is for the first factor', async () => {
    const seen: string[] = [];
    const prompts = [
      'One-time password: ',
      'Password & verification code: ',
      'New password: ',
      'PIN: ',
      'Second Factor (optional): ',
    ];
    for (const prompt of prompts) {
      const server = await asks((context) => {
        context.prompt([{ prompt, echo: false }], ([answer]) => {
          seen.push(answer!);
          context.accept();
        });
      });
      const alice = person(() => 'typed');
      connectionOf(await connectTo(server, {}, { ...given(), questions: alice.questions })).close();
    }
    expect(seen).toEqual(prompts.map(() => 'typed'));
  });

  it('two at once are answered by the password and by the person, or not at all', async () => {
    const seen: string[][] = [];
    const server = () =>
      asks((context) => {
        const both = ['First Factor: ', 'Second Factor: '].map((prompt) => ({ prompt, echo: false }));
        context.prompt(both, (answers) => {
          seen.push(answers);
          context.accept();
        });
      }, null);
    const noKey = { identityFiles: [] };
    connectionOf(
      await connectTo(await server(), noKey, { ...given(), questions: person(() => '1').questions }),
    ).close();
    expect(seen).toEqual([[PASSWORD, '1']]);
    faultOf(await connectTo(await server(), noKey, { ...given(), questions: nobody().questions }));
    expect(seen).toHaveLength(1);
  });

  it('of several hosts wait for each other, without their deadline; whoever breaks one off is asked no more', async () => {
    const server = () => asks((context) => context.prompt([{ prompt: 'Code: ', echo: false }], () => context.accept()));
    let atOnce = 0;
    const slow = person(async () => {
      expect(++atOnce).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      atOnce--;
      return '1';
    });
    const few = { connectTimeoutMs: 2_500, questions: slow.questions };
    const made = await Promise.all([1, 2, 3].map(async () => connectTo(await server(), {}, few)));
    for (const each of made) connectionOf(each).close();

    const leaving = person(() => null);
    const faults = await Promise.all(
      [1, 2].map(async () => faultOf(await connectTo(await server(), {}, { questions: leaving.questions }))),
    );
    for (const { message } of faults) expect(message).toMatch(/was asked “Code: ”, and nobody answered/);
    expect(leaving.asked).toHaveLength(1);
  });

  it('of a bastion are asked once, however many hosts are behind it', async () => {
    const { port, hostKeys } = await startServer(files, [key]).then(keep);
    const bastion = keep(
      await startServer(files, [key], {
        onAuth(context) {
          if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
          context.prompt([{ prompt: 'Code: ', echo: false }], ([code]) =>
            code === '5' ? context.accept() : context.reject(),
          );
        },
        onClient(client) {
          client.on('tcpip', (accept, _reject, { destPort }) => {
            const channel = accept();
            import('node:net').then(({ connect }) => channel.pipe(connect(destPort, '127.0.0.1')).pipe(channel));
          });
        },
      }),
    );
    const alice = person(() => '5');
    const via: Target = {
      host: 'gate',
      ...{ address: '127.0.0.1', port: bastion.port, user: 'tester', identityFiles: [], identitiesOnly: true },
    };
    const known = { port: bastion.port, hostKeys: bastion.hostKeys };
    void known;
    const { ssh2Transport } = await import('../../src/transport/ssh2/ssh2.ts');
    const { keyRing } = await import('../../src/transport/identities/identities.ts');
    const transport = ssh2Transport({
      connectTimeoutMs: 15_000,
      hostKeyChecking: 'off',
      knownHostsFiles: [],
      keys: keyRing({}),
      questions: alice.questions,
    });
    const behind = ['a', 'b', 'c'].map(
      (host): Target => ({ ...via, host, port, identityFiles: [key], proxy: { kind: 'jump', via } }),
    );
    const made = await Promise.all(behind.map((target) => transport.connect(target, new AbortController().signal)));
    for (const each of made) connectionOf(each).close();
    transport.close();
    expect(hostKeys).toHaveLength(1);
    expect(alice.asked).toEqual(['hidden: the jump host gate asks, to let us in:\n  the jump host gate | Code: ']);
  });
});
