import { join } from 'node:path';
import type { Io } from './io.ts';

/** A path as an operator writes it, made absolute. */
export function absolute(io: Io, path: string): string {
  if (path === '~' || path.startsWith('~/')) return join(io.home, path.slice(1));
  return path.startsWith('/') ? path : join(io.cwd, path);
}

/** The keys that are looked for when nothing names one. */
export function defaultKeys(io: Io): string[] {
  return ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => join(io.home, '.ssh', name));
}

/** Where host keys are looked for when nothing names a file. */
export function defaultKnownHosts(io: Io): string[] {
  return [
    join(io.home, '.ssh', 'known_hosts'),
    join(io.home, '.ssh', 'known_hosts2'),
    '/etc/ssh/ssh_known_hosts',
    '/etc/ssh/ssh_known_hosts2',
  ];
}
