/**
 * Whatever state a unit is in and whatever is done to it: undo(apply(x)) = x. Seeded; a failure names what to set to see it again:
 * FLEETMASK_LAB_SEED for all, and FLEETMASK_LAB_ROUND for one of its rounds.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, daemon, dumps, ENABLED, HELD, HELD_FAILED, hold, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';

/** On each of five hosts. */
const ROUNDS = 21;
const ONLY = process.env.FLEETMASK_LAB_ROUND;
const SEED = Number(process.env.FLEETMASK_LAB_SEED ?? Date.now() % 1_000_000);

/** mulberry32: small, and the same everywhere. */
function dice(seed: number): <T>(...sides: readonly T[]) => T {
  let state = seed;
  return (...sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return sides[((t ^ (t >>> 14)) >>> 0) % sides.length]!;
  };
}

interface State {
  readonly script: string;
  readonly says: string;
  readonly compared: readonly string[];
}

/** A unit with all that hangs on it, in a state that an administrator could have left it in. */
function stateFrom(roll: ReturnType<typeof dice>, id: string): State {
  const name = `any-${id}.service`;
  const dir = roll('/usr/lib/systemd/system', '/usr/lib/systemd/system', '/run/systemd/system', '/etc/systemd/system');
  const life = roll('runs', 'runs', 'idle', 'failed', 'remains');
  const enabled = roll('enable', 'enable --runtime', 'disable');
  const masks = roll([], [], [], ['/etc'], ['/run'], ['/etc', '/run']).filter((mask) => !dir.startsWith(mask));
  const trigger = roll('none', 'none', 'timer', 'socket', 'path');
  const dependent = roll('none', 'Requires', 'BindsTo', 'PartOf');
  const text = {
    runs: daemon(roll('Restart=no', 'Restart=always', 'KillMode=mixed', 'KillSignal=SIGINT')),
    idle: daemon(),
    failed: '[Service]\nType=oneshot\nExecStart=/usr/bin/false',
    remains: '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true',
  }[life];
  const triggers = {
    none: '',
    timer: '[Timer]\nOnCalendar=yearly',
    socket: `[Socket]\nListenStream=/run/any-${id}`,
    path: `[Path]\nPathExists=/run/never-${id}`,
  };
  const waker = `any-${id}.${trigger}`;
  const needy = `needy-${id}.service`;
  const links = masks.map((mask) => `ln -s /dev/null ${mask}/systemd/system/${name}`);
  const script = [
    unit(name, `${text}\n${ENABLED}`, dir),
    trigger === 'none' ? '' : unit(waker, triggers[trigger]),
    dependent === 'none' ? '' : unit(needy, `[Unit]\n${dependent}=${name}\nAfter=${name}\n${daemon()}`),
    `systemctl daemon-reload; systemctl ${enabled} -q ${name}`,
    trigger === 'none' ? '' : `systemctl start ${waker}`,
    life === 'idle' ? '' : `systemctl start ${name} || :`,
    dependent !== 'none' && life === 'runs' ? `systemctl start ${needy}` : '',
    ...links,
    'systemctl daemon-reload',
  ];
  const says = [name, dir, life, enabled, `masks ${masks.join('+')}`, trigger, dependent].join(', ');
  const compared = [name, ...(trigger === 'none' ? [] : [waker]), ...(dependent === 'none' ? [] : [needy])];
  return { script: script.join('\n'), says, compared };
}

describeLab('undo', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(5);
  });
  afterAll(() => operator.forget());

  it(`restores any state that was there before any change, ${ROUNDS} times on each host (seed ${SEED})`, async () => {
    const rounds = ONLY === undefined ? Array.from({ length: ROUNDS }, (_, i) => i) : [Number(ONLY)];
    const outcomes = await Promise.all(
      hosts.map(async (host, i) => {
        const seen: string[] = [];
        for (const round of rounds) seen.push(await restores(host, round, dice(SEED + 1_000_000 * (i + 1) + round)));
        return seen;
      }),
    );
    // a change that is refused everywhere would be easily undone
    if (ONLY === undefined)
      expect(outcomes.flat().filter((outcome) => /masked$/.test(outcome)).length).toBeGreaterThan(50);
  });

  async function restores(host: LabHost, round: number, roll: ReturnType<typeof dice>): Promise<string> {
    const id = `${SEED}-${round}`;
    const verb = roll('mask', 'mask', 'mask', 'unmask');
    const flags = [
      ...(verb === 'mask' ? [roll('', ' --now', ' --now'), roll('', ' --with-triggers')] : []),
      ...(verb === 'mask' ? [roll('', ' --local-units displace')] : []),
      roll('', '', ' --runtime'),
    ].join('');
    const { script, says, compared } = stateFrom(roll, id);
    await sh(host, script);
    const before = await dumps(host, compared);
    const run = await operator.do(`${verb} any-${id}${flags}`, [host]);
    const { outcome, fault } = run.on(host);
    const replay = `FLEETMASK_LAB_SEED=${SEED} FLEETMASK_LAB_ROUND=${round}`;
    const told = `${replay}: ${verb}${flags} of ${says} on ${host.name}: ${outcome} ${fault?.message ?? ''}`;
    if (flags.includes('--now') && outcome === 'masked') {
      expect([HELD, HELD_FAILED], told).toContain(await hold(host, `any-${id}.service`));
    }
    const undone = await operator.undo(run);
    const again = undone.report.hosts.find((each) => each.host === host.name);
    expect(await changes(host, before), `${told}; ${again?.outcome} ${again?.fault?.message ?? ''}`).toEqual([]);
    return outcome;
  }
});
