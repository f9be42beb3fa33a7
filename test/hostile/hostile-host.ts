/** Hosts that mean harm: real servers on loopback with a simulated machine behind them, and one thing wrong with each. */
import { spawn } from 'node:child_process';
import type { Connection, ServerChannel } from 'ssh2';
import { environmentOf } from '../../src/demo/image.ts';
import type { Scratch } from '../transport/openssh.ts';
import { type Behaviour, startServer, startTcp } from '../transport/server.ts';

/** What a host does wrong; everything else it does properly. */
export type Misbehaviour =
  /** It is no SSH server, or only the beginning of one. */
  | { readonly before: Parameters<typeof startTcp>[0] }
  /** The server itself. */
  | { readonly server: Behaviour }
  /** What a command is answered with, in place of the machine's own answer. */
  | { readonly command: (channel: ServerChannel, client: Connection) => void }
  /** The machine's answers on their way out; `answer` counts them from 0. `undefined`: nothing more is to be sent. */
  | {
      readonly tamper: (lines: string, wire: Wire) => string | Buffer | undefined;
      readonly onAuth?: NonNullable<Behaviour['onAuth']>;
    };

export interface Wire {
  readonly nonce: string;
  /** 0 is the answer to the probe, 1 to the change, 2 and more to undo. */
  readonly answer: number;
  readonly channel: ServerChannel;
  readonly client: Connection;
}

export interface HostileHost {
  readonly name: string;
  readonly port: number;
  readonly hostKeys: readonly string[];
  /** Of an SSH server. */
  readonly clients?: readonly Connection[];
  close(): void;
}

/** `machine`: the directory of a simulated host, which the hostile one has for its own. */
export async function startHostile(
  files: Scratch,
  key: string,
  name: string,
  misbehaviour: Misbehaviour,
  machine: string,
): Promise<HostileHost> {
  if ('before' in misbehaviour) return { name, hostKeys: [], ...(await startTcp(misbehaviour.before)) };
  if ('server' in misbehaviour) return { name, ...(await startServer(files, [key], misbehaviour.server)) };
  const onCommand: Behaviour['onCommand'] = (command, channel, client) => {
    if ('command' in misbehaviour) misbehaviour.command(channel, client);
    else throughMachine(command, channel, client, machine, misbehaviour.tamper);
  };
  const onAuth = 'onAuth' in misbehaviour ? misbehaviour.onAuth : undefined;
  return { name, ...(await startServer(files, [key], { onCommand, ...(onAuth === undefined ? {} : { onAuth }) })) };
}

function throughMachine(
  command: string,
  channel: ServerChannel,
  client: Connection,
  machine: string,
  tamper: Extract<Misbehaviour, { tamper: unknown }>['tamper'],
): void {
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: machine,
    env: environmentOf(machine, process.env.PATH ?? ''),
  });
  for (const stream of [child.stdin, channel, channel.stderr]) stream.on('error', () => undefined);
  let nonce = '';
  let asked = '';
  let answered = '';
  let answer = 0;
  let silenced = false;
  channel.on('data', (chunk: Buffer) => {
    asked = (asked + chunk.toString('latin1')).slice(-4096);
    nonce ||= /\bmain ([0-9a-f]{24}) /.exec(asked)?.[1] ?? '';
    child.stdin.write(chunk);
  });
  channel.on('close', () => child.kill());
  channel.on('end', () => child.stdin.end());
  child.stdout.on('data', (chunk: Buffer) => {
    answered += chunk.toString('latin1');
    if (!/^@\w+ \d+ done \d+\n/m.test(answered) || silenced) return;
    const out = tamper(answered, { nonce, answer: answer++, channel, client });
    answered = '';
    silenced = out === undefined;
    if (out !== undefined && channel.writable) channel.write(Buffer.isBuffer(out) ? out : Buffer.from(out, 'latin1'));
  });
  child.on('close', (code) => {
    if (silenced || !channel.writable) return;
    channel.exit(code ?? 255);
    channel.end();
  });
}

interface ServerProtocol {
  readonly _packetRW: {
    readonly write: { allocStart: number; alloc(n: number): Buffer; finalize(packet: Buffer): Buffer };
  };
  readonly _cipher: { encrypt(packet: Buffer): void };
}

/** Sends a message that ssh2's server has no method for. */
export function send(client: Connection, ...parts: (number | string | Uint32)[]): void {
  const payload = Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'number') return Buffer.from([part]);
      const number = Buffer.alloc(4);
      number.writeUInt32BE(typeof part === 'string' ? Buffer.byteLength(part) : part.uint32);
      return typeof part === 'string' ? Buffer.concat([number, Buffer.from(part)]) : number;
    }),
  );
  const { _packetRW, _cipher } = (client as unknown as { _protocol: ServerProtocol })._protocol;
  const packet = _packetRW.write.alloc(payload.length);
  packet.set(payload, _packetRW.write.allocStart);
  _cipher.encrypt(_packetRW.write.finalize(packet));
}

export interface Uint32 {
  readonly uint32: number;
}
export const MESSAGE = { disconnect: 1, banner: 53, channelOpen: 90, channelRequest: 98 } as const;

/** The far end's number of a channel, for messages made by hand. */
export function farEnd(channel: ServerChannel): Uint32 {
  return { uint32: (channel as unknown as { outgoing: { id: number } }).outgoing.id };
}

/** Calls `push` again and again for as long as the client takes what it sends, so that memory used is the client's. */
export function flood(client: Connection, push: () => void): void {
  const { _sock: socket } = client as unknown as { _sock: import('node:net').Socket };
  const more = (): void => {
    try {
      // a client in another process could take it for ever, and nobody else's turn would come
      for (let n = 0; n < 256 && !socket.destroyed && socket.writableLength < 256 * 1024; n++) push();
    } catch {
      return; // cut off in the middle of a message
    }
    if (!socket.destroyed) setTimeout(more, 1);
  };
  more();
}
