/** One host through faults of the network: it ends masked, as it was, or stranded, and says which. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import type { Journal } from '../../src/journal/append-log.ts';
import { stateOfRun } from '../../src/journal/replay.ts';
import { createJournal, listRuns, readJournal } from '../../src/journal/store.ts';
import { fault, type JournalHost } from '../../src/model/index.ts';
import { parseQuery } from '../../src/plan/resolve.ts';
import { type Job, settle } from '../../src/run/host/change.ts';
import { rollBackHost, undoableOn } from '../../src/run/host/rollback.ts';
import type { Crew } from '../../src/run/host/visit.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { MASK } from '../ask.ts';
import { demoFleet } from '../embedded.ts';
import { impatient, runIdNumbered, targetOn, transportTo } from './crew.ts';
import { faulty, type Script } from './faulty.ts';

let fleet: Fleet;
let inner: Transport;
let target: JournalHost;
let state: string;
let run = 0;

beforeAll(async () => {
  fleet = await demoFleet(['deb-db1']);
  target = targetOn(fleet, 'deb-db1');
  inner = transportTo(fleet);
});
afterAll(async () => {
  inner.close();
  await fleet.dispose();
});
const journals: Journal[] = [];
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'fleetmask-settle-'));
  run += 1;
  return async () => {
    for (const journal of journals.splice(0)) await journal.close();
    rmSync(state, { recursive: true, force: true });
  };
});

async function through(
  script: Script,
  options: {
    hostTimeout?: number;
    journal?: Partial<Journal>;
    rollback?: 'none';
    stopped?: Job['stopped'];
  } = {},
) {
  const id = runIdNumbered(run);
  const info = {
    id,
    command: 'mask',
    units: ['cron'],
    now: true,
    runtime: false,
    actor: 'a@b',
    reason: null,
    ticket: null,
    startedAt: '',
  } as const;
  const start = { type: 'run', schema: 'fleetmask.journal/1', run: info, ask: MASK, hosts: [target] } as const;
  const journal = await createJournal(state, start);
  journals.push(journal);
  const crew: Crew = {
    transport: faulty(inner, script),
    clock: impatient(),
    hostTimeout: options.hostTimeout ?? 60_000,
    progress: () => {},
  };
  const job: Job = {
    run: id,
    ask: MASK,
    queries: MASK.units.map(parseQuery),
    meta: {},
    journal: { commit: options.journal?.commit ?? ((record) => journal.commit(record)), close: () => journal.close() },
    rollback: options.rollback ?? 'host',
    ...(options.stopped && { stopped: options.stopped }),
  };
  const report = await settle(target, job, crew);
  return { report, id, journal, state: () => stateOfRun(readJournal(state, id)), crew };
}

const root = () => fleet.hosts[0]!.dir;
const masked = () => {
  const link = join(root(), 'etc/systemd/system/cron.service');
  return existsSync(link) && lstatSync(link).isSymbolicLink();
};
const receipts = () => {
  const dir = join(root(), 'var/lib/fleetmask');
  return existsSync(dir) ? readdirSync(dir) : [];
};

/** Puts the host back after a case that leaves it masked. */
async function restore({ state, id, crew, journal }: Awaited<ReturnType<typeof through>>) {
  const undoable = undoableOn('deb-db1', state());
  if (undoable === null) throw new Error('nothing to restore');
  return rollBackHost(target, undoable, { run: id, meta: {}, journal }, { ...crew, transport: inner });
}

