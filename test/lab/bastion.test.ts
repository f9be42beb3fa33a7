/** Hosts that only a bastion reaches: by every way of saying so, by the journal, and when the bastion goes in mid-change. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import {
  changes,
  type Dumps,
  daemon,
  dumps,
  HELD,
  hold,
  letGo,
  receiptOf,
  sh,
  stopping,
  unit,
  unlinked,
  waiting,
} from './inside.ts';
import type { LabHost } from './lab.ts';
import { kinds, outcomes } from './situation.ts';

const UNIT = 'guarded.service';

describeLab('behind a bastion', (lab) => {
  const operator = new Operator(lab);
  const file = (name: string, text: string) => {
    writeFileSync(join(operator.stateDir, name), text, { mode: 0o600 });
    return join(operator.stateDir, name);
  };
  let gate: LabHost;
  let second: LabHost;
  let hosts: LabHost[];
  /** Each host by the name that only the first bastion knows, and by the one that only the second knows. */
  const inner = ({ name }: LabHost) => `${name}.inner`;
  const deep = ({ name }: LabHost) => `${name}.deep`;
  let config: string;
  let known: string;

  beforeAll(async () => {
    [gate, second] = [await lab.host('debian11'), await lab.host('arch-like')];
    hosts = await lab.hosts(3, ['debian12', 'debian13', 'rhel-like']);
    await names(gate, [...hosts, second], inner);
    await names(second, hosts, deep);
    await Promise.all(
      hosts.map((host) => sh(host, `${unit(UNIT, daemon())} systemctl daemon-reload; systemctl start guarded`)),
    );
    const where = (name: string) => (gate.port === 22 ? name : `[${name}]:${gate.port}`);
    known = file(
      'known_hosts',
      [gate, second, ...hosts]
        .map((host) => `${[host.address, inner(host), deep(host)].map(where).join(',')} ${host.publicHostKey}\n`)
        .join(''),
    );
    config = file(
      'config',
      `Host gate
  HostName ${gate.address}
  User op
Host ${inner(second)}
  User op
  ProxyJump gate
Host *.inner
  ProxyJump gate
Host chained
  HostName ${deep(hosts[0]!)}
  ProxyJump gate,${inner(second)}
Host *.deep
  ProxyJump ${inner(second)}
Host *
  Port ${gate.port}
  User root
  IdentityFile ${lab.key}
  UserKnownHostsFile ${known}
`,
    );
  });
  afterAll(async () => {
    await Promise.all([gate, second].map((host) => sh(host, "sed -i '/[.]inner$/d; /[.]deep$/d' /etc/hosts")));
    operator.forget();
  });

  function names(on: LabHost, of: readonly LabHost[], name: (host: LabHost) => string): Promise<string> {
    return sh(on, `cat >>/etc/hosts <<'END'\n${of.map((host) => `${host.address} ${name(host)}\n`).join('')}END`);
  }
  const mask = (...way: string[]) =>
    operator.run(['mask', 'guarded', '--now', '-y', '-l', 'all', '-o', 'json', ...way]);
  /** Nothing but the journal says how they are reached. */
  const rollback = (run: string, ...more: string[]) => operator.run(['rollback', run, '-y', '-o', 'json', ...more]);
  const dumped = () => Promise.all(hosts.map((host) => dumps(host, [UNIT])));
  const changed = async (before: readonly Dumps[]) =>
    (await Promise.all(hosts.map((host, i) => changes(host, before[i]!)))).flat();
  const each = <T>(names: readonly string[], value: T) => Object.fromEntries(names.map((name) => [name, value]));

  const ways: readonly (readonly [what: string, way: () => [names: string[], args: string[]]])[] = [
    [
      'by ProxyJump of ssh_config',
      () => {
        const all = hosts.map(inner);
        return [all, ['-i', `${all.join(',')},`, '-F', config]];
      },
    ],
    [
      'by -o ProxyJump of the inventory',
      () => {
        const all = hosts.map(inner);
        const args = `-o ProxyJump=op@${gate.address}:${gate.port} -o ControlMaster=auto`;
        const vars = `ansible_user: root, ansible_port: ${gate.port}, ansible_ssh_common_args: "${args}"`;
        const text = `all:\n  vars: { ${vars} }\n  hosts: { ${all.map((name) => `${name}: `).join(', ')} }\n`;
        return [all, ['-i', file('jump.yaml', text), '-F', 'none', '--known-hosts', known, '--private-key', lab.key]];
      },
    ],
    [
      'by -o ProxyCommand of the inventory',
      () => {
        const all = hosts.map(inner);
        const vars = [
          `ansible_user=root ansible_port=${gate.port} ansible_ssh_private_key_file=${lab.key}`,
          `ansible_ssh_common_args='-o ProxyCommand="ssh -F ${config} -W %h:%p -q gate"'`,
        ];
        const text = `${all.join('\n')}\n[all:vars]\n${vars.join('\n').replaceAll(' ansible_', '\nansible_')}\n`;
        return [all, ['-i', file('command.ini', text), '-F', 'none', '--known-hosts', known]];
      },
    ],
    [
      'behind another, each with its own ProxyJump',
      () => {
        const all = hosts.map(deep);
        return [all, ['-i', `${all.join(',')},`, '-F', config]];
      },
    ],
    ['behind another, by one ProxyJump', () => [['chained'], ['-i', 'chained,', '-F', config]]],
  ];
  it.each(ways)('%s, hosts are masked and put back exactly', async (what, way) => {
    const [all, args] = way();
    const before = await dumped();
    const run = await mask(...args);
    expect(outcomes(run)).toEqual(each(all, 'masked'));
    for (const host of hosts.slice(0, all.length)) expect(await hold(host, UNIT)).toBe(HELD);
    // ssh_config does not give the command that the journal has: a person, or a flag, must
    const trust = what.includes('ProxyCommand') ? ['--trust-plan'] : [];
    if (trust.length > 0) expect((await rollback(run.report.run.id)).exitCode).toBe(2);
    expect(outcomes(await rollback(run.report.run.id, ...trust))).toEqual(each(all, 'restored'));
    expect(await changed(before)).toEqual([]);
    for (const host of hosts) expect(await receiptOf(host, run.report.run.id)).toBe('');
  });

  it('whose session is killed in mid-change, hosts are called again through it and put back', async () => {
    await Promise.all(hosts.map((host) => sh(host, waiting('guarded'))));
    const before = await dumped();
    const all = hosts.map(inner);
    const running = mask('-i', `${all.join(',')},`, '-F', config);
    await Promise.all(hosts.map((host) => stopping(host, UNIT)));
    await sh(gate, 'pkill -KILL -u op sshd');
    // the undo takes the link away, and then waits for the stop
    await Promise.all(hosts.map((host) => unlinked(host, UNIT)));
    await letGo(...hosts);
    const run = await running;
    expect(kinds(run)).toEqual(each(all, 'rolled-back: lost'));
    for (const { fault } of run.report.hosts) expect(fault?.message).toMatch(/jump host gate was lost/);
    expect(run.exitCode, run.said).toBe(5);
    expect(await changed(before)).toEqual([]);
  });

  it('that goes in mid-change and stays away, hosts are stranded, and put back when it is there again', async () => {
    await Promise.all(hosts.map((host) => sh(host, waiting('guarded'))));
    const before = await dumped();
    const all = hosts.map(inner);
    const running = mask('-i', `${all.join(',')},`, '-F', config, '--rollback-timeout', '15s');
    await Promise.all(hosts.map((host) => stopping(host, UNIT)));
    await sh(gate, 'systemctl stop ssh; pkill -KILL -u op sshd');
    await letGo(...hosts);
    const run = await running;
    expect(kinds(run)).toEqual(each(all, 'stranded: lost'));
    expect(run.exitCode, run.said).toBe(6);
    // they finished what they had begun: the report must not call them put back
    for (const host of hosts) expect(await hold(host, UNIT)).toBe(HELD);

    const away = await rollback(run.report.run.id, '--host-timeout', '4s');
    expect(kinds(away)).toEqual(each(all, 'unreachable: unreachable'));
    for (const { fault } of away.report.hosts) expect(fault?.message).toMatch(/The jump host gate cannot be used/);
    await sh(gate, 'systemctl start ssh');
    expect(outcomes(await rollback(run.report.run.id))).toEqual(each(all, 'restored'));
    expect(await changed(before)).toEqual([]);
  });
});
