import type { Client, ClientChannel, ParsedKey } from 'ssh2';
import type { Login } from './login.ts';

/**
 * The one place that touches private fields of ssh2, pinned at 1.17.0. They save three round trips of ten from the first
 * packet to a running command (measured against OpenSSH over a link of 40 ms), and the public interface has no way to:
 *
 * - sign a publickey request at once; ssh2 asks first whether the key would do, which RFC 4252 §7 makes optional;
 * - send that request together with the service request before it;
 * - open the session channel right behind it: by RFC 4252 §5.1 what follows the request that logs in is passed on;
 * - and behind that, with OpenSSH, which numbers channels from 0, the first command, if it is known by then;
 * - write standard input as soon as the server opens its window, without waiting for the reply to the exec request.
 *
 * They also save a signature per host key on both sides: ssh2 answers every `hostkeys-00@openssh.com` with a demand to
 * prove the keys, for an event that nobody listens to here. And they tell the login what ssh2 keeps to itself: that a
 * key of an agent was accepted in part, after which no other is to be offered.
 *
 * All but the first want a server that works strictly in order. OpenSSH and dropbear do; some (asyncssh, ssh2's own) log
 * in asynchronously and would drop what comes early, so only those two are hurried. When a field is not there,
 * `undefined` is returned and the public way is taken; a test fails then.
 */
export interface Shortcuts {
  /** As `Link.exec`; `undefined` for a server that is not to be hurried. */
  readonly exec: undefined | ((command: string, started: Started, refused: Refused) => void);
}

/** `first`: the command that will be run first, when that is known, so that it can be sent ahead. */
export type Purpose =
  | { readonly kind: 'commands'; readonly first: string | undefined }
  | { readonly kind: 'forwarding' };

type Started = (channel: ClientChannel) => void;
type Refused = (why: string) => void;

export interface ShortcutOptions {
  readonly login: Login;
  /** The server's software as it names itself. Asked after the key exchange. */
  readonly software: () => string | undefined;
  /** The server is to be cut off; `why` says what it did. */
  readonly overdone: (why: string) => void;
  /** What the connection is for: one that only carries others needs no session. */
  readonly purpose: Purpose;
}

type Sign = (data: Buffer, send: (signature: Buffer) => void) => void;
type SessionCallback = { (error: Error | undefined, channel?: SessionChannel): void; type?: string };

type SessionChannel = ClientChannel & {
  readonly outgoing: { readonly id: number };
  readonly _callbacks: ((failed: boolean | Error) => void)[];
  readonly _exit?: { readonly code?: number | null; readonly signal?: string };
};

interface Protocol {
  service(name: string): void;
  authPK(user: string, key: ParsedKey, algorithm: string | undefined, sign?: Sign): void;
  session(id: number, window: number, packet: number): void;
  exec(id: number, command: string, wantReply: boolean): void;
  requestFailure(): void;
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number;
      alloc(length: number): Uint8Array;
      finalize(packet: Uint8Array): Uint8Array;
    };
  };
  readonly _cipher: { encrypt(packet: Uint8Array): void };
  readonly _handlers: {
    SERVICE_ACCEPT(protocol: Protocol, name: string): void;
    USERAUTH_FAILURE(protocol: Protocol, methods: string[] | null, partial: boolean): void;
    USERAUTH_INFO_REQUEST(protocol: Protocol, name: string, instructions: string, prompts: readonly unknown[]): void;
    GLOBAL_REQUEST(protocol: Protocol, name: string, wantReply: boolean, data: unknown): void;
    CHANNEL_OPEN(protocol: Protocol, info: unknown): void;
  };
}

interface Internals {
  readonly _protocol: Protocol;
  readonly _chanMgr: { add(callback: SessionCallback): number };
}

/**
 * Requests and channels that nobody asked for, and one more each second, for servers that look whether we are there.
 * Each answer costs time that other hosts would have.
 */
const DEMANDS = 100;