describe('a host', () => {
  it('with which nothing goes wrong is masked, and a later rollback restores it', async () => {
    const result = await through({});
    expect(result.report).toMatchObject({ outcome: 'masked', fault: null });
    expect(masked()).toBe(true);
    expect(result.state().hosts.get('deb-db1')?.kind).toBe('changed');
    expect((await restore(result)).outcome).toBe('restored');
    expect(masked()).toBe(false);
    expect(receipts()).toEqual([]);
    expect(result.state().hosts.get('deb-db1')?.kind).toBe('restored');
  });

  it('lost before the probe is unreachable, and has no intent', async () => {
    const { report, state } = await through({ request: () => 'cut-before' });
    expect(report).toMatchObject({ outcome: 'unreachable', fault: { kind: 'unreachable' } });
    expect(state().hosts.get('deb-db1')?.kind).toBe('untouched');
  });

  it('that stalls in the probe is unreachable when its time is up', async () => {
    const { report } = await through({ request: () => 'mute' }, { hostTimeout: 1000 });
    expect(report).toMatchObject({ outcome: 'unreachable', fault: { kind: 'timed-out' } });
    expect(report.seconds).toBeLessThan(20);
  });

  /** Somebody else changes the host right before so many of our changes arrive. */
  const movedBefore = (times: number) => {
    const seqs: string[] = [];
    const request = (_number: number, text: string) => {
      const seq = /^next \w+ (\d+) apply/m.exec(text)?.[1];
      if (seq !== undefined && seqs.push(seq) <= times) {
        const file = join(root(), 'run/fleetmask/changes');
        mkdirSync(join(file, '..'), { recursive: true });
        writeFileSync(file, `${1000 * (run + seqs.length)}\n`);
      }
      return 'pass' as const;
    };
    return { seqs, request };
  };

  it('that somebody else changes after its probe is planned anew, and masked by the new plan', async () => {
    const { seqs, request } = movedBefore(1);
    const result = await through({ request });
    expect(result.report).toMatchObject({ outcome: 'masked', fault: null });
    expect(seqs).toEqual(['1', '2']);
    expect(result.state().lastSeq.get('deb-db1')).toBe(2);
    expect((await restore(result)).outcome).toBe('restored');
    expect(receipts()).toEqual([]);
  });

  it('that is changed again and again after its probe is refused untouched', async () => {
    const { seqs, request } = movedBefore(9);
    const { report, state } = await through({ request });
    expect(report).toMatchObject({
      outcome: 'refused',
      fault: { kind: 'stale-plan', message: expect.stringContaining('while it was planned') },
    });
    expect(seqs).toEqual(['1', '2', '3']);
    expect(masked()).toBe(false);
    expect(receipts()).toEqual([]);
    expect(state().hosts.get('deb-db1')?.kind).toBe('untouched');
  });

  /** As an operator asks for it. */
  const rollBack = async (result: Awaited<ReturnType<typeof through>>, request: Script['request']) => {
    const { id, journal, crew } = result;
    const undoable = undoableOn('deb-db1', result.state())!;
    await journal.commit({ type: 'rollback', at: '', actor: 'a@b', hosts: ['deb-db1'] });
    const transport = faulty(inner, request ? { request } : {});
    return rollBackHost(target, undoable, { run: id, meta: {}, journal }, { ...crew, transport });
  };

  it('that another run masks between the probe of a rollback and its request is left to that run, and can be put back after it', async () => {
    const result = await through({});
    const later = runIdNumbered(run + 500);
    const receipt = join(root(), 'var/lib/fleetmask', later);
    const seqs: string[] = [];
    const masksMeanwhile = (_number: number, text: string) => {
      const seq = /^next \w+ (\d+) undo/m.exec(text)?.[1];
      if (seq !== undefined && seqs.push(seq) === 1) {
        const words = ['where=etc', 'stop=cron.service', 'had=/etc/systemd/system/cron.service'];
        mkdirSync(receipt);
        writeFileSync(join(receipt, 'log'), `request run=${later} ${words.join(' ')} end\n`);
        writeFileSync(join(receipt, 'mark'), '999 deb-db1\n');
        writeFileSync(join(root(), 'run/fleetmask/changes'), `${1000 * run}\n`);
      }
      return 'pass' as const;
    };
    const refused = await rollBack(result, masksMeanwhile);
    expect(refused).toMatchObject({ outcome: 'refused', fault: { kind: 'newer-run' } });
    expect(refused.fault?.message).toContain(later);
    expect(seqs).toHaveLength(1);
    expect(masked()).toBe(true);
    rmSync(receipt, { recursive: true });
    expect((await restore(result)).outcome).toBe('restored');
    expect(masked()).toBe(false);
  });

  it('that is changed between the probe of a rollback and its request is probed anew, and put back', async () => {
    const result = await through({});
    const seqs: string[] = [];
    const request = (_number: number, text: string) => {
      const seq = /^next \w+ (\d+) undo/m.exec(text)?.[1];
      if (seq !== undefined && seqs.push(seq) === 1)
        writeFileSync(join(root(), 'run/fleetmask/changes'), `${1000 * run}\n`);
      return 'pass' as const;
    };
    expect((await rollBack(result, request)).outcome).toBe('restored');
    expect(seqs).toEqual(['2', '3']);
    expect(masked()).toBe(false);
  });

  it('lost before the apply reached it is called again and is as it was', async () => {
    const { report } = await through({ request: (number) => (number === 2 ? 'cut-before' : 'pass') });
    expect(report).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'lost' } });
    expect(masked()).toBe(false);
  });

  it('lost in the middle of the apply is called again and put back', async () => {
    const { report } = await through({ request: (number) => (number === 2 ? 'cut-after' : 'pass') });
    expect(report).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'lost' } });
    expect(report.units[0]?.after).toMatchObject({ load: 'loaded', active: 'active' });
    expect(masked()).toBe(false);
    expect(receipts()).toEqual([]);
  });

  it('that stalls in the apply is put back over a new connection', async () => {
    const { report } = await through({ request: (number) => (number === 2 ? 'mute' : 'pass') }, { hostTimeout: 8000 });
    expect(report).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'timed-out' } });
    expect(masked()).toBe(false);
  });

  it('lost twice is put back at the third call, with a higher number each time', async () => {
    const seqs: string[] = [];
    const { report } = await through({
      request: (number, text) => {
        const undo = /^next \w+ (\d+) undo/m.exec(text)?.[1];
        if (undo !== undefined) seqs.push(undo);
        return number === 2 || number === 4 ? 'cut-after' : 'pass';
      },
    });
    expect(report.outcome).toBe('rolled-back');
    expect(seqs).toEqual(['2', '3']);
    expect(masked()).toBe(false);
  });

  it.each([
    ['does not answer for 40 s, as while it boots,', 'down', 12],
    ['refuses us for 40 s, as before its boot is over,', 'shut', 7],
  ] as const)('that %s is put back then', async (_what, fate, until) => {
    const result = await through({
      request: (number) => (number === 2 ? 'cut-after' : 'pass'),
      connect: (number) => (number === 1 || number > until ? 'up' : fate),
    });
    expect(result.report).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'lost' } });
    expect(result.report.seconds).toBeGreaterThan(30);
    expect(result.report.seconds).toBeLessThan(70);
    expect(masked()).toBe(false);
  });

  it('that never comes back is called for all of the time, is stranded, never unreachable, and can be rolled back when it does', async () => {
    let calls = 0;
    const result = await through({
      request: (number) => (number === 2 ? 'cut-after' : 'pass'),
      connect: (number) => {
        calls = number;
        return number === 1 ? 'up' : 'down';
      },
    });
    expect(result.report).toMatchObject({
      outcome: 'stranded',
      fault: { kind: 'lost', message: expect.stringContaining('not be reached again within 150 s: the host is gone') },
    });
    expect(result.report.seconds).toBeGreaterThan(140);
    expect(result.report.seconds).toBeLessThan(160);
    expect(calls, 'and not too often').toBeLessThan(40);
    expect(result.state().hosts.get('deb-db1')?.kind).toBe('in-doubt');
    expect((await restore(result)).outcome).toBe('restored');
    expect(masked()).toBe(false);
  });

  it('that refuses our key is not asked so often that it locks the account', async () => {
    let calls = 0;
    const result = await through({
      request: (number) => (number === 2 ? 'cut-after' : 'pass'),
      connect: (number) => {
        calls = number;
        return number === 1 ? 'up' : 'shut';
      },
    });
    expect(result.report.outcome).toBe('stranded');
    expect(calls).toBeLessThan(11);
    expect((await restore(result)).outcome).toBe('restored');
  });

  it('that does not answer for 40 s is rolled back when it does, and one that refuses us is told of at once', async () => {
    const result = await through({});
    const undoable = undoableOn('deb-db1', result.state())!;
    const job = { run: result.id, meta: {}, journal: result.journal };
    const through40 = (fate: 'down' | 'shut') =>
      rollBackHost(target, undoable, job, {
        ...result.crew,
        transport: faulty(inner, { connect: (number) => (number > 11 ? 'up' : fate) }),
      });
    const shut = await through40('shut');
    expect(shut).toMatchObject({ outcome: 'unreachable', fault: { kind: 'auth' } });
    expect(shut.seconds).toBeLessThan(5);
    expect(await through40('down')).toMatchObject({ outcome: 'restored' });
    expect(masked()).toBe(false);
  });

  it('that a rollback cannot reach, or not as root, can be rolled back later', async () => {
    const result = await through({});
    await result.journal.commit({ type: 'rollback', at: '', actor: 'a@b', hosts: ['deb-db1'] });
    const undoable = undoableOn('deb-db1', result.state());
    if (undoable === null) throw new Error('it is not masked');
    const job = { run: result.id, meta: {}, journal: result.journal };
    const down = { ...result.crew, transport: faulty(inner, { connect: () => 'down' }) };
    const unreachable = await rollBackHost(target, undoable, job, down);
    expect(unreachable.outcome).toBe('unreachable');
    const crew = { ...result.crew, transport: inner };
    const uid = join(root(), 'sim/uid');
    writeFileSync(uid, '1000\n');
    const never = await rollBackHost({ ...target, become: 'never' }, undoable, job, crew);
    rmSync(uid);
    expect(never).toMatchObject({ outcome: 'refused', fault: { kind: 'no-privilege' } });
    expect(masked()).toBe(true);
    expect(result.state().hosts.get('deb-db1')?.kind).toBe('changed');
    expect((await restore(result)).outcome).toBe('restored');
  });

  it('whose run is stopped while it is probed is not changed, and has no intent', async () => {
    const why = fault('budget', 'not begun: web1 failed');
    const { report, state } = await through({}, { stopped: () => why });
    expect(report).toMatchObject({
      outcome: 'not-started',
      fault: why,
      units: [{ unit: 'cron.service', after: null }],
    });
    expect(state().hosts.get('deb-db1')?.kind).toBe('untouched');
    expect(masked()).toBe(false);
    expect(receipts()).toEqual([]);
  });

  it('that the run has changed under another name is left as it is by the undo of a request that was lost', async () => {
    const first = await through({});
    expect(first.report.outcome).toBe('masked');
    const alias = { ...target, host: 'alias' };
    await first.journal.commit({ type: 'joined', at: '', host: alias });
    const undoable = undoableOn('deb-db1', first.state())!;
    const job = { run: first.id, meta: {}, journal: first.journal };
    const report = await rollBackHost(alias, undoable, job, first.crew);
    expect(report).toMatchObject({
      outcome: 'refused',
      fault: { kind: 'locked', message: 'it is the machine that this run changes as deb-db1' },
    });
    expect(masked()).toBe(true);
    expect((await restore(first)).outcome).toBe('restored');
  });

  it('that is not to be rolled back stays as it is, stranded', async () => {
    const result = await through({ request: (number) => (number === 2 ? 'cut-after' : 'pass') }, { rollback: 'none' });
    expect(result.report.outcome).toBe('stranded');
    await expect.poll(masked).toBe(true);
    expect((await restore(result)).outcome).toBe('restored');
  });
});

