/** What a lab gives to those who connect: an inventory, known_hosts, and a configuration for plain ssh. */
import { renameSync, writeFileSync } from 'node:fs';
import type { LabHost } from './host.ts';
import { KINDS } from './kinds.ts';
import type { Lab } from './lab.ts';

export function writeInventory(lab: Lab, hosts: readonly LabHost[]): void {
  writeWhole(lab.knownHosts, hosts.map((host) => `${where(host)} ${host.publicHostKey}\n`).join(''));
  writeWhole(lab.sshConfig, hosts.map((host) => sshConfig(lab, host)).join('\n'));
  writeWhole(lab.inventory, `${yaml(lab, hosts).join('\n')}\n`);
}

/** A reader finds the old text or the new, never a half. */
function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

const where = ({ address, port }: LabHost) => (port === 22 ? address : `[${address}]:${port}`);

function sshConfig(lab: Lab, { name, address, port }: LabHost): string {
  return `Host ${name}
  HostName ${address}
  Port ${port}
  User root
  IdentityFile ${lab.key}
  IdentitiesOnly yes
  UserKnownHostsFile ${lab.knownHosts}
  StrictHostKeyChecking yes
`;
}

/** Ansible's form: families as groups, the kinds as their children. */
function yaml(lab: Lab, hosts: readonly LabHost[]): string[] {
  const lines = ['all:', '  vars:', '    ansible_user: root', `    ansible_ssh_private_key_file: ${lab.key}`];
  const there = KINDS.filter((kind) => hosts.some((host) => host.kind.name === kind.name));
  if (there.length > 0) lines.push('  children:');
  for (const family of new Set(there.map((kind) => kind.family))) {
    lines.push(`    ${family}:`, '      children:');
    for (const kind of there.filter((each) => each.family === family)) {
      // a hyphen is no character for the name of a group
      lines.push(`        ${kind.name.replace('-', '_')}:`, '          hosts:');
      for (const host of hosts.filter((each) => each.kind.name === kind.name)) {
        lines.push(`            ${host.name}:`, `              ansible_host: ${host.address}`);
        if (host.port !== 22) lines.push(`              ansible_port: ${host.port}`);
      }
    }
  }
  return lines;
}
