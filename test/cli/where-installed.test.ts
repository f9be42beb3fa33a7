/** Lists of units of which not all are installed everywhere, as hardening guides have them. */
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { type Operator, operator } from '../operator.ts';

let fleet: Fleet;
let alice: Operator;

beforeAll(async () => {
  const hosts = DEMO_HOSTS.filter(({ name }) => name === 'deb-web1' || name === 'deb-web2');
  fleet = await startFleet(hosts, { path: process.env.PATH ?? '', tempDir: tmpdir() });
  alice = operator();
});
afterAll(async () => {
  alice.dispose();
  await fleet.dispose();
});

const at = () => ['-i', fleet.inventoryPath, '--known-hosts', fleet.knownHostsPath, '-l', 'all', '-o', 'json'];
const LIST = [
  'autofs',
  'avahi',
  'cron',
  'dhcpd',
  'dnsmasq.service',
  'ftp',
  'ldap',
  'nfs-server',
  'nis.service',
  'telnet',
];
const mask = () => ['mask', ...LIST, ...at(), '--now', '-y', '--host-timeout', '60s'];

describe('a list of units of which one is installed', () => {
  it('is refused as a whole, and every unit that is missing is named', async () => {
    const run = await alice.run(...mask());
    expect(run.code).toBe(4);
    expect(run.report.totals).toEqual({ refused: 2 });
    for (const name of LIST.filter((each) => each !== 'cron')) {
      expect(run.on('deb-web1').fault?.message).toContain(name);
    }
  });

  it('is reported by status unit by unit, and a missing one is a fault unless it is skipped', async () => {
    const run = await alice.run('status', ...LIST, ...at());
    expect(run.code).toBe(4);
    const states = run.on('deb-web1').units.map(({ asked, after }) => [asked, after?.load]);
    expect(states.length).toBe(LIST.length);
    expect(new Map(states as [string, string][])).toEqual(
      new Map(LIST.map((name) => [name, name === 'cron' ? 'loaded' : 'not-found'])),
    );
    const skipping = await alice.run('status', ...LIST, ...at(), '--skip-absent');
    expect(skipping.code).toBe(3);
    expect(skipping.report.totals).toEqual({ 'not-masked': 2 });
  });

  it('is masked where it is installed with --skip-absent, and what no host has is said', async () => {
    const run = await alice.run(...mask(), '--skip-absent');
    expect(run.code, run.stderr).toBe(0);
    expect(run.report.totals).toEqual({ masked: 2 });
    expect(run.on('deb-web1').units.map(({ unit, after }) => [unit, after?.load])).toContainEqual([
      'nis.service',
      'not-found',
    ]);
    expect(run.stderr).toMatch(/nis\.service is installed on no host/);
    expect(run.stderr).not.toMatch(/cron is installed on no host/);
    expect((await alice.run('status', ...LIST, ...at(), '--skip-absent')).code).toBe(0);
    const back = await alice.run('rollback', 'last', '--known-hosts', fleet.knownHostsPath, '-y', '-o', 'json');
    expect(back.report.totals, back.stderr).toEqual({ restored: 2 });
  });

  it('of which nothing is installed ends absent, with exit 0 and a word about the names', async () => {
    for (const verb of ['mask', 'status'] as const) {
      const change = verb === 'mask' ? ['-y'] : [];
      const run = await alice.run(verb, 'crn', 'nis.service', ...at(), '--skip-absent', ...change);
      expect(run.code, run.stderr).toBe(0);
      expect(run.report.totals).toEqual({ absent: 2 });
      expect(run.stderr).toMatch(/crn is installed on no host: check the name/);
    }
  });

  it('is not skipped and masked at once', async () => {
    expect((await alice.run('mask', 'crn', ...at(), '-y', '--skip-absent', '--allow-absent')).code).toBe(2);
  });
});
