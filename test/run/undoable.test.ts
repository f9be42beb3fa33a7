/** What a rollback goes by: what the run itself left, and not what an earlier rollback did there. */

import { expect, it } from 'vitest';
import type { JournalRecord } from '../../src/journal/records.ts';
import { stateOfRun } from '../../src/journal/replay.ts';
import type { Change, HostReport, RunInfo, UnitReport } from '../../src/model/index.ts';
import { undoableOn } from '../../src/run/host/rollback.ts';
import { MASK } from '../ask.ts';

const at = '2026-12-01T00:00:00Z';
const states = {
  idle: { load: 'loaded', file: 'enabled', active: 'inactive' },
  masked: { load: 'masked', file: 'masked', active: 'inactive' },
};

function unit(after: UnitReport['after']): UnitReport {
  return {
    ...{ asked: 'cron', unit: 'cron.service', before: states.idle, after, startProbe: 'blocked' },
    ...{ triggers: [], steps: [], leftovers: 0, notes: [] },
  };
}

function settled(outcome: HostReport['outcome'], after: UnitReport['after']): JournalRecord {
  const report: HostReport = {
    ...{ host: 'h', address: 'a', port: 22, outcome, seconds: 1, os: null, systemd: 252 },
    ...{ units: [unit(after)], fault: null },
  };
  return { type: 'settled', at, report };
}

it('a unit that a rollback started, and that is rolled back once more, was not started by the run', () => {
  const run: RunInfo = {
    ...{ id: '20261201-000000000-abcdef', units: ['cron'], now: false, runtime: false },
    ...{ command: 'mask', actor: 'alice', reason: null, ticket: null, startedAt: at },
  };
  const host = {
    host: 'h',
    address: 'a',
    port: 22,
    user: 'root',
    identityFiles: [],
    identitiesOnly: false,
    become: 'auto',
  } as const;
  const change: Change = {
    ...{ links: [], removes: [], displaces: [], stops: [], attempts: ['cron.service'], groups: [] },
    ...{ where: 'etc', killLeftovers: false, reads: [], looks: [] },
  };
  const prior = { bootId: null, machineId: null, states: [], masks: [] };
  const state = stateOfRun([
    { type: 'run', schema: 'fleetmask.journal/1', run, ask: MASK, hosts: [host] },
    { type: 'intent', at, host: 'h', seq: 1, request: 'apply', change, prior, units: [] },
    settled('masked', states.masked),
    { type: 'rollback', at, actor: 'alice', hosts: ['h'] },
    { type: 'intent', at, host: 'h', seq: 2, request: 'undo', change, prior },
    settled('stranded', { ...states.idle, active: 'active' }),
  ]);
  expect(undoableOn('h', state)?.units.map(({ after }) => after)).toEqual([states.masked]);
});
