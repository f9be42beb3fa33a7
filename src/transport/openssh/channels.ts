/** The SSH connection protocol (RFC 4254) as a client that runs commands: session channels, and nothing that a server asks for. */
import { EventEmitter } from 'node:events';
import { printable } from '../../model/index.ts';
import type { CommandChannel, CommandLink } from '../exec.ts';
import { SshData, type SshDataReader } from '../ssh-data.ts';
import type { MuxStream } from './mux.ts';

/** Message numbers, RFC 4250 §4.1.2. */
const MESSAGE = {
  globalRequest: 80,
  requestFailure: 82,
  open: 90,
  openConfirmation: 91,
  openFailure: 92,
  windowAdjust: 93,
  data: 94,
  extendedData: 95,
  eof: 96,
  close: 97,
  request: 98,
  success: 99,
  failure: 100,
} as const;

const STDERR = 1;
const PROHIBITED = 1;
/** What a server may send unasked on one channel, and what it may send at once. */
const WINDOW = 2 * 1024 * 1024;
const MAX_PACKET = 32 * 1024;

/** What a server may send besides the output of commands: requests and channels nobody asked for. */
const BYTES_BESIDE_OUTPUT = 256 * 1024;
/** The same for each command, or connection through this one, that is started here. */
const BYTES_BESIDE_EACH = 64 * 1024;
/** What a packet has besides its data, at most. */
const WRAPPING = 128;
/** What may wait here for a server that makes this side talk and does not listen. */
const MAX_UNSENT = 4 * 1024 * 1024;

/** A link over the stream of a master. `end` ends the master, `why` tells what it has said at its end, if anything. */
export function openChannels(stream: MuxStream, end: () => void, why: () => Promise<string | undefined>): CommandLink {
  const channels = new Map<number, Channel>();
  const listeners = new Set<(why: string) => void>();
  let gone: string | undefined;
  let allowed = BYTES_BESIDE_OUTPUT;
  let nextId = 0;

  const finish = (reason: string): void => {
    if (gone !== undefined) return;
    gone = reason;
    for (const listener of [...listeners]) listener(reason);
    listeners.clear();
    for (const channel of channels.values()) channel.gone();
    channels.clear();
  };
  const destroy = (reason: string): void => {
    finish(reason);
    stream.destroy();
    end();
  };
  const toChannel = (type: number, body: SshDataReader): void => {
    const channel = channels.get(body.number());
    if (channel === undefined) return; // it was closed here, and the server did not know yet
    if (channel.take(type, body) === 'closed') channels.delete(channel.id);
  };

  stream.onPacket((type, body) => {
    if (gone !== undefined) return;
    if (stream.received() > allowed || stream.unsent() > MAX_UNSENT) {
      destroy('it sent more than any answer could take');
    } else if (type === MESSAGE.globalRequest) {
      body.string();
      if (body.boolean()) stream.send(MESSAGE.requestFailure, new SshData());
    } else if (type === MESSAGE.open) {
      body.string();
      const refusal = new SshData().number(body.number()).number(PROHIBITED).string('not here').string('');
      stream.send(MESSAGE.openFailure, refusal);
    } else if (type >= MESSAGE.openConfirmation && type <= MESSAGE.failure) {
      toChannel(type, body);
    }
  });
  stream.onEnd(() => {
    if (gone !== undefined) return;
    void why().then((said) => {
      finish(said ?? 'the connection was lost');
      end();
    });
  });

  return {
    expect(bytes) {
      allowed += bytes + WRAPPING;
    },
    exec(command, started, refused) {
      if (gone !== undefined) return refused(gone);
      allowed += BYTES_BESIDE_EACH;
      const id = nextId++;
      channels.set(id, new Channel(id, stream, command, started, refused));
    },
    onGone(listener) {
      if (gone === undefined) listeners.add(listener);
      else listener(gone);
    },
    forget(listener) {
      listeners.delete(listener);
    },
    destroy,
  };
}

/** One session channel from its opening to its end. Emits `data`, `exit` and `close`; `stderr` emits `data`. */
class Channel extends EventEmitter implements CommandChannel {
  readonly id: number;
  readonly stderr = new EventEmitter();
  readonly #stream: MuxStream;
  readonly #command: string;
  readonly #started: (channel: CommandChannel) => void;
  readonly #refused: (why: string) => void;
  #peer = -1;
  /** What the server may still send. */
  #window = WINDOW;
  /** What it takes from here, in all and at once. */
  #room = 0;
  #atOnce = MAX_PACKET;
  #waiting: Buffer[] = [];
  #input: 'open' | 'ending' | 'ended' = 'open';
  #state: 'opening' | 'starting' | 'running' | 'closed' = 'opening';

