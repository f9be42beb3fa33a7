/** Whether the process that claimed a run is still there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { controllerOf, lifeOf } from '../../src/operations/context/process-identity.ts';

const self = controllerOf(process.pid, 'bastion');
const silent = () => {
  throw new Error('nobody needs a signal where /proc tells');
};

describe.runIf(existsSync('/proc/self/stat'))('a process', () => {
  it('that runs is alive, and gone once it has ended', async () => {
    const child = spawn('sleep', ['60']);
    const other = controllerOf(child.pid!, 'bastion');
    expect(other.started).toMatch(/^\d+$/);
    expect(lifeOf(other, self, silent)).toBe('alive');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(lifeOf(other, self, silent)).toBe('gone');
  });

  it('of the same number that was started at another time is another one', () => {
    expect(lifeOf({ ...self, started: '1' }, self, silent)).toBe('gone');
  });

  it('before the last boot is gone; on another machine, or in another container, nobody knows', () => {
    expect(lifeOf({ ...self, bootId: '0' }, self, silent)).toBe('gone');
    expect(lifeOf({ ...self, machine: 'laptop', bootId: '0' }, self, silent)).toBe('unknown');
    expect(lifeOf({ ...self, namespace: 'pid:[1]' }, self, silent)).toBe('unknown');
  });
});

it('where there is no /proc a signal has to do', () => {
  const bare = { ...self, bootId: null, started: null };
  expect(lifeOf(bare, bare, () => true)).toBe('alive');
  expect(lifeOf(bare, bare, () => false)).toBe('gone');
});
