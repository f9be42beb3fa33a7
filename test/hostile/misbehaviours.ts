/** Everything a host was thought to do to us, by name, with what the run is to make of it. */
import type { ServerChannel } from 'ssh2';
import type { FaultKind, Outcome } from '../../src/model/index.ts';
import { farEnd, flood, MESSAGE, type Misbehaviour, send } from './hostile-host.ts';

export interface Case {
  readonly name: string;
  readonly host: Misbehaviour;
  /** How it may end; the first is the usual one. */
  readonly outcomes: readonly Outcome[];
  readonly fault?: FaultKind | readonly FaultKind[];
  /** Where ssh itself meets it in another way than ssh2. */
  readonly faultOfSsh?: FaultKind;
}

/** Colours, clears, retitles, reorders and hides, in C0, C1 and Unicode; and what spoils CSV, HTML and prototypes. */
export const EVIL = `\x1b[2J\x1b]0;pwned\x07\x9b31m\u202e\u2066\u200b\u{e0041}\r\b\x00__proto__ =1+1 <b>`;
const EVIL_BYTES = Buffer.from(EVIL).toString('latin1');
/** Without what ends a C string, a word or a line. */
const EVIL_WORD = Buffer.from('\x1b[2J\x9b31m\u202e\u200b\u{e0041}\r\b').toString('latin1');

const unreachable = ['unreachable'] as const;
const refused = ['refused', 'unreachable'] as const;
/** After the change was sent: it is put back, or a person is called. */
const afterChange = ['stranded', 'rolled-back'] as const;
const chunk = Buffer.alloc(16 * 1024, 'x');

const ends = (channel: ServerChannel, code = 0): void => {
  channel.exit(code);
  channel.end();
};
/** The records of an answer without its last, the count. */
const open = (lines: string): string => lines.replace(/^@\w+ \d+ done \d+\n/m, '');
const countOf = (lines: string): number => lines.split('\n').filter((line) => line.startsWith('@')).length;
const closed = (lines: string, nonce: string, seq: number): string =>
  `${lines}@${nonce} ${seq} done ${countOf(lines) + 1}\n`;

const BEFORE: readonly Case[] = [
  {
    name: 'greets without end',
    host: { before: (socket) => pushInto(socket, 'welcome '.repeat(100)) },
    outcomes: unreachable,
  },
  {
    name: 'greets without end or line',
    host: { before: (socket) => pushInto(socket, 'x'.repeat(4096), '') },
    outcomes: unreachable,
  },
  { name: 'never greets', host: { before: () => undefined }, outcomes: unreachable, fault: 'timed-out' },
  {
    name: 'greets a byte at a time',
    host: {
      before: (socket) => {
        const drip = setInterval(() => socket.write('S'), 50);
        socket.on('close', () => clearInterval(drip));
      },
    },
    outcomes: unreachable,
    fault: 'timed-out',
  },
  {
    name: 'speaks another protocol, in colour',
    host: { before: (socket) => void socket.end(`HTTP/1.1 400 ${EVIL}\r\n`) },
    outcomes: unreachable,
  },
  {
    name: 'stalls after its greeting',
    host: { before: (socket) => void socket.write('SSH-2.0-OpenSSH_9.9\r\n') },
    outcomes: unreachable,
    fault: 'timed-out',
  },
  {
    name: 'sends noise after its greeting',
    host: { before: (socket) => pushInto(socket, 'SSH-2.0-OpenSSH_9.9\r\n', '\xff'.repeat(4096)) },
    outcomes: unreachable,
  },
];

const LOGIN: readonly Case[] = [
  {
    name: 'stalls at the login',
    host: { server: { onAuth: () => undefined } },
    outcomes: unreachable,
    fault: 'timed-out',
  },
  {
    name: 'floods at the login',
    host: {
      server: {
        onAuth: () => undefined,
        onClient: (client) =>
          client.on('authentication', () => flood(client, () => send(client, MESSAGE.banner, EVIL.repeat(100), ''))),
      },
    },
    outcomes: unreachable,
    fault: 'unreachable',
  },
  {
    name: 'shows an evil banner and lets in, and does nothing',
    host: {
      server: {
        onClient: (client) => client.on('authentication', () => send(client, MESSAGE.banner, EVIL, EVIL)),
        onCommand: (_command, channel) => ends(channel),
      },
    },
    outcomes: refused,
    faultOfSsh: 'unreachable',
    fault: 'no-shell',
  },
  {
    name: 'disconnects at the login with an evil word',
    host: {
      server: {
        onAuth: () => undefined,
        onClient: (client) =>
          client.on('authentication', () => send(client, MESSAGE.disconnect, { uint32: 2 }, EVIL, EVIL)),
      },
    },
    outcomes: unreachable,
    fault: 'auth',
  },
  {
    name: 'takes methods of evil names',
    host: { server: { onAuth: (context) => context.reject([EVIL as never, 'publickey']) } },
    outcomes: unreachable,
    faultOfSsh: 'timed-out',
    fault: 'auth',
  },
];

