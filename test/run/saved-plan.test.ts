/** A plan on paper: what it binds, and what damage it sees. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Facts, RunInfo } from '../../src/model/index.ts';
import { assemble } from '../../src/plan/assemble.ts';
import { parseQuery } from '../../src/plan/resolve.ts';
import { bind, formatPlan, parsePlan, type SavedPlan, staleness } from '../../src/run/saved-plan.ts';
import { MASK } from '../ask.ts';
import { factsOf, type Situation } from '../plan/situation.ts';

const ASK = { ...MASK, units: ['cron.service'] };
const HOST: Situation = {
  units: { 'cron.service': { active: 'active', file: 'enabled' } },
  paths: { '/usr/lib/systemd/system/cron.service': 'file' },
};
const planFor = (facts: Facts) => assemble(ASK, ASK.units.map(parseQuery), facts);
const facts = factsOf(HOST);
const planned = bind(planFor(facts), facts);
const later = (change: Partial<Facts>) => {
  const now = { ...facts, ...change };
  return staleness(planned, planFor(now), now)?.message ?? null;
};

describe('a saved plan', () => {
  it('holds for a host that is as it was', () => {
    expect(later({})).toBeNull();
    expect(later({ time: 1234 })).toBeNull();
  });

  it('is stale for another machine, after a reboot, and for another state, and says which', () => {
    expect(later({ machineId: 'f'.repeat(32) })).toContain('another machine (machine id ffff');
    expect(later({ bootId: '22222222-2222-3333-4444-555555555555' })).toBe('it has been rebooted since it was planned');
    const stopped = factsOf({ ...HOST, units: { 'cron.service': { active: 'inactive', file: 'enabled' } } });
    expect(later({ units: stopped.units })).toBe(
      'cron.service was loaded, enabled, active and is loaded, enabled, inactive since it was planned',
    );
    expect(later({ related: factsOf({ ...HOST, related: { 'other.service': 'active' } }).related })).toContain(
      'has changed',
    );
    expect(later({ privilege: { kind: 'none', why: 'sudo says no' } })).toContain('sudo says no');
    const local = factsOf({ ...HOST, paths: { '/etc/systemd/system/cron.service': 'file' } });
    expect(later({ paths: local.paths })).toContain('/etc/systemd/system/cron.service');
  });

  it('that masks what is masked meanwhile is stale too: somebody else was here', () => {
    const masked = factsOf({
      units: { 'cron.service': { load: 'masked', file: 'masked', active: 'inactive' } },
      paths: { '/etc/systemd/system/cron.service': 'null' },
    });
    expect(later({ units: masked.units, paths: masked.paths })).toContain('since it was planned');
  });

  const run: RunInfo = {
    ...{ id: '20261122-031500123-a1b2c3', command: 'plan', units: ['cron.service'], now: true, runtime: false },
    ...{ actor: 'a@b', reason: null, ticket: null, startedAt: '2026-11-22T03:15:00.123Z' },
  };
  const way = {
    ...{ host: 'web1', address: '10.0.0.1', port: 22, user: 'root', identityFiles: [], identitiesOnly: false },
    become: 'auto',
  } as const;
  const saved: SavedPlan = { schema: 'fleetmask.plan/1', run, ask: ASK, hosts: [{ host: way, planned }] };
  const text = formatPlan(saved);

  it('reads back as it was written', () => {
    expect(parsePlan(text, 'p.json')).toEqual(saved);
  });

  it('with any character changed is not taken', () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom('x', '7', '"', ' ', '{', ''), (at, char) => {
        const changed = text.slice(0, at) + char + text.slice(at + 1);
        // blanks between tokens mean nothing in JSON
        let same = false;
        try {
          same = JSON.stringify(JSON.parse(changed)) === JSON.stringify(JSON.parse(text));
        } catch {}
        if (!same) expect(() => parsePlan(changed, 'p.json')).toThrow(/^p\.json/);
      }),
    );
  });

  it.each([
    ['', 'p.json: not a plan file'],
    ['{"schema":"fleetmask.plan/2","digest":""}', 'p.json: a plan of another form: "fleetmask.plan/2"'],
    ['[]', 'p.json: not a plan file'],
    ['{\n"schema": oops', 'p.json: not a plan file: it is not JSON'],
  ])('%j is no plan file, and the file is named', (wrong, message) => {
    expect(() => parsePlan(wrong, 'p.json')).toThrow(message);
  });
});
