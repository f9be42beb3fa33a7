/** What docs/library.md promises to a program, in this process and as an installed package. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import type { Event } from '../../src/model/index.ts';
import { type MaskOptions, mask, plan, rollback, status, UsageError } from '../../src/operations/index.ts';
import { demoFleet } from '../embedded.ts';
import { operator } from '../operator.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const home = mkdtempSync(join(tmpdir(), 'fleetmask-library-'));
let fleet: Fleet;

beforeAll(async () => {
  fleet = await demoFleet(['deb-web1', 'el-app1']);
  mkdirSync(join(home, '.ssh'), { mode: 0o700 });
  copyFileSync(fleet.knownHostsPath, join(home, '.ssh', 'known_hosts'));
});
afterAll(async () => {
  await fleet?.dispose();
  rmSync(home, { recursive: true, force: true });
});

const world = () => ({ cwd: home, home, stateDir: 'state', env: { PATH: process.env.PATH } });
const here = () => ({ ...world(), inventory: fleet.inventoryPath, sshConfig: 'none' });

describe('a program', () => {
  it('masks, follows the events, reads, and rolls back, and nothing is printed', async () => {
    const out = vi.spyOn(process.stdout, 'write');
    const err = vi.spyOn(process.stderr, 'write');
    const run = mask({ ...here(), units: 'cron', limit: 'all', now: true, reason: 'a test' });
    const events: Event[] = [];
    for await (const event of run) events.push(event);
    const report = await run.report;
    expect(report.totals).toEqual({ masked: 2 });
    expect(events[0]).toMatchObject({ type: 'run-started', hosts: ['deb-web1', 'el-app1'] });
    expect(events.filter(({ type }) => type === 'host-settled')).toHaveLength(2);
    expect(events.at(-1)).toEqual({ type: 'run-finished', report });

    const again: Event[] = [];
    for await (const event of run) again.push(event);
    expect(again, 'whoever comes late misses nothing').toEqual(events);

    expect((await status({ ...here(), units: ['cron'] }).report).exitCode).toBe(0);
    expect((await rollback({ ...here(), run: 'last' }).report).totals).toEqual({ restored: 2 });
    expect((await status({ ...here(), units: ['cron'] }).report).exitCode).toBe(3);
    expect(out).not.toHaveBeenCalled();
    expect(err).not.toHaveBeenCalled();
    out.mockRestore();
    err.mockRestore();
  });

  it('shares its journals with the command line', async () => {
    const alice = operator();
    const { run } = await mask({ ...here(), stateDir: alice.stateDir, units: 'cron', limit: 'all' }).report;
    const undone = await alice.run('rollback', run.id, '-y', '-o', 'json', '--known-hosts', fleet.knownHostsPath);
    expect(undone.report.totals).toEqual({ restored: 2 });
    alice.dispose();
  });

  it('begins no change after its signal has aborted', async () => {
    const signal = AbortSignal.abort();
    const { totals, exitCode } = await mask({ ...here(), units: 'cron', limit: 'all', signal }).report;
    expect({ totals, exitCode }).toEqual({ totals: { 'not-started': 2 }, exitCode: 130 });
  });

  it('is told of what it got wrong by report and iterator alike, before anything is touched', async () => {
    const misspelt = { ...here(), units: 'cron', limit: 'all', dryRun: true } as unknown as MaskOptions;
    const kebab = { ...here(), units: 'cron', 'host-timeout': '1s' } as unknown as MaskOptions;
    await expect(mask(misspelt).report).rejects.toThrow(new UsageError('there is no option "dryRun"'));
    await expect(mask(kebab).report).rejects.toThrow(/no option "host-timeout"/);
    await expect(mask({ ...here(), units: 'cron' }).report).rejects.toThrow(/a change needs a limit/);
    const follow = async () => {
      for await (const _ of plan('mask', { ...world(), units: 'cron' })) expect.unreachable();
    };
    await expect(follow()).rejects.toThrow(UsageError);
  });
});

describe('docs/library.md', () => {
  const text = readFileSync(join(ROOT, 'docs', 'library.md'), 'utf8');
  const examples = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
  const installed = join(home, 'installed');
  /** Beside this process, which is the fleet's servers too. */
  const run = async (cwd: string, command: string, ...args: string[]) => {
    const env = { PATH: process.env.PATH, HOME: home };
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const code = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    return { stdout, stderr, code: await code };
  };

  beforeAll(async () => {
    mkdirSync(join(installed, 'node_modules'), { recursive: true });
    symlinkSync(ROOT, join(installed, 'node_modules', 'fleetmask'));
    copyFileSync(fleet.inventoryPath, join(installed, 'hosts.yaml'));
    for (const [index, example] of examples.entries()) {
      writeFileSync(join(installed, `example${index}.mjs`), example);
      writeFileSync(join(installed, `example${index}.mts`), example);
    }
    expect((await run(ROOT, 'node', 'bin/setup.mjs')).code).toBe(0);
  });

  it('has three examples that run as they stand', async () => {
    const said: unknown[] = [];
    for (const index of examples.keys()) said.push(await run(installed, 'node', `example${index}.mjs`));
    expect(said).toEqual([
      {
        stdout: expect.stringMatching(
          /^(?:deb-web1|el-app1): masked\n(?:deb-web1|el-app1): masked\nrun \S+ ended with 0\n$/,
        ),
        stderr: '',
        code: 0,
      },
      { stdout: 'deb-web1 is masked\nel-app1 is masked\nrestored: 2\n', stderr: '', code: 0 },
      { stdout: 'masked: 1, not started: 1\n', stderr: '', code: 0 },
    ]);
    const { code } = await run(installed, 'node', join(ROOT, 'bin', 'fleetmask.js'), 'rollback', 'last', '-y');
    expect(code).toBe(0);
  });

  it('has examples that the types of the package take, which would refuse a misspelt option', async () => {
    expect(await run(ROOT, 'npm', 'run', '--silent', 'types')).toMatchObject({ code: 0, stdout: '' });
    writeFileSync(
      join(installed, 'wrong.mts'),
      "import { mask } from 'fleetmask';\nmask({ units: ['cron'], inventory: 'hosts.yaml', dryRun: true });\n",
    );
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023'];
    const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
    const files = [...examples.keys()].map((index) => `example${index}.mts`);
    const checked = await run(
      installed,
      join(ROOT, 'node_modules/.bin/tsc'),
      ...flags,
      ...types,
      ...files,
      'wrong.mts',
    );
    const complaints = checked.stdout.split('\n').filter((line) => line.includes('error TS'));
    expect(complaints).toEqual([expect.stringMatching(/^wrong\.mts\(2,\d+\).*dryRun/)]);
  });
});
