import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadInventory, renderAnsibleList, toAnsibleList, toGraph } from '../../src/inventory/index.ts';
import { complaint, emptyDirectory, file, read, select } from './reading.ts';

const root = join(import.meta.dirname, '../..');

describe('sources', () => {
  it('both documented examples are the same fleet', async () => {
    const [ini, yaml] = await Promise.all(
      ['example.ini', 'example.yaml'].map((name) => loadInventory([`inventory/${name}`], { cwd: root })),
    );
    const hosts = (inventory: typeof ini) => select(inventory!, 'prod');
    expect(hosts(ini).length).toBe(10);
    const essence = (inventory: typeof ini) =>
      hosts(inventory).map(({ name, groups, connection }) => ({ name, groups, connection }));
    expect(essence(yaml)).toEqual(essence(ini));
    expect(hosts(ini)[0]).toMatchObject({
      name: 'web1.example.com',
      groups: ['prod', 'web'],
      connection: { address: '10.0.1.11', user: 'deploy', become: true, proxyJump: 'bastion.example.com' },
    });
  });

  it('what `ansible-inventory --list` printed is an inventory with the same content', async () => {
    const first = await read('[web]\nw1 a=1.0\n[prod:children]\nweb\n');
    const again = await read(renderAnsibleList(toAnsibleList(first)));
    expect(toAnsibleList(again)).toEqual(toAnsibleList(first));
    expect(toGraph(again)).toEqual(toGraph(first));
  });

  it('standard input is read as INI, YAML or JSON', async () => {
    for (const text of ['[web]\nw1\n', 'web:\n  hosts: {w1: }\n', '{"web": {"hosts": {"w1": null}}}'])
      expect((await read(text)).groups.get('web')?.hosts).toEqual(['w1']);
  });

  it.each([
    ['[web', /^stdin:1: "\[web"/],
    ['a\n[web]\nb c\n', /^stdin:3: "c" is not KEY=VALUE/],
    ['[web]\nw1\nx=1\n', /^stdin:3: "x=1" is not a host name \| A variable .*\[GROUP:vars\]/],
    ['---\nweb:\n  hosts: [a]\n', /^stdin:3: hosts of the group "web" is a list, not a mapping \| Write each as a key/],
    ['---\nall:\n  hosts:\n    a: {x: 1\n', /^stdin:\d+: not YAML/],
    ['$ANSIBLE_VAULT;1.1;AES256\n61\n', /^stdin:1: this inventory is encrypted/],
    ['plugin: aws_ec2\n', /^stdin:1: this configures an inventory plugin, which cannot be read together with standard/],
    ['', /^stdin: this inventory names no host/],
    ['[a:children]\nb\n[b:children]\na\n', /^stdin:\d: .* it contains it/],
    ['[a]\nx\n[a:vars]\nansible_group_priority=high\n', /^stdin:4: ansible_group_priority is not a number/],
    ['a: &x\n  hosts: *x\n', /^stdin:\d: an alias contains itself/],
  ])('%j is refused with its line', async (text, message) => {
    expect(await complaint(async () => select(await read(text)))).toMatch(message);
  });

  it('a mistake in a variables file has that file and the line', async () => {
    const path = file('hosts', '[web]\nw1\n');
    const vars = join(dirname(path), 'group_vars/web.yml');
    mkdirSync(dirname(vars));
    writeFileSync(vars, 'a: 1\nansible_port: x\n');
    expect(await complaint(async () => select(await loadInventory([path], { cwd: emptyDirectory })))).toMatch(
      /group_vars\/web\.yml:2: ansible_port is not a port: "x"/,
    );
  });

  it('a variables file that is encrypted as a whole is left out with a note', async () => {
    const path = file('hosts', '[web]\nw1\n');
    const vars = join(dirname(path), 'group_vars/web.yml');
    mkdirSync(dirname(vars));
    writeFileSync(vars, '$ANSIBLE_VAULT;1.1;AES256\n6162\n');
    const inventory = await loadInventory([path], { cwd: emptyDirectory });
    expect(inventory.notes).toEqual([
      expect.stringMatching(/group_vars\/web\.yml: encrypted with ansible-vault, left out$/),
    ]);
  });

  it('a host name cannot lead a variables file out of its directory, and no name is special', async () => {
    const inventory = await read('[__proto__]\nconstructor __proto__=1\n[toString:children]\n__proto__\n');
    expect(inventory.groups.get('toString')?.allHosts).toEqual(['constructor']);
    expect(inventory.hosts.get('constructor')?.vars).toEqual(new Map([['__proto__', 1]]));
    expect(({} as Record<string, unknown>)['1']).toBeUndefined();
    const list = toAnsibleList(inventory);
    expect(Object.keys(list)).toContain('__proto__');
  });

  it('a hundred thousand hosts are read and selected within seconds', async () => {
    const inventory = await read('[web]\nweb[1:50000]\n[db]\ndb[1:50000] a=1\n[all:vars]\nx=1\n');
    expect(select(inventory, 'w*:!web7').length).toBe(49_999);
  });
});