  constructor(
    id: number,
    stream: MuxStream,
    command: string,
    started: (channel: CommandChannel) => void,
    refused: (why: string) => void,
  ) {
    super();
    this.id = id;
    this.#stream = stream;
    this.#command = command;
    this.#started = started;
    this.#refused = refused;
    stream.send(MESSAGE.open, new SshData().string('session').number(id).number(WINDOW).number(MAX_PACKET));
  }

  get #closed(): boolean {
    return this.#state === 'closed';
  }

  get writable(): boolean {
    return !this.#closed && this.#input === 'open';
  }

  write(data: string): void {
    if (!this.writable) return;
    this.#waiting.push(Buffer.from(data));
    this.#flush();
  }

  end(): void {
    if (!this.writable) return;
    this.#input = 'ending';
    this.#flush();
  }

  close(): void {
    if (this.#closed) return;
    if (this.#state !== 'opening') this.#send(MESSAGE.close);
    this.#state = 'closed';
    this.#waiting = [];
  }

  /** The connection is lost. */
  gone(): void {
    this.#state = 'closed';
    this.emit('close');
  }

  /** A message for this channel. `closed`: it was the last one. */
  take(type: number, body: SshDataReader): 'open' | 'closed' {
    switch (type) {
      case MESSAGE.openConfirmation:
        this.#confirmed(body);
        break;
      case MESSAGE.openFailure: {
        if (this.#peer !== -1) break;
        body.number();
        if (!this.#closed) this.#refused(`(SSH) Channel open failure: ${printable(body.text(), 200)}`);
        this.#state = 'closed';
        return 'closed';
      }
      case MESSAGE.windowAdjust:
        this.#room += body.number();
        this.#flush();
        break;
      case MESSAGE.data:
        this.#output(body, this);
        break;
      case MESSAGE.extendedData:
        if (body.number() === STDERR) this.#output(body, this.stderr);
        break;
      case MESSAGE.request:
        this.#requested(body);
        break;
      case MESSAGE.success:
        if (this.#state === 'starting') this.#state = 'running';
        break;
      case MESSAGE.failure:
        if (this.#state !== 'starting') break;
        this.#refused('the server does not run it');
        this.close();
        break;
      case MESSAGE.close:
        if (this.#peer === -1) break;
        if (!this.#closed) this.#send(MESSAGE.close);
        this.#state = 'closed';
        this.emit('close');
        return 'closed';
    }
    return 'open';
  }

  #confirmed(body: SshDataReader): void {
    if (this.#peer !== -1) return;
    this.#peer = body.number();
    this.#room = body.number();
    this.#atOnce = Math.max(1, Math.min(body.number(), MAX_PACKET));
    if (this.#closed) {
      this.#send(MESSAGE.close); // given up meanwhile
      return;
    }
    this.#state = 'starting';
    this.#send(MESSAGE.request, new SshData().string('exec').boolean(true).string(this.#command));
    this.#started(this);
  }

  #output(body: SshDataReader, to: EventEmitter): void {
    const data = body.string();
    this.#window -= data.length;
    if (this.#closed || data.length === 0) return;
    to.emit('data', data);
    if (this.#window > WINDOW / 2 || this.#closed) return; // whoever was given the data may have closed it
    this.#send(MESSAGE.windowAdjust, new SshData().number(WINDOW - this.#window));
    this.#window = WINDOW;
  }

  #requested(body: SshDataReader): void {
    const name = body.text();
    const wantsReply = body.boolean();
    if (name === 'exit-status') this.emit('exit', body.number());
    else if (name === 'exit-signal') this.emit('exit', null, `SIG${body.text()}`);
    if (wantsReply && !this.#closed) this.#send(MESSAGE.failure);
  }

  #flush(): void {
    if (this.#state === 'opening' || this.#closed) return;
    while (this.#waiting.length > 0 && this.#room > 0) {
      const next = this.#waiting[0]!;
      const part = next.subarray(0, Math.min(this.#room, this.#atOnce));
      if (part.length === next.length) this.#waiting.shift();
      else this.#waiting[0] = next.subarray(part.length);
      this.#room -= part.length;
      this.#send(MESSAGE.data, new SshData().string(part));
    }
    if (this.#input !== 'ending' || this.#waiting.length > 0) return;
    this.#input = 'ended';
    this.#send(MESSAGE.eof);
  }

  #send(type: number, fields = new SshData()): void {
    this.#stream.send(type, new SshData().number(this.#peer).bytes(fields));
  }
}
