/** Rounds of all contenders in turn, so that what else happens on the machine hits them alike. */
import { type Client, runClient, type Spent } from './client.ts';
import type { Contender } from './contenders.ts';
import type { Fleet } from './fleet.ts';

export interface Lap {
  readonly wallMs: number;
  /** Of the client and its children; null where there is no client. */
  readonly clientMs: number | null;
  /** CPU of all hosts together, until they have come to rest. */
  readonly hostsMs: number;
  /** Of all hosts together. */
  readonly reloads: number;
}

export interface Result {
  readonly contender: Contender;
  readonly laps: readonly Lap[];
  readonly peakMib: number | null;
}

export interface Race {
  readonly results: readonly Result[];
  /** CPU of fleetmask when there is no host to talk to. */
  readonly startUpMs: readonly number[];
}

/** fleetmask's exit code for hosts that were not touched. */
const UNREACHABLE = 4;

export async function race(
  contenders: readonly Contender[],
  starting: Client,
  fleet: Fleet,
  cgroup: string,
  rounds: number,
  say: (line: string) => void,
): Promise<Race> {
  const laps = new Map<Contender, Lap[]>(contenders.map((contender) => [contender, []]));
  const peaks = new Map<Contender, number>();
  const startUpMs: number[] = [];
  // the first round only warms the caches of the disk, so it is the one that can bear to be watched
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? 'memory, not timed' : `round ${round} of ${rounds}`);
    for (const contender of contenders) {
      const { lap, peakMib } = await run(contender, fleet, cgroup, round === 0);
      if (round > 0) laps.get(contender)!.push(lap);
      else if (peakMib !== null) peaks.set(contender, peakMib);
    }
    if (round > 0) startUpMs.push(await cpuOfStarting(starting, cgroup));
  }
  const results = contenders.map((contender) => ({
    contender,
    laps: laps.get(contender)!,
    peakMib: peaks.get(contender) ?? null,
  }));
  return { results, startUpMs };
}

async function cpuOfStarting(starting: Client, cgroup: string): Promise<number> {
  const { code, cpuMs, complaint } = await runClient(cgroup, starting, { watched: false });
  if (code !== UNREACHABLE) throw new Error(`starting ended with ${code}: ${complaint}`);
  return cpuMs;
}

async function run(
  { name, on, work }: Contender,
  fleet: Fleet,
  cgroup: string,
  watched: boolean,
): Promise<{ lap: Lap; peakMib: number | null }> {
  await fleet.restore(on);
  const reloads = await fleet.reloads();
  const before = await fleet.quiet();
  const started = performance.now();
  let spent: Spent | undefined;
  if (typeof work === 'function') await work();
  else spent = await runClient(cgroup, work, { watched });
  const wallMs = spent?.wallMs ?? performance.now() - started;
  // sessions end and user slices go after the client has left: that is the login's price too
  const hostsMs = (await fleet.quiet()) - before;
  if (spent !== undefined && spent.code !== 0) throw new Error(`${name} ended with ${spent.code}: ${spent.complaint}`);
  await fleet.expect('masked');
  const lap = { wallMs, clientMs: spent?.cpuMs ?? null, hostsMs, reloads: (await fleet.reloads()) - reloads };
  return { lap, peakMib: spent?.peakMib ?? null };
}
