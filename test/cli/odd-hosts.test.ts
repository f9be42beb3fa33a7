/** An inventory as found: hosts that are no SSH hosts, odd names, templates, beside hosts that work. */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { type Operator, operator } from '../operator.ts';

let fleet: Fleet;
let alice: Operator;
let found: string;

beforeAll(async () => {
  const hosts = DEMO_HOSTS.filter(({ name }) => name === 'deb-web1' || name === 'deb-web2');
  fleet = await startFleet(hosts, { path: process.env.PATH ?? '', tempDir: tmpdir() });
  alice = operator();
  found = join(alice.home, 'found.ini');
  writeFileSync(
    found,
    'win1 ansible_connection=winrm\nCore_3850(SW1)\ntmpl ansible_host="{{ ec2.address }}"\ndb ansible_port=99999\n',
  );
});
afterAll(async () => {
  alice.dispose();
  await fleet.dispose();
});

const at = () => ['-i', fleet.inventoryPath, '-i', found, '--known-hosts', fleet.knownHostsPath];
const change = ['--now', '-y', '--host-timeout', '30s', '-o', 'json'];

describe('an inventory with hosts that cannot be connected to', () => {
  it('serves those that are selected', async () => {
    const run = await alice.run('status', 'cron', ...at(), '-l', 'deb-web1', '-o', 'json');
    expect(run.report.totals, run.stderr).toEqual({ 'not-masked': 1 });
  });

  it('names all of them at once, and the limit that leaves them out works', async () => {
    const refused = await alice.run('mask', 'cron', ...at(), '-l', 'all', ...change);
    expect(refused.code).toBe(2);
    for (const word of ['winrm', 'Core_3850(SW1)', 'ec2.address', '99999', '4 of 6 selected hosts']) {
      expect(refused.stderr).toContain(word);
    }
    const limit = /-l '([^']+)'/.exec(refused.stderr.replace(/\n\s*/g, ''))?.[1] ?? '';
    const run = await alice.run('plan', 'mask', 'cron', ...at(), '-l', limit, '-o', 'json');
    expect(run.report.totals, limit + run.stderr).toEqual({ planned: 2 });
  });

  it('with --skip-unsupported reports those that are not reached by SSH, and they are no fault', async () => {
    const limit = ['-l', 'deb-web1:win1:tmpl', '--skip-unsupported'];
    const run = await alice.run('mask', 'cron', ...at(), ...limit, ...change);
    expect(run.code, run.stderr).toBe(0);
    expect(run.report.totals).toEqual({ masked: 1, refused: 2 });
    expect(run.on('win1')).toMatchObject({ outcome: 'refused', fault: { kind: 'not-ssh' }, units: [] });
    expect(run.on('tmpl')).toMatchObject({ outcome: 'refused', fault: { kind: 'template' } });
    const doctor = await alice.run('doctor', ...at(), ...limit);
    expect(doctor.code, doctor.stderr).toBe(0);
    expect(doctor.stdout).toMatch(/win1/);
  });

  it('with --skip-unsupported still refuses mistakes, and a selection of nothing else', async () => {
    const mistake = await alice.run('mask', 'cron', ...at(), '-l', 'deb-web1:db', '--skip-unsupported', ...change);
    expect(mistake.code).toBe(2);
    const nothing = await alice.run('mask', 'cron', ...at(), '-l', 'win1:tmpl', '--skip-unsupported', ...change);
    expect(nothing.code).toBe(2);
  });

  it('stops no rollback of hosts that work', async () => {
    const run = await alice.run('rollback', 'last', ...at(), '-y', '-o', 'json');
    expect(run.report.totals, run.stderr).toEqual({ restored: 1 });
    expect(readFileSync(found, 'utf8')).toContain('winrm');
  });
});
