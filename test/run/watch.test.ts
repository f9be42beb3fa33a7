/** What a watch tells and does, with readings made up and a clock that takes no time. */
import { describe, expect, it } from 'vitest';
import type { Event, HostReport, UnitState } from '../../src/model/index.ts';
import { fault } from '../../src/model/index.ts';
import { type Watch, watch } from '../../src/run/watch.ts';

const HELD: UnitState = { load: 'masked', file: 'masked', active: 'inactive' };
const LOOSE: UnitState = { load: 'loaded', file: 'enabled', active: 'active' };
const RUNS: UnitState = { ...HELD, active: 'active' };
const UNREAD: UnitState = { ...HELD, file: 'enabled' };

type Reading = UnitState | 'down' | 'no-unit';
type Drift = Extract<Event, { type: 'drift' }>;

const report = (outcome: HostReport['outcome'], rest: Partial<HostReport> = {}): HostReport => ({
  ...{ host: 'web1', address: '10.0.0.1', port: 22, seconds: 0, os: null, systemd: 252, fault: null },
  ...{ outcome, units: [], ...rest },
});

function reportOf(reading: Reading): HostReport {
  if (reading === 'down') return report('unreachable', { fault: fault('unreachable', 'no answer') });
  if (reading === 'no-unit') return report('refused', { fault: fault('no-unit', 'there is none') });
  const unit = { asked: 'cron', unit: 'cron.service', before: reading, after: reading, startProbe: 'skipped' } as const;
  const units = [{ ...unit, triggers: [], steps: [], leftovers: 0, notes: [] }];
  return report(reading.load === 'masked' ? 'masked' : 'not-masked', { units });
}

/** The last reading stays. */
async function watching(
  readings: readonly Reading[],
  more: Partial<Watch> & { stopped?: boolean; count?: number } = {},
) {
  const told: Drift[] = [];
  const times: number[] = [];
  let now = 0;
  let reads = 0;
  const { stopped = true, count = readings.length, ...rest } = more;
  const [watched] = await watch({
    hosts: [
      {
        host: 'web1',
        address: '10.0.0.1',
        port: 22,
        user: 'root',
        identityFiles: [],
        identitiesOnly: false,
        become: 'auto',
      },
    ],
    ...{ wanted: { state: 'masked', stopped }, every: 1000, forks: 5, count, random: () => 0.5 },
    stop: new AbortController().signal,
    clock: {
      now: () => now,
      date: () => `2026-01-01T00:00:${String(reads).padStart(2, '0')}.000Z`,
      sleep: async (ms) => {
        now += ms;
      },
    },
    read: async () => {
      times.push(now);
      return reportOf(readings[Math.min(reads++, readings.length - 1)]!);
    },
    publish: (event) => event.type === 'drift' && told.push(event),
    ...rest,
  });
  return { told: told.map(({ unit, what, message }) => [unit ?? '', what, message]), watched: watched!, times };
}
const kinds = (told: readonly (readonly string[])[]) => told.map(([, what]) => what);

describe('a watch', () => {
  it('is silent as long as all is as asked', async () => {
    const { told, watched } = await watching([HELD, HELD, HELD]);
    expect(told).toEqual([]);
    expect(watched).toMatchObject({ asAsked: true, report: { outcome: 'masked' } });
  });

  it('tells at once what is not, once, and when it is again', async () => {
    const { told, watched } = await watching([LOOSE, LOOSE, HELD, HELD, RUNS, HELD]);
    expect(told).toEqual([
      ['cron.service', 'unmasked', 'is not masked: loaded, enabled, active'],
      ['cron.service', 'as-asked', 'is masked: masked, masked, inactive'],
      ['cron.service', 'running', 'is masked and runs: masked, masked, active'],
      ['cron.service', 'as-asked', 'is masked: masked, masked, inactive'],
    ]);
    expect(watched.asAsked).toBe(true);
  });

  it('tells of a mask that is gone from the disk before systemd knows', async () => {
    const { told } = await watching([HELD, UNREAD]);
    expect(told).toEqual([
      ['cron.service', 'unmasked', 'its mask is gone from the disk; systemd has not read that yet'],
    ]);
  });

  it('of units that may run, tells when one runs again', async () => {
    expect((await watching([RUNS, RUNS], { stopped: false })).told).toEqual([]);
    const { told } = await watching([HELD, RUNS, RUNS, HELD], { stopped: false });
    expect(kinds(told)).toEqual(['running', 'as-asked']);
  });

  it('tells of a host that goes and comes, and of what has changed meanwhile', async () => {
    const { told, watched } = await watching([HELD, 'down', 'down', LOOSE, 'no-unit']);
    expect(told.map(([unit, what]) => [unit, what])).toEqual([
      ['', 'unreachable'],
      ['', 'as-asked'],
      ['cron.service', 'unmasked'],
      ['', 'refused'],
    ]);
    expect(watched.asAsked).toBe(false);
  });

  it('of a run that unmasked, tells what is masked', async () => {
    const { told } = await watching([LOOSE, HELD], { wanted: { state: 'unmasked', stopped: false } });
    expect(kinds(told)).toEqual(['masked']);
  });

  it('reads each host at its interval, a tenth more or less', async () => {
    const numbers = [0, 1, 0.5];
    const { times } = await watching([HELD, HELD, HELD, HELD], { random: () => numbers.shift() ?? 0 });
    expect(times).toEqual([0, 900, 2000, 3000]);
  });

  it('ends at once when it is stopped, also in the middle of a reading', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    const { watched } = await watching([HELD], { stop: stop.signal, read: () => new Promise(() => {}) });
    expect(watched).toEqual({ report: null, asAsked: false });
  });
});

describe('a watch that puts masks back', () => {
  it('does so at once, and tells how it went', async () => {
    const reassert = async () => report('masked');
    const { told } = await watching([HELD, LOOSE, HELD], { reassert });
    expect(told.map(([unit, what]) => [unit, what])).toEqual([
      ['cron.service', 'unmasked'],
      ['', 'reasserted'],
      ['cron.service', 'as-asked'],
    ]);
  });

  it('waits longer each time, and gives up', async () => {
    const at: number[] = [];
    let reads = 0;
    const result = await watching([LOOSE], {
      count: 100,
      reassert: async () => {
        at.push(reads);
        return report('rolled-back', { fault: fault('still-running', 'it runs') });
      },
      read: async () => {
        reads += 1;
        return reportOf(LOOSE);
      },
    });
    expect(at).toEqual([1, 3, 7, 15, 31]);
    expect(kinds(result.told)).toEqual(['unmasked', ...Array(5).fill('reasserted'), 'given-up']);
    expect(result.told.at(-1)?.[2]).toBe('tried 5 times to mask it again; it is only watched from now on');
    expect(result.watched.asAsked).toBe(false);
  });

  it('begins anew once it has held for a while', async () => {
    const often = [LOOSE, LOOSE, LOOSE, HELD];
    const steady = Array<Reading>(10).fill(HELD);
    const reassert = async () => report('masked');
    const { told } = await watching([...often, ...steady, ...Array<Reading>(40).fill(LOOSE)], { reassert });
    expect(kinds(told).filter((what) => what === 'reasserted')).toHaveLength(2 + 5);
  });

  it('does nothing about a host that cannot be reached, and ends stranded with one that is', async () => {
    const done: string[] = [];
    const reassert = async () => {
      done.push('again');
      return report('stranded', { fault: fault('lost', 'gone') });
    };
    const { watched } = await watching(['down', 'down', LOOSE], { reassert });
    expect(done).toEqual(['again']);
    expect(watched.report?.outcome).toBe('stranded');
  });
});
