/** Who is measured, and what each of them does. */
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { Lab } from '../lab/lab.ts';
import type { Client } from './client.ts';
import { type Fleet, type State, UNIT } from './fleet.ts';

const ROOT = join(import.meta.dirname, '../..');
export const BARE = join(import.meta.dirname, 'bare-ssh2.mjs');
const COMMAND = `systemctl mask --now ${UNIT}`;

export interface Contender {
  readonly name: string;
  readonly does: string;
  /** What the hosts are like before it begins. Afterwards they are masked. */
  readonly on: State;
  /** A program of its own, or work that this process does inside the hosts and that has no client. */
  readonly work: Client | (() => Promise<void>);
}

export const FLEETMASK = 'fleetmask';
export const BARE_LOOP = 'bare ssh2';
export const NO_OP = 'fleetmask, no-op';

export function contenders(lab: Lab, fleet: Fleet, forks: number, stateDir: string): Contender[] {
  const { hosts } = fleet;
  const names = hosts.map((host) => `${host.name}\n`).join('');
  const mask = fleetmask(lab, stateDir, ['-l', hosts.map((host) => host.name).join(','), '-f', String(forks)]);
  const addresses = hosts.map((host) => `${host.address}:${host.port}`);
  const ssh = (...options: string[]): Client => ({
    argv: [
      ...['xargs', '-P', String(forks), '-I', 'HOST'],
      ...['ssh', '-n', '-F', lab.sshConfig, '-o', 'BatchMode=yes', ...options, 'HOST', COMMAND],
    ],
    input: names,
  });
  return [
    {
      name: FLEETMASK,
      does: 'probe, plan, journal, mask, stop, reload, read back, start probe, receipt',
      on: 'running',
      work: mask,
    },
    {
      name: BARE_LOOP,
      does: 'mask, stop',
      on: 'running',
      work: { argv: [process.execPath, BARE, lab.key, String(forks), ...addresses] },
    },
    {
      name: 'xargs ssh, curve25519',
      does: 'mask, stop',
      on: 'running',
      work: ssh('-o', 'KexAlgorithms=curve25519-sha256'),
    },
    { name: 'xargs ssh', does: 'mask, stop; default key exchange', on: 'running', work: ssh() },
    { name: 'floor: no SSH', does: 'mask, stop', on: 'running', work: () => floor(fleet, forks) },
    { name: NO_OP, does: 'probe, plan; already masked', on: 'masked', work: mask },
  ];
}

/** Starting, reading the inventory, loading SSH, and ending: nobody listens on port 1. */
export function startUp(lab: Lab, stateDir: string): Client {
  return fleetmask(lab, stateDir, ['-i', '127.0.0.1,', '-l', '127.0.0.1', '--port', '1']);
}

function fleetmask(lab: Lab, stateDir: string, options: readonly string[]): Client {
  return {
    argv: [
      ...[process.execPath, join(ROOT, 'bin/fleetmask.js'), 'mask', UNIT, '--now', '-y', '-o', 'json'],
      ...['-i', lab.inventory, '-F', 'none', '--known-hosts', lab.knownHosts, ...options],
    ],
    // no agent: it would be asked for keys that the others do not offer
    env: { ...process.env, FLEETMASK_STATE_DIR: stateDir, SSH_AUTH_SOCK: '' },
  };
}

async function floor({ hosts }: Fleet, forks: number): Promise<void> {
  const limit = pLimit(forks);
  await Promise.all(
    hosts.map((host) => limit(() => host.exec(['systemctl', 'mask', '--now', UNIT], { charged: true }))),
  );
}
