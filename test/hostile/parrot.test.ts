/** Hosts that repeat the password they were told, in whatever they are asked: it is shown and kept nowhere. */
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { type Operator, operator } from '../operator.ts';
import { knownLine, type Scratch, scratch } from '../transport/openssh.ts';
import type { Behaviour } from '../transport/server.ts';
import { type HostileHost, type Misbehaviour, startHostile } from './hostile-host.ts';

const SECRET = 'Tr0ub4dör&3 "w\\o\'rd`';
/** What betrays it, escaped or cut off. */
const BETRAYAL = /r0ub4|4d(?:ö|Ã¶|\\xc3\\xb6)r/;
const BYTES = Buffer.from(SECRET).toString('latin1');

const byPassword: NonNullable<Behaviour['onAuth']> = (context) => {
  if (context.method !== 'password') return context.reject(['password']);
  if (context.password === SECRET) context.accept();
  else context.reject(['password']);
};
const inserting = (where: RegExp, word = BYTES): Misbehaviour => ({
  tamper: (lines) => lines.replace(where, (_, head, value = '') => `${head}${value}${word}`),
});

const PARROTS: Readonly<Record<string, Misbehaviour>> = {
  'its distribution': inserting(/^(@\w+ \d+ os \w+=).*/gm),
  'its systemd': inserting(/^(@\w+ \d+ manager SystemState=)(.*)/gm),
  'every property': inserting(/^(@\w+ \d+ unit (?!Id|Names|ControlGroup|TriggeredBy|LoadState)\w+=)(.*)/gm),
  'states after the change': inserting(/^(@\w+ [1-9]\d* unit ActiveState=)(.*)/gm),
  'what systemctl said': {
    tamper: (lines, { nonce, answer }) =>
      answer === 0
        ? lines
        : lines.replace(
            /^@\w+ \d+ (step \S+) \d+\n(@\w+ \d+ said .*\n)*/gm,
            (_, step) => `@${nonce} ${answer} ${step} 1\n@${nonce} ${answer} said ${step.slice(5)} ${BYTES}\n`,
          ),
  },
  'why it has no privilege': {
    tamper: (lines, { nonce }) => {
      const none = lines.replace(/privilege=root/, 'privilege=none').replace(/^@\w+ \d+ done .*\n/m, '');
      const told = `${none}@${nonce} 0 sudo ${'x'.repeat(390)}${BYTES}\n`;
      return `${told}@${nonce} 0 done ${told.split('\n').filter((line) => line.startsWith('@')).length + 1}\n`;
    },
  },
  'its last words': {
    command: (channel) => {
      channel.stderr.write(`sh: ${SECRET}: not found\n`);
      channel.exit(127);
      channel.end();
    },
  },
  'its first words, cut off': {
    command: (channel) => {
      channel.write(`${'x'.repeat(194)}${SECRET}\n`);
      channel.exit(1);
      channel.end();
    },
  },
  'bytes on its output': {
    command: (channel) => {
      channel.write(`-bash: ${SECRET}\n`);
      channel.exit(1);
      channel.end();
    },
  },
};
const NAMES = Object.keys(PARROTS);

let files: Scratch;
let fleet: Fleet;
let alice: Operator;
const hosts: HostileHost[] = [];
const texts: string[] = [];

beforeAll(async () => {
  files = scratch();
  const model = DEMO_HOSTS.find(({ name }) => name === 'deb-web1')!;
  fleet = await startFleet(
    NAMES.map((_, i) => ({ ...model, name: `parrot${i}` })),
    { path: process.env.PATH ?? '', tempDir: tmpdir() },
  );
  const key = files.key('id');
  for (const [i, name] of NAMES.entries()) {
    const does = PARROTS[name]!;
    const { port, hostKeys, close } =
      'command' in does
        ? await startHostile(
            files,
            key,
            name,
            { server: { onAuth: byPassword, onCommand: (_c, channel, client) => does.command(channel, client) } },
            '',
          )
        : await startHostile(
            files,
            key,
            name,
            { ...(does as { tamper: never }), onAuth: byPassword },
            fleet.hosts[i]!.dir,
          );
    hosts.push({ name: `parrot${i}`, port, hostKeys, close });
  }
  files.write('secret', SECRET);
  files.write(
    'hosts.ini',
    [...hosts.map(({ name, port }) => `${name} ansible_port=${port}`), '[all:vars]', 'ansible_host=127.0.0.1', ''].join(
      '\n',
    ),
  );
  files.write(
    'known_hosts',
    hosts.flatMap(({ port, hostKeys }) => hostKeys.map((each) => knownLine(port, each))).join(''),
  );
  alice = operator();
  const way = ['-i', files.path('hosts.ini'), '--known-hosts', files.path('known_hosts'), '-F', 'none', '-l', 'all'];
  const told = [...way, '--password-file', files.path('secret'), '--host-timeout', '10s'];
  for (const args of [
    ['mask', 'cron', '--now', '-y', '-o', 'json'],
    ['rollback', 'last', '-y', '--known-hosts', files.path('known_hosts'), '--password-file', files.path('secret')],
    ['mask', 'cron', '--now', '-y', '-v'],
    ['status', 'cron', '-o', 'ndjson'],
    ['doctor', '-v'],
    ['doctor', '-o', 'json'],
    ['runs', 'show', 'last', '-v'],
    ['runs', 'show', 'last', '-o', 'json'],
  ]) {
    const { stdout, stderr } = await alice.run(...args, ...(/runs|rollback/.test(args[0]!) ? [] : told));
    texts.push(stdout, stderr);
  }
  for (const entry of readdirSync(alice.stateDir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) texts.push(readFileSync(join(entry.parentPath, entry.name), 'utf8'));
  }
});
afterAll(async () => {
  for (const host of hosts) host.close();
  alice?.dispose();
  await fleet?.dispose();
  files?.close();
});

describe('a password that a host repeats', () => {
  it.each(NAMES.map((name, i) => [name, i] as const))('in %s is hidden', (_name, i) => {
    const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.includes(`parrot${i}`));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).not.toMatch(BETRAYAL);
  });

  it('is in no text at all, and its place is marked', () => {
    expect(texts.length).toBeGreaterThan(17);
    for (const text of texts) expect(text).not.toMatch(BETRAYAL);
    expect(texts.filter((text) => text.includes('***')).length).toBeGreaterThan(8);
  });
});