const CHANNEL: readonly Case[] = [
  { name: 'opens no channel', host: { server: { onSession: () => undefined } }, outcomes: unreachable },
  { name: 'refuses a channel', host: { server: { onSession: (_accept, reject) => reject() } }, outcomes: unreachable },
  { name: 'runs no command', host: { server: { onExec: (_accept, reject) => reject() } }, outcomes: unreachable },
  {
    name: 'opens channels without end',
    host: {
      command: (_channel, client) => {
        const window = [{ uint32: 2 ** 21 }, { uint32: 2 ** 15 }] as const;
        flood(client, () => {
          send(client, MESSAGE.channelOpen, 'x11', { uint32: 9 }, ...window, EVIL, { uint32: 6000 });
          send(client, MESSAGE.channelOpen, 'auth-agent@openssh.com', { uint32: 9 }, ...window);
          const address = [EVIL, { uint32: 80 }, EVIL, { uint32: 81 }];
          send(client, MESSAGE.channelOpen, 'forwarded-tcpip', { uint32: 9 }, ...window, ...address);
          send(client, MESSAGE.channelOpen, EVIL, { uint32: 9 }, ...window);
        });
      },
    },
    outcomes: unreachable,
  },
];

const COMMAND: readonly Case[] = [
  { name: 'says nothing, for ever', host: { command: () => undefined }, outcomes: unreachable, fault: 'timed-out' },
  {
    name: 'floods stdout',
    host: { command: (channel, client) => pourInto(channel, client, 'stdout') },
    outcomes: refused,
    fault: 'bad-reply',
  },
  {
    name: 'floods stderr',
    host: { command: (channel, client) => pourInto(channel, client, 'stderr') },
    outcomes: refused,
    fault: 'bad-reply',
  },
  {
    name: 'says evil things and exits',
    host: {
      command: (channel) => {
        channel.write(EVIL);
        channel.stderr.write(EVIL);
        ends(channel, 1);
      },
    },
    outcomes: refused,
    fault: 'no-shell',
  },
  {
    name: 'dies of a signal of an evil name',
    host: {
      command: (channel, client) => {
        send(client, MESSAGE.channelRequest, farEnd(channel), 'exit-signal', 0, EVIL, 0, EVIL, EVIL);
        channel.end();
      },
    },
    outcomes: refused,
    fault: 'no-shell',
  },
  {
    name: 'exits twice',
    host: {
      command: (channel) => {
        channel.exit(0);
        ends(channel, 7);
      },
    },
    outcomes: refused,
    fault: 'no-shell',
  },
  { name: 'exits and never closes', host: { command: (channel) => void channel.exit(0) }, outcomes: refused },
  { name: 'closes and never exits', host: { command: (channel) => void channel.close() }, outcomes: unreachable },
  {
    name: 'disconnects with an evil word',
    host: { command: (_channel, client) => send(client, MESSAGE.disconnect, { uint32: 7 }, EVIL, EVIL) },
    outcomes: unreachable,
  },
];

