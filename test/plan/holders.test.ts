import { describe, expect, it } from 'vitest';
import type { Receipt } from '../../src/model/index.ts';
import { holderOf, sayHolder, sayLock } from '../../src/plan/holders.ts';

const receipt = (run: string, meta: Receipt['meta'], holds: readonly string[]): Receipt => ({
  ...{ run, seq: 1, order: null, as: null, meta, holds, result: null },
  change: {
    ...{ where: 'etc', links: holds, removes: [], displaces: [], stops: [], attempts: [], groups: [] },
    ...{ killLeftovers: false, reads: [], looks: [] },
  },
  prior: { bootId: null, machineId: null, states: [], masks: [] },
});
const CRON = '/etc/systemd/system/cron.service';
const NOW = '2026-11-22T15:00:00.000Z';

describe('a unit', () => {
  it('is held by the latest run whose link is still its own', () => {
    const receipts = [
      receipt('20261122-2', { actor: 'bob@b' }, [CRON]),
      receipt('20261122-1', {}, [CRON]),
      receipt('20261122-3', {}, []),
    ];
    expect(holderOf('cron.service', receipts)).toEqual({
      ...{ run: '20261122-2', actor: 'bob@b', startedAt: null, reason: null, ticket: null },
    });
    expect(holderOf('cups.service', receipts)).toBeNull();
  });

  it.each([
    [
      { actor: 'alice@bastion', started: '2026-11-22T12:03:10.000Z', reason: 'CVE-2025-1', ticket: 'OPS-7' },
      'masked by run r of alice@bastion 3 h ago for ‘CVE-2025-1’ (OPS-7)',
    ],
    [{ actor: 'alice@bastion', started: '2026-11-22T14:59:20.000Z' }, 'masked by run r of alice@bastion 40 s ago'],
    [{ started: 'rubbish', ticket: 'OPS-7' }, 'masked by run r (OPS-7)'],
    [{ started: '2027-01-01T00:00:00.000Z' }, 'masked by run r'],
    [{ started: '2026-11-02T15:00:00.000Z' }, 'masked by run r 20 days ago'],
  ])('%j is told as %s', (meta, words) => {
    expect(sayHolder(holderOf('cron.service', [receipt('r', meta, [CRON])])!, NOW)).toBe(words);
  });
});

describe('a lock', () => {
  it('is told with who, why and since when', () => {
    const meta = { actor: 'alice@bastion', command: 'mask', units: 'cron atd', ticket: 'OPS-7', reason: 'CVE-2025-1' };
    expect(sayLock({ run: 'r-1', meta, since: 1_763_812_990, seconds: 240 })).toBe(
      'run r-1 of alice@bastion (mask cron atd, OPS-7: CVE-2025-1) has been at work on this host since 12:03:10Z (4 min)',
    );
  });

  it('of which little is known is told with that', () => {
    expect(sayLock({ run: 'r-1', meta: {}, since: null, seconds: 0 })).toBe('run r-1 has been at work on this host');
    expect(sayLock({ run: null, meta: {}, since: null, seconds: 0 })).toBe('another run has been at work on this host');
  });
});
