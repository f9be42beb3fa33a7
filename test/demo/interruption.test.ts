/** What was begun is finished when the connection drops, and its answer is in the receipt. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { converse, type Talk } from '../contract/systemd-under-test.ts';
import { enabled, STUBBORN, sleeper, VENDOR, WANTED } from '../contract/units.ts';
import { dump } from './dump.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNIT = 'fm-a.service';
const STUCK = 'fm-stuck.service';
const LINK = `/etc/systemd/system/${UNIT}`;
const CONTEXT = ['run=r1', 'where=etc', 'stop-timeout=1', 'meta=-'];
/** Takes five seconds, since one unit does not stop, and then says so: a busy machine must find it at work. */
const SLOW = [...CONTEXT, 'stop-timeout=5', `link=${LINK}`, `stop=${STUCK}`, `read=${UNIT}`];
const QUICK = [...CONTEXT, `link=${LINK}`, `stop=${UNIT}`, `read=${UNIT}`, `try=${UNIT}`];

describe.each(SHELLS)('under $name', (shell) => {
  const boot = () =>
    SimulatedHost.boot(shell, {
      files: { [`${VENDOR}/${UNIT}`]: sleeper({ install: WANTED }), [`${VENDOR}/${STUCK}`]: STUBBORN },
      links: enabled(UNIT),
      running: [UNIT, STUCK],
    });
  const resultOn = (host: SimulatedHost) =>
    readFile(join(host.dir, 'var/lib/fleetmask/r1/result'), 'latin1').catch(() => '');

  it.concurrent.each([
    ['a hang-up', ({ child }: Talk) => child.kill('SIGHUP')],
    ['an output that nobody reads any more', ({ child }: Talk) => child.stdout.destroy()],
    ['the end of its input', ({ child }: Talk) => child.stdin.end()],
    [
      'all of these',
      ({ child }: Talk) => {
        child.stdin.destroy();
        child.stdout.destroy();
        child.stderr.destroy();
        child.kill('SIGHUP');
      },
    ],
  ])('%s in the middle of a request does not end it', async (_, breakOff) => {
    const host = await boot();
    const result = () => resultOn(host);
    const begun = () => expect.poll(() => existsSync(join(host.dir, LINK))).toBe(true);
    await converse(host, [UNIT], async (talk) => {
      talk.child.stdin.write(talk.requests.later('apply', 1, SLOW));
      await begun();
      breakOff(talk);
      expect(await result()).toBe('');
      await expect.poll(result).toMatch(/ step stop (124|137|143)\n[\s\S]* unit Id=fm-a\.service\n[\s\S]* done \d+\n$/);
      talk.child.stdin.end();
    });
    await host.dispose();
  });

  it('an input that ends right after a request does not keep it from being answered', async () => {
    const host = await boot();
    let heard = '';
    await converse(host, [UNIT], async ({ child, requests }) => {
      child.stdout.on('data', (chunk) => {
        heard += chunk;
      });
      child.stdin.end(requests.later('apply', 1, QUICK));
      await once(child, 'close');
    });
    expect(heard).toMatch(/ step try:fm-a\.service 1\n[\s\S]* done \d+\n$/);
    expect(heard).toBe(await resultOn(host));
    await host.dispose();
  });

  it('an input that ends after the probe ends the program, and nothing was changed', async () => {
    const host = await boot();
    const before = await dump(host.dir);
    await converse(host, [UNIT], async ({ child }) => {
      child.stdin.end();
      expect(await once(child, 'exit')).toEqual([0, null]);
    });
    expect(await dump(host.dir)).toEqual(before);
    await host.dispose();
  });

  describe('what is left in a control group', () => {
    const group = `/system.slice/${UNIT}`;
    const asked = (kill: string) =>
      ['apply', ...CONTEXT, `kill=${kill}`, `link=${LINK}`, `stop=${STUCK}`, `group=${group}`] as const;
    const procs = () => join(host.dir, `sys/fs/cgroup${group}/cgroup.procs`);

    /** Processes of this machine in a control group of the simulated host; each leaves it when it ends. */
    async function inhabit(...processes: readonly ChildProcess[]) {
      await mkdir(dirname(procs()), { recursive: true });
      const living = new Set(processes);
      // At once, so that of two that end together the later one has the last word.
      const write = () => {
        if (existsSync(dirname(procs()))) writeFileSync(procs(), [...living].map(({ pid }) => `${pid}\n`).join(''));
      };
      for (const { pid } of processes) {
        await mkdir(join(host.dir, `proc/${pid}`), { recursive: true });
        writeFileSync(join(host.dir, `proc/${pid}/cgroup`), `0::${group}\n`);
      }
      for (const each of processes) each.once('exit', () => living.delete(each) && write());
      write();
    }
    let host: SimulatedHost;
    beforeEach(async () => {
      host = await boot();
      // Nothing is to be stopped there, so that the request takes no time.
      await rm(join(host.dir, `sim/active/${STUCK}`));
    });
    afterEach(() => host.dispose());

    it('is counted', async () => {
      const child = spawn('sleep', ['60']);
      await inhabit(child);
      const [, told] = await converse(host, [UNIT], asked('no'));
      child.kill('SIGKILL');
      expect(told?.rest).toContain(`left 1 0 ${group}`);
    });

    it('is ended when that was asked', async () => {
      await inhabit(spawn('sleep', ['60']), spawn('sleep', ['60']));
      const [, told] = await converse(host, [UNIT], asked('yes'));
      expect(told?.rest).toContain(`left 0 0 ${group}`);
    });

    // Takes six seconds, and no shell has a say in it.
    it.runIf(shell === SHELLS[0])('is ended also when it ignores SIGTERM', async () => {
      const stubborn = spawn('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done']);
      await once(stubborn.stdout, 'data');
      await inhabit(stubborn);
      const [, told] = await converse(host, [UNIT], asked('yes'));
      expect(told?.rest).toContain(`left 0 0 ${group}`);
      await expect.poll(() => stubborn.signalCode).toBe('SIGKILL');
    });

    it('is spared where it is the session that asks', async () => {
      const [, told] = await converse(host, [UNIT], ({ child }) => inhabit(child), asked('yes'));
      expect(told?.rest).toContain(`left 1 1 ${group}`);
    });
  });
});