const RECORDS: readonly Case[] = [
  {
    name: 'drops the line in the middle of its answer',
    host: {
      tamper: (lines, { channel, client }) => {
        channel.write(lines.slice(0, lines.length / 2), () =>
          (client as unknown as { _sock: { resetAndDestroy(): void } })._sock.resetAndDestroy(),
        );
        return undefined;
      },
    },
    outcomes: unreachable,
  },
  { name: 'never ends its answer', host: { tamper: open }, outcomes: unreachable, fault: 'timed-out' },
  {
    name: 'miscounts',
    host: { tamper: (lines) => lines.replace(/done \d+/, 'done 3') },
    outcomes: refused,
    fault: 'bad-reply',
  },
  {
    name: 'uses a nonce of its own',
    host: { tamper: (lines, { nonce }) => lines.replaceAll(nonce, 'f'.repeat(24)) },
    outcomes: unreachable,
    fault: 'timed-out',
  },
  {
    name: 'sends a record of 64 KiB',
    host: { tamper: (_lines, { nonce }) => `@${nonce} 0 os NAME=${'x'.repeat(64 * 1024)}` },
    outcomes: refused,
    fault: 'bad-reply',
  },
  {
    name: 'sends 20,001 records',
    host: {
      tamper: (_lines, { nonce, answer }) => closed(`@${nonce} ${answer} os NAME=x\n`.repeat(20_001), nonce, answer),
    },
    outcomes: refused,
    fault: 'bad-reply',
  },
  {
    name: 'has 6,000 units in 18,000 records',
    host: {
      tamper: (lines, { nonce, answer }) => {
        const units = Array.from(
          { length: 6_000 },
          (_, i) =>
            `@${nonce} ${answer} unit Id=u${i}.service\n@${nonce} ${answer} unit LoadState=loaded\n@${nonce} ${answer} unit \n`,
        );
        return closed(open(lines) + units.join(''), nonce, answer);
      },
    },
    outcomes: ['refused', 'masked', 'unchanged', 'rolled-back', 'stranded'],
  },
  {
    name: 'has fifteen refusals of sudo of 64 KB that pattern after pattern could go back and forth in',
    host: {
      tamper: (lines, { nonce }) =>
        closed(
          `${open(lines.replace(/privilege=root/, 'privilege=none'))}${`@${nonce} 0 sudo ${'account '.repeat(7_500)}\n`.repeat(15)}`,
          nonce,
          0,
        ),
    },
    outcomes: refused,
    fault: 'no-privilege',
  },
  {
    name: 'has a chain of 3,800 units that fans out to 60,000 duplicates',
    host: {
      tamper: (lines, { nonce, answer }) => {
        const units = Array.from({ length: 3_800 }, (_, i) => {
          const next = i < 3_799 ? `c${i + 1}.service` : 'end.service '.repeat(5_000);
          return [`Id=c${i}.service`, `RequiredBy=${next}`, '']
            .map((text) => `@${nonce} ${answer} beyond ${text}\n`)
            .join('');
        });
        const first = `@${nonce} ${answer} unit RequiredBy=${'c0.service '.repeat(5_000)}\n`;
        const bomb = lines.replace(/^@\w+ \d+ unit Id=cron\.service\n/m, (id) => id + first);
        return closed(open(bomb) + units.join(''), nonce, answer);
      },
    },
    outcomes: refused,
    fault: 'bad-reply',
  },
  {
    name: 'has a chain as long as is taken, which fans out at every unit',
    host: {
      tamper: (lines, { nonce, answer }) => {
        const units = Array.from({ length: 2_000 }, (_, i) =>
          [`Id=c${i}.service`, `RequiredBy=${`c${i + 1}.service `.repeat(7)}`, '']
            .map((text) => `@${nonce} ${answer} beyond ${text}\n`)
            .join(''),
        );
        const first = `@${nonce} ${answer} unit RequiredBy=c0.service\n`;
        const bomb = lines.replace(/^@\w+ \d+ unit Id=cron\.service\n/m, (id) => id + first);
        return closed(open(bomb) + units.join(''), nonce, answer);
      },
    },
    outcomes: ['masked', 'refused', 'rolled-back', 'stranded'],
  },
  {
    name: 'has 14,000 lines of unit files that speak of its unit',
    host: {
      tamper: (lines, { nonce, answer }) =>
        closed(
          open(lines) +
            Array.from(
              { length: 14_000 },
              (_, i) => `@${nonce} ${answer} found /usr/share/dbus-1/services/s${i}.service Name=n${i}\n`,
            ).join(''),
          nonce,
          answer,
        ),
    },
    outcomes: refused,
    fault: 'bad-reply',
  },
  {
    name: 'says everything in pieces of a byte',
    host: {
      command: (channel, client) =>
        flood(client, () => {
          if (!channel.writable) throw new Error('closed');
          channel.write('x');
        }),
    },
    outcomes: refused,
    fault: 'bad-reply',
  },
  {
    name: 'is an evil distribution',
    host: { tamper: (lines) => lines.replace(/^(@\w+ \d+ os \w+)=.*/gm, (_, head) => `${head}="${EVIL_WORD}"`) },
    outcomes: ['masked', 'refused'],
  },
  {
    name: 'has an evil systemd',
    host: {
      tamper: (lines) =>
        lines.replace(/^(@\w+ \d+ manager \w+)=.*/gm, (_, head) => `${head}=${EVIL_BYTES.replaceAll('\n', '')}`),
    },
    outcomes: ['refused', 'masked', 'rolled-back', 'stranded'],
  },
  {
    name: 'gives its privilege an evil reason',
    host: {
      tamper: (lines, { nonce }) =>
        closed(`${open(lines.replace(/privilege=root/, 'privilege=none'))}@${nonce} 0 sudo ${EVIL_WORD}\n`, nonce, 0),
    },
    outcomes: refused,
    fault: 'no-privilege',
  },
  {
    name: 'puts evil into every property of every unit',
    host: {
      tamper: (lines) =>
        lines.replace(
          /^(@\w+ \d+ (?:unit|related) (?!Id|Names|LoadState|CanStart)\w+)=(.*)/gm,
          (_, head, value) => `${head}=${value}${EVIL_WORD}`,
        ),
    },
    outcomes: ['rolled-back', 'stranded', 'refused', 'masked'],
  },
  {
    name: 'has evil paths and links',
    host: {
      tamper: (lines, { nonce, answer }) =>
        closed(
          `${open(lines)}@${nonce} ${answer} path link /etc/systemd/system/cron.service.d/${EVIL_WORD} ${EVIL_WORD}\n` +
            `@${nonce} ${answer} path link /etc/systemd/system/../../x /y\n@${nonce} ${answer} path link /usr/lib/systemd/system/cron.service ${EVIL_WORD}\n`,
          nonce,
          answer,
        ),
    },
    outcomes: ['refused', 'masked', 'rolled-back', 'stranded'],
  },
];

