/** Waves, budgets, interrupts and the way back, over hosts that take their time. */
import { setImmediate as tick } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type Event, fault, type HostReport, type JournalHost, type Outcome } from '../../src/model/index.ts';
import { type Budget, budget, type Limits, UNLIMITED, waveProof } from '../../src/plan/failure-budget.ts';
import { campaign, type FleetUndo } from '../../src/run/rollout.ts';

const target = (host: string): JournalHost => ({
  host,
  address: host,
  port: 22,
  user: 'root',
  identityFiles: [],
  identitiesOnly: false,
  become: 'auto',
});
const names = (count: number) => Array.from({ length: count }, (_, i) => `h${i + 1}`);

const ended = (host: string, outcome: Outcome): HostReport => ({
  host,
  address: host,
  port: 22,
  outcome,
  seconds: 1,
  os: null,
  systemd: null,
  units: [],
  fault: outcome === 'masked' || outcome === 'unchanged' ? null : fault('still-running', `${host}: ${outcome}`),
});

interface Given {
  readonly hosts: readonly string[];
  readonly waves?: readonly number[];
  readonly forks?: number;
  readonly budget?: Budget;
  /** With which each wave must be proved; absent: it need not. */
  readonly proof?: Limits;
  readonly fate?: (host: string) => Outcome;
  /** Turns of the event loop that a host takes. */
  readonly turns?: (host: string) => number;
  readonly whenSpent?: FleetUndo['whenSpent'];
  readonly agrees?: boolean;
  /** Interrupted when this host has begun. */
  readonly interruptAt?: string;
}

async function run(given: Given) {
  const log: string[] = [];
  const events: Event[] = [];
  const interrupt = new AbortController();
  const offered: string[][] = [];
  const reports = await campaign({
    hosts: given.hosts.map(target),
    waves: given.waves,
    forks: given.forks ?? 50,
    budget: given.budget ?? UNLIMITED,
    proof: given.proof && waveProof(given.proof),
    interrupt: interrupt.signal,
    work: async ({ host }) => {
      log.push(`begin ${host}`);
      if (given.interruptAt === host) interrupt.abort();
      for (let turn = given.turns?.(host) ?? 1; turn > 0; turn--) await tick();
      log.push(`end ${host}`);
      return ended(host, given.fate?.(host) ?? 'masked');
    },
    undo: given.whenSpent && {
      whenSpent: given.whenSpent,
      offer: async (changed) => {
        offered.push([...changed]);
        return given.agrees ?? false;
      },
      begin: async (hosts) => void log.push(`put back ${hosts.join(' ')}`),
      host: async ({ host }, forward, why) => {
        log.push(`undo ${host}`);
        for (let turn = given.turns?.(host) ?? 1; turn > 0; turn--) await tick();
        log.push(`undone ${host}`);
        return { ...forward, outcome: 'rolled-back', fault: forward.fault ?? why };
      },
    },
    publish: (event) => events.push(event),
  });
  return { log, events, reports, offered, outcomes: reports.map(({ host, outcome }) => `${host} ${outcome}`) };
}

const only =
  (failing: string, outcome: Outcome = 'rolled-back') =>
  (host: string) =>
    host === failing ? outcome : 'masked';
const ALL = { kind: 'percent', percent: 100 } as const;
const NONE = budget({ maxFail: { kind: 'hosts', count: 0 } }, 6);

