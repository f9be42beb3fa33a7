/** What doctor finds out, and how host keys that nobody knows are shown. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { skewOf } from '../../src/operations/doctor.ts';
import { type Operator, operator } from '../operator.ts';

let fleet: Fleet;
let alice: Operator;

beforeAll(async () => {
  const model = DEMO_HOSTS.find(({ name }) => name === 'deb-web1')!;
  const { image } = model;
  const degraded = { ...image.files, '/sim/manager': "Version='257.1'\nSystemState='degraded'\n" };
  fleet = await startFleet(
    [
      { ...model, name: 'fine' },
      { ...model, name: 'degraded', image: { ...image, files: degraded } },
      { ...model, name: 'late', image: { ...image, privilege: 'sudo' } },
      { ...model, name: 'powerless', image: { ...image, privilege: 'none' } },
    ],
    { path: process.env.PATH ?? '', tempDir: tmpdir() },
  );
  const clock = join(fleet.hosts.find(({ name }) => name === 'late')!.dir, 'shim/date');
  writeFileSync(clock, '#!/bin/sh\necho $(($(/bin/date +%s) - 150))\n');
  chmodSync(clock, 0o755);
  alice = operator();
});
afterAll(async () => {
  alice.dispose();
  await fleet.dispose();
});

const known = () => ['--known-hosts', fleet.knownHostsPath];
const at = () => ['-i', fleet.inventoryPath];

describe('doctor', () => {
  it('tells of each host how it was reached and what it is', async () => {
    const run = await alice.run('doctor', ...at(), ...known(), '-o', 'json');
    expect(run.code).toBe(4);
    const { hosts } = JSON.parse(run.stdout) as { hosts: { host: string; clockSkew: number }[] };
    const on = (name: string) => hosts.find(({ host }) => host === name);
    expect(on('fine')).toMatchObject({
      hostKey: 'ssh-ed25519',
      strictKex: true,
      login: [{ method: 'publickey', identity: expect.stringMatching(/^ssh-ed25519 SHA256:.* from \//) }],
      privilege: { kind: 'root' },
      os: { id: 'debian', version: '12' },
      systemd: 252,
      systemdState: 'running',
      clockSkew: 0,
      fault: null,
      troubles: [],
    });
    expect(on('degraded')).toMatchObject({ systemdState: 'degraded', troubles: [{ message: 'systemd is degraded' }] });
    expect(on('late')).toMatchObject({ privilege: { kind: 'sudo' }, troubles: [{ hint: expect.any(String) }] });
    expect(on('late')!.clockSkew).toBeGreaterThanOrEqual(-152);
    expect(on('late')!.clockSkew).toBeLessThanOrEqual(-148);
    expect(on('powerless')).toMatchObject({ fault: { kind: 'no-privilege' } });
  });

  it('shows it in a table, with a hint for each trouble', async () => {
    const { stdout } = await alice.run('doctor', ...at(), ...known());
    expect(stdout).toMatch(/^fine +demo by +ed25519 +root +debian +252 +0 s +ok$/m);
    expect(stdout).toMatch(/degraded: systemd is degraded\n {2}hint: /);
    expect(stdout).toMatch(/late: its clock is \d+ s behind\n {2}hint: /);
    expect(stdout).toContain('by ssh-ed25519 SHA256:');
    expect(stdout).toContain('4 hosts: 3 ready, 1 not');
  });
});

describe('clocks', () => {
  it.each([
    [null, 1_000, 2_000, null],
    [1, 1_000, 1_999, 0],
    [2, 1_900, 2_100, 0],
    [1, 1_900, 2_100, 0],
    [0, 1_900, 2_100, -1],
    [60, 1_900, 2_100, 58],
  ])('that say %j when asked at %i and heard at %i are %j s ahead', (time, asked, answered, ahead) => {
    expect(skewOf(time, asked, answered)).toBe(ahead);
  });
});

describe('host keys that nobody knows', () => {
  it('are shown once, all together, with the way forward', async () => {
    const nothing = join(alice.home, 'empty');
    const run = await alice.run('status', 'cron', ...at(), '--known-hosts', nothing);
    expect(run.code).toBe(4);
    expect(run.stdout.match(/are not known; nobody was logged in to/g)).toHaveLength(1);
    expect(run.stdout.match(/^ {2}ssh-ed25519 SHA256:\S{43} \w+$/gm)).toHaveLength(4);
    expect(run.stdout.match(/hint:/g)).toHaveLength(1);
    expect(run.stdout).toContain('--host-key-checking accept-new');
    expect(run.stdout).not.toContain('Unknown host key');
  });

  it('come with their lines for known_hosts when asked for, and those do', async () => {
    const nothing = join(alice.home, 'empty');
    const run = await alice.run('status', 'cron', ...at(), '--known-hosts', nothing, '-v');
    const lines = run.stdout.split('\n').filter((line) => line.startsWith('[127.0.0.1]:'));
    expect(lines.toSorted()).toEqual(readFileSync(fleet.knownHostsPath, 'utf8').trim().split('\n').toSorted());
    writeFileSync(join(alice.home, 'copied'), `${lines.join('\n')}\n`);
    const again = await alice.run('status', 'cron', ...at(), '--known-hosts', join(alice.home, 'copied'), '-o', 'json');
    expect(again.on('fine').fault).toBeNull();
  });

  it('are data in the report', async () => {
    const run = await alice.run('status', 'cron', ...at(), '--known-hosts', '/nowhere', '-o', 'json');
    expect(run.on('fine').fault).toMatchObject({
      kind: 'host-key',
      hostKey: {
        type: 'ssh-ed25519',
        fingerprint: expect.stringMatching(/^SHA256:/),
        line: expect.stringMatching(/^\[/),
      },
    });
  });

  it('are one block under doctor too, and a key that changed is a block of its own', async () => {
    const swapped = readFileSync(fleet.knownHostsPath, 'utf8').split('\n').slice(0, 2);
    const [one, other] = swapped.map((line) => line.split(' '));
    const file = join(alice.home, 'swapped');
    writeFileSync(file, `${one![0]} ${other![1]} ${other![2]}\n${other![0]} ${one![1]} ${one![2]}\n`);
    const { stdout } = await alice.run('doctor', ...at(), '--known-hosts', file);
    expect(stdout.match(/The host key has CHANGED/g)).toHaveLength(2);
    expect(stdout).toContain('The host keys of 2 hosts are not known');
  });
});