/**
 * The host behaves until it has been told to change something, and again when it is to put that back: one that never does
 * costs the 150 s that a rollback has, and is tested with a clock of its own in test/run.
 */
const afterwards = (tamper: Extract<Misbehaviour, { tamper: unknown }>['tamper']): Misbehaviour => {
  let done = false;
  return {
    tamper(lines, wire) {
      if (wire.answer === 0 || done) return lines;
      done = true;
      return tamper(lines, wire);
    },
  };
};

const CHANGE: readonly Case[] = [
  { name: 'never answers to the change', host: afterwards(() => undefined), outcomes: afterChange },
  {
    name: 'drops the line in the middle of the change',
    host: afterwards((lines, { channel, client }) => {
      channel.write(lines.slice(0, 50), () => (client as unknown as { _sock: { destroy(): void } })._sock.destroy());
      return undefined;
    }),
    outcomes: afterChange,
  },
  {
    name: 'exits in the middle of the change',
    host: afterwards((_lines, { channel }) => {
      ends(channel, 0);
      return undefined;
    }),
    outcomes: afterChange,
  },
  {
    name: 'repeats the answer to the probe',
    host: afterwards((lines) => lines.replace(/^(@\w+) \d+/gm, '$1 0')),
    outcomes: afterChange,
  },
  {
    name: 'claims success for nothing it shows',
    host: afterwards((_lines, { nonce, answer }) => closed(`@${nonce} ${answer} step link 0\n`, nonce, answer)),
    outcomes: afterChange,
  },
  {
    name: 'says evil things in every step and refuses',
    host: afterwards((lines, { nonce, answer }) =>
      closed(
        `@${nonce} ${answer} refused write ${EVIL_WORD}\n${open(lines)}@${nonce} ${answer} step ${EVIL_WORD} 9\n@${nonce} ${answer} said ${EVIL_WORD} ${EVIL_WORD}\n@${nonce} ${answer} foreign ${EVIL_WORD}\n@${nonce} ${answer} left 1 1 /${EVIL_WORD}\n`,
        nonce,
        answer,
      ),
    ),
    outcomes: ['stranded', 'rolled-back', 'refused'],
  },
  {
    name: 'answers that the unit is still not masked',
    host: afterwards((lines) =>
      lines
        .replace(/LoadState=masked/g, `LoadState=loaded${EVIL_WORD}`)
        .replace(/ActiveState=inactive/g, `ActiveState=active${EVIL_WORD}`),
    ),
    outcomes: ['rolled-back', 'stranded'],
  },
  {
    name: 'floods instead of answering to the change',
    host: afterwards((_lines, { channel, client }) => {
      pourInto(channel, client, 'stdout');
      return undefined;
    }),
    outcomes: afterChange,
  },
];

export const CASES: readonly Case[] = [...BEFORE, ...LOGIN, ...CHANNEL, ...COMMAND, ...RECORDS, ...CHANGE];

function pushInto(socket: import('node:net').Socket, first: string, rest = `${first}\r\n`): void {
  const push = (): void => {
    for (let n = 0; n < 256 && !socket.destroyed; n++) {
      if (!socket.write(rest === '' ? first : rest, 'latin1')) return;
    }
    setImmediate(push);
  };
  socket.on('drain', push);
  socket.write(first, 'latin1');
  push();
}

/** More output than any window allows, for as long as somebody takes it. */
function pourInto(channel: ServerChannel, client: import('ssh2').Connection, stream: 'stdout' | 'stderr'): void {
  const { outgoing } = channel as unknown as { outgoing: { window: number } };
  flood(client, () => {
    outgoing.window = 1e9; // a server that keeps to no window
    if (!channel.writable) throw new Error('closed');
    if (stream === 'stdout') channel.write(chunk);
    else channel.stderr.write(chunk);
  });
}