/** PAM closes with one of these; ssh2 would answer them for ever. */
const EMPTY_QUESTIONS = 4;

/** ssh2's own constants: it reopens the window to this size, whatever it was opened with. */
const WINDOW = 2 * 1024 * 1024;
const PACKET = 32 * 1024;

/** To be called right after `client.connect()`, which makes the fields. */
export function shorten(
  client: Client,
  { login, software, purpose, overdone }: ShortcutOptions,
): Shortcuts | undefined {
  const inside = client as unknown as Internals;
  if (!isKnown(inside)) return undefined;
  const protocol = inside._protocol;
  const handlers = protocol._handlers;
  const numbersFromZero = (): boolean => /^OpenSSH_/.test(software() ?? '');
  const worksInOrder = (): boolean => /^(OpenSSH|dropbear)_/.test(software() ?? '');
  let early: Session | undefined;
  /** What was sent ahead on it. */
  let ahead: string | undefined;
  let demands = 0;
  const since = performance.now();
  const demanded = (): boolean => {
    if (++demands <= DEMANDS + (performance.now() - since) / 1000) return true;
    overdone('it made demand after demand');
    return false;
  };
  handlers.GLOBAL_REQUEST = (_protocol, _name, wantReply) => {
    if (demanded() && wantReply) protocol.requestFailure();
  };
  const openChannel = handlers.CHANNEL_OPEN;
  handlers.CHANNEL_OPEN = (_protocol, info) => {
    if (demanded()) openChannel(protocol, info);
  };

  const refuse = handlers.USERAUTH_FAILURE;
  handlers.USERAUTH_FAILURE = (_protocol, methods, partial) => {
    login.answered(methods, partial);
    if (partial) early = ahead = undefined; // the server wants more, and has thrown away what came early
    refuse(protocol, methods, partial);
  };

  const ask = handlers.USERAUTH_INFO_REQUEST;
  let nothingAsked = 0;
  handlers.USERAUTH_INFO_REQUEST = (_protocol, name, instructions, prompts) => {
    if (prompts.length === 0 && ++nothingAsked > EMPTY_QUESTIONS) throw new Error('it keeps asking without a question');
    ask(protocol, name, instructions, prompts);
  };

  const requestService = protocol.service.bind(protocol);
  protocol.service = (name) => {
    requestService(name);
    if (!worksInOrder()) return;
    const proceed = handlers.SERVICE_ACCEPT;
    handlers.SERVICE_ACCEPT = () => sendIgnore(protocol);
    proceed(protocol, name);
  };

  const authPK = protocol.authPK.bind(protocol);
  let signedFor: unknown;
  protocol.authPK = (user, key, _algorithm, sign) => {
    const offer = login.current();
    if (offer === undefined) throw new Error('a key is offered that was not chosen');
    const { algorithm, signer } = offer.identity;
    // Each signature of an agent may need a person's consent: ask first, unless there is nothing else to try.
    if (sign === undefined && signer.is === 'agent' && !login.isLast()) {
      authPK(user, key, algorithm);
      return;
    }
    if (signedFor === offer) throw new Error('the server asked for a second signature with the same key');
    signedFor = offer;
    const sent = (): void => {
      if (purpose.kind !== 'commands' || !login.isLast() || !worksInOrder()) return;
      early = openSession(inside);
      if (purpose.first === undefined || !numbersFromZero()) return;
      ahead = purpose.first;
      early.expectReply();
      protocol.exec(0, ahead, true);
    };
    authPK(user, key, algorithm, (data, send) => {
      if (signer.is === 'here') {
        send(signer.sign(data));
        sent();
        return;
      }
      signer
        .sign(data)
        .then(
          (signature) => send(signature),
          (error: Error) => {
            login.notSigned(error.message);
            handlers.USERAUTH_FAILURE(protocol, null, false);
          },
        )
        .then(sent)
        .catch(() => undefined); // the connection ended while the agent was busy
    });
  };

  return {
    get exec() {
      if (!worksInOrder()) return undefined;
      return (command: string, started: Started, refused: Refused): void => {
        const sent = early !== undefined && ahead === command;
        // a channel that runs something else is of no use
        if (!sent && ahead !== undefined) early?.whenOpen((_error, channel) => channel?.close());
        const session = early !== undefined && (sent || ahead === undefined) ? early : openSession(inside);
        early = undefined;
        session.whenOpen((error, channel) => {
          if (channel === undefined) {
            refused(error?.message ?? 'no channel');
            return;
          }
          if (!sent) {
            session.expectReply();
            protocol.exec(channel.outgoing.id, command, true);
          }
          session.whenReplied((failed) => {
            if (!failed) return;
            channel.close();
            refused('the server does not run commands for this account');
          });
          started(channel);
          // a command that was sent ahead may have ended before anybody listened
          if (channel._exit?.code !== undefined) channel.emit('exit', channel._exit.code, channel._exit.signal);
        });
      };
    },
  };
}

