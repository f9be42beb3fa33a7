/**
 * What one host costs the controller from its first byte to what is shown of it: the whole visit, over a transport that hands over
 * what the worst hosts say, as CPU time over that of a host that is quiet.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { HostReport, JournalHost } from '../../src/model/index.ts';
import { parseQuery } from '../../src/plan/resolve.ts';
import type { HostRecord } from '../../src/remote/blocks.ts';
import { toCsv } from '../../src/report/csv.ts';
import { toHtml } from '../../src/report/html.ts';
import { visibleJson } from '../../src/report/json-sinks.ts';
import { toJunit } from '../../src/report/junit.ts';
import { renderReport } from '../../src/report/results.ts';
import { acrossFleet } from '../../src/run/across-fleet.ts';
import { plan } from '../../src/run/host/change.ts';
import type { Crew } from '../../src/run/host/visit.ts';
import type { Connection, RemoteProcess } from '../../src/transport/transport.ts';
import { costOf } from './cost.ts';
import { ASK, hostReport, PROBES, RECEIPTS, record, report, type Share, TEXTS, times, unit } from './inputs.ts';

/** CPU, ms, that one hostile host may cost: on an idle machine each is below 100, and a machine under load counts up to twice that. */
const MOST_MS = 250;
/** A busy machine makes everything dearer; never cheaper. */
const TRIES = 5;

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const EVIL: JournalHost = {
  ...{ host: 'evil', address: '192.0.2.1', port: 22, user: 'op' },
  ...{ identityFiles: [], identitiesOnly: true, become: 'auto' },
};

/** Says this to each probe. What it costs to say it is not the controller's. */
function saying(records: readonly HostRecord[]): { connection: Connection; spoken(): number } {
  let spoken = 0;
  const body = records.map(({ kind, text }) => `${kind}${text === '' ? '' : ` ${text}`}\n`);
  const connection: Connection = {
    description: { hostKey: 'ssh-ed25519', auth: [], strictKex: true },
    close: () => {},
    exec(_command, output): RemoteProcess {
      return {
        ended: new Promise(() => {}),
        end: () => {},
        abandon: () => {},
        write(data) {
          const before = process.cpuUsage();
          const [, nonce, seq] = /main (\w+) (\d+) probe/.exec(data.slice(data.lastIndexOf('\nmain '))) ?? [];
          const frame = `@${nonce} ${seq} `;
          const bytes = Buffer.from(`${body.map((line) => frame + line).join('')}${frame}done ${body.length + 1}\n`);
          const { user, system } = process.cpuUsage(before);
          spoken += (user + system) / 1000;
          for (let from = 0; from < bytes.length; from += 32_768) output.stdout(bytes.subarray(from, from + 32_768));
        },
      };
    },
  };
  return { connection, spoken: () => spoken };
}

function crewOf(connection: Connection): Crew {
  return {
    transport: { connect: async () => ({ connection }), close: () => {} },
    clock: { now: () => 0, date: () => '', deadline: () => new AbortController().signal, sleep: async () => {} },
    hostTimeout: 60_000,
    progress: () => {},
  };
}

/** CPU, ms, of a visit and of all that is shown of it. */
async function visitOf(records: readonly HostRecord[], name: string): Promise<{ ms: number; seen: HostReport }> {
  const { connection, spoken } = saying(records);
  const before = process.cpuUsage();
  const seen = await plan(EVIL, { ...ASK, withTriggers: true, units: [name] }, [parseQuery(name)], crewOf(connection));
  const whole = report([seen]);
  visibleJson(whole);
  renderReport(whole, { columns: 100, color: true } as never, { verbose: false });
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / 1000 - spoken(), seen };
}

async function least(records: readonly HostRecord[], name: string, enough: number): Promise<number> {
  let ms = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES && ms > enough; i++) ms = Math.min(ms, (await visitOf(records, name)).ms);
  return ms;
}

const QUIET = [record('host', 'privilege=root'), record('manager', 'Version=252'), ...unit({ id: 'cron.service' })];
const HOSTS = {
  ...PROBES,
  ...Object.fromEntries(
    Object.entries(RECEIPTS).map(([what, records]) => [
      `receipts ${what}`,
      (share: Share) => [...QUIET, ...records(share)],
    ]),
  ),
};

describe('a visit of the worst host costs about a tenth of a second at most', () => {
  const cases = Object.entries(HOSTS).flatMap(([what, records]) =>
    ['cron', 'cron.timer', 'php-fpm', 'getty@.service'].map((name) => [what, name, records] as const),
  );
  it.each(cases)('%s, asked for %s', async (_what, name, records) => {
    const quiet = await least(QUIET, name, 0);
    expect((await least(records(1), name, MOST_MS + quiet)) - quiet, 'CPU, ms').toBeLessThan(MOST_MS);
  });
});

const FORMATS: Readonly<Record<string, (whole: ReturnType<typeof report>) => unknown>> = {
  table: (whole) => renderReport(whole, { columns: 100, color: true } as never, { verbose: false }),
  wide: (whole) => renderReport(whole, {} as never, { verbose: true }),
  ...{ csv: toCsv, html: toHtml, junit: toJunit, json: visibleJson },
};

describe('a report that a host fills costs about a tenth of a second at most', () => {
  it.each(Object.entries(FORMATS))('as %s, whatever it is filled with', (_format, show) => {
    for (const [what, word] of Object.entries(TEXTS)) {
      const ms = costOf(() => report([hostReport(1, 'evil', word)]), show, MOST_MS, TRIES);
      expect(ms, `CPU, ms, of ${what}`).toBeLessThan(MOST_MS);
    }
  });
});

describe('a run of hosts that mean harm', () => {
  const all = Object.values(HOSTS);

  it('plans the honest one among a thousand of them, and fails for none', async () => {
    const hosts = times(1_000, (i): JournalHost => ({ ...EVIL, host: `evil${i}` }));
    const honest = { ...EVIL, host: 'honest' };
    // a twentieth of the worst, for what a fleet of them can say at once is not what is measured here
    const spoken = all.map((records) => records(0.05));
    const ofHost = (host: string) => (host === 'honest' ? QUIET : spoken[Number(host.slice(4)) % spoken.length]!);
    const reports = await acrossFleet(
      [...hosts, honest],
      50,
      () => null,
      (host) => plan(host, ASK, [parseQuery('cron')], crewOf(saying(ofHost(host.host)).connection)),
      () => {},
    );
    expect(reports).toHaveLength(1_001);
    expect(reports.at(-1)).toMatchObject({ host: 'honest', outcome: 'planned' });
    expect(reports.filter(({ fault }) => fault?.kind === 'bug')).toEqual([]);
  });

  it('costs no more than 8 MB for what is kept of one', async () => {
    const seen: HostReport[] = [];
    for (const records of all) {
      collect();
      const before = process.memoryUsage().heapUsed;
      seen.push((await visitOf(records(1), 'cron')).seen);
      collect();
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(8_000_000);
    }
    expect(seen).toHaveLength(all.length);
  });
});
