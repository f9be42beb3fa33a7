/** Hosts with old versions of systemd, from the command line to the host and back. */
import { readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { ADMIN, sleeper, VENDOR, WANTED } from '../contract/units.ts';
import { operatorsOn } from '../embedded.ts';

const VERSIONS = ['219', '232', '239'];
const TEMPLATE = `${VENDOR}/tunnel@.service`;

describe('hosts with systemd 219, 232 and 239', () => {
  let fleet: Fleet;
  const operators = operatorsOn(() => fleet);
  beforeAll(async () => {
    const { image } = DEMO_HOSTS[0]!;
    const specs = VERSIONS.map((systemd) => ({
      ...{ name: `v${systemd}`, group: 'fleet', network: 'up' as const },
      image: {
        ...image,
        systemd,
        files: {
          ...image.files,
          [TEMPLATE]: sleeper({ install: WANTED }),
          [`${VENDOR}/queue.socket`]: '[Socket]\nListenStream=/run/queue\n',
          [`${VENDOR}/queue.service`]: sleeper(),
        },
        links: { ...image.links, [`${ADMIN}/multi-user.target.wants/tunnel@a.service`]: TEMPLATE },
        running: [...image.running, 'queue.socket', 'queue.service', 'tunnel@a.service', 'tunnel@b.service'],
      },
    }));
    fleet = await startFleet(specs, { path: process.env.PATH ?? '', tempDir: tmpdir() });
  });
  afterAll(() => fleet.dispose());

  const ask = (...words: string[]) =>
    operators().run(...words, '-i', fleet.inventoryPath, '-l', 'all', '--known-hosts', fleet.knownHostsPath);
  const dirOf = (name: string) => fleet.hosts.find((host) => host.name === name)?.dir ?? '';

  it('are masked, a socket with its service and a template with what is enabled of it, and rolled back', async () => {
    const one = operators();
    const run = (...words: string[]) => one.run(...words, '--known-hosts', fleet.knownHostsPath);
    const units = ['cron.service', 'queue.socket', 'queue.service', 'tunnel@.service'];
    const masked = await run('mask', ...units, '--now', '-y', '-i', fleet.inventoryPath, '-l', 'all', '-o', 'json');
    expect(masked.code, masked.stdout + masked.stderr).toBe(0);
    const { hosts } = JSON.parse(masked.stdout);
    for (const host of hosts) {
      expect([host.outcome, ...host.units.map((unit: { after: { file: string } }) => unit.after.file)]).toEqual([
        ...['masked', 'masked', 'masked', 'masked', 'masked'],
      ]);
      expect(await readlink(join(dirOf(host.host), `${ADMIN}/tunnel@a.service`))).toBe('/dev/null');
    }
    const status = await run('status', 'tunnel@.service', '-i', fleet.inventoryPath, '-l', 'all');
    expect(status.stdout).not.toContain('mixed');
    expect((await run('rollback', 'last', '-y')).code).toBe(0);
    for (const { name } of fleet.hosts) {
      await expect(readlink(join(dirOf(name), `${ADMIN}/tunnel@a.service`))).rejects.toThrow('ENOENT');
    }
  });

  it('expire where systemd takes UTC times, and are refused untouched elsewhere', async () => {
    const { stdout } = await ask('mask', 'cron.service', '--now', '-y', '--expires', '2h', '-o', 'json');
    const outcomes = JSON.parse(stdout).hosts.map(
      (host: { host: string; outcome: string; fault?: { message: string } }) => [
        ...[host.host, host.outcome, host.fault?.message ?? ''],
      ],
    );
    expect(outcomes).toEqual([
      ['v219', 'refused', 'systemd 219 takes no UTC times, so --expires does not work'],
      ['v232', 'masked', ''],
      ['v239', 'masked', ''],
    ]);
    await expect(readlink(join(dirOf('v219'), `${ADMIN}/cron.service`))).rejects.toThrow('ENOENT');
  });

  it('are told by doctor what they lack', async () => {
    const { code, stdout } = await ask('doctor', '-o', 'json');
    expect(code).toBe(0);
    const troubles = JSON.parse(stdout).hosts.map((host: { host: string; troubles: { message: string }[] }) => [
      ...[host.host, ...host.troubles.map(({ message }) => message).filter((message) => message.includes('UTC'))],
    ]);
    expect(troubles).toEqual([
      ['v219', 'systemd 219 takes no UTC times, so --expires does not work'],
      ['v232'],
      ['v239'],
    ]);
  });
});
