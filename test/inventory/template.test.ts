import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadInventory } from '../../src/inventory/index.ts';
import { python } from './oracle.ts';
import { complaint, emptyDirectory, file, read, select } from './reading.ts';

/** Each is the address of web1 below. What ansible says of it is asked where it is installed. */
const EVALUATED: readonly (readonly [template: string, address: string])[] = [
  ['{{ inventory_hostname }}', 'web1.example.com'],
  ['{{inventory_hostname_short}}.lan', 'web1.lan'],
  ["{{ groups['db'][0] }}", 'db1'],
  ['{{ groups["db"][-1] }}', 'db2'],
  ['{{ groups.db | first }}', 'db1'],
  ['{{ domain }}', 'site-a.example.org'],
  ['{{ inventory_hostname_short }}.{{ domain }}', 'web1.site-a.example.org'],
  ["{{ inventory_hostname_short ~ '.' ~ domain }}", 'web1.site-a.example.org'],
  ["{{ inventory_hostname_short + '.' + domain }}", 'web1.site-a.example.org'],
  ["{{ missing | default('fallback') }}", 'fallback'],
  ['{{ missing | default(inventory_hostname) }}', 'web1.example.com'],
  ["{{ empty | default('x', true) }}", 'x'],
  ["{{ lookup('env', 'FLEETMASK_TEST_ADDRESS') }}", '10.9.8.7'],
  ['{{ lookup("ansible.builtin.env", "FLEETMASK_TEST_ADDRESS") }}', '10.9.8.7'],
  ["{{ lookup('env', 'FLEETMASK_TEST_UNSET') | default('d', true) }}", 'd'],
  ["{{ hostvars['db1']['ansible_host'] }}", '10.0.0.5'],
  ["{{ hostvars['db1'].ansible_host }}", '10.0.0.5'],
  ['{{ hostvars[groups["db"][0]].ansible_host }}', '10.0.0.5'],
  ["{{ hostvars['db2']['ansible_host'] }}", 'db2.site-a.example.org'],
  ['{{ inventory_hostname.split(".")[0] }}', 'web1'],
  ['{{ inventory_hostname | upper | lower }}', 'web1.example.com'],
  ["{{ inventory_hostname | replace('.example.com', '-mgmt') }}", 'web1-mgmt'],
  ['{{- domain -}}', 'site-a.example.org'],
  ['{{ (missing | default("a")) ~ number }}', 'a7'],
];

const NOT_EVALUATED = [
  ['{{ ansible_facts.default_ipv4.address }}', 'uses ansible_facts.default_ipv4.address, which is not set'],
  ["{{ lookup('pipe', 'id') }}", 'uses lookup(\'pipe\', "id"), which is not evaluated'],
  ["{{ lookup('file', '/etc/hostname') }}", 'is not evaluated'],
  ['{{ "a" if x else "b" }}', 'is not evaluated'],
  ['{{ domain | regex_replace("a", "b") }}', 'uses the filter regex_replace, which is not evaluated'],
  ['{{ self_reference }}', 'refers to itself'],
  ['{{ bomb0 }}', 'refers to itself, or to too many others'],
  ['{{ domain', 'has no "}}"'],
  ["{{ hostvars['nobody'].x }}", 'is not set'],
  ["{{ groups['nobody'][0] }}", 'is not set'],
  ['{{ groups }}', 'is not a single value'],
  ['{# nothing #}', 'is not evaluated'],
  ['{{ 1 + 2 }}', 'adds what is not text'],
] as const;

function yaml(templates: readonly string[]): string {
  const bomb = Array.from({ length: 20 }, (_, i) => `    bomb${i}: "{{ bomb${i + 1} }}{{ bomb${i + 1} }}"`).join('\n');
  return `all:
  vars:
    domain: "{{ site }}.example.org"
    site: site-a
    empty: ""
    number: 7
    self_reference: "{{ self_reference }}"
${bomb}
    bomb20: x
    templates: ${JSON.stringify(templates)}
  children:
    web:
      hosts:
        web1.example.com:
          ansible_host: ${JSON.stringify(templates[0] ?? '')}
    db:
      hosts:
        db1: {ansible_host: 10.0.0.5}
        db2: {ansible_host: "{{ inventory_hostname }}.{{ domain }}"}
`;
}