describe('a run in waves', () => {
  test('begins no host before the wave before it is settled, and settles each host once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 8 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 5 })),
        async (waves, forks, turns) => {
          const hosts = names(waves.reduce((sum, size) => sum + size, 0));
          const slow = new Map(hosts.map((host) => [host, turns.next().value ?? 0]));
          const { log, reports, events } = await run({ hosts, waves, forks, turns: (host) => slow.get(host) ?? 0 });
          expect(reports.map(({ host }) => host)).toEqual(hosts);
          const waveOf = new Map(reports.map(({ host, wave }) => [host, wave ?? 0]));
          let flying = 0;
          let oldest = 1;
          for (const line of log) {
            const [what, host = ''] = line.split(' ');
            flying += what === 'begin' ? 1 : -1;
            expect(flying).toBeLessThanOrEqual(forks);
            const wave = waveOf.get(host)!;
            expect(wave).toBeGreaterThanOrEqual(oldest);
            if (what === 'begin' && wave > oldest) {
              expect(flying, `${host} began while others of wave ${oldest} were in flight`).toBe(1);
              oldest = wave;
            }
          }
          const finished = events.flatMap((event) => (event.type === 'wave-finished' ? [event.wave] : []));
          expect(finished).toEqual(waves.map((_, i) => i + 1));
          expect(events.filter(({ type }) => type === 'host-settled')).toHaveLength(hosts.length);
        },
      ),
    );
  });

  it('whose canary fails begins no other wave, and says why', async () => {
    const { outcomes, reports, events, log } = await run({
      hosts: names(6),
      waves: [1, 2, 3],
      budget: NONE,
      fate: only('h1', 'refused'),
    });
    expect(log).toEqual(['begin h1', 'end h1']);
    expect(outcomes.slice(0, 2)).toEqual(['h1 refused', 'h2 not-started']);
    expect(reports[5]).toMatchObject({
      wave: 3,
      fault: { kind: 'budget', message: 'not begun: h1 failed, and --max-fail is 0' },
    });
    expect(events.filter(({ type }) => type === 'wave-finished')).toEqual([
      {
        type: 'wave-finished',
        wave: 1,
        waves: 3,
        totals: { refused: 1 },
        failed: [{ host: 'h1', outcome: 'refused' }],
      },
    ]);
  });

  it('whose budget is spent within a wave begins no other host, and ends those in flight', async () => {
    const { outcomes } = await run({
      hosts: names(6),
      forks: 2,
      budget: NONE,
      fate: only('h1'),
      turns: (host) => (host === 'h2' ? 5 : 1),
    });
    expect(outcomes).toEqual([
      'h1 rolled-back',
      'h2 masked',
      ...['h3', 'h4', 'h5', 'h6'].map((host) => `${host} not-started`),
    ]);
  });

  it.each<[what: string, outcomes: readonly Outcome[], limits: Limits, goesOn: boolean]>([
    ['nobody reached', ['unreachable', 'unreachable'], {}, false],
    ['nobody reached, as --max-unreachable allows', ['unreachable', 'unreachable'], { maxUnreachable: ALL }, true],
    ['one proved', ['unreachable', 'masked'], {}, true],
    ['found as asked', ['unreachable', 'unchanged'], {}, true],
    ['partly failed as --max-fail allows, and nobody proved', ['refused', 'unreachable'], { maxFail: ALL }, false],
    ['failed as --max-fail allows', ['refused', 'rolled-back'], { maxFail: ALL }, true],
  ])('that %s: another wave begins only after a proof', async (_what, fates, limits, goesOn) => {
    const { outcomes, reports, log } = await run({
      hosts: names(5),
      waves: [2, 1, 2],
      proof: limits,
      whenSpent: 'put-back',
      fate: (host) => fates[Number(host.slice(1)) - 1] ?? 'masked',
    });
    const rest = goesOn ? 'masked' : 'not-started';
    expect(outcomes).toEqual([...fates, rest, rest, rest].map((outcome, i) => `h${i + 1} ${outcome}`));
    if (!goesOn) expect(reports[4]?.fault?.message).toMatch(/^not begun: the change was proved on no host of wave 1: /);
    expect(log.filter((line) => line.startsWith('undo'))).toEqual([]);
  });

  it('is not numbered where no waves were asked for', async () => {
    const { reports, events } = await run({ hosts: names(2) });
    expect(reports.every((report) => !('wave' in report))).toBe(true);
    expect(events.some(({ type }) => type === 'wave-finished')).toBe(false);
  });
});

describe('a fleet', () => {
  it('is put back when the budget is spent, the newest wave first and each wave whole, and hosts not changed are left alone', async () => {
    const { log, outcomes, reports, events } = await run({
      hosts: names(6),
      waves: [2, 2, 2],
      budget: NONE,
      fate: (host) => ({ h2: 'unchanged' as const, h5: 'rolled-back' as const })[host] ?? 'masked',
      whenSpent: 'put-back',
      turns: (host) => Number(host.slice(1)),
    });
    const back = log.slice(log.findIndex((line) => line.startsWith('put back')));
    expect(back).toEqual([
      'put back h1 h3 h4 h6',
      'undo h6',
      'undone h6',
      'undo h3',
      'undo h4',
      'undone h3',
      'undone h4',
      'undo h1',
      'undone h1',
    ]);
    expect(outcomes).toEqual([
      'h1 rolled-back',
      'h2 unchanged',
      'h3 rolled-back',
      'h4 rolled-back',
      'h5 rolled-back',
      'h6 rolled-back',
    ]);
    expect(reports[0]?.fault).toMatchObject({
      kind: 'fleet-rollback',
      message: 'put back: h5 failed, and --max-fail is 0',
    });
    expect(reports[4]?.fault?.kind).toBe('still-running');
    expect(events.find(({ type }) => type === 'rollback-started')).toMatchObject({ hosts: ['h1', 'h3', 'h4', 'h6'] });
  });

  it('is called once more for a host that was stranded, whose own fault stays', async () => {
    const { reports, log } = await run({
      hosts: names(3),
      budget: NONE,
      fate: only('h2', 'stranded'),
      whenSpent: 'put-back',
    });
    expect(log).toContain('undo h2');
    expect(reports[1]).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'still-running' } });
  });

  it('is kept where that is asked for, and where nothing was changed nothing is put back', async () => {
    const kept = await run({ hosts: names(2), budget: NONE, fate: only('h2'), whenSpent: 'keep' });
    expect(kept.outcomes).toEqual(['h1 masked', 'h2 rolled-back']);
    const alone = await run({ hosts: names(2), forks: 1, budget: NONE, fate: only('h1'), whenSpent: 'put-back' });
    expect(alone.outcomes).toEqual(['h1 rolled-back', 'h2 not-started']);
    expect(alone.log.some((line) => line.startsWith('put back'))).toBe(false);
  });
});

