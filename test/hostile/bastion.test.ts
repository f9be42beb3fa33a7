/** Bastions that lie, hang, or go at the worst moment: they cost the hosts behind them, and nobody else. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Connection, ServerChannel } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { printable } from '../../src/model/index.ts';
import { type Operator, operator, type Run } from '../operator.ts';
import { knownLine, type Scratch, scratch } from '../transport/openssh.ts';
import { startServer, startTcp } from '../transport/server.ts';
import { send } from './hostile-host.ts';

const OPEN_FAILURE = 92;

/** Both hosts ask at once, for the client's channels 0 and 1. */
let refused = 0;

/** What becomes of a request for a channel to a host of the fleet. */
type Forwarding = (port: number, accept: () => ServerChannel, client: Connection) => void;
interface Bastion {
  readonly does: string;
  readonly by: { readonly tcp: Parameters<typeof startTcp>[0] } | { readonly forwarding: Forwarding };
  /** How the hosts behind it end: outcome and kind. */
  readonly ends: readonly [outcome: string, kind: string | undefined];
  readonly says?: RegExp;
}

let files: Scratch;
let fleet: Fleet;
let alice: Operator;
const open: { close(): void }[] = [];

const joined = (port: number, channel: ServerChannel, pass = (_chunk: Buffer): boolean => true): void => {
  const socket = connect(port, '127.0.0.1').on('error', () => channel.close());
  channel.on('error', () => undefined);
  channel.pipe(socket);
  socket.on('data', (chunk: Buffer) => {
    if (pass(chunk)) channel.write(chunk);
  });
  socket.on('close', () => channel.close());
};