/**
 * Until it runs a command, sshd leaves Nagle's algorithm on: its answer to the login is held until this side has
 * acknowledged the answer to the service request, and the kernel takes up to 40 ms for that unless there is something
 * to send. SSH_MSG_IGNORE is something to send (RFC 4253 §11.2).
 */
function sendIgnore({ _packetRW: { write }, _cipher }: Protocol): void {
  const start = write.allocStart;
  const packet = write.alloc(5);
  packet.fill(0, start, start + 5);
  packet[start] = 2;
  _cipher.encrypt(write.finalize(packet));
}

interface Session {
  /** Calls back once, at once if the server has answered already. */
  whenOpen(callback: SessionCallback): void;
  /** A request was sent, or is about to be, that the server answers. */
  expectReply(): void;
  /** As whenOpen, with that answer. */
  whenReplied(callback: (failed: boolean) => void): void;
}

function openSession({ _protocol, _chanMgr }: Internals): Session {
  let answer: Parameters<SessionCallback> | undefined;
  let waiting: SessionCallback | undefined;
  let expecting = false;
  let reply: boolean | undefined;
  let waitingForReply: ((failed: boolean) => void) | undefined;
  const listen = (channel: SessionChannel | undefined): void => {
    channel?._callbacks.push((failed) => {
      reply = failed !== false && failed !== undefined;
      waitingForReply?.(reply);
    });
  };
  const answered: SessionCallback = (...arrived) => {
    answer = arrived;
    // at once: the reply may lie in the same packet
    if (expecting) listen(arrived[1]);
    waiting?.(...arrived);
  };
  answered.type = 'session';
  const id = _chanMgr.add(answered);
  if (id === -1) answered(new Error('no channel is free'));
  else _protocol.session(id, WINDOW, PACKET);
  return {
    whenOpen(callback) {
      if (answer !== undefined) callback(...answer);
      else waiting = callback;
    },
    expectReply() {
      expecting = true;
      if (answer !== undefined) listen(answer[1]);
    },
    whenReplied(callback) {
      if (reply !== undefined) callback(reply);
      else waitingForReply = callback;
    },
  };
}

function isKnown(inside: Partial<Internals>): inside is Internals {
  const { _protocol: protocol, _chanMgr: channels } = inside;
  const handlers = protocol?._handlers;
  return [
    protocol?.service,
    protocol?.authPK,
    protocol?.session,
    protocol?.exec,
    protocol?.requestFailure,
    protocol?._packetRW?.write?.alloc,
    protocol?._packetRW?.write?.finalize,
    protocol?._cipher?.encrypt,
    handlers?.SERVICE_ACCEPT,
    handlers?.USERAUTH_FAILURE,
    handlers?.USERAUTH_INFO_REQUEST,
    handlers?.GLOBAL_REQUEST,
    handlers?.CHANNEL_OPEN,
    channels?.add,
  ].every((part) => typeof part === 'function');
}
