/** What an account, PAM or systemd puts into the environment, and what a loader warns of, changes nothing of what is read. */
import { spawn } from 'node:child_process';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentOf } from '../../src/demo/image.ts';
import { openSession } from '../../src/remote/session.ts';
import { enabled, sleeper, VENDOR, WANTED } from '../contract/units.ts';
import { localHost } from '../remote/local.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNIT = 'fm-a.service';
const WARNING = "ERROR: ld.so: object '/x.so' from /etc/ld.so.preload cannot be preloaded (no such file): ignored.";

const DIRTY = {
  SYSTEMD_OFFLINE: '1',
  SYSTEMD_IN_CHROOT: '1',
  SYSTEMD_LOG_LEVEL: 'debug',
  SYSTEMD_UNIT_PATH: '/nowhere',
  DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nowhere',
  POSIXLY_CORRECT: '1',
  GREP_OPTIONS: '-v',
  GREP_COLORS: 'mt=1',
  TIME_STYLE: '+%s',
  LC_ALL: 'tr_TR.UTF-8',
  LANGUAGE: 'de',
  IFS: 'ae',
  CDPATH: '/tmp',
  BASH_ENV: '/nowhere',
  ENV: '/nowhere',
  'BASH_FUNC_systemctl%%': '() { echo LoadState=masked; }',
  'BASH_FUNC_read%%': '() { line=x; }',
  SEVERAL: 'lines\nexport PATH=/nowhere\ndeclare -x HOME=/nowhere',
};

describe.each(SHELLS)('under $name', (shell) => {
  let host: SimulatedHost;
  const onHost = (path: string) => join(host.dir, path);
  beforeAll(async () => {
    host = await SimulatedHost.boot(shell, {
      files: { [`${VENDOR}/${UNIT}`]: sleeper({ install: WANTED }) },
      links: enabled(UNIT),
      running: [UNIT],
    });
    await rename(onHost('shim/systemctl'), onHost('shim/real-systemctl'));
    const spy = `#!/bin/sh\nenv | sed 's/=.*//' >>"$FLEETMASK_ROOT/env"\necho "${WARNING}" >&2\nexec "$FLEETMASK_ROOT/shim/real-systemctl" "$@"\n`;
    await writeFile(onHost('shim/systemctl'), spy, { mode: 0o755 });
  });
  afterAll(() => host.dispose());

  const probe = async (dirty: Record<string, string>) => {
    const env = { ...dirty, ...environmentOf(host.dir, process.env.PATH ?? '') };
    const local = localHost((command) => spawn('/bin/sh', ['-c', command], { env }));
    const reply = await openSession(local, 'auto', [UNIT], AbortSignal.timeout(60_000));
    if (reply.kind === 'fault') throw new Error(reply.fault.message);
    reply.value.end();
    return reply.value.facts;
  };

  // busybox asks its own id who it is
  it.each(shell.name === 'busybox' ? ['root'] : ['root', 'sudo'])('as %s', async (privilege) => {
    if (privilege === 'sudo') {
      await writeFile(onHost('sim/uid'), '1000\n');
      await writeFile(onHost('sim/sudoers'), 'ALL\n');
    }
    const clean = await probe({});
    expect(clean).toMatchObject({
      privilege: { kind: privilege },
      units: [{ id: UNIT, load: 'loaded', active: 'active' }],
    });
    await rm(onHost('env'));
    expect(await probe(DIRTY)).toEqual(clean);
    const seen = new Set((await readFile(onHost('env'), 'utf8')).split('\n').filter((name) => /^\w+$/.test(name)));
    for (const name of ['PATH', 'HOME', 'SSH_CONNECTION', 'SUDO_USER', 'DOAS_USER', 'FLEETMASK_ROOT'])
      seen.delete(name);
    // shells make some of their own
    for (const name of ['PWD', 'OLDPWD', 'SHLVL', '_']) seen.delete(name);
    expect([...seen].sort()).toEqual(['LC_ALL', 'SYSTEMD_COLORS', 'SYSTEMD_PAGER']);
  });
});
