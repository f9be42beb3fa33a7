/** `-k` among hosts that would like to have the password: who sees it, and where it is never seen. */
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { type Operator, operator, type Run } from '../operator.ts';
import { knownLine, type Scratch, scratch } from '../transport/openssh.ts';
import type { Behaviour } from '../transport/server.ts';
import { type HostileHost, MESSAGE, send, startHostile } from './hostile-host.ts';

const SECRET = 'Tr0ub4dor&3';
type OnAuth = NonNullable<Behaviour['onAuth']>;

let files: Scratch;
let fleet: Fleet;
const hosts = new Map<string, HostileHost>();
const seen: string[] = [];
let asked: string[] = [];
let alice: Operator;

/** Lets in by password alone. */
const byPassword =
  (name: string, right = SECRET): OnAuth =>
  (context) => {
    if (context.method !== 'password') return context.reject(['password']);
    seen.push(`${name}: ${context.password}`);
    if (context.password === right) context.accept();
    else context.reject(['password']);
  };

beforeAll(async () => {
  files = scratch();
  const model = DEMO_HOSTS.find(({ name }) => name === 'deb-web1')!;
  const names = ['good1', 'good2', 'keyed', 'thief', 'wrong1', 'wrong2', 'nagger'];
  fleet = await startFleet(
    names.map((name) => ({ ...model, name })),
    { path: process.env.PATH ?? '', tempDir: tmpdir() },
  );
  const key = files.key('id');
  const logins: Record<string, OnAuth | undefined> = {
    good1: byPassword('good1'),
    good2: byPassword('good2'),
    keyed: undefined,
    // whatever it is given, it tells everybody
    thief: (context) => {
      if (context.method !== 'password') return context.reject(['password']);
      send(hosts.get('thief')!.clients!.at(-1)!, MESSAGE.disconnect, { uint32: 2 }, `not ${context.password}!`, '');
    },
    wrong1: byPassword('wrong1', 'another'),
    wrong2: byPassword('wrong2', 'another'),
    nagger: (context) => {
      if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
      const ask = (): void =>
        context.prompt([{ prompt: '\x1b[2JPassword: ', echo: false }], ([answer]) => {
          seen.push(`nagger: ${answer}`);
          ask();
        });
      ask();
    },
  };
  for (const [name, onAuth] of Object.entries(logins)) {
    const machine = fleet.hosts.find((host) => host.name === name)!.dir;
    const honest = { tamper: (lines: string) => lines, ...(onAuth === undefined ? {} : { onAuth }) };
    hosts.set(name, await startHostile(files, key, name, honest, machine));
  }
  const lines = [...hosts.values()].map(({ name, port }) => `${name} ansible_port=${port}`);
  const all = ['[all:vars]', 'ansible_host=127.0.0.1', `ansible_ssh_private_key_file=${key}`, ''];
  files.write('hosts.ini', [...lines, ...all].join('\n'));
  const known = [...hosts.values()].flatMap(({ port, hostKeys }) => hostKeys.map((each) => knownLine(port, each)));
  files.write('known_hosts', known.join(''));
  alice = operator({
    prompt: async (question, answer) => {
      asked.push(`${answer}: ${question}`);
      return SECRET;
    },
  });
});
afterAll(async () => {
  for (const host of hosts.values()) host.close();
  alice?.dispose();
  await fleet?.dispose();
  files?.close();
});

async function mask(limit: string, ...more: string[]): Promise<Run> {
  asked = [];
  seen.length = 0;
  const where = ['-i', files.path('hosts.ini'), '--known-hosts', files.path('known_hosts'), '-l', limit];
  return await alice.run('mask', 'cron', '--now', '-y', '-o', 'json', ...where, ...more);
}

describe('-k', () => {
  it('asks once, hidden, before anything is connected, and lets in where no key does', async () => {
    const run = await mask('good1,good2,keyed', '-k');
    expect(run.report.totals, run.stdout).toEqual({ masked: 3 });
    expect(asked).toEqual([expect.stringMatching(/^hidden: .*SSH password/)]);
    expect(seen.toSorted()).toEqual([`good1: ${SECRET}`, `good2: ${SECRET}`]);
  });

  it('shows a wrong password to one host, whatever the others are', async () => {
    const run = await mask('wrong1,wrong2,keyed', '-k', '-f', '1');
    expect(run.on('keyed').outcome).toBe('unchanged');
    expect(seen).toEqual([`wrong1: ${SECRET}`]);
    expect(run.on('wrong1').fault).toMatchObject({ kind: 'auth', message: expect.stringContaining('was refused') });
    expect(run.on('wrong2').fault).toMatchObject({
      kind: 'auth',
      message: expect.stringContaining('wrong1 refused it'),
    });
    expect(run.code).toBe(4);
  });

  it('answers one prompt of a host that asks for ever', async () => {
    const run = await mask('nagger,keyed', '-k');
    expect(seen).toEqual([`nagger: ${SECRET}`]);
    expect(run.on('keyed').outcome).toBe('unchanged');
    expect(run.on('nagger').fault?.kind).toBe('auth');
  });

  it('reads the password from a file as well', async () => {
    const run = await mask('good1', '--password-file', files.write('password', `${SECRET}\n`));
    expect(run.on('good1').outcome).toBe('unchanged');
    expect(asked).toEqual([]);
  });

  it('leaves the password in no output, journal or report, even when a host repeats it', async () => {
    const runs = [await mask('thief', '-k'), await mask('wrong1', '-k'), await mask('good1', '-k')];
    expect(runs[0]!.on('thief').fault?.message).toContain('not ***!');
    for (const args of [['-v'], ['-o', 'json']]) {
      const at = ['-i', files.path('hosts.ini'), '--known-hosts', files.path('known_hosts')];
      runs.push(await alice.run('doctor', '-k', ...at, ...args), await alice.run('runs', 'show', 'last', ...args));
    }
    const texts = runs.flatMap(({ stdout, stderr }) => [stdout, stderr]);
    for (const entry of readdirSync(alice.home, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) texts.push(readFileSync(join(entry.parentPath, entry.name), 'utf8'));
    }
    expect(texts.length).toBeGreaterThan(10);
    for (const text of texts) expect(text).not.toContain(SECRET);
  });
});
