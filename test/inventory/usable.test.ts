import { describe, expect, it } from 'vitest';
import { complaint, read, select } from './reading.ts';

const CMDB = `{
  "switches": {"hosts": ["Core_3850(SW1)", "rack 1", "sw:2:3"]},
  "windows": {"hosts": ["win1", "win2"], "vars": {"ansible_connection": "winrm"}},
  "site b": {"hosts": ["b1", "b2"]},
  "web": {"hosts": ["web1", "web2", "tmpl"]},
  "_meta": {"hostvars": {
    "localhost": {}, "tmpl": {"ansible_host": "{{ ec2.public_ip }}"}, "web2": {"ansible_port": 70000}}}
}`;

describe('hosts that cannot be connected to', () => {
  it.each([
    ['b1:b2', ['b1', 'b2']],
    ['web1', ['web1']],
    ['"site b"', ['b1', 'b2']],
    ["'site b':!b1", ['b2']],
    ['web1,"site b",!"b2"', ['web1', 'b1']],
    ['all:&"site b"', ['b1', 'b2']],
    ['"site b"[0]:web1', ['b1', 'web1']],
  ])('stop nobody who does not select them: %s', async (limit, names) => {
    expect(select(await read(CMDB), limit).map(({ name }) => name)).toEqual(names);
  });

  it('are found all at once, each with its reason, and with the limit that leaves them out', async () => {
    const inventory = await read(CMDB);
    const said = await complaint(() => select(inventory, 'all'));
    expect(said).toMatch(/^7 of 10 selected hosts cannot be connected to:\n/);
    for (const line of [
      /stdin:2: "Core_3850\(SW1\)" is not a host name/,
      /stdin:2: "rack 1" is not a host name/,
      /ansible_connection is "winrm"; only ssh is supported \(hosts win1, win2\)/,
      /ansible_host is the template .*ec2.*, which uses ec2.public_ip, which is not set \(host tmpl\)/,
      /ansible_port is not a port: "70000" \(host web2\)/,
    ])
      expect(said).toMatch(line);
    const limit = /-l '([^']+)'/.exec(said)?.[1];
    expect(limit).toBe('all:!switches:!windows:!web2:!tmpl');
    expect(select(inventory, limit).map(({ name }) => name)).toEqual(['b1', 'b2', 'web1']);
  });

  it('the limit that leaves them out keeps what the operator wrote, and quotes odd names', async () => {
    const inventory = await read('{"g": {"hosts": ["a b", "ok"]}, "_meta": {"hostvars": {}}}');
    const said = await complaint(() => select(inventory, 'g,ok'));
    expect(said).toContain(`-l 'g,ok,!"a b"'`);
    expect(select(inventory, 'g,ok,!"a b"').map(({ name }) => name)).toEqual(['ok']);
  });

  it('are left out by --skip-unsupported where they are no SSH hosts or have templates; mistakes are not', async () => {
    const inventory = await read(CMDB);
    const some = 'windows:tmpl:web1';
    expect(await complaint(() => select(inventory, some))).toContain('--skip-unsupported');
    expect(select(inventory, some, true).map(({ name }) => name)).toEqual(['web1']);
    const said = await complaint(() => select(inventory, 'all', true));
    expect(said).toMatch(/^4 of 10 .*:\n/);
    expect(said).not.toMatch(/winrm|--skip/);
  });

  it('a selection of nothing else has no limit to offer', async () => {
    expect(await complaint(async () => select(await read('h1 ansible_connection=local\n')))).toBe(
      'stdin:1: ansible_connection is "local"; only ssh is supported (host h1)',
    );
  });
});

describe('names with blanks', () => {
  it('are suggested as they have to be typed', async () => {
    const inventory = await read('{"site b": {"hosts": ["b1"]}, "_meta": {"hostvars": {}}}');
    expect(await complaint(() => select(inventory, 'sit'))).toContain('Did you mean "site b"?');
    expect(await complaint(() => select(inventory, '"site a"'))).toContain('Did you mean "site b"?');
  });

  it('in a quotation that is not closed are an error', async () => {
    expect(await complaint(async () => select(await read('h1\n'), '"site b'))).toMatch(/quotation .* is not closed/);
  });

  it('a quoted name is no pattern', async () => {
    expect(await complaint(async () => select(await read('h1\nh2\n'), '"h*"'))).toMatch(
      /no host or group matches "h\*"/,
    );
  });
});
