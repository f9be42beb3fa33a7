/** undo(apply(x)) = x, whatever x is and whatever was asked. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { converse } from '../contract/systemd-under-test.ts';
import { ADMIN, enabled, PARENT, RUNTIME, sleeper, VENDOR, WANTED } from '../contract/units.ts';
import { dump } from './dump.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNIT = 'fm-a.service';
const DEPENDENT = 'fm-b.service';

const prior = fc.record({
  systemd: fc.constantFrom('247', '252', '257'),
  text: fc.constantFrom(sleeper({ install: WANTED }), sleeper(), PARENT, sleeper({ unit: 'RefuseManualStop=yes\n' })),
  home: fc.constantFrom(VENDOR, ADMIN, '/run/systemd/transient', '/etc/systemd/system.control'),
  enabledIn: fc.option(fc.constantFrom(ADMIN, RUNTIME)),
  maskedIn: fc.option(fc.constantFrom(ADMIN, RUNTIME)),
  alias: fc.boolean(),
  relation: fc.option(fc.constantFrom('Requires', 'BindsTo', 'PartOf', 'Wants')),
  running: fc.subarray([UNIT, DEPENDENT, 'fm-a.timer']),
});

const asked = fc.record({
  where: fc.constantFrom('etc', 'run'),
  links: fc.subarray([`${ADMIN}/${UNIT}`, `${RUNTIME}/${UNIT}`, `${ADMIN}/fm-a.timer`, `${ADMIN}/fm-absent.service`]),
  removes: fc.subarray([`${ADMIN}/${UNIT}`, `${RUNTIME}/${UNIT}`]),
  stops: fc.subarray(['fm-a.timer', UNIT]),
});

type Prior = typeof prior extends fc.Arbitrary<infer T> ? T : never;

function imageOf({ systemd, text, home, enabledIn, maskedIn, alias, relation, running }: Prior) {
  const mask = maskedIn === null ? {} : { [`${maskedIn}/${UNIT}`]: '/dev/null' };
  const works =
    maskedIn === null || (maskedIn === RUNTIME && home !== VENDOR) || home.startsWith('/etc/systemd/system.c');
  return {
    systemd,
    files: {
      [`${home}/${UNIT}`]: text,
      [`${VENDOR}/${DEPENDENT}`]: sleeper({ unit: relation === null ? '' : `${relation}=${UNIT}\n` }),
      [`${VENDOR}/fm-a.timer`]: '[Timer]\nOnActiveSec=1h\n',
    },
    links: {
      ...(home === ADMIN && maskedIn === ADMIN ? {} : mask),
      ...(enabledIn === null ? {} : enabled(UNIT, enabledIn)),
      ...(alias ? { [`${VENDOR}/fm-alias.service`]: UNIT } : {}),
    },
    running: works ? running : [],
  };
}

describe.each(SHELLS)('under $name', (shell) => {
  it('undo restores every byte of the host', async () => {
    await fc.assert(
      fc.asyncProperty(prior, asked, async (state, { where, links, removes, stops }) => {
        const host = await SimulatedHost.boot(shell, imageOf(state));
        try {
          const before = await dump(host.dir);
          const runs = Object.keys(before).flatMap((path) => path.match(/^\/sim\/active\/(.*)$/)?.[1] ?? []);
          const context = ['run=r1', `where=${where}`, 'stop-timeout=5', 'meta=-', `read=${UNIT}`];
          await converse(
            host,
            [UNIT],
            [
              ...(['apply', ...context] as const),
              // What is masked already is not masked again: that is planned, here and in earnest.
              ...links.filter((path) => before[path] === undefined).map((path) => `link=${path}`),
              ...removes.map((path) => `remove=${path}`),
              ...stops.map((unit) => `stop=${unit}`),
              `try=${UNIT}`,
            ],
            ['undo', ...context, ...runs.map((unit) => `start=${unit}`)],
          );
          expect(await dump(host.dir)).toEqual(before);
        } finally {
          await host.dispose();
        }
      }),
      { numRuns: 10 },
    );
  });
});
