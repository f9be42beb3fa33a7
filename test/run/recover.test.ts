/** A controller that dies at any moment of a run, and what recovering makes of its hosts. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { hostsInDoubt, stateOfRun } from '../../src/journal/replay.ts';
import { appendJournal, createJournal, readJournal } from '../../src/journal/store.ts';
import type { HostReport, RunInfo } from '../../src/model/index.ts';
import { parseQuery } from '../../src/plan/resolve.ts';
import { settle } from '../../src/run/host/change.ts';
import { recoverHost } from '../../src/run/host/recover.ts';
import { rollBackHost, undoableOn } from '../../src/run/host/rollback.ts';
import { doubtOn } from '../../src/run/in-doubt.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { MASK } from '../ask.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet } from '../embedded.ts';
import { impatient, runIdNumbered, targetOn, transportTo } from './crew.ts';
import { faulty } from './faulty.ts';
import { type Moment, Mortal } from './mortal.ts';

/** With a unit that stops, and depends on nothing; and with one that does not stop in time, so that the run undoes it. */
const GOOD = 'deb-db1';
const BAD = 'el-stuck1';
const LINKS = { [GOOD]: 'etc/systemd/system/cron.service', [BAD]: 'etc/systemd/system/crond.service' };
type Name = keyof typeof LINKS;

let fleet: Fleet;
let inner: Transport;
let stateDir: string;
let run = 0;

beforeAll(async () => {
  fleet = await demoFleet(Object.keys(LINKS));
  inner = transportTo(fleet);
});
afterAll(async () => {
  inner.close();
  await fleet.dispose();
});
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'fleetmask-recover-'));
  run += 1;
  return () => rmSync(stateDir, { recursive: true, force: true });
});

const rootOf = (name: Name) => fleet.hosts.find((host) => host.name === name)!.dir;
const isMasked = (name: Name) => existsSync(join(rootOf(name), LINKS[name]));
const target = (name: Name) => targetOn(fleet, name);

const crewOf = (transport: Transport, hostTimeout = 60_000) => ({
  ...{ transport, clock: impatient(), hostTimeout },
  progress: () => {},
});
const idOf = () => runIdNumbered(run);
const stateNow = () => stateOfRun(readJournal(stateDir, idOf()));

/** A run of one host whose controller dies at that moment. Returns what it would have reported, had it lived. */
async function dieIn(name: Name, moment: Moment | null, ask = MASK): Promise<HostReport | 'dead'> {
  const mortal = new Mortal(moment);
  const info: RunInfo = {
    ...{ id: idOf(), command: 'mask', units: ['cron'], now: true, runtime: false, actor: 'a@b' },
    ...{ reason: null, ticket: null, startedAt: '' },
  };
  const start = { type: 'run', schema: 'fleetmask.journal/1', run: info, ask, hosts: [target(name)] } as const;
  const file = await createJournal(stateDir, start);
  const journal = mortal.journal(file);
  const job = { run: idOf(), ask, queries: ask.units.map(parseQuery), meta: {}, journal, rollback: 'host' } as const;
  const crew = crewOf(mortal.transport(inner), name === BAD ? 7000 : 20_000);
  const ended = await Promise.race([settle(target(name), job, crew), mortal.died.then(() => 'dead' as const)]);
  await file.close();
  return ended;
}

interface Again {
  readonly moment?: Moment;
  readonly transport?: Transport;
  readonly aim?: 'settle' | 'put-back';
  readonly become?: 'never';
}

/** What `recover` does with a host that is in doubt; null when none is. */
async function recover(name: Name, { moment, transport = inner, aim = 'settle', become }: Again = {}) {
  const doubt = doubtOn(name, stateNow(), aim);
  if (doubt === null) return null;
  const mortal = new Mortal(moment ?? null);
  const file = await appendJournal(stateDir, idOf());
  const journal = mortal.journal(file);
  await file.commit({ type: 'recovery', at: '', actor: 'a@b', hosts: [name] });
  const recovered = recoverHost(
    { ...target(name), ...(become && { become }) },
    doubt,
    { run: idOf(), meta: {}, journal },
    crewOf(mortal.transport(transport)),
  );
  const ended = await Promise.race([recovered, mortal.died.then(() => 'dead' as const)]);
  await file.close();
  return ended;
}

