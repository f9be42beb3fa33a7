/** Outputs that are lost in the middle of a run, by the real executable: the work goes on, and what was lost is known. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { demoFleet } from '../embedded.ts';
import { typed } from '../operator.ts';

const NAMES = ['deb-web1', 'el-app1'];
const BIN = join(import.meta.dirname, '../../bin/fleetmask.js');

let fleet: Fleet;
let home: string;
beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
afterAll(() => fleet.dispose());
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'fleetmask-lost-'));
});
afterEach(async () => {
  if (existsSync(join(home, 'runs'))) {
    await typed(['rollback', 'last', '-y', ...known()], home, { env: { FLEETMASK_STATE_DIR: home } });
  }
  rmSync(home, { recursive: true, force: true });
});

const env = () => ({ ...process.env, FLEETMASK_STATE_DIR: home, HOME: home });
const known = () => ['--known-hosts', fleet.knownHostsPath];
const masking = (format: string) => [
  ...['mask', 'cron', '-y', '-i', fleet.inventoryPath, '-l', NAMES.join(','), '-F', 'none', '-o', format],
];

function start(args: readonly string[], stdio: StdioOptions): ChildProcess {
  const flags = args[0] === 'runs' ? [] : known();
  return spawn(process.execPath, [BIN, ...args, ...flags], { env: env(), stdio });
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => (said.stdout += chunk));
  child.stderr?.on('data', (chunk) => (said.stderr += chunk));
  const [code] = await once(child, 'close');
  return { code, ...said };
}

const journal = () => {
  const runs = existsSync(join(home, 'runs')) ? readdirSync(join(home, 'runs')) : [];
  return runs
    .filter((name) => name.endsWith('.ndjson'))
    .map((name) => readFileSync(join(home, 'runs', name), 'utf8'))[0];
};

/** Every host is masked and on record, and the evidence can be had. */
async function wholeOnRecord(): Promise<void> {
  const { code, stdout } = await typed(['runs', 'export', 'last'], home, { env: { FLEETMASK_STATE_DIR: home } });
  expect(code).toBe(0);
  const evidence = JSON.parse(stdout);
  expect(evidence).toMatchObject({ state: 'finished', totals: { masked: NAMES.length }, exitCode: 0, inDoubt: [] });
}

describe('a run goes on, is whole on record, and exits 7', () => {
  it.each(['table', 'json', 'ndjson', 'csv', 'junit', 'html'])('when standard output is full (%s)', async (format) => {
    const full = openSync('/dev/full', 'w');
    const { code, stderr } = await ended(start(masking(format), ['ignore', full, 'pipe']));
    closeSync(full);
    expect(code, stderr).toBe(7);
    expect(stderr).toMatch(/results could not all be written to standard output \(ENOSPC\)/);
    expect(stderr).toMatch(/fleetmask runs export \d{8}-\d{9}-[0-9a-f]{6}/);
    await wholeOnRecord();
  });

  it.each(['table', 'ndjson'])('when the reader of standard output has gone (%s)', async (format) => {
    const child = start(masking(format), ['ignore', 'pipe', 'pipe']);
    child.stdout?.destroy();
    const { code, stderr } = await ended(child);
    expect(code, stderr).toBe(7);
    expect(stderr).toMatch(/standard output \(EPIPE\)\s+hint: .*runs export/s);
    await wholeOnRecord();
  });

  it('when both outputs are full', async () => {
    const full = openSync('/dev/full', 'w');
    const { code } = await ended(start(masking('json'), ['ignore', full, full]));
    closeSync(full);
    expect(code).toBe(7);
    await wholeOnRecord();
  });

  it('when its terminal vanishes', async () => {
    // a run of one host at a time, on a terminal of its own, which goes when the first host is settled
    const line = [process.execPath, BIN, ...masking('table'), ...known(), '-f', '1'].join(' ');
    const status = join(home, 'status');
    const child = spawn('script', ['-qefc', `trap : HUP; ${line}; echo $? > ${status}`, '/dev/null'], {
      env: env(),
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    await expect.poll(() => journal()?.includes('"settled"'), { timeout: 20_000, interval: 20 }).toBe(true);
    child.kill('SIGKILL');
    await expect.poll(() => existsSync(status) && readFileSync(status, 'utf8'), { timeout: 20_000 }).toBe('7\n');
    await wholeOnRecord();
  });
});

it('SIGHUP alone ends nothing', async () => {
  const child = start([...masking('json'), '-f', '1'], ['ignore', 'pipe', 'pipe']);
  const end = ended(child);
  await expect.poll(() => journal()?.includes('"settled"'), { timeout: 20_000, interval: 20 }).toBe(true);
  child.kill('SIGHUP');
  expect((await end).code).toBe(0);
  await wholeOnRecord();
});

it('a file that takes only the beginning of a document is no success', async () => {
  await ended(start(masking('json'), 'ignore'));
  const file = join(home, 'out.json');
  const line = [
    'bash',
    '-c',
    `ulimit -f 1; exec "$@" > ${file}`,
    'bash',
    process.execPath,
    BIN,
    'runs',
    'export',
    'last',
  ];
  const { code, stderr } = await ended(
    spawn(line[0]!, line.slice(1), { env: env(), stdio: ['ignore', 'ignore', 'pipe'] }),
  );
  expect(code, stderr).toBe(7);
  expect(stderr).toMatch(/could not all be written to standard output \(EFBIG\)/);
  expect(readFileSync(file, 'utf8')).toHaveLength(1024);
});

it('a listing whose reader has gone exits 7 without a word', async () => {
  const child = start(['--help'], ['ignore', 'pipe', 'pipe']);
  child.stdout?.destroy();
  expect(await ended(child)).toMatchObject({ code: 7, stderr: '' });
});

it('a usage error stays one, whatever became of the outputs', async () => {
  const full = openSync('/dev/full', 'w');
  expect((await ended(start(['frobnicate'], ['ignore', full, full]))).code).toBe(2);
  closeSync(full);
});