const env = { FLEETMASK_TEST_ADDRESS: '10.9.8.7', PATH: process.env.PATH };

async function address(template: string): Promise<string | undefined> {
  const path = file('hosts.yml', yaml([template]));
  return select(await loadInventory([path], { cwd: emptyDirectory, env }), 'web')[0]?.connection.address;
}

describe('templates in connection variables', () => {
  it.each(EVALUATED)('%s is %s', async (template, expected) => {
    expect(await address(template)).toBe(expected);
  });

  it.each(NOT_EVALUATED)('%s is named, not guessed: it %s', async (template, why) => {
    expect(await complaint(() => address(template))).toContain(why);
  });

  it('inventory_dir is where the file is that first names the host, also in a directory of inventories', async () => {
    const path = file(
      'a.yml',
      'all:\n  hosts:\n    h1: {ansible_ssh_private_key_file: "{{ inventory_dir }}/keys/id"}\n',
    );
    const nested = join(dirname(path), 'sub', 'b.ini');
    mkdirSync(dirname(nested));
    writeFileSync(nested, 'h2 ansible_ssh_private_key_file="{{ inventory_dir }}/id"\n');
    const inventory = await loadInventory([dirname(path)], { cwd: emptyDirectory });
    expect(select(inventory).map(({ connection }) => connection.privateKeyFile)).toEqual([
      `${dirname(path)}/keys/id`,
      `${dirname(nested)}/id`,
    ]);
    expect(await complaint(async () => select(await read('h ansible_host="{{ inventory_dir }}"\n')))).toContain(
      'not set',
    );
  });

  it('a password from the environment is read, and one that is empty is noted', async () => {
    const text = `h1 ansible_password="{{ lookup('env', 'FLEETMASK_TEST_ADDRESS') }}"\nh2 ansible_password="{{ lookup('env', 'NO') }}"\n`;
    const inventory = await loadInventory([file('hosts', text)], { cwd: emptyDirectory, env });
    expect(inventory.hosts.get('h1')?.connection.password?.reveal()).toBe('10.9.8.7');
    expect(inventory.hosts.get('h2')?.connection.password).toBeUndefined();
    expect(inventory.notes.join()).toMatch(/:2: ansible_password is a template that comes to nothing and is not read/);
  });

  it('what Ansible marks as unsafe is no template', async () => {
    const inventory = await read('all: {hosts: {h1: {ansible_user: !unsafe "a{{b}}"}}}');
    expect(await complaint(() => select(inventory))).toMatch(/ansible_user is not an account: "a\{\{b\}\}"/);
  });
});

describe.skipIf(python === undefined)('ansible evaluates the same (skipped where it is not installed)', () => {
  it('to the same texts', () => {
    const path = file('hosts.yml', yaml(EVALUATED.map(([template]) => template)));
    const ansible = spawnSync(
      'ansible',
      ['web', '-i', path, '-c', 'local', '-m', 'debug', '-a', 'msg={{ templates }}', '-o'],
      {
        encoding: 'utf8',
        cwd: emptyDirectory,
        env: {
          ...env,
          HOME: '/nonexistent',
          LC_ALL: 'C.UTF-8',
          ANSIBLE_NOCOLOR: '1',
          ANSIBLE_LOCAL_TEMP: emptyDirectory,
        },
      },
    );
    const said = /"msg": (\[.*?\])/s.exec(ansible.stdout)?.[1];
    expect(said, ansible.stdout + ansible.stderr).toBeDefined();
    expect(JSON.parse(said ?? '')).toEqual(EVALUATED.map(([, address]) => address));
  });
});
