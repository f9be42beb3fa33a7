/** systemds before 243, as the simulated one has their traits: what a mask does there, and what is refused untouched. */
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, type HostSpec, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import { sleeper, VENDOR } from '../contract/units.ts';
import { type Operator, operator } from '../operator.ts';

const UNIT = 'fm-bt.service';
/** As `systemctl enable` makes it, but relative, for a simulated host is a directory. */
const BUS = 'dbus-org.fm.service';
const OTHER = 'fm-blue.service';

const old = (systemd: string): HostSpec => {
  const spec = DEMO_HOSTS.find(({ name }) => name === 'deb-web1')!;
  const { image } = spec;
  return {
    ...spec,
    name: `systemd-${systemd}`,
    image: {
      ...image,
      systemd,
      files: { ...image.files, [`${VENDOR}/${UNIT}`]: sleeper() },
      links: {
        ...image.links,
        [`/etc/systemd/system/${BUS}`]: `../../../usr/lib/systemd/system/${UNIT}`,
        [`${VENDOR}/${OTHER}`]: UNIT,
      },
      running: [...image.running, UNIT],
    },
  };
};

let fleet: Fleet;
let alice: Operator;

beforeAll(async () => {
  fleet = await startFleet([old('239'), old('252')], { path: process.env.PATH ?? '', tempDir: tmpdir() });
  alice = operator();
});
afterAll(async () => {
  alice.dispose();
  await fleet.dispose();
});

const at = () => ['-i', fleet.inventoryPath, '--known-hosts', fleet.knownHostsPath, '-l', 'all', '-o', 'json'];

describe('before 243, where an alias of a masked unit loads the file again', () => {
  it('aliases are masked with the unit, tried, and brought back', async () => {
    const run = await alice.run('mask', UNIT, ...at(), '--now', '-y');
    expect(run.code, run.stdout + run.stderr).toBe(0);
    const [unit] = run.on('systemd-239').units;
    expect(unit?.covers).toEqual([BUS, OTHER]);
    expect(unit?.steps).toContain(`link in /etc for its alias ${OTHER}`);
    expect(run.on('systemd-252').units[0]?.steps).not.toContain(`link in /etc for its alias ${OTHER}`);
    const again = await alice.run('status', UNIT, ...at());
    expect(again.report.totals).toEqual({ masked: 2 });
    const back = await alice.run('rollback', 'last', ...at().slice(2), '-y');
    expect(back.code, back.stdout + back.stderr).toBe(0);
    const after = await alice.run('status', UNIT, BUS, OTHER, ...at());
    expect(after.report.totals).toEqual({ 'not-masked': 2 });
  });

  it('two aliases in one command are one unit', async () => {
    const run = await alice.run('plan', 'mask', BUS, OTHER, ...at());
    expect(run.code, run.stdout + run.stderr).toBe(3);
    expect(run.on('systemd-239').units.map(({ unit }) => unit)).toEqual([UNIT]);
  });
});
