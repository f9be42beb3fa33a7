/** The switch on a simulated host: armed before the change, and what it does when it fires; a person fires it here. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { arming } from '../../src/remote/switch.ts';
import { converse, run, type Turn } from '../contract/systemd-under-test.ts';
import { enabled, sleeper, VENDOR, WANTED } from '../contract/units.ts';
import { dump } from './dump.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNIT = 'fm-a.service';
const LINK = `/etc/systemd/system/${UNIT}`;
const TIMER = '/etc/systemd/system/fleetmask-undo-r1.timer';
const LATER = 4_000_000_000;
const WORDS = ['run=r1', 'where=etc', 'stop-timeout=1', 'meta=-'] as const;
const { words, stored } = arming({ confirmWithin: 300, expires: null }, 'r1', 'etc');
const dated = arming({ confirmWithin: null, expires: LATER }, 'r1', 'etc');
const MASK = ['apply', ...WORDS, `link=${LINK}`, `stop=${UNIT}`, `start=${UNIT}`, `read=${UNIT}`] as const;
const masked: Turn = { request: [...MASK, ...words], stored };
const keep = (...more: string[]): Turn => ['keep', ...WORDS, ...more, `read=${UNIT}`];

describe.each(SHELLS)('under $name', (shell) => {
  let host: SimulatedHost;
  let before: Record<string, string>;
  beforeAll(async () => {
    host = await SimulatedHost.boot(shell, {
      files: { [`${VENDOR}/${UNIT}`]: sleeper({ install: WANTED }) },
      links: enabled(UNIT),
      running: [UNIT],
    });
  });
  beforeEach(async () => {
    await host.reset();
    before = await dump(host.dir);
  });
  afterAll(() => host.dispose());

  /** What depends on the shell in detail alone is tried under one each. */
  const spread = <T>(cases: readonly T[]): T[] => cases.filter((_, i) => i % SHELLS.length === SHELLS.indexOf(shell));
  /** As systemd would start it. */
  const fire = (dir = '/var/lib/fleetmask/r1') => run(host, `exec sh "$FLEETMASK_ROOT${dir}/program" root`);
  const ended = () => readFile(join(host.dir, 'run/fleetmask/r1.ended'), 'utf8');

  it('an armed switch puts the host back exactly, and says when and why', async () => {
    const [, told] = await converse(host, [UNIT], masked);
    expect(told?.steps).toMatchObject({ arm: '0', [`link:${LINK}`]: '0', stop: '0' });
    expect(await dump(host.dir)).toMatchObject({
      [LINK]: 'link /dev/null',
      [TIMER]: expect.stringContaining('OnActiveSec=300'),
    });
    expect(await fire()).toMatchObject({ code: 0 });
    expect(await dump(host.dir)).toEqual(before);
    expect(await ended()).toMatch(/^\d+ unconfirmed\n$/);
  });

  it('a socket that listens all the while is not opened anew', async () => {
    const file = `"$FLEETMASK_ROOT"${VENDOR}/fm-a.socket`;
    const socket = `printf '[Socket]\\nListenStream=/run/fm-a.socket\\n' >${file}; systemctl daemon-reload`;
    await run(host, `${socket}; systemctl stop ${UNIT}; systemctl start fm-a.socket && systemctl start ${UNIT}`);
    const request = ['apply', ...WORDS, `link=${LINK}`, `stop=${UNIT}`, 'start=fm-a.socket', `start=${UNIT}`] as const;
    await converse(host, [UNIT], { request: [...request, ...words], stored });
    const { code, output } = await fire();
    expect(code).toBe(0);
    expect(output).toContain('step start 0');
    expect(output).not.toContain('stop-closed');
  });

  it('one that was cut off goes on where it stopped', async () => {
    await converse(host, [UNIT], masked);
    const log = '"$FLEETMASK_ROOT"/var/lib/fleetmask/r1/log';
    await run(host, `echo restoring >>${log}; rm "$FLEETMASK_ROOT${LINK}"; systemctl daemon-reload`);
    await fire();
    expect(await dump(host.dir)).toEqual(before);
  });

  describe('a log that cannot be read whole', () => {
    const log = '"$FLEETMASK_ROOT"/var/lib/fleetmask/r1/log';
    const confirmed = `sed -i '/^request/a confirmed 1 - end' ${log}`;
    const told = async () => (await converse(host, [UNIT], ['probe', 'receipts=all', `name=${UNIT}`]))[1]?.rest ?? [];

    /** Rolled back, or still armed and told of as such: nothing in between. */
    async function endsWell(): Promise<'rolled back' | 'failed'> {
      const { code } = await fire();
      const now = await dump(host.dir);
      if (code === 0) {
        expect(now).toEqual(before);
        return 'rolled back';
      }
      expect(now[TIMER]).toContain('OnBootSec');
      expect(Object.keys(now)).toContain('/etc/systemd/system/timers.target.wants/fleetmask-undo-r1-boot.service');
      expect(await told()).toContainEqual(expect.stringMatching(/^switch r1 (?:unreadable|restoring) /));
      return 'failed';
    }

    it.each(
      spread([
        ['empty', `: >${log}`, 'failed'],
        ['gone', `rm ${log}`, 'failed'],
        ['a directory', `rm ${log}; mkdir ${log}`, 'failed'],
        ['of zeros', `head -c 700 /dev/zero >${log}`, 'failed'],
        ['of noise', `head -c 700 /dev/urandom >${log}`, 'failed'],
        ['with noise before it', `{ head -c 99 /dev/urandom; cat ${log}; } >${log}.1; mv ${log}.1 ${log}`, 'failed'],
        ['with noise after it', `head -c 999 /dev/urandom >>${log}`, 'rolled back'],
        ['that lost its request', `${confirmed}; sed -i '/^request/d' ${log}`, 'failed'],
        ['whose request lost its end', `${confirmed}; sed -i 's/ end$//' ${log}`, 'failed'],
        ['of another run', `${confirmed}; sed -i 's/run=r1/run=r2/' ${log}`, 'failed'],
        ['with a confirmation that was cut short', `printf 'confirmed 17' >>${log}`, 'rolled back'],
        ['with a confirmation that is none', `echo 'confirmed' >>${log}`, 'rolled back'],
        ['with half a confirmation', `echo 'confirmed 1796104800 - en' >>${log}`, 'rolled back'],
        ['that lost the link', `sed -i '/^link/d' ${log}`, 'failed'],
        ['that lost what the link is', `sed -i '/^linked/d' ${log}`, 'rolled back'],
      ]),
    )('%s never counts as confirmed: %s', async (_, damage, end) => {
      await converse(host, [UNIT], masked);
      await run(host, damage);
      expect(await endsWell()).toBe(end);
    });

    it.each(spread([0, 1, 2]))(
      'cut off anywhere never counts as confirmed (%i)',
      async (third) => {
        await converse(host, [UNIT], masked, keep('confirm=yes'));
        const whole = (await readFile(join(host.dir, 'var/lib/fleetmask/r1/log'))).length;
        const lengths = Array.from({ length: 5 }, (_, i) => Math.floor((whole * (3 * i + third)) / 15) + third);
        for (const length of lengths) {
          await host.reset();
          await converse(host, [UNIT], masked);
          await run(host, `truncate -s ${length} ${log} || dd if=/dev/null of=${log} bs=1 seek=${length}`);
          await endsWell();
        }
      },
      60_000,
    );

    it.each(spread([`: >${log}`, `rm ${log}`, `sed -i '/^link/d' ${log}`]))(
      'leaves the rollback armed after an undo that could not read it either (%s)',
      async (damage) => {
        await converse(host, [UNIT], masked);
        await run(host, damage);
        const undo: Turn = ['undo', ...WORDS, `start=${UNIT}`, `read=${UNIT}`];
        const [, , told] = await converse(host, [UNIT], ['probe'], undo);
        expect(told?.rest).toContainEqual(expect.stringMatching(/^lacking .*log$/));
        expect((await dump(host.dir))[TIMER]).toContain('OnBootSec');
      },
    );

    it('is not kept by whoever confirms, but told of', async () => {
      await converse(host, [UNIT], masked);
      await run(host, `: >${log}`);
      const [, , kept] = await converse(host, [UNIT], ['probe'], keep('confirm=yes'));
      expect(kept?.rest).toContainEqual(expect.stringMatching(/^switch r1 unreadable /));
      expect((await dump(host.dir))[TIMER]).toContain('OnBootSec');
    });

    it.each([
      ['rm -r "$FLEETMASK_ROOT"/var/lib/fleetmask', 'lost'],
      [': >"$FLEETMASK_ROOT"/var/lib/fleetmask/r1/switch', 'unreadable'],
    ])('and a receipt that is damaged (%s) is told of by a probe', async (loss, state) => {
      await converse(host, [UNIT], masked);
      await run(host, loss);
      expect(await told()).toContain(`switch r1 ${state} ? -`);
    });
  });

  it('the program is started only where it is as it was sent', async () => {
    await converse(host, [UNIT], masked);
    const unit = (await dump(host.dir))['/etc/systemd/system/fleetmask-undo-r1.service'] ?? '';
    const checks = [...unit.matchAll(/^ExecStartPre=\/bin\/sh -c "(.*)"$/gm)].map(([, check]) => check).join(' && ');
    expect(checks).toMatch(/program.*switch/);
    expect(await run(host, checks)).toMatchObject({ code: 0 });
    for (const file of ['program', 'switch']) {
      await run(
        host,
        `cp "$FLEETMASK_ROOT"/var/lib/fleetmask/r1/${file} /tmp/fm-r1; : >"$FLEETMASK_ROOT"/var/lib/fleetmask/r1/${file}`,
      );
      expect((await run(host, checks)).code).not.toBe(0);
      await run(host, `mv /tmp/fm-r1 "$FLEETMASK_ROOT"/var/lib/fleetmask/r1/${file}`);
    }
  });

  describe('at each boot', () => {
    const boot = () => run(host, 'exec sh "$FLEETMASK_ROOT"/var/lib/fleetmask/r1/program root resume');
    const expiring: Turn = { request: [...MASK, ...dated.words], stored: dated.stored };
    const log = '"$FLEETMASK_ROOT"/var/lib/fleetmask/r1/log';

    it.each([
      ['has begun', `echo restoring >>${log}`],
      ['has expired', `sed -i 's|expires=[^ ]*|expires=1795359491/2026-11-22/14:58:11|' ${log}`],
      ['cannot read its terms', `: >${log}`],
    ])('a rollback that %s is resumed', async (_, state) => {
      await converse(host, [UNIT], expiring);
      await run(host, state);
      expect(await boot()).toMatchObject({ code: 0, output: expect.stringContaining('step resume 0') });
    });

    it('one that awaits its time is left to its timer, which is pinned to this boot', async () => {
      for (const change of [masked, expiring]) {
        await host.reset();
        await converse(host, [UNIT], change);
        const there = await dump(host.dir);
        await writeFile(join(host.dir, 'var/lib/fleetmask/r1/elapses'), '99999\n');
        expect(await boot()).toMatchObject({ code: 0, output: expect.not.stringContaining('step resume') });
        expect((await dump(host.dir))[TIMER]).toBe(there[TIMER]);
      }
    });

    it('a timer that has elapsed once, for the host’s clock was ahead, is armed anew', async () => {
      await converse(host, [UNIT], expiring);
      await run(host, 'systemctl stop fleetmask-undo-r1.timer');
      expect(await boot()).toMatchObject({ code: 0 });
      expect((await run(host, 'systemctl is-active fleetmask-undo-r1.timer')).output).toBe('active');
    });

    it('what is left of one that was confirmed goes', async () => {
      await converse(host, [UNIT], masked);
      await run(host, `echo 'confirmed 1796104800 - end' >>${log}`);
      expect(await boot()).toMatchObject({ code: 0 });
      expect(Object.keys(await dump(host.dir)).filter((path) => path.includes('fleetmask-undo'))).toEqual([]);
      expect((await dump(host.dir))[LINK]).toBe('link /dev/null');
    });
  });

  it('under a later mask of the same unit it ends, and hands on what it was to start', async () => {
    const link = `/run/systemd/system/${UNIT}`;
    const short = arming({ confirmWithin: 300, expires: null }, 'r1', 'run');
    const request = ['apply', 'run=r1', 'where=run', 'stop-timeout=1', 'meta=-', `link=${link}`] as const;
    await converse(host, [UNIT], {
      request: [...request, `stop=${UNIT}`, `start=${UNIT}`, `read=${UNIT}`, ...short.words],
      stored: short.stored,
    });
    const long = arming({ confirmWithin: 300, expires: null }, 'r2', 'etc');
    const second = [
      'apply',
      'run=r2',
      'where=etc',
      'stop-timeout=1',
      'meta=-',
      `link=${LINK}`,
      `read=${UNIT}`,
    ] as const;
    await converse(host, [UNIT], { request: [...second, ...long.words], stored: long.stored });
    expect(await fire('/run/fleetmask/runs/r1')).toMatchObject({ code: 0 });
    expect(await dump(host.dir)).toMatchObject({ [LINK]: 'link /dev/null' });
    expect(Object.keys(await dump(host.dir))).not.toContain(link);
    expect(await fire('/var/lib/fleetmask/r2')).toMatchObject({ code: 0 });
    expect(await dump(host.dir)).toEqual(before);
  });

  it('a confirmed run has none any more; one that fires all the same does nothing', async () => {
    const copy = () => cp(join(host.dir, 'var/lib/fleetmask/r1'), join(host.dir, 'tmp/r1'), { recursive: true });
    const [, , kept, again] = await converse(host, [UNIT], masked, copy, keep('confirm=yes'), keep('confirm=yes'));
    expect(kept?.rest).toContain('switch r1 dead - -');
    expect(again?.rest).toContain('switch r1 none - -');
    const confirmed = await dump(host.dir);
    expect(Object.keys(confirmed).filter((path) => path.includes('fleetmask-undo'))).toEqual([]);
    expect(await fire('/tmp/r1')).toMatchObject({ code: 0 });
    expect(await dump(host.dir)).toEqual(confirmed);
  });

  it('who comes too late is told so', async () => {
    await converse(host, [UNIT], masked);
    await fire();
    const [, , told] = await converse(host, [UNIT], ['probe'], keep('confirm=yes'));
    expect(told?.rest).toContain('receipt none');
    expect(told?.rest).toContainEqual(expect.stringMatching(/^ended r1 \d+ unconfirmed$/));
    expect(await dump(host.dir)).toEqual(before);
  });

  it('an expiry that has not come, or was moved, puts nothing back', async () => {
    const expiring: Turn = { request: [...MASK, ...dated.words], stored: dated.stored };
    const [, , moved] = await converse(host, [UNIT], expiring, keep(`expires=${LATER + 60}/2096-10-02/07:07:40`));
    expect(moved?.rest).toContain(`switch r1 waiting - ${LATER + 60}`);
    const there = await dump(host.dir);
    expect(there[TIMER]).toContain('OnCalendar=2096-10-02 07:07:40 UTC\nPersistent=true');
    await fire();
    expect(await dump(host.dir)).toEqual(there);
    const [, , , released] = await converse(host, [UNIT], ['probe'], ['probe'], keep('expires=never'));
    expect(released?.rest).toContain('switch r1 dead - -');
    expect((await dump(host.dir))[LINK]).toBe('link /dev/null');
  });

  it.each([
    ['damaged program', { ...stored, program: stored.program.replace('restore', 'destroy') }],
    ['damaged switch.sh', { ...stored, switch: stored.switch.replace('confirm', 'destroy') }],
    ['program cut short', { ...stored, program: stored.program.slice(0, stored.program.length / 2) }],
  ])('a %s arms nothing, and nothing is changed', async (_, arrived) => {
    const [, told] = await converse(host, [UNIT], { request: [...MASK, ...words], stored: arrived });
    expect(told?.rest).toContainEqual(expect.stringMatching(/^refused unarmed cannot write /));
    expect(await dump(host.dir)).toEqual(before);
  });

  // busybox may have its own
  it.skipIf(shell.name === 'busybox')('a host without cksum arms nothing, and says what is missing', async () => {
    const shim = join(host.dir, 'shim/cksum');
    await writeFile(shim, '#!/bin/sh\necho "cksum: not found" >&2; exit 127\n', { mode: 0o755 });
    const [, told] = await converse(host, [UNIT], masked);
    await rm(shim);
    expect(told?.rest).toEqual([expect.stringMatching(/^refused unarmed cannot verify .*cksum: not found/)]);
    expect(await dump(host.dir)).toEqual(before);
  });

  // busybox takes its own mv and stat
  it.skipIf(shell.name === 'busybox')(
    'a timer that cannot be written again, for the disk is full by then, is named, and nothing is left of it',
    async () => {
      const full = `case "$*" in *.timer.new*) if grep -q OnBootSec "$2"; then exit 1; fi ;; esac; exec /bin/mv "$@"`;
      const shim = join(host.dir, 'shim/mv');
      await writeFile(shim, `#!/bin/sh\n${full}\n`, { mode: 0o755 });
      const [, told] = await converse(host, [UNIT], masked);
      await rm(shim);
      expect(told?.rest).toContain('refused unarmed cannot write /etc/systemd/system/fleetmask-undo-r1.timer');
      expect(await dump(host.dir)).toEqual(before);
    },
  );

  it('a switch that systemd will not start changes nothing', async () => {
    await run(
      host,
      `mkdir -p "$FLEETMASK_ROOT/run/systemd/transient"
ln -s /dev/null "$FLEETMASK_ROOT/run/systemd/transient/fleetmask-undo-r1.timer"`,
    );
    before = await dump(host.dir);
    const [, told] = await converse(host, [UNIT], masked);
    expect(told?.rest).toContainEqual(expect.stringMatching(/^refused unarmed .*masked/));
    expect(await dump(host.dir)).toEqual(before);
  });
});
