/** A disk that fills up under the journal, at any record: what was begun is ended, told, and can be put back. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import type { Report } from '../../src/model/index.ts';
import { dump } from '../demo/dump.ts';
import { demoFleet } from '../embedded.ts';

const NAMES = ['deb-web1', 'el-app1'];
const LINKS: Readonly<Record<string, string>> = { 'deb-web1': 'cron.service', 'el-app1': 'crond.service' };
const BIN = join(import.meta.dirname, '../../bin/fleetmask.js');

let fleet: Fleet;
beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
afterAll(() => fleet.dispose());

const dirOf = (name: string) => fleet.hosts.find((host) => host.name === name)!.dir;
const masked = (name: string) => existsSync(join(dirOf(name), 'etc/systemd/system', LINKS[name]!));

/** The executable, none of whose files may grow over so many KiB; Node turns the signal for that into an error of the write. */
async function run(stateDir: string, kib: number | 'unlimited', ...args: string[]) {
  const known = args[0] === 'runs' ? [] : ['--known-hosts', fleet.knownHostsPath];
  const command = `ulimit -f ${kib}; exec "$0" "$@"`;
  const child = spawn('bash', ['-c', command, process.execPath, BIN, ...args, ...known], {
    env: { ...process.env, FLEETMASK_STATE_DIR: stateDir, HOME: stateDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (said.stdout += chunk));
  child.stderr.on('data', (chunk) => (said.stderr += chunk));
  const [code] = await once(child, 'close');
  return { code: Number(code), ...said };
}

describe('a journal that cannot grow', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 10, 12])('beyond %i KiB leaves every host as it is told to be', async (kib) => {
    const stateDir = mkdtempSync(join(tmpdir(), 'fleetmask-full-'));
    const before = await Promise.all(NAMES.map((name) => dump(dirOf(name))));
    try {
      const way = ['-i', fleet.inventoryPath, '-l', NAMES.join(','), '-F', 'none', '-o', 'json', '-y'];
      const { code, stdout, stderr } = await run(stateDir, kib, 'mask', 'cron', '--now', ...way, '-f', '1');
      expect(stderr).not.toContain('bug');
      if (code === 2) {
        expect(stdout).toBe('');
        expect(stderr).toContain('journal');
        expect(await Promise.all(NAMES.map((name) => dump(dirOf(name))))).toEqual(before);
        expect(readdirSync(join(stateDir, 'runs')), 'no journal without a beginning').toEqual([]);
        return;
      }
      const report = JSON.parse(stdout) as Report;
      for (const { host, outcome, fault } of report.hosts) {
        expect(['masked', 'refused', 'not-started'], `${host}: ${outcome}`).toContain(outcome);
        expect(masked(host), host).toBe(outcome === 'masked');
        if (outcome === 'refused') expect(fault?.kind).toBe('journal');
      }
      expect(code).toBe(report.exitCode);
      // every host as asked, and not all of it on record, is no success
      const lacking = stderr.includes('Not all results are on record');
      if (report.hosts.every(({ outcome }) => outcome === 'masked')) expect(code).toBe(lacking ? 7 : 0);
      else expect(code).toBe(4);
      if (stderr.includes('journal')) expect(stderr).toContain(`fleetmask recover ${report.run.id}`);
      // with room again, all that was changed can be put back
      await run(stateDir, 'unlimited', 'recover', 'last', '-y', '-o', 'json');
      await run(stateDir, 'unlimited', 'rollback', 'last', '-y', '-o', 'json');
      expect(NAMES.filter(masked)).toEqual([]);
    } finally {
      rmSync(stateDir, { recursive: true, force: true });
    }
  });
});

it('a journal that was damaged keeps no other run from being listed', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'fleetmask-full-'));
  mkdirSync(join(stateDir, 'runs'));
  writeFileSync(join(stateDir, 'runs', '20260101-000000000-aaaaaa.ndjson'), '');
  try {
    const way = ['-i', fleet.inventoryPath, '-l', NAMES[0]!, '-F', 'none', '-o', 'json', '-y'];
    expect((await run(stateDir, 'unlimited', 'mask', 'cron', ...way)).code).toBe(0);
    const list = await run(stateDir, 'unlimited', 'runs', 'list', '-o', 'json');
    const states = (JSON.parse(list.stdout) as { state: string }[]).map(({ state }) => state);
    expect([list.code, states]).toEqual([0, ['damaged', 'finished']]);
    expect(list.stderr).toContain('warning: run 20260101-000000000-aaaaaa cannot be read');
    await run(stateDir, 'unlimited', 'rollback', 'last', '-y');
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
});
