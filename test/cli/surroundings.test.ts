/** A machine that lacks what every program has: one clear line, exit 2, and nothing is touched. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { assertCapacity, type Capacity, type Load } from '../../src/operations/context/capacity.ts';

const BIN = join(import.meta.dirname, '../../bin/fleetmask.js');
const home = mkdtempSync(join(tmpdir(), 'fleetmask-lacking-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const HOSTS = join(home, 'hosts');
writeFileSync(HOSTS, Array.from({ length: 50 }, (_, i) => `web${i} ansible_host=127.0.0.1 ansible_port=1\n`).join(''));

/** A line of bash; `$F` is fleetmask. */
function line(text: string) {
  const env = { PATH: process.env.PATH, HOME: home, FLEETMASK_STATE_DIR: join(home, 'state') };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `F='${process.execPath} ${BIN}'; ${text}`], {
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('exit 2 and one clear line', () => {
  const status = `status cron -i ${HOSTS} -F none`;
  it.each([
    [
      'a working directory that was deleted',
      `mkdir ${home}/gone; cd ${home}/gone; rmdir ../gone; $F runs list`,
      /current directory no longer exists/,
    ],
    ['20 open files', 'ulimit -n 20; $F runs list', /at least 40 are needed/],
    [
      '64 open files',
      `ulimit -n 64; $F ${status}`,
      /50 hosts at once need 140 open files, and 64 are allowed\nhint: Use -f 12, or raise the limit: ulimit -n 140/,
    ],
    [
      'too little memory for anything',
      'NODE_OPTIONS=--max-old-space-size=16 $F runs list',
      /may use 16 MiB of memory, and fleetmask needs 32/,
    ],
    [
      'too little memory for so many hosts',
      `NODE_OPTIONS=--max-old-space-size=40 $F ${status}`,
      /50 hosts at once, of 50, need 83 MiB of memory, and Node.js may use 40\nhint: Use -f 7, or raise/,
    ],
    ['a state directory below a file', `FLEETMASK_STATE_DIR=${HOSTS}/state $F runs list`, /hosts/],
  ])('with %s', (_, text, says) => {
    const { status, stdout, stderr } = line(text);
    expect({ status, stdout }, stderr).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/bug|^ +at /m);
    expect(stderr.trimEnd().split('\n').length).toBeLessThan(3);
  });

  it.runIf(userInfo().uid === 0)('with a user who has no passwd entry', () => {
    const { status, stdout, stderr } = line('setpriv --reuid 12345 --clear-groups $F runs list');
    expect({ status, stdout }, stderr).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^fleetmask: no user exists for uid 12345: there is no passwd entry\nhint: .*\n$/);
  });
});

describe('what hosts need at once', () => {
  const load = (more: Partial<Load> = {}): Load => ({ hosts: 500, forks: 50, byProgram: 0, ...more });
  const has = (more: Partial<Capacity> = {}): Capacity => ({ files: 1024, memory: 2048, ...more });
  it('fits the usual limits', () => {
    expect(() => assertCapacity(load({ byProgram: 500 }), has())).not.toThrow();
    expect(() => assertCapacity(load(), has({ files: null }))).not.toThrow();
  });
  it('is more where a program connects', () => {
    expect(() => assertCapacity(load({ byProgram: 500 }), has({ files: 256 }))).toThrow('need 290 open files, and 256');
    expect(() => assertCapacity(load({ byProgram: 10 }), has({ files: 256 }))).not.toThrow();
  });
});
