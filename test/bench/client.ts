/** Runs a client in a cgroup of its own: what it and all its children spend is read there, exactly and for free. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cgroup } from '../lab/cgroup.ts';

export interface Client {
  readonly argv: readonly string[];
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Spent {
  readonly code: number;
  readonly stdout: string;
  readonly complaint: string;
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Memory of all its processes together at its highest; null when it was not watched. */
  readonly peakMib: number | null;
}

const SAMPLE_MS = 50;

/** `watched`: its memory is sampled, which costs the machine CPU. Time and memory are not measured in the same round. */
export async function runClient(path: string, client: Client, options: { watched: boolean }): Promise<Spent> {
  const cgroup = new Cgroup(path);
  await cgroup.kill();
  cgroup.create();
  try {
    const started = performance.now();
    const child = spawn('sh', ['-c', 'echo $$ >"$0/cgroup.procs" && exec "$@"', path, ...client.argv], {
      env: client.env ?? process.env,
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(client.input ?? '');
    const closed = once(child, 'close') as Promise<[number | null]>;
    const ended = new AbortController();
    const watching = options.watched ? watchMemory(path, ended.signal) : Promise.resolve(null);
    const [code] = await closed;
    const wallMs = performance.now() - started;
    ended.abort();
    return {
      code: code ?? -1,
      stdout: Buffer.concat(stdout).toString(),
      complaint: Buffer.concat(stderr).toString().trim().split('\n').slice(-3).join(' / '),
      wallMs,
      cpuMs: cgroup.cpuUsec / 1000,
      peakMib: await watching,
    };
  } finally {
    await cgroup.kill();
  }
}

async function watchMemory(path: string, ended: AbortSignal): Promise<number> {
  let peak = 0;
  while (!ended.aborted) {
    const held = processesOf(path).map(memoryOf);
    const own = held.reduce((sum, { alone }) => sum + alone, 0);
    peak = Math.max(peak, own + Math.max(0, ...held.map(({ shared }) => shared)));
    await sleep(SAMPLE_MS);
  }
  return peak / 1024;
}

function processesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  const below = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const own = readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  return [...own, ...below.flatMap((entry) => processesOf(join(path, entry.name)))];
}

/**
 * In KiB. RSS would count the libraries of 50 ssh's 50 times, and PSS would share them with whatever else runs on the machine: so
 * what each has alone, and what it shares with anybody, of which the largest is counted once.
 */
function memoryOf(pid: string): { alone: number; shared: number } {
  const sum = { alone: 0, shared: 0 };
  try {
    for (const [, kind, kib] of readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').matchAll(KINDS_OF_PAGES)) {
      sum[kind === 'Private' ? 'alone' : 'shared'] += Number(kib);
    }
  } catch {
    // it has ended
  }
  return sum;
}

const KINDS_OF_PAGES = /^(Private|Shared)_(?:Clean|Dirty):\s+(\d+)/gm;
