/** The whole command line against hosts that mean harm, beside hosts that do not. Once a process: the hosts remember. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, type HostSpec, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { printable } from '../../src/model/index.ts';
import { type Operator, operator, type Run } from '../operator.ts';
import { knownLine, type Scratch, scratch } from '../transport/openssh.ts';
import { type HostileHost, startHostile } from './hostile-host.ts';
import { CASES } from './misbehaviours.ts';

/** Stated in test/README.md. Of this process, which is client and servers in one. */
const MAX_GROWTH_MIB = 150;
const HONEST = ['deb-web1', 'el-app1', 'arch-ci1'];
const HOST_TIMEOUT_S = 15;

let files: Scratch;
let fleet: Fleet;
let alice: Operator;
let mallory: HostileHost[];
let inventory: string;
let knownHosts: string;

beforeAll(async () => {
  files = scratch();
  const honest = DEMO_HOSTS.filter(({ name }) => HONEST.includes(name));
  // each hostile host has a machine of its own behind it
  const model = DEMO_HOSTS.find(({ name }) => name === 'deb-web1')!;
  const machines: HostSpec[] = CASES.map((_, i) => ({ ...model, name: `machine${i}` }));
  fleet = await startFleet([...honest, ...machines], { path: process.env.PATH ?? '', tempDir: tmpdir() });
  const dirOf = (name: string): string => fleet.hosts.find((host) => host.name === name)!.dir;
  const key = files.key('id');
  mallory = await Promise.all(
    CASES.map(({ host }, i) => startHostile(files, key, `evil${i}`, host, dirOf(`machine${i}`))),
  );
  const lines = fleet.hosts
    .filter(({ name }) => HONEST.includes(name))
    .map(
      ({ name, port }) =>
        `${name} ansible_port=${port} ansible_user=demo ansible_ssh_private_key_file=${fleet.privateKeyPath}`,
    );
  const evil = mallory.map(({ name, port }) => `${name} ansible_port=${port} ansible_ssh_private_key_file=${key}`);
  inventory = files.write('hosts.ini', [...evil, ...lines, '[all:vars]', 'ansible_host=127.0.0.1', ''].join('\n'));
  knownHosts = files.path('known_hosts');
  const known = mallory.flatMap(({ port, hostKeys }) => hostKeys.map((each) => knownLine(port, each)));
  writeFileSync(knownHosts, readFileSync(fleet.knownHostsPath, 'utf8') + known.join(''));
  alice = operator();
});
afterAll(async () => {
  for (const host of mallory ?? []) host.close();
  alice?.dispose();
  await fleet?.dispose();
  files?.close();
});

const by = (transport: 'ssh2' | 'openssh') => () => [
  '--transport',
  transport,
  '-i',
  inventory,
  '--known-hosts',
  knownHosts,
  '-T',
  '8s',
  '-f',
  '16',
  '--host-timeout',
  `${HOST_TIMEOUT_S}s`,
];

export function amongHostile(transport: 'ssh2' | 'openssh'): void {
  const common = by(transport);
  describe(`a run among hosts that mean harm, over ${transport}`, () => {
    let run: Run;
    let seconds: number;
    let growth: number;

    beforeAll(async () => {
      await alice.run('status', 'cron', '-l', HONEST.join(','), ...common());
      const before = process.memoryUsage().rss;
      let peak = before;
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().rss);
      }, 20);
      const started = performance.now();
      run = await alice.run('mask', 'cron', '--now', '-y', '-l', 'all', '-o', 'json', ...common());
      seconds = (performance.now() - started) / 1000;
      clearInterval(watch);
      growth = (peak - before) / 2 ** 20;
    });

    it('finishes in bounded time', () => {
      expect(seconds).toBeLessThan(180);
      expect([5, 6]).toContain(run.code);
    });

    it('is right about the other hosts', () => {
      for (const name of HONEST) expect(run.on(name), name).toMatchObject({ outcome: 'masked', fault: null });
    });

    it.each(CASES.map((each, i) => [each.name, `evil${i}`, each] as const))(
      'settles a host that %s',
      (_what, name, each) => {
        const { outcome, fault } = run.on(name);
        expect(each.outcomes, JSON.stringify(fault)).toContain(outcome);
        const faults = (transport === 'openssh' && each.faultOfSsh) || each.fault;
        if (faults !== undefined) expect([faults].flat(), fault?.message).toContain(fault?.kind);
      },
    );

    it(`grows by less than ${MAX_GROWTH_MIB} MiB`, () => {
      expect(growth).toBeLessThan(MAX_GROWTH_MIB);
    });

    it('prints and records nothing unescaped, in any format', async () => {
      const more = await Promise.all([
        ...[[], ['-v'], ['-o', 'ndjson']].map((args) => alice.run('status', 'cron', ...args, ...common())),
        ...[[], ['-o', 'json']].map((args) => alice.run('doctor', ...args, ...common())),
        ...[['list'], ['show', 'last'], ['show', 'last', '-v']].map((args) => alice.run('runs', ...args)),
      ]);
      for (const { stdout, stderr } of [run, ...more]) expect([...unsafe(stdout), ...unsafe(stderr)]).toEqual([]);
      const journals = readdirSync(alice.stateDir, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      );
      expect(journals.length).toBeGreaterThan(0);
      for (const entry of journals)
        expect(unsafe(readFileSync(join(entry.parentPath, entry.name), 'utf8'))).toEqual([]);
    });
  });
}

/** The characters of a text that a screen would obey, each with what stands around it. */
function unsafe(text: string): string[] {
  const found: string[] = [];
  let at = 0;
  for (const char of text) {
    if (char !== '\n' && printable(char) !== char) found.push(printable(text.slice(Math.max(0, at - 40), at + 20)));
    at += char.length;
  }
  return found.slice(0, 5);
}
