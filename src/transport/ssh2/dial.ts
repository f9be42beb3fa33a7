import ssh2, { type AuthHandlerMiddleware, type ConnectConfig } from 'ssh2';
import { type Fault, fault, printable, type Target } from '../../model/index.ts';
import type { Attempt, Step, Stop } from '../attempts.ts';
import { greeting } from '../greeting.ts';
import type { HostKeyCheck } from '../host-keys/host-keys.ts';
import type { Identities } from '../identities/identities.ts';
import type { LoginPassword } from '../password.ts';
import type { Questions } from '../questions.ts';
import type { Description } from '../transport.ts';
import { peerOf, type Wire } from '../wire.ts';
import { offered } from './algorithms.ts';
import { explain, type SshError } from './failure.ts';
import { type Purpose, type Shortcuts, shorten } from './internals.ts';
import { type Link, openLink } from './link.ts';
import { type Next, startLogin } from './login.ts';

export interface Dial {
  readonly target: Target;
  readonly wire: Wire;
  readonly purpose: Purpose;
  readonly identities: Identities;
  readonly password: LoginPassword | undefined;
  readonly questions: Questions | undefined;
  readonly hostKey: HostKeyCheck;
  /** Aborted by the deadline or by the operator, with a `Stop` as its reason. */
  readonly stop: AbortSignal;
  /** Stops the clock of the deadline; returns what starts it again. */
  readonly hold: () => () => void;
  readonly keepalive: { readonly everyMs: number; readonly missed: number };
  readonly onWarning: (text: string) => void;
}

export type Dialled = Attempt<Link>;

/** A server has no reason to send more than this before the login is done; banners and key lists take a few KiB. */
const MAX_BYTES_BEFORE_LOGIN = 256 * 1024;

/** So much of one is looked at, before it is made safe to print and cut once more. */
const MAX_BANNER = 1_000;

function algorithmsFor({ algorithms = {} }: Target, hostKey: HostKeyCheck): NonNullable<ConnectConfig['algorithms']> {
  const { kex = offered('kex'), cipher = offered('cipher'), hmac = offered('hmac') } = algorithms;
  const lists = { kex, cipher, hmac, serverHostKey: hostKey.algorithms, compress: ['none'] };
  return lists as NonNullable<ConnectConfig['algorithms']>;
}