/** Another run is at work on the host, until its input ends. */
async function holdLock() {
  const lock = join(root(), 'run/fleetmask/lock');
  const script = 'exec 9>>"$0"; flock 9; echo "$$ 20261122-031500123-a1b2c3 actor=alice" >"$0"; echo held; read -r _';
  const holder = spawn('sh', ['-c', script, lock], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  return holder;
}

describe('an undo', () => {
  it('that a later one of the run has overtaken is asked for once more, with a number that counts', async () => {
    const result = await through({});
    const before = result.state();
    const undoable = undoableOn('deb-db1', before)!;
    const job = { run: result.id, meta: {}, journal: result.journal };
    // a journal that lost what it was told last knows of no request but the first
    const { outcome } = await rollBackHost(target, { ...undoable, lastSeq: 0 }, job, {
      ...result.crew,
      transport: inner,
    });
    expect(outcome).toBe('restored');
    expect(masked()).toBe(false);
  });

  it('waits a while for another run that is at work on the host, and leaves the host as it is where that does not end', async () => {
    const result = await through({});
    const holder = await holdLock();
    await result.journal.commit({ type: 'rollback', at: '', actor: 'a@b', hosts: ['deb-db1'] });
    const refused = await restore(result);
    expect(refused).toMatchObject({ outcome: 'refused', fault: { kind: 'locked' } });
    expect(masked()).toBe(true);

    const { clock } = result.crew;
    const sleep = async (ms: number) => {
      if (!holder.stdin.writableEnded) {
        holder.stdin.end('\n');
        await once(holder, 'close');
      }
      await clock.sleep(ms);
    };
    const patient = { ...result, crew: { ...result.crew, clock: { ...clock, sleep } } };
    expect((await restore(patient)).outcome).toBe('restored');
    expect(masked()).toBe(false);
  });

  it('that may have been done before another run came to work is not called refused', async () => {
    const result = await through({});
    const undoable = undoableOn('deb-db1', stateOfRun(readJournal(state, result.id)))!;
    const { clock } = result.crew;
    let holder: ChildProcess | undefined;
    const sleep = async (ms: number) => {
      await expect.poll(masked).toBe(false);
      holder ??= await holdLock();
      await clock.sleep(ms);
    };
    const transport = faulty(inner, { request: (number) => (number === 2 ? 'cut-after' : 'pass') });
    const crew = { ...result.crew, transport, clock: { ...clock, sleep } };
    const lost = await rollBackHost(target, undoable, { run: result.id, meta: {}, journal: result.journal }, crew);
    holder?.kill();
    expect(lost).toMatchObject({
      outcome: 'stranded',
      // the short time of this clock may be over before a busy host says who holds the lock
      fault: { kind: 'lost', message: expect.stringMatching(/run 20261122-031500123-a1b2c3|did not answer in time/) },
    });
    expect((await restore(result)).outcome).toBe('restored');
  });

  it('is not sent to another machine that answers at the address after a reconnect', async () => {
    const id = join(root(), 'etc/machine-id');
    const before = readFileSync(id, 'utf8');
    const undone: string[] = [];
    const result = await through({
      connect: (number) => {
        if (number === 2) writeFileSync(id, `${'f'.repeat(32)}\n`);
        return 'up';
      },
      request: (number, text) => {
        if (/^next \w+ \d+ undo /m.test(text)) undone.push(text);
        return number === 2 ? 'cut-after' : 'pass';
      },
    });
    expect(result.report).toMatchObject({ outcome: 'stranded' });
    expect(result.report.fault?.message).toContain('another machine');
    expect(undone).toEqual([]);
    writeFileSync(id, before);
    expect((await restore(result)).outcome).toBe('restored');
  });

  it('in a later rollback stops what came to run under the run, for its start was not refused', async () => {
    const active = join(root(), 'sim/active/cron.service');
    const dependent = join(root(), 'sim/active/report-queue.service');
    const [before, running] = [readFileSync(active, 'utf8'), readFileSync(dependent, 'utf8')];
    rmSync(active);
    rmSync(dependent);
    const result = await through({});
    expect(result.report.outcome).toBe('masked');
    writeFileSync(active, before);
    const undoable = undoableOn('deb-db1', result.state())!;
    const units = undoable.units.map((unit) => ({ ...unit, after: { ...unit.after!, active: 'active' } }));
    const job = { run: result.id, meta: {}, journal: result.journal };
    const report = await rollBackHost(target, { ...undoable, units }, job, { ...result.crew, transport: inner });
    expect(report).toMatchObject({ outcome: 'restored', fault: null });
    expect(existsSync(active)).toBe(false);
    writeFileSync(active, before);
    writeFileSync(dependent, running);
  });
});

describe('the journal', () => {
  it('has the intent on disk before the request leaves', async () => {
    const onDisk: string[] = [];
    const result = await through({
      request: (_number, text) => {
        const kind = /^next \w+ \d+ (apply|undo) /m.exec(text)?.[1];
        if (kind) onDisk.push(...readJournal(state, runIdNumbered(run)).map((record) => record.type));
        return 'pass';
      },
    });
    expect(onDisk).toEqual(['run', 'intent']);
    await restore(result);
  });

  it('that cannot be written leaves the host untouched', async () => {
    const full = async () => {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    };
    const { report } = await through({}, { journal: { commit: full } });
    expect(report).toMatchObject({ outcome: 'refused', fault: { kind: 'journal' } });
    expect(masked()).toBe(false);
  });

  it('with a torn last line is read up to it', async () => {
    const result = await through({ connect: () => 'down' });
    const file = join(state, 'runs', `${result.id}.ndjson`);
    const { appendFileSync } = await import('node:fs');
    appendFileSync(file, '{"type":"intent","host":"deb-');
    expect(readFileSync(file, 'utf8').endsWith('\n')).toBe(false);
    expect(result.state().hosts.get('deb-db1')?.kind).toBe('untouched');
  });

  it('that was cut off before its first record is whole is no run, and in the way of no other', async () => {
    const { id } = await through({ connect: () => 'down' });
    writeFileSync(join(state, 'runs', '29991231-000000000-aaaaaa.ndjson.new'), '{"type":"r');
    expect(listRuns(state)).toEqual([id]);
    expect(readJournal(state, 'last')).toEqual(readJournal(state, id));
  });

  it('with a damaged line in the middle says where', async () => {
    const result = await through({ connect: () => 'down' });
    const file = join(state, 'runs', `${result.id}.ndjson`);
    const { appendFileSync } = await import('node:fs');
    appendFileSync(file, 'rubbish\n{"type":"finished"}\n');
    expect(() => readJournal(state, result.id)).toThrow(/ndjson:3: not a journal record/);
  });
});