const BASTIONS: readonly Bastion[] = [
  {
    does: 'is what it should be',
    by: { forwarding: (port, accept) => joined(port, accept()) },
    ends: ['masked', undefined],
  },
  { does: 'says nothing', by: { tcp: () => undefined }, ends: ['unreachable', 'timed-out'], says: /jump host/ },
  {
    does: 'greets, and says no more',
    by: { tcp: (socket) => void socket.write('SSH-2.0-OpenSSH_9.9\r\n') },
    ends: ['unreachable', 'timed-out'],
    says: /jump host.* got as far as key exchange/,
  },
  { does: 'never opens a channel', by: { forwarding: () => undefined }, ends: ['unreachable', 'timed-out'] },
  {
    does: 'opens a channel that leads nowhere',
    by: { forwarding: (_port, accept) => void accept() },
    ends: ['unreachable', 'timed-out'],
    says: /through .* got as far as greeting/,
  },
  {
    does: 'refuses in its own colours',
    by: {
      forwarding: (_port, _accept, client) =>
        send(client, OPEN_FAILURE, { uint32: refused++ }, { uint32: 1 }, '\x1b[2J\x1b]0;owned\x07not\u202e you', ''),
    },
    ends: ['unreachable', 'unreachable'],
    says: /\\x1b\[2J/,
  },
  {
    does: 'sends rubbish without end',
    by: {
      forwarding: (_port, accept) => {
        const channel = accept();
        channel.on('error', () => undefined);
        const more = (): void => {
          while (channel.writable && channel.write(Buffer.alloc(32_768, 'x'))) {}
        };
        channel.on('drain', more);
        more();
      },
    },
    ends: ['unreachable', 'unreachable'],
  },
  {
    does: 'leads to another host',
    by: { forwarding: (port, accept) => joined(elsewhere(port), accept()) },
    ends: ['unreachable', 'host-key'],
    says: /CHANGED/,
  },
  {
    does: 'keeps the answer to the change to itself, and is gone',
    by: {
      forwarding: (port, accept, client) =>
        joined(port, accept(), () => {
          if (!existsSync(join(machineAt(port), 'etc/systemd/system/cron.service'))) return true;
          gone.add(port);
          client.end();
          return false;
        }),
    },
    ends: ['stranded', 'lost'],
    says: /jump host .* was lost/,
  },
];
/** Hosts whose bastion has gone: it lets nobody through to them any more. */
const gone = new Set<number>();

const machineAt = (port: number): string => fleet.hosts.find((host) => host.port === port)!.dir;
const elsewhere = (port: number): number => fleet.hosts.find((host) => host.port !== port)!.port;
const hostsBehind = (i: number): string[] => [`behind${i}a`, `behind${i}b`];
const DIRECT = ['direct1', 'direct2'];

beforeAll(async () => {
  files = scratch();
  const model = DEMO_HOSTS.find(({ name }) => name === 'deb-web1')!;
  const names = [...DIRECT, ...BASTIONS.flatMap((_, i) => hostsBehind(i))];
  fleet = await startFleet(
    names.map((name) => ({ ...model, name })),
    { path: process.env.PATH ?? '', tempDir: tmpdir() },
  );
  const key = fleet.privateKeyPath;
  writeFileSync(`${key}.pub`, execFileSync('ssh-keygen', ['-y', '-f', key]));
  const known: string[] = [];
  const lines = DIRECT.map((name) => `${name} ansible_port=${portOf(name)}`);
  for (const [i, { by }] of BASTIONS.entries()) {
    const bastion = 'tcp' in by ? { ...(await startTcp(by.tcp)), hostKeys: [] } : await forwarder(key, by.forwarding);
    open.push(bastion);
    known.push(...bastion.hostKeys.map((each) => knownLine(bastion.port, each)));
    const way = `ansible_ssh_common_args='-J 127.0.0.1:${bastion.port}'`;
    lines.push(...hostsBehind(i).map((name) => `${name} ansible_port=${portOf(name)} ${way}`));
  }
  files.write('hosts.ini', [...lines, '[all:vars]', 'ansible_host=127.0.0.1', ''].join('\n'));
  files.write('known_hosts', readFileSync(fleet.knownHostsPath, 'utf8') + known.join(''));
  alice = operator();
});
afterAll(async () => {
  for (const one of open) one.close();
  alice?.dispose();
  await fleet?.dispose();
  files?.close();
});

const portOf = (name: string): number => fleet.hosts.find((host) => host.name === name)!.port;

function forwarder(key: string, forwarding: Forwarding) {
  return startServer(files, [key], {
    onClient: (client) => {
      client.on('tcpip', (accept, reject, { destPort }) => {
        if (gone.has(destPort)) reject();
        else forwarding(destPort, accept, client);
      });
    },
  });
}

const way = () => [
  ...['--known-hosts', files.path('known_hosts'), '--private-key', fleet.privateKeyPath],
  ...['-T', '8s', '--host-timeout', '20s', '-o', 'json'],
];

describe('a bastion that', () => {
  let run: Run;
  let seconds: number;
  beforeAll(async () => {
    const started = performance.now();
    const inventory = ['-i', files.path('hosts.ini'), '-F', 'none'];
    run = await alice.run('mask', 'cron', '--now', '-y', '-l', 'all', ...inventory, ...way());
    seconds = (performance.now() - started) / 1000;
  });

  it.each(BASTIONS.map((each, i) => [each.does, i, each] as const))('%s', (_does, i, { ends, says }) => {
    for (const name of hostsBehind(i)) {
      const { outcome, fault } = run.on(name);
      expect([outcome, fault?.kind], fault?.message).toEqual(ends);
      if (says !== undefined) expect(fault?.message).toMatch(says);
    }
  });

  it('is hostile does not touch other hosts, nor hold up the run, nor the screen', () => {
    for (const name of DIRECT) expect(run.on(name)).toMatchObject({ outcome: 'masked', fault: null });
    expect(seconds).toBeLessThan(180);
    for (const text of [run.stdout, run.stderr])
      expect(printable(text.replaceAll('\n', ''), Infinity)).toBe(text.replaceAll('\n', ''));
  });

  it('has gone is not needed to put its hosts back', async () => {
    const direct = files.write(
      'direct.ini',
      fleet.hosts.map(({ name, port }) => `${name} ansible_host=127.0.0.1 ansible_port=${port}\n`).join(''),
    );
    const back = await alice.run('rollback', 'last', '-y', '-i', direct, '-F', 'none', ...way());
    expect(back.code, back.stderr).toBe(0);
    for (const name of hostsBehind(BASTIONS.length - 1)) {
      expect(back.on(name).outcome).toBe('restored');
      expect(existsSync(join(machineAt(portOf(name)), 'etc/systemd/system/cron.service'))).toBe(false);
    }
  });
});
