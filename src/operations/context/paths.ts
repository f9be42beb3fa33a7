import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Io } from '../io.ts';

/** A path as an operator writes it, made absolute. */
export function absolute(io: Io, path: string): string {
  if (path === '~' || path.startsWith('~/')) return join(io.home, path.slice(1));
  return path.startsWith('/') ? path : join(io.cwd, path);
}

/** The keys that are looked for when nothing names one; those of security keys, which few have, where they are. */
export function defaultKeys(io: Io): string[] {
  const of = (name: string): string => join(io.home, '.ssh', name);
  const secured = ['id_ecdsa_sk', 'id_ed25519_sk'].map(of).filter((file) => existsSync(file));
  return [...['id_ed25519', 'id_ecdsa', 'id_rsa'].map(of), ...secured];
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
