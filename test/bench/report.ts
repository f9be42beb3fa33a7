/** What is printed: the table, the ratios that count, the round trips. */
import { BARE_LOOP, FLEETMASK, NO_OP } from './contenders.ts';
import { figures, ranged, table } from './figures.ts';
import type { Lap, Race, Result } from './race.ts';
import type { RoundTrips } from './round-trips.ts';

/** The aims. Information, not a verdict: the machine decides too. */
const AIM = { wall: 1.15, hosts: 1.15, clientMs: 8, clientAt: 100, trips: 6 } as const;

export function showRace({ results, startUpMs }: Race, hosts: number): void {
  const rows = results.map(({ contender, laps, peakMib }) => {
    const client = laps.flatMap(({ clientMs }) => (clientMs === null ? [] : [clientMs / hosts]));
    return [
      contender.name,
      ranged(figures(laps.map(({ wallMs }) => wallMs / 1000)), 2),
      client.length === 0 ? '–' : ranged(figures(client), 1),
      ranged(figures(laps.map(({ hostsMs }) => hostsMs / hosts)), 0),
      peakMib === null ? '–' : peakMib.toFixed(0),
      ranged(figures(laps.map(({ reloads }) => reloads / hosts)), 0),
      contender.does,
    ];
  });
  const head = ['', 'wall s', 'client CPU ms/host', 'hosts’ CPU ms/host', 'client MiB', 'reloads/host', 'does'];
  print(table(head, rows));

  const of = (name: string) => results.find(({ contender }) => contender.name === name)!;
  const [own, bare, idle] = [of(FLEETMASK), of(BARE_LOOP), of(NO_OP)];
  const ratio = (pick: (lap: Lap) => number) => median(own, pick) / median(bare, pick);
  const startUp = figures(startUpMs).median;
  const client = median(own, ({ clientMs }) => clientMs!);
  const atHundred = (client - startUp) / hosts + startUp / AIM.clientAt;
  const [wall, hosts_] = [ratio(({ wallMs }) => wallMs), ratio(({ hostsMs }) => hostsMs)];
  print(
    `fleetmask / bare ssh2: wall ${wall.toFixed(2)}, hosts’ CPU ${hosts_.toFixed(2)}, client CPU ${ratio(({ clientMs }) => clientMs!).toFixed(2)}\n`,
    `fleetmask’s client CPU: ${startUp.toFixed(0)} ms to start and end, and ${((client - startUp) / hosts).toFixed(1)} ms a host\n\n`,
    aim(wall <= AIM.wall, `wall time ≤ ${AIM.wall} × bare ssh2`),
    aim(hosts_ <= AIM.hosts, `hosts’ CPU ≤ ${AIM.hosts} × bare ssh2`),
    aim(
      atHundred <= AIM.clientMs,
      `client CPU ≤ ${AIM.clientMs} ms a host at ${AIM.clientAt} hosts` +
        (hosts === AIM.clientAt ? '' : ` (${atHundred.toFixed(1)}, reckoned from ${hosts})`),
    ),
    aim(median(idle, ({ reloads }) => reloads) === 0, 'no reload where all is as asked'),
    '\n',
  );
}

function median({ laps }: Result, pick: (lap: Lap) => number): number {
  return figures(laps.map(pick)).median;
}

function aim(met: boolean, text: string): string {
  return `${met ? 'met   ' : 'missed'}  ${text}\n`;
}

export function showRoundTrips(rttMs: number, results: readonly RoundTrips[]): void {
  const phases = ['ready', 'probe answered', 'outcome'];
  const rows = results.map(({ who, trips }) => [
    who,
    ...phases.map((phase) => (trips[phase] === undefined ? '–' : trips[phase].toFixed(1))),
  ]);
  print(
    `Round trips on a link of ${rttMs.toFixed(0)} ms, from the open TCP connection on (its handshake is one more):\n\n`,
    table(['', ...phases], rows),
    '\n',
  );
  const all = 1 + (results.find(({ who }) => who === FLEETMASK)?.trips.outcome ?? Number.NaN);
  print(aim(all <= AIM.trips, `≤ ${AIM.trips} round trips from connect to outcome: ${all.toFixed(1)} with TCP’s`));
}

function print(...texts: readonly string[]): void {
  process.stdout.write(`${texts.join('')}${texts.length === 1 ? '\n' : ''}`);
}
