/** `npm run bench`: what fleetmask costs, beside what others cost, on the same hosts in one run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cgroup } from '../lab/cgroup.ts';
import { type Lab, openLab, sweepLabs } from '../lab/lab.ts';
import { cgroupRoot } from '../lab/machine.ts';
import { contenders, startUp } from './contenders.ts';
import { Fleet } from './fleet.ts';
import { race } from './race.ts';
import { showRace, showRoundTrips } from './report.ts';
import { roundTrips } from './round-trips.ts';

const USAGE = `What fleetmask costs, beside what others cost, on real systemd hosts on this machine. Needs root.

  npm run bench -- [--hosts 20] [--rounds 3] [--forks 50] [--kind debian12]

  --hosts N    lab hosts, all of one kind; 0 measures the round trips only
  --rounds N   every contender once a round; medians are printed
  --forks N    hosts at once, for every contender
  --kind KIND  debian11 debian12 debian13 rhel-like arch-like (those with cron.service)
`;

const PARENT = '/var/tmp';
const PREFIX = 'fleetmask-lab-bench-';
const ROUND_TRIP_REPEATS = 7;

const say = (line: string) => process.stderr.write(`bench: ${line}\n`);

interface Options {
  readonly hosts: number;
  readonly rounds: number;
  readonly forks: number;
  readonly kind: string;
}

function options(): Options | undefined {
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({ options: { hosts: text, rounds: text, forks: text, kind: text } });
    const { hosts = '20', rounds = '3', forks = '50', kind = 'debian12' } = values;
    const numbers = { hosts: Number(hosts), rounds: Number(rounds), forks: Number(forks) };
    const right = Object.values(numbers).every(Number.isInteger) && numbers.rounds > 0 && numbers.forks > 0;
    return right && numbers.hosts >= 0 ? { ...numbers, kind } : undefined;
  } catch {
    return undefined;
  }
}

async function bench(
  lab: Lab,
  scratch: string,
  cgroup: string,
  { hosts: count, rounds, forks, kind }: Options,
): Promise<void> {
  const hosts = await lab.hosts(Math.max(count, 1), [kind]);
  process.stdout.write(
    `${count} hosts (${kind}), ${forks} at once, ${availableParallelism()} CPUs shared by client and hosts,`,
  );
  process.stdout.write(` ${rounds} round${rounds === 1 ? '' : 's'}, cold logins. Median (min–max).\n\n`);
  if (count > 0) {
    const fleet = new Fleet(hosts, 'cold');
    const all = contenders(lab, fleet, forks, join(scratch, 'state'));
    const starting = startUp(lab, join(scratch, 'state'));
    showRace(await race(all, starting, fleet, cgroup, rounds, say), count);
  }
  say('round trips');
  const { rttMs, results } = await roundTrips(lab, hosts[0]!, cgroup, scratch, ROUND_TRIP_REPEATS);
  showRoundTrips(rttMs, results);
}

const asked = options();
if (asked === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const scratch = mkdtempSync(join(tmpdir(), 'fleetmask-bench-'));
  let lab: Lab | undefined;
  let cgroup: string | undefined;
  let tidying: Promise<void> | undefined;
  const tidy = () => {
    tidying ??= (async () => {
      // the client that is being measured; it may end by itself meanwhile
      if (cgroup !== undefined) await new Cgroup(cgroup).kill().catch(() => {});
      await lab?.down();
      if (lab !== undefined) rmSync(lab.dir, { recursive: true, force: true });
      rmSync(scratch, { recursive: true, force: true });
    })();
    return tidying;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (tidying === undefined) say('stopping the hosts');
      void tidy().finally(() => process.exit(130));
    });
  }
  try {
    lab = await openLab({ dir: join(PARENT, `${PREFIX}${process.pid}`), say });
    await sweepLabs(PARENT, PREFIX);
    cgroup = join(await cgroupRoot(), `bench-${process.pid}`);
    await bench(lab, scratch, cgroup, asked);
  } catch (error) {
    // what fails while the hosts are being stopped fails because of that
    if (tidying === undefined) say((error as Error).stack ?? String(error));
    process.exitCode = 1;
  } finally {
    await tidy();
  }
}