/** Puts the host back after a case that leaves it masked. */
async function putBack(name: Name): Promise<void> {
  const undoable = undoableOn(name, stateNow());
  if (undoable === null) throw new Error('there is nothing to put back');
  const journal = await appendJournal(stateDir, idOf());
  await journal.commit({ type: 'rollback', at: '', actor: 'a@b', hosts: [name] });
  await rollBackHost(target(name), undoable, { run: idOf(), meta: {}, journal }, crewOf(inner));
  await journal.close();
}

/** The host is what its last report says, and nobody doubts it. */
async function expectTruth(name: Name, report: HostReport, before: Record<string, string>) {
  expect(hostsInDoubt(stateNow())).toEqual([]);
  if (report.outcome === 'masked') {
    expect(isMasked(name)).toBe(true);
    expect(report.units[0]).toMatchObject({ after: { load: 'masked', active: 'inactive' }, startProbe: 'blocked' });
    await putBack(name);
  } else {
    expect(report).toMatchObject({ outcome: 'rolled-back', units: [{ after: { load: 'loaded', active: 'active' } }] });
    expect(report.fault?.kind).toBeDefined();
  }
  expect(await dump(rootOf(name))).toEqual(before);
}

describe('a run whose controller is killed', () => {
  const moments: [Moment, 'masked' | 'rolled-back' | 'untouched'][] = [
    ['before request 1', 'untouched'],
    ['after request 1', 'untouched'],
    ['before intent 1', 'untouched'],
    ['after intent 1', 'rolled-back'],
    ['before request 2', 'rolled-back'],
    ['before settled 1', 'masked'],
  ];
  it.each(moments)('%s, once recovered, is %s', async (moment, outcome) => {
    const before = await dump(rootOf(GOOD));
    expect(await dieIn(GOOD, moment)).toBe('dead');
    const report = await recover(GOOD);
    if (report === 'dead') throw new Error('nobody killed the recovery');
    if (outcome === 'untouched') {
      expect(report).toBeNull();
      expect(await dump(rootOf(GOOD))).toEqual(before);
    } else {
      expect(report?.outcome).toBe(outcome);
      await expectTruth(GOOD, report!, before);
    }
    expect(await recover(GOOD), 'a second time there is nothing to do').toBeNull();
  });

  it('while the host works is put back at once, or confirmed when the host was done', async () => {
    const before = await dump(rootOf(GOOD));
    await dieIn(GOOD, 'after request 2');
    const report = await recover(GOOD);
    if (report === null || report === 'dead') throw new Error('it was in doubt');
    await expectTruth(GOOD, report, before);
  });

  it('while the host waits for a unit that does not stop is put back', async () => {
    const before = await dump(rootOf(BAD));
    await dieIn(BAD, 'after request 2');
    await expect.poll(() => isMasked(BAD)).toBe(true);
    const report = await recover(BAD);
    expect(report).toMatchObject({ outcome: 'rolled-back', fault: { kind: 'interrupted' } });
    await expectTruth(BAD, report as HostReport, before);
  });

  it.each<Moment>(['before intent 2', 'after intent 2', 'before request 3', 'after request 3', 'before settled 1'])(
    'in the middle of its undo, %s, ends as it was',
    async (moment) => {
      const before = await dump(rootOf(BAD));
      expect(await dieIn(BAD, moment)).toBe('dead');
      const report = (await recover(BAD)) as HostReport;
      expect(report.outcome).toBe('rolled-back');
      await expectTruth(BAD, report, before);
    },
  );

  it('and whose recovery is killed too, at any moment, is recovered by the next', async () => {
    const before = await dump(rootOf(GOOD));
    await dieIn(GOOD, 'before request 2');
    for (const moment of ['before request 1', 'before intent 1', 'after intent 1', 'after request 2'] as const) {
      expect(await recover(GOOD, { moment })).toBe('dead');
      expect(hostsInDoubt(stateNow())).toEqual([GOOD]);
    }
    expect(await recover(GOOD, { moment: 'before settled 1' })).toBe('dead');
    const report = (await recover(GOOD)) as HostReport;
    expect(report.outcome).toBe('rolled-back');
    await expectTruth(GOOD, report, before);
  });

  it('is put back although it is whole where that is asked, and stays so when that is killed half-way', async () => {
    const before = await dump(rootOf(GOOD));
    await dieIn(GOOD, 'before settled 1');
    expect(await recover(GOOD, { aim: 'put-back', moment: 'after intent 1' })).toBe('dead');
    const report = (await recover(GOOD)) as HostReport;
    expect(report).toMatchObject({ outcome: 'rolled-back', fault: { message: 'put back, as was asked' } });
    await expectTruth(GOOD, report, before);
  });

  it('is put back for the same reason where its way back had begun on the host', async () => {
    const before = await dump(rootOf(GOOD));
    await dieIn(GOOD, 'before settled 1');
    expect(await recover(GOOD, { aim: 'put-back', moment: 'after intent 1' })).toBe('dead');
    rmSync(join(rootOf(GOOD), LINKS[GOOD]));
    const report = (await recover(GOOD)) as HostReport;
    expect(report).toMatchObject({ outcome: 'rolled-back', fault: { message: 'put back, as was asked' } });
    await expectTruth(GOOD, report, before);
  });

  it('in the middle of a record can be recovered: the torn line is passed over', async () => {
    const before = await dump(rootOf(GOOD));
    await dieIn(GOOD, 'before request 2');
    const file = join(stateDir, 'runs', `${idOf()}.ndjson`);
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"type":"settled","report":{"host":"deb-`);
    const report = (await recover(GOOD)) as HostReport;
    expect(report.outcome).toBe('rolled-back');
    await expectTruth(GOOD, report, before);
  });

  it('before an older fleetmask could say what it meant for each unit is recovered all the same', async () => {
    const before = await dump(rootOf(GOOD));
    await dieIn(GOOD, 'before settled 1');
    const file = join(stateDir, 'runs', `${idOf()}.ndjson`);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const old = lines.map((line) => JSON.stringify({ ...JSON.parse(line), units: undefined }));
    writeFileSync(file, `${old.join('\n')}\n`);
    const report = (await recover(GOOD)) as HostReport;
    expect(report).toMatchObject({ outcome: 'masked', units: [{ asked: 'cron', unit: 'cron.service' }] });
    await expectTruth(GOOD, report, before);
  });
});

describe('a host in doubt', () => {
  it('that cannot be reached, or not as root, is stranded and stays in doubt', async () => {
    await dieIn(GOOD, 'before settled 1');
    const gone = await recover(GOOD, { transport: faulty(inner, { connect: () => 'down' }) });
    expect(gone).toMatchObject({
      outcome: 'stranded',
      fault: { kind: 'unreachable' },
      units: [{ unit: 'cron.service' }],
    });
    const uid = join(rootOf(GOOD), 'sim/uid');
    writeFileSync(uid, '1000\n');
    const powerless = await recover(GOOD, { become: 'never' });
    rmSync(uid);
    expect(powerless).toMatchObject({ outcome: 'stranded', fault: { kind: 'no-privilege' } });
    expect(hostsInDoubt(stateNow())).toEqual([GOOD]);
    expect(await recover(GOOD)).toMatchObject({ outcome: 'masked' });
    await putBack(GOOD);
  });

  it('in whose place another machine answers is left alone, and stays in doubt', async () => {
    await dieIn(GOOD, 'before settled 1');
    const file = join(rootOf(GOOD), 'etc/machine-id');
    const id = readFileSync(file, 'utf8');
    writeFileSync(file, `${'f'.repeat(32)}\n`);
    const report = await recover(GOOD);
    writeFileSync(file, id);
    expect(report).toMatchObject({ outcome: 'refused', fault: { kind: 'stale-plan' } });
    expect(isMasked(GOOD)).toBe(true);
    expect(hostsInDoubt(stateNow())).toEqual([GOOD]);
    expect(await recover(GOOD, { aim: 'put-back' })).toMatchObject({ outcome: 'rolled-back' });
  });

  it('that somebody has unmasked since is not called masked', async () => {
    const before = await dump(rootOf(GOOD));
    await dieIn(GOOD, 'before settled 1');
    rmSync(join(rootOf(GOOD), LINKS[GOOD]));
    const report = (await recover(GOOD)) as HostReport;
    expect(report.outcome).toBe('rolled-back');
    expect(await dump(rootOf(GOOD))).toEqual(before);
  });
});
