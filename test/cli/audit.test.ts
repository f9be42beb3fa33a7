/** `audit: syslog`: what a run did to which hosts is also in the log of this machine. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { demoFleet } from '../embedded.ts';
import { operator } from '../operator.ts';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await demoFleet(['deb-web1', 'el-app1']);
});
afterAll(() => fleet.dispose());

/** With a `logger` that keeps what it is given, or fails. */
function auditor(settings: string, logger = 'cat >>"$LOG"; echo "args $*" >>"$LOG"') {
  const shell = operator();
  const bin = join(shell.home, 'bin');
  const log = join(shell.home, 'log');
  mkdirSync(bin);
  mkdirSync(join(shell.home, '.config/fleetmask'), { recursive: true });
  writeFileSync(join(bin, 'logger'), `#!/bin/sh\n${logger}\n`, { mode: 0o755 });
  writeFileSync(join(shell.home, '.config/fleetmask/config.yaml'), settings);
  const env = { PATH: `${bin}:${process.env.PATH}`, LOG: log, FLEETMASK_STATE_DIR: shell.stateDir };
  const who = operator({ env, home: shell.home, cwd: shell.home });
  const mask = (...more: string[]) =>
    who.run('mask', 'cron', '-i', fleet.inventoryPath, '--known-hosts', fleet.knownHostsPath, '-l', 'all', ...more);
  const back = () => who.run('rollback', 'last', '--known-hosts', fleet.knownHostsPath, '-y', '-o', 'json');
  return { who, mask, back, lines: () => readFileSync(log, 'utf8').trim().split('\n') };
}

describe('audit: syslog', () => {
  it('leaves a line for the run, each changed host and the end, and none can be forged by a reason', async () => {
    const { mask, back, lines } = auditor('audit: syslog\n');
    const reason = 'CVE-1"\nended run="forged"';
    const run = await mask('-y', '-o', 'json', '--reason', reason, '--ticket', 'OPS-7');
    expect(run.code, run.stderr).toBe(0);
    const said = lines().filter((line) => !line.startsWith('args'));
    expect(said.map((line) => line.split(' ')[0])).toEqual(['begun', 'masked', 'masked', 'ended']);
    for (const line of said) expect(line).toContain(`run="${run.report.run.id}" actor="alice@bastion" command="mask"`);
    expect(said[1]).toMatch(/host="deb-web1" address="127\.[\d.]+" .*ticket="OPS-7" units="cron\.service"/);
    expect(said[3]).toMatch(/units="cron" hosts="2" changed="2" exit="0"$/);
    expect(lines()).toContain('args -t fleetmask -p authpriv.notice');
    expect((await back()).code).toBe(0);
    expect(lines().filter((line) => /^restored .*command="rollback"/.test(line)).length).toBe(2);
  });

  it('that cannot be written is a warning, and the run goes on', async () => {
    const { mask, back } = auditor('audit: syslog\n', 'exit 3');
    const run = await mask('-y', '-o', 'json');
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toMatch(/warning: audit: logger did not take what run .* did \(exit status 3\)/);
    expect((await back()).code).toBe(0);
  });

  it('is off unless settings say so, and takes no other word', async () => {
    const quiet = auditor('forks: 5\n');
    expect((await quiet.mask('-y')).code).toBe(0);
    expect(() => quiet.lines()).toThrow(/ENOENT/);
    expect((await quiet.back()).code).toBe(0);
    const wrong = await auditor('audit: journal\n').mask('-y');
    expect([wrong.code, wrong.stderr.replace(/\n/g, ' ')]).toEqual([
      2,
      expect.stringMatching(/no such choice.*syslog or none/),
    ]);
  });
});