const FATES = ['masked', 'masked', 'masked', 'unchanged', 'refused', 'unreachable', 'rolled-back', 'stranded'] as const;

test('whatever happens: one report for each host, nothing begun after the budget is spent, and a fleet is back or the budget is not spent', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...FATES), { minLength: 1, maxLength: 20 }),
      fc.record({
        max: fc.integer({ min: 0, max: 4 }),
        size: fc.integer({ min: 1, max: 20 }),
        forks: fc.integer({ min: 1, max: 6 }),
      }),
      fc.constantFrom('put-back' as const, 'keep' as const),
      fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
      async (fates, { max, size, forks }, whenSpent, turns) => {
        const hosts = names(fates.length);
        const fate = new Map(hosts.map((host, i) => [host, fates[i]!]));
        const slow = new Map(hosts.map((host) => [host, turns.next().value ?? 1]));
        const waves = Array.from({ length: Math.ceil(hosts.length / size) }, (_, i) =>
          Math.min(size, hosts.length - i * size),
        );
        const { log, reports, outcomes } = await run({
          hosts,
          waves,
          forks,
          whenSpent,
          budget: budget({ maxFail: { kind: 'hosts', count: max } }, hosts.length),
          fate: (host) => fate.get(host)!,
          turns: (host) => slow.get(host)!,
        });
        expect(reports.map(({ host }) => host)).toEqual(hosts);
        let failed = 0;
        for (const line of log) {
          const [what, host = ''] = line.split(' ');
          if (what === 'end' && ['refused', 'rolled-back', 'stranded'].includes(fate.get(host)!)) failed += 1;
          if (what === 'begin') expect(failed, line).toBeLessThanOrEqual(max);
        }
        const begun = log.flatMap((line) => (line.startsWith('begin ') ? [line.slice(6)] : []));
        const changed = begun.filter((host) => ['masked', 'stranded'].includes(fate.get(host)!));
        const putBack = failed > max && whenSpent === 'put-back';
        expect(log.flatMap((line) => (line.startsWith('undo ') ? [line.slice(5)] : [])).sort()).toEqual(
          putBack ? changed.sort() : [],
        );
        for (const [i, host] of hosts.entries()) {
          const expected = !begun.includes(host)
            ? 'not-started'
            : putBack && changed.includes(host)
              ? 'rolled-back'
              : fates[i];
          expect(outcomes[i]).toBe(`${host} ${expected}`);
          if (expected === 'not-started') expect(failed).toBeGreaterThan(max);
        }
      },
    ),
  );
});

describe('an interrupt', () => {
  const interrupted: Given = { hosts: names(4), forks: 2, interruptAt: 'h2', whenSpent: 'keep' };

  it('ends what is in flight, begins no other, and offers the way back', async () => {
    const { outcomes, offered, reports } = await run(interrupted);
    expect(outcomes).toEqual(['h1 masked', 'h2 masked', 'h3 not-started', 'h4 not-started']);
    expect(reports[3]?.fault?.kind).toBe('cancelled');
    expect(offered).toEqual([['h1', 'h2']]);
  });

  it('puts back what was changed when that is agreed to', async () => {
    const { outcomes, reports } = await run({ ...interrupted, agrees: true });
    expect(outcomes).toEqual(['h1 rolled-back', 'h2 rolled-back', 'h3 not-started', 'h4 not-started']);
    expect(reports[0]?.fault?.kind).toBe('cancelled');
  });

  it('of a run that has changed nothing offers nothing', async () => {
    const { offered } = await run({ ...interrupted, fate: () => 'unchanged' });
    expect(offered).toEqual([]);
  });

  it('asks nothing when the fleet is put back anyway', async () => {
    const { offered, outcomes } = await run({
      ...interrupted,
      budget: NONE,
      fate: only('h2'),
      whenSpent: 'put-back',
    });
    expect(offered).toEqual([]);
    expect(outcomes.slice(0, 2)).toEqual(['h1 rolled-back', 'h2 rolled-back']);
  });
});
