/** A site's own logical names. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { demoFleet } from '../embedded.ts';
import { type Operator, operator } from '../operator.ts';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await demoFleet(['deb-web1', 'el-app1']);
});
afterAll(() => fleet.dispose());

function at(files: Readonly<Record<string, string>>): Operator {
  const shell = operator();
  for (const [name, text] of Object.entries(files)) {
    const path = join(shell.home, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return shell;
}

const plan = (who: Operator, ...units: string[]) =>
  who.run('plan', 'mask', ...units, '-i', fleet.inventoryPath, '--known-hosts', fleet.knownHostsPath, '-o', 'json');
const USER = '.config/fleetmask/config.yaml';

describe('catalogue: in the settings', () => {
  it('names alternatives, and parts that are all meant', async () => {
    const bob = at({
      [USER]: 'catalogue:\n  jobs: { one-of: [crond, cron] }\n  all-jobs:\n    - cron\n    - crond.service\n',
    });
    for (const name of ['jobs', 'all-jobs']) {
      const run = await plan(bob, name);
      expect(run.report.totals, run.stderr).toEqual({ planned: 2 });
      expect(run.on('el-app1').units.map(({ asked, unit }) => [asked, unit])).toEqual([[name, 'crond.service']]);
    }
    bob.dispose();
  });

  it('wins over the names that are built in', async () => {
    const bob = at({ [USER]: 'catalogue:\n  cron: [nothing.service]\n' });
    expect((await plan(bob, 'cron')).report.totals).toEqual({ refused: 2 });
    bob.dispose();
  });

  it.each([
    ['catalogue: [a]', /config\.yaml:1: catalogue: expected a map/],
    ['catalogue:\n  a: b', /config\.yaml:2: catalogue: expected a list of units/],
    ['catalogue:\n  a: []', /config\.yaml:2: catalogue: expected a list of units/],
    ['catalogue:\n  a: [b, "c d"]', /config\.yaml:2: catalogue: not a unit name: "c d"/],
    ['catalogue:\n  a: { any-of: [b] }', /config\.yaml:2: catalogue: a has neither/],
    ['catalogue:\n  a.service: [b]', /config\.yaml:2: catalogue: "a\.service" is no logical name/],
  ])('%j is refused with its line', async (text, says) => {
    const bob = at({ [USER]: text });
    const run = await plan(bob, 'cron');
    expect([run.code, run.stderr.replace(/\n/g, ' ')]).toEqual([2, expect.stringMatching(says)]);
    bob.dispose();
  });

  it('is not for the settings of a directory', async () => {
    const bob = at({ 'fleetmask.yaml': 'catalogue:\n  cron: [sshd]\n' });
    const run = await plan(bob, 'cron');
    expect([run.code, run.stderr]).toEqual([2, expect.stringMatching(/fleetmask\.yaml:1: a catalogue is not for/)]);
    bob.dispose();
  });
});
