import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../src/inventory/index.ts';
import { runWithin } from '../../src/ssh-config/run-program.ts';
import { python } from './oracle.ts';
import { complaint, emptyDirectory, select } from './reading.ts';

const GROUPS = `plugin: ansible.builtin.constructed
strict: true
groups:
  first: inventory_hostname.endswith('1')
`;

function fleet(): { dir: string; hosts: string; plugin: string } {
  const dir = mkdtempSync(join(emptyDirectory, 'p-'));
  const [hosts, plugin] = [join(dir, 'hosts.ini'), join(dir, 'groups.constructed.yml')];
  writeFileSync(hosts, '[web]\nweb1 ansible_host=10.0.0.1\nweb2\n');
  writeFileSync(plugin, GROUPS);
  return { dir, hosts, plugin };
}

const load = (sources: readonly string[], path = process.env.PATH, timeoutMs?: number) =>
  loadInventory(sources, {
    cwd: emptyDirectory,
    env: { PATH: path, HOME: emptyDirectory, LC_ALL: 'C.UTF-8', ANSIBLE_LOCAL_TEMP: emptyDirectory },
    run: runWithin,
    ...(timeoutMs !== undefined && { timeoutMs }),
  });

describe.skipIf(python === undefined)('a plugin configuration (skipped where Ansible is not installed)', () => {
  it('is read through ansible-inventory, together with all other sources, and that is said', async () => {
    const { hosts, plugin } = fleet();
    const inventory = await load([hosts, plugin]);
    expect(select(inventory, 'first').map(({ name, connection }) => [name, connection])).toEqual([
      ['web1', { address: '10.0.0.1' }],
    ]);
    expect(select(inventory, 'web').length).toBe(2);
    expect(inventory.notes.join()).toMatch(/groups\.constructed\.yml:1: .* read through ansible-inventory/);
  });

  it('that Ansible cannot read is an error, and no inventory with fewer hosts', async () => {
    const { hosts, plugin } = fleet();
    writeFileSync(plugin, 'plugin: no.such.plugin\n');
    expect(await complaint(() => load([hosts, plugin]))).toMatch(/ansible-inventory -i .* failed with exit status/);
  });
});

describe('a plugin configuration', () => {
  it('without ansible-inventory is an error whose hint names the whole set', async () => {
    const { hosts, plugin } = fleet();
    const said = await complaint(() => load([hosts, plugin], '/nonexistent'));
    expect(said).toMatch(/:1: this configures an inventory plugin, and there is no ansible-inventory here/);
    expect(said).toContain(`ansible-inventory -i ${hosts} -i ${plugin} --list > inventory.json`);
  });

  it('in a directory is not run', async () => {
    expect(await complaint(async () => load([fleet().dir]))).toMatch(/is not run from a directory \| Name each file/);
  });

  it('that takes too long is ended', async () => {
    const { plugin } = fleet();
    const slow = join(mkdtempSync(join(emptyDirectory, 'bin-')), 'ansible-inventory');
    writeFileSync(slow, '#!/bin/sh\nsleep 60\n', { mode: 0o755 });
    const path = `${join(slow, '..')}:${process.env.PATH}`;
    expect(await complaint(() => load([plugin], path, 200))).toMatch(/took longer than 0\.2 s/);
  });
});
