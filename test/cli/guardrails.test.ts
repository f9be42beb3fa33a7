/** The guardrails of the machine's own settings, which no flag, variable or other file loosens. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet, operatorsOn } from '../embedded.ts';

const NAMES = ['deb-web1', 'el-app1'];

let fleet: Fleet;
beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
afterAll(() => fleet.dispose());
const someone = operatorsOn(() => fleet);

/** Under these guardrails. */
function guarded(text: string, env: Record<string, string> = {}) {
  const who = someone({ env });
  mkdirSync(join(who.home, 'etc'));
  const file = join(who.home, 'etc', 'config.yaml');
  writeFileSync(file, `guardrails:\n${text.replace(/^/gm, '  ')}\n`);
  const way = ['-i', fleet.inventoryPath, '--known-hosts', fleet.knownHostsPath, '-F', 'none', '-o', 'json'];
  return {
    ...who,
    file,
    run: (...args: string[]) =>
      who.run(...args, ...way, ...(args[0] === 'status' || args.includes('-w') ? [] : ['-l', NAMES.join(',')])),
  };
}
const dumps = () => Promise.all(fleet.hosts.map(({ dir }) => dump(dir)));

describe('never-mask', () => {
  it('refuses a unit by the name that it has on each host, in plan and mask, and status notes it', async () => {
    const bob = guarded('never-mask: [dbus, crond.service]', {
      FLEETMASK_ALLOW_LOCKOUT: '1',
      FLEETMASK_CONFIRM_WITHIN: '5m',
    });
    const before = await dumps();
    for (const args of [
      ['plan', 'mask', 'cron'],
      ['mask', 'cron', '-y', '--check'],
      ['mask', 'cron', '-y', '--max-fail', '0'],
    ]) {
      const run = await bob.run(...args);
      expect(run.on('el-app1'), run.stderr).toMatchObject({ outcome: 'refused', fault: { kind: 'guardrail' } });
      expect(run.on('el-app1').fault?.message).toContain(
        `crond.service must not be masked: never-mask "crond.service" in ${bob.file}:2`,
      );
    }
    await bob.run('rollback', 'last', '-y');
    expect(await dumps()).toEqual(before);
    const status = await bob.run('status', 'cron');
    expect(status.on('el-app1').units[0]?.notes.join()).toContain(
      'a mask would be refused: crond.service must not be masked',
    );
    expect(status.on('deb-web1').units[0]?.notes.join()).not.toContain('refused');
  });

  it('by its logical name meets literal names too', async () => {
    const bob = guarded('never-mask: [cron]');
    const run = await bob.run('plan', 'mask', 'crond.service', '-w', 'el-app1');
    expect(run.on('el-app1').fault?.message).toContain('crond.service must not be masked (as cron)');
  });
});

it('only-mask refuses all else', async () => {
  const bob = guarded('only-mask: ["cups*"]');
  const run = await bob.run('mask', 'cron', '-y');
  expect(run.code).toBe(4);
  for (const name of NAMES) expect(run.on(name).fault?.message).toContain('only-mask');
});

it('unmask is free', async () => {
  const bob = guarded('never-mask: [cron]');
  const run = await bob.run('unmask', 'cron', '-y');
  expect(run.code, run.stderr).toBe(0);
});

it.each([
  ['require: [reason, ticket]', ['--reason', 'x'], /a change needs --ticket: .*config\.yaml:2 requires it/],
  ['require: [reason]', ['--reason', ' '], /a change needs --reason/],
  ['max-hosts-without-waves: 1', [], /2 hosts without waves are more than 1: .*config\.yaml:2 forbids it/],
  ['max-hosts-without-waves: 1', ['--waves', '100%'], /2 hosts in the first wave are more than 1/],
])('%s with %j refuses the run before anything is touched', async (text, flags, says) => {
  const bob = guarded(text);
  const before = await dumps();
  const { code, stderr, stdout } = await bob.run('mask', 'cron', '-y', ...flags);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(says);
  expect(await dumps()).toEqual(before);
});

it('what they ask for can be done', async () => {
  const bob = guarded('require: [reason, ticket]\nmax-hosts-without-waves: 1\nonly-mask: [cron]');
  const run = await bob.run('mask', 'cron', '-y', '--reason', 'x', '--ticket', 'OPS-1', '--waves', '1,100%');
  expect(run.code, run.stderr).toBe(0);
});

it.each([
  ['never-mask: cron', /config\.yaml:2: guardrails: never-mask is a list/],
  ['never-mask: []', /never-mask is a list/],
  ['never-mask: ["a b"]', /not a pattern of unit names: "a b"/],
  ['never-masks: [cron]', /unknown key "never-masks"/],
  ['require: [approval]', /require takes reason and ticket/],
  ['max-hosts-without-waves: 0', /a whole number from 1/],
])('a guardrail that is not understood stops everything: %s', async (text, says) => {
  expect(await guarded(text).run('status', 'cron')).toMatchObject({ code: 2, stderr: expect.stringMatching(says) });
});

it('they are for the machine’s own settings alone', async () => {
  const bob = someone();
  writeFileSync(join(bob.home, 'fleetmask.yaml'), 'guardrails: {}\n');
  expect(await bob.run('runs', 'list')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('guardrails are not for these settings'),
  });
});
