/** What a host's own journal is told of each change and each rollback. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { metaText } from '../../src/remote/meta.ts';
import { arming } from '../../src/remote/switch.ts';
import { converse, run, type Turn } from '../contract/systemd-under-test.ts';
import { enabled, sleeper, VENDOR, WANTED } from '../contract/units.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNIT = 'fm-a.service';
const LINK = `/etc/systemd/system/${UNIT}`;
const WHY = {
  actor: 'alice@bastion',
  ticket: 'OPS-7',
  reason: 'CVE-2026-1: stop "it"\nrun=r2 did="forged" $(id)\x1b[31m',
};
const HOW =
  'actor="alice@bastion" units="fm-a.service" ticket="OPS-7" reason="CVE-2026-1: stop %22it%22%0Arun%3Dr2 did%3D%22forged%22 %24%28id%29%1B%5B31m"';

const words = (meta: Record<string, string>) =>
  ['run=r1', 'where=etc', 'stop-timeout=1', `meta=${metaText(meta)}`] as const;
const masked = (meta: Record<string, string> = { command: 'mask', ...WHY }): Turn => [
  ...(['apply', ...words(meta), `link=${LINK}`, `stop=${UNIT}`] as const),
  ...[`start=${UNIT}`, `read=${UNIT}`],
];
const undo: Turn = ['undo', ...words({ command: 'rollback', ...WHY }), `start=${UNIT}`, `read=${UNIT}`];

// busybox runs its own logger, whatever is in the path
describe.each(SHELLS.filter(({ name }) => name !== 'busybox'))('under $name', (shell) => {
  let host: SimulatedHost;
  beforeAll(async () => {
    host = await SimulatedHost.boot(shell, {
      files: { [`${VENDOR}/${UNIT}`]: sleeper({ install: WANTED }) },
      links: enabled(UNIT),
      running: [UNIT],
    });
  });
  beforeEach(async () => {
    await host.reset();
    await mkdir(join(host.dir, 'shim'), { recursive: true });
    // a line for each call, and each word in brackets
    const logger = '#!/bin/sh\n{ printf "[%s]" "$@"; echo; } >>"$FLEETMASK_ROOT/logged"\n';
    await writeFile(join(host.dir, 'shim/logger'), logger, { mode: 0o755 });
  });
  afterAll(async () => {
    await rm(join(host.dir, 'shim/logger'), { force: true });
    await host.dispose();
  });
  const logged = async (): Promise<string[]> => {
    const text = await readFile(join(host.dir, 'logged'), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  };
  const line = (what: string, how = HOW) => `[-t][fleetmask][-p][authpriv.notice][run=r1 ${what} ${how}]`;

  it('a change and its rollback leave a line each, which hostile text neither ends nor forges', async () => {
    await converse(host, [UNIT], masked(), undo, ['undo', 'run=r1', 'where=etc', 'stop-timeout=1', 'meta=-']);
    expect(await logged()).toEqual([
      line('did="mask" outcome="applied"'),
      line('did="rollback" outcome="rolled back"'),
      line('did="rollback" outcome="nothing to roll back"', 'actor="" units="" ticket="" reason=""'),
    ]);
  });

  it('a probe, and a request that is refused, leave none', async () => {
    await converse(host, [UNIT], masked(), ['apply', 'run=../r2', 'where=etc', 'stop-timeout=1', 'meta=-']);
    expect(await logged()).toHaveLength(1);
  });

  it('the line is bounded, whatever was written', async () => {
    const long = { command: 'mask', actor: 'a'.repeat(5000), ticket: '@ '.repeat(3000), reason: 'ü'.repeat(5000) };
    await converse(host, [UNIT], masked(long));
    const [only = '', ...more] = await logged();
    expect(more).toEqual([]);
    expect(only.length).toBeLessThan(1024 + 300);
    expect(only).toMatch(/reason="(?:%C3%BC)+[%C3B]*\.\.\."\]$/);
  });

  const armed = arming({ confirmWithin: 300, expires: null }, 'r1', 'etc');
  const change: Turn = { request: [...(masked() as [string, ...string[]]), ...armed.words], stored: armed.stored };

  it('the automatic rollback leaves one', async () => {
    await converse(host, [UNIT], change);
    await run(host, 'exec sh "$FLEETMASK_ROOT/var/lib/fleetmask/r1/program" root');
    expect((await logged()).slice(1)).toEqual([line('did="automatic rollback" outcome="rolled back, unconfirmed"')]);
  });

  it('the decision to keep the change leaves one', async () => {
    const confirm = [...words({ command: 'confirm', ...WHY }), 'confirm=yes', `read=${UNIT}`] as const;
    await converse(host, [UNIT], change, ['keep', ...confirm]);
    expect((await logged()).slice(1)).toEqual([line('did="confirm" outcome="confirmed"')]);
  });
});
