import { expect, it } from 'vitest';
import type { Evidence, UnitFacts, UnitPlan } from '../../src/model/index.ts';
import { starterHint } from '../../src/plan/reasons.ts';

const RUNNING = [{ id: 'busy.service' } as UnitFacts];
const plans = (...triggers: string[]) =>
  [
    { unit: 'busy.service', shownAs: 'busy.service', triggers, covers: ['busy-alias.service', 'org.example.Busy'] },
  ] as unknown as UnitPlan[];
const seen = (refusal: 'cancelled' | null, ...lines: string[]) =>
  ({
    steps: [{ name: 'stop', status: 1, said: [], refusal }],
    logged: lines.map((line) => ({ unit: 'busy.service', line: `Dec  1 12:00:00 web1 ${line}` })),
  }) as unknown as Evidence;
const activation = (by: string) =>
  `dbus-daemon[1]: [system] Activating via systemd: service name='org.example.Busy' unit='busy.service' requested by ':1.5' (${by})`;

it('names the last client that D-Bus activated a unit for', () => {
  const first = activation('uid=0 pid=11 comm="other "');
  const last = activation('uid=0 pid=12 comm="busctl call " label="unconfined"');
  expect(starterHint(RUNNING, plans(), seen('cancelled', first, last, 'systemd[1]: Started busy.'))).toBe(
    'process 12 (busctl call), a client of org.example.Busy, has D-Bus start it: stop that client, then run it again.',
  );
});

it('else the trigger, else the name on the bus; nothing where no start came between', () => {
  expect(starterHint(RUNNING, plans('busy.socket'), seen('cancelled'))).toBe(
    'busy.socket starts it again: add --with-triggers.',
  );
  expect(starterHint(RUNNING, plans(), seen('cancelled'))).toContain('A client of org.example.Busy started it again');
  expect(starterHint(RUNNING, plans('busy.socket'), seen(null))).toBeUndefined();
});
