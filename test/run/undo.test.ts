/** How much time a rollback gives a host. */
import { expect, it } from 'vitest';
import { type Change, fault, type JournalHost } from '../../src/model/index.ts';
import type { RequestContext } from '../../src/remote/protocol.ts';
import type { Session } from '../../src/remote/session.ts';
import { undoHost } from '../../src/run/host/undo.ts';
import type { Crew } from '../../src/run/host/visit.ts';

const HOST: JournalHost = {
  host: 'web1',
  address: '192.0.2.1',
  port: 22,
  user: 'op',
  identityFiles: [],
  identitiesOnly: true,
  become: 'auto',
};
const CHANGE: Change = {
  where: 'etc',
  ...{ links: [], removes: [], displaces: [], stops: ['slow.service'], attempts: [] },
  ...{ groups: [], killLeftovers: false, reads: [], looks: [] },
};
const PRIOR = { bootId: null, machineId: null, states: [], masks: [] };

/** The seconds that the host is told for one stop or start, by the time that the unit's own stop may take, in ms. */
async function told(stopLimit: number | undefined, rollbackTimeout?: number): Promise<number> {
  let heard: RequestContext | undefined;
  const session = {
    undo: async (_request, context) => {
      heard = context;
      const nothing = {
        refused: null,
        steps: [],
        units: [],
        paths: [],
        left: [],
        foreign: [],
        lacking: [],
        receipt: true,
      };
      return { kind: 'answer', value: nothing };
    },
  } as Partial<Session> as Session;
  const crew: Crew = {
    transport: { connect: async () => ({ fault: fault('unreachable', 'away') }), close: () => {} },
    clock: { now: () => 0, date: () => '', deadline: () => new AbortController().signal, sleep: async () => {} },
    hostTimeout: 1000,
    ...(rollbackTimeout !== undefined && { rollbackTimeout }),
    progress: () => {},
  };
  const job = { run: 'r1', meta: {}, journal: { commit: async () => {}, close: async () => {} } };
  const undo = { as: 'web1', change: CHANGE, prior: PRIOR, halts: [], ...(stopLimit !== undefined && { stopLimit }) };
  await undoHost(HOST, job, crew, undo, session, 2);
  return heard?.stopTimeout ?? 0;
}

it('a host that is lost during its rollback is not called again when the time for both is over', async () => {
  let now = 0;
  const calls: number[] = [];
  const lost = { kind: 'fault', fault: fault('lost', 'gone') } as const;
  const crew: Crew = {
    transport: {
      connect: async () => {
        calls.push(now);
        return { fault: fault('unreachable', 'away') };
      },
      close: () => {},
    },
    clock: {
      now: () => now,
      date: () => '',
      deadline: () => new AbortController().signal,
      sleep: async (ms) => {
        now += ms;
      },
    },
    hostTimeout: 1000,
    progress: () => {},
  };
  const job = { run: 'r1', meta: {}, journal: { commit: async () => {}, close: async () => {} } };
  const undo = { as: 'web1', change: CHANGE, prior: PRIOR, halts: [], until: 20_000 };
  await undoHost(HOST, job, crew, undo, { undo: async () => lost } as Partial<Session> as Session, 2);
  expect(Math.max(...calls)).toBeGreaterThan(10_000);
  expect(Math.max(...calls)).toBeLessThanOrEqual(20_000);
});

it.each([
  ['150 s', undefined, undefined, 145],
  ['150 s where a stop may take its 90 s', 90_000, undefined, 145],
  ['what was asked for', undefined, 300_000, 295],
  ['no less than it takes to answer', undefined, 1000, 25],
  ['as long as a stop may take by the unit’s own settings', 400_000, 1000, 425],
  ['no more than 10 minutes for a stop, whatever the host says', 86_400_000, 1000, 625],
])('a rollback has %s', async (_what, stopLimit, rollbackTimeout, seconds) => {
  expect(await told(stopLimit, rollbackTimeout)).toBe(seconds);
});
