/** What is at work on one host of the embedded fleet. */

import type { Fleet } from '../../src/demo/fleet.ts';
import { type JournalHost, runIdOf } from '../../src/model/index.ts';
import type { Clock } from '../../src/run/host/visit.ts';
import { keyRing } from '../../src/transport/identities/identities.ts';
import { ssh2Transport } from '../../src/transport/ssh2/ssh2.ts';
import type { Transport } from '../../src/transport/transport.ts';

export function transportTo(fleet: Fleet): Transport {
  return ssh2Transport({
    connectTimeoutMs: 60_000,
    hostKeyChecking: 'strict',
    knownHostsFiles: [fleet.knownHostsPath],
    keys: keyRing({}),
  });
}

export function targetOn(fleet: Fleet, name: string): JournalHost {
  return {
    host: name,
    address: '127.0.0.1',
    port: fleet.hosts.find((host) => host.name === name)!.port,
    user: 'demo',
    identityFiles: [fleet.privateKeyPath],
    identitiesOnly: true,
    become: 'auto',
  };
}

/** Real time, but waiting for a lost host takes none. */
export function impatient(): Clock {
  let skipped = 0;
  return {
    now: () => performance.now() + skipped,
    date: () => '2026-01-01T00:00:00.000Z',
    deadline: (ms) => AbortSignal.timeout(Math.max(0, Math.round(ms))),
    sleep: async (ms) => {
      skipped += ms;
    },
  };
}

/** Of the so-manieth run of a test. */
export function runIdNumbered(number: number): string {
  return runIdOf('2026-11-22T03:15:00.123Z', Uint8Array.of(0, number >> 8, number & 255));
}