/** Connects and authenticates once. Never rejects. */
export function dial(options: Dial): Promise<Dialled> {
  const { target, wire, identities, password, questions, hostKey, stop, hold, keepalive, onWarning } = options;
  const peer = peerOf(target);
  const { user, host } = target;
  const hello = greeting();
  const client = new ssh2.Client();
  const giveUp = (): void => {
    client.emit('error', Object.assign(new Error('given up'), { level: 'client-authentication' })); // as ssh2 does
  };
  const name = printable(host, 100);
  const asker = options.purpose.kind === 'forwarding' ? `the jump host ${name}` : name;
  const login = startLogin({ user, host, identities, password, questions, asker, hold, giveUp });
  const { stream } = wire;
  let step: Step = wire.kind === 'tcp' ? 'connect' : 'greeting';
  let received = 0;
  let banner: string | undefined;

  const judge = (error: SshError | undefined): Dialled => {
    const refused = hostKey.refusal();
    if (refused !== undefined) return { is: 'failed', fault: refused };
    const why = wire.why();
    // A bastion that is lost takes all with it; a command may also have ended because the host hung up.
    if (why !== undefined && (wire.kind === 'jump' || (step === 'greeting' && hello.dropped().by === 'silence'))) {
      const is = wire.chance?.() === 'lasting' ? 'failed' : 'transient';
      return { is, fault: fault('unreachable', `${peer} cannot be reached: ${why}`) };
    }
    if (error?.level === 'client-authentication') {
      const onlySsh = login.onlySsh();
      return { is: 'failed', fault: login.refusal(undefined), ...(onlySsh && { onlySsh }) };
    }
    // ssh2 gives a level to what breaks the protocol or the connection, and none to a disconnect by the server.
    if (step === 'authentication' && error?.level === undefined) {
      // sshd tells by a banner why PAM lets nobody in whose key is good, and hangs up
      const heard = banner === undefined ? '' : ` after it said: ${banner}`;
      return { is: 'failed', fault: login.refusal(error?.message ?? `it hung up${heard}`) };
    }
    const failure = explain({ step, error, dropped: hello.dropped(), peer });
    const again = step === 'connect' && target.connectionAttempts !== undefined; // somebody expects it to be away at times
    if (failure.chance === 'transient' || again) return { is: 'transient', fault: failure.fault };
    return { is: 'failed', ...failure };
  };

  const described = (): Description => ({
    hostKey: hostKey.keyType(),
    auth: login.steps(),
    strictKex: hello.strictKex(),
  });

  return new Promise((resolve) => {
    let settled = false;
    let shortcuts: Shortcuts | undefined;
    let link: Link | undefined;
    const settle = (outcome: Dialled): void => {
      if (settled) return;
      settled = true;
      stop.removeEventListener('abort', onStop);
      login.end('hung up');
      if (outcome.is !== 'connected') wire.destroy();
      resolve(outcome);
    };
    const fail = (found: Fault): void => settle({ is: 'failed', fault: found });
    const onStop = (): void => {
      login.end('stopped');
      fail((stop.reason as Stop)(step));
    };
    const overdone = (why: string): void => {
      fail(fault('unreachable', `${peer} was cut off: ${why}`));
      link?.destroy(why);
    };
    /** ssh2 takes the next method at once, or later by a call. */
    const authHandler: AuthHandlerMiddleware = (left, partial, proceed) => {
      const next = login.next(left, partial);
      if (!(next instanceof Promise)) return next;
      next
        .then((method) => {
          if (!settled) proceed(method as Exclude<Next, false>);
        })
        .catch(onEnd);
      return undefined; // which means: later
    };
    const onEnd = (error: SshError | undefined): void => {
      if (!settled) settle(judge(error)); // late and second errors are normal, and mean nothing
    };

    client.on('error', (error: SshError) => {
      if (password !== undefined) error.message = password.hideIn(error.message); // here and for all who listen after us
      if (error.level === 'agent')
        login.notSigned(error.message); // ssh2 goes on to the next identity
      else onEnd(error);
    });
    client.on('close', () => onEnd(undefined));
    stream.on('close', () => onEnd(undefined));
    client.on('handshake', ({ cs, sc }) => {
      step = 'authentication';
      const exposed = [cs, sc].some(({ cipher }) => cipher.startsWith('chacha20'));
      if (exposed && !hello.strictKex()) onWarning(`${peer} lacks strict key exchange (CVE-2023-48795, Terrapin)`);
    });
    client.on('banner', (text) => {
      banner = text.trim().slice(0, MAX_BANNER);
    });
    client.on('change password', () => login.expired());
    client.on('ready', () => {
      login.end('logged in');
      const opened = openLink(client, wire, shortcuts);
      link = opened;
      void hostKey.recorded().then((against) => {
        if (against === undefined) settle({ is: 'connected', link: opened, description: described() });
        else fail(against);
      });
    });

    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
    if (settled) return;
    try {
      wire.start(); // first: ssh2 takes an idle socket for a connected one
      client.connect({
        sock: stream,
        username: target.user,
        algorithms: algorithmsFor(target, hostKey),
        hostVerifier: (key: Buffer) => hostKey.accepts(key) === true,
        authHandler,
        readyTimeout: 0,
        keepaliveInterval: keepalive.everyMs,
        keepaliveCountMax: keepalive.missed,
      });
      shortcuts = shorten(client, { login, software: hello.software, purpose: options.purpose, overdone });
    } catch (error) {
      onEnd(error as Error); // a port that is none
      return;
    }
    stream.on('connect', () => {
      step = 'greeting';
    });
    stream.on('data', (chunk: Buffer) => {
      // ssh2 writes each message on its own; what it has to say to this chunk goes out in one system call.
      stream.cork();
      queueMicrotask(() => stream.uncork());
      if (step === 'greeting') {
        hello.add(chunk);
        if (hello.software() !== undefined) step = 'key exchange';
      } else if (step === 'key exchange') {
        hello.add(chunk);
      }
      received += chunk.length;
      if (!settled && received > MAX_BYTES_BEFORE_LOGIN) {
        fail(fault('unreachable', `${peer} sent more than ${MAX_BYTES_BEFORE_LOGIN} bytes before the login was done`));
      }
    });
  });
}
