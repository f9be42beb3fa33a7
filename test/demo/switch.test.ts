/** The switch on a simulated host: armed before the change, and what it does when it fires; a person fires it here. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { program } from '../../src/remote/protocol.ts';
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
const { words, text } = arming({ confirmWithin: 300, expires: null }, 'r1', 'etc', program());
const dated = arming({ confirmWithin: null, expires: LATER }, 'r1', 'etc', program());
const MASK = ['apply', ...WORDS, `link=${LINK}`, `stop=${UNIT}`, `start=${UNIT}`, `read=${UNIT}`] as const;
const masked: Turn = { request: [...MASK, ...words], text };
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
    await converse(host, [UNIT], { request: [...request, ...words], text });
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
    const expiring: Turn = { request: [...MASK, ...dated.words], text: dated.text };
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
    ['damaged', text.replace('restore', 'destroy')],
    ['cut short', text.slice(0, text.length / 2)],
  ])('a text that arrives %s arms nothing, and nothing is changed', async (_, arrived) => {
    const request = converse(host, [UNIT], ({ child }) => setTimeout(() => child.stdin.end(), 1_000), {
      request: [...MASK, ...words],
      text: arrived,
    });
    const [, told] = await request;
    expect(told?.rest).toContainEqual(expect.stringMatching(/^refused unarmed cannot write /));
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
