/**
 * The controller is killed at the events of its life: around and within each journal record, and before packets, in and out; each of
 * them from the intent on, and every third before, when nothing has been changed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { start } from './executable.ts';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, type Dumps, daemon, dumps, ENABLED, HELD, hold, OFTEN, receiptOf, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';

const UNIT = 'mourned.service';
const DIE_AT = ['--import', join(import.meta.dirname, 'die-at.mjs')];

describeLab('a controller killed', (lab) => {
  const operators: Operator[] = [];
  afterAll(() => {
    for (const operator of operators) operator.forget();
  });

  it('at each of its events: recover finds the host masked and proved, or puts it back, and then has nothing to do', async () => {
    const hosts = await lab.hosts(3, ['debian11', 'debian12', 'arch-like']);
    const ended = await Promise.all(hosts.map(dieAtEachEvent));
    for (const { deaths, outcomes } of ended) {
      // packets that arrive together are one event
      expect(deaths).toBeGreaterThanOrEqual(20);
      // before the change, in it, and after it
      expect([...outcomes].sort()).toEqual(['masked', 'no run', 'not-started', 'rolled-back']);
    }
  });

  async function dieAtEachEvent(host: LabHost): Promise<{ deaths: number; outcomes: ReadonlySet<string> }> {
    const operator = new Operator(lab);
    operators.push(operator);
    await sh(host, `${unit(UNIT, `${OFTEN}${daemon(ENABLED)}`)} systemctl enable -q --now mourned`);
    const before = await dumps(host, [UNIT]);
    const ask = operator.argv('mask mourned --now', [host]);
    const log = join(operator.stateDir, 'events');
    const run = (at: number) =>
      start(operator, ask, DIE_AT, { FLEETMASK_DIE_AT: `${at}`, FLEETMASK_DIE_LOG: log }).ended;
    const whole = await run(0);
    expect(whole.exitCode, whole.stderr).toBe(0);
    await operator.undo('last');
    const events = readFileSync(log, 'utf8').trim().split('\n');
    const outcomes = new Set<string>();
    let deaths = 0;
    const intended = events.indexOf('before a intent record');
    const moments = [...events.entries()].filter(
      ([i, event]) => event.includes('record') || i > intended || i % 3 === 0,
    );
    for (const [i, event] of moments) {
      const what = `${host.name}, event ${i + 1}: ${event}`;
      const runs = journals(operator).length;
      const died = await run(i + 1);
      // packets come together as they like: there may be fewer of them, and then it lives on
      if (died.exitCode === -1) deaths += 1;
      else expect(died.exitCode, `${what}: ${died.stderr}`).toBe(0);
      if (journals(operator).length === runs) {
        expect(intended > i, what).toBe(true);
        expect(await changes(host, before), what).toEqual([]);
        outcomes.add('no run');
      } else {
        outcomes.add(await recovered(operator, host, what, before));
      }
    }
    return { deaths, outcomes };
  }

  const journals = ({ stateDir }: Operator) =>
    readdirSync(join(stateDir, 'runs'))
      .filter((name) => name.endsWith('.ndjson'))
      .sort();

  async function recovered(operator: Operator, host: LabHost, what: string, before: Dumps): Promise<string> {
    const recover = () => operator.run(['recover', 'last', '-y', '--known-hosts', lab.knownHosts, '-o', 'json']);
    const record = () => readFileSync(join(operator.stateDir, 'runs', journals(operator).at(-1)!), 'utf8');
    const first = await recover();
    const { outcome } = first.on(host);
    if (outcome === 'masked') expect(await hold(host, UNIT), what).toBe(HELD);
    else expect(await changes(host, before), what).toEqual([]);
    const settled = record();
    expect((await recover()).on(host).outcome, what).toBe(outcome);
    expect(record(), what).toBe(settled);
    if (outcome === 'masked') await operator.undo('last');
    expect(await changes(host, before), what).toEqual([]);
    expect(await receiptOf(host, first.report.run.id), what).toBe('');
    return outcome;
  }
});
