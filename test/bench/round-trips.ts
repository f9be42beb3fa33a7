/**
 * How often client and host wait for each other. One idle host is visited without and with a delay on the way: what the delay
 * adds, in units of itself, is the number of round trips.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { parseQuery } from '../../src/plan/resolve.ts';
import { settle } from '../../src/run/host/change.ts';
import { keyRing } from '../../src/transport/identities/identities.ts';
import { ssh2Transport } from '../../src/transport/ssh2/ssh2.ts';
import { MASK } from '../ask.ts';
import type { Lab, LabHost } from '../lab/lab.ts';
import { runClient } from './client.ts';
import { BARE } from './contenders.ts';
import { Fleet, UNIT } from './fleet.ts';

const PROXY = join(import.meta.dirname, 'delay-proxy.mjs');
/** Long beside what a busy machine adds: the number of round trips is the same on a shorter link. */
const ONE_WAY_MS = 100;

/** Milliseconds since the connection was begun. */
type Phases = Readonly<Record<string, number>>;

export interface RoundTrips {
  readonly who: string;
  /** Phase → round trips. */
  readonly trips: Phases;
}

export async function roundTrips(
  lab: Lab,
  host: LabHost,
  cgroup: string,
  scratch: string,
  repeats: number,
): Promise<{ rttMs: number; results: RoundTrips[] }> {
  const fleet = new Fleet([host], 'warm');
  const far = `${host.address}:${host.port}`;
  const proxies = await Promise.all([openProxy(0, far), openProxy(ONE_WAY_MS, far), openProxy(ONE_WAY_MS, 'echo')]);
  const [direct, delayed, echo] = proxies;
  try {
    // timers come late
    const rttMs = await quickest(20, () => echoed(echo!.port));
    const visitors = [
      { who: 'fleetmask', visit: (port: number) => fleetmask(lab, host, port, scratch) },
      { who: 'bare ssh2', visit: (port: number) => bare(lab, port, cgroup) },
    ];
    const results: RoundTrips[] = [];
    for (const { who, visit } of visitors) {
      const near: Phases[] = [];
      const distant: Phases[] = [];
      for (let i = 0; i < repeats; i++) {
        for (const [port, seen] of [
          [direct!.port, near],
          [delayed!.port, distant],
        ] as const) {
          await fleet.restore('running');
          seen.push(await visit(port));
          await fleet.expect('masked');
        }
      }
      const trips = Object.keys(near[0]!).map((phase) => [phase, (best(distant, phase) - best(near, phase)) / rttMs]);
      results.push({ who, trips: Object.fromEntries(trips) });
    }
    return { rttMs, results };
  } finally {
    for (const proxy of proxies) proxy.close();
  }
}

/** Whatever else happens on the machine makes a visit longer, never shorter. */
function best(visits: readonly Phases[], phase: string): number {
  return Math.min(...visits.map((phases) => phases[phase]!));
}

async function quickest(times: number, measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < times; i++) least = Math.min(least, await measure());
  return least;
}

/** fleetmask's own life of a host, timed where it reports its steps. The journal is left out: a disk is no round trip. */
async function fleetmask(lab: Lab, host: LabHost, port: number, scratch: string): Promise<Phases> {
  const knownHosts = join(scratch, 'known_hosts');
  writeFileSync(knownHosts, `[127.0.0.1]:${port} ${host.publicHostKey}\n`);
  const keys = keyRing({});
  await keys.require([lab.key]); // a run reads its keys once, before the first host
  const transport = ssh2Transport({
    connectTimeoutMs: 30_000,
    hostKeyChecking: 'strict',
    knownHostsFiles: [knownHosts],
    keys,
  });
  const phases: Record<string, number> = {};
  const started = performance.now();
  const since = () => performance.now() - started;
  const target = {
    ...{ host: host.name, address: '127.0.0.1', port, user: 'root', become: 'auto' as const },
    ...{ identityFiles: [lab.key], identitiesOnly: true },
  };
  const report = await settle(
    target,
    {
      run: `bench-${process.hrtime.bigint()}`,
      ask: { ...MASK, units: [UNIT] },
      queries: [parseQuery(UNIT)],
      meta: {},
      journal: { commit: async () => {}, close: async () => {} },
      rollback: 'host',
    },
    {
      transport,
      clock: {
        now: () => performance.now(),
        date: () => new Date().toISOString(),
        deadline: (ms) => AbortSignal.timeout(ms),
        sleep: async () => {},
      },
      hostTimeout: 60_000,
      progress: (_host, step) => {
        if (step === 'probing') phases.ready = since();
        if (step === 'applying') phases['probe answered'] = since();
      },
    },
  );
  phases.outcome = since();
  transport.close();
  if (report.outcome !== 'masked') throw new Error(`fleetmask: ${report.outcome}, ${report.fault?.message}`);
  return phases;
}

async function bare(lab: Lab, port: number, cgroup: string): Promise<Phases> {
  const client = { argv: [process.execPath, BARE, lab.key, '1', `127.0.0.1:${port}`] };
  const { code, stdout, complaint } = await runClient(cgroup, client, { watched: false });
  if (code !== 0) throw new Error(`bare ssh2 failed (${code}): ${complaint}`);
  const { ready, outcome } = JSON.parse(stdout);
  return { ready, outcome };
}

async function echoed(port: number): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  const started = performance.now();
  socket.write('?');
  await once(socket, 'data');
  socket.destroy();
  return performance.now() - started;
}

async function openProxy(delay: number, target: string): Promise<{ port: number; close(): void }> {
  const child = spawn(process.execPath, [PROXY, String(delay), target], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  return { port: Number(line), close: () => child.stdin.end() };
}
