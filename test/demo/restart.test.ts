/** What an undo starts again, and what it leaves: of sockets and of the time that it has. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { converse, run } from '../contract/systemd-under-test.ts';
import { SOCKET, sleeper, VENDOR } from '../contract/units.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const A = 'fm-a.service';
const B = 'fm-b.service';
const LISTENER = 'fm-a.socket';
const MASK = `/run/systemd/system/${LISTENER}`;

describe.each(SHELLS)('under $name, an undo', (shell) => {
  let host: SimulatedHost;
  afterEach(() => host.dispose());
  const at = (path: string) => join(host.dir, path);
  const boot = (a: string, running: string[]) => {
    const units = { [A]: a, [B]: sleeper({ unit: `Requires=${A}\n` }), [LISTENER]: SOCKET };
    const files = Object.fromEntries(Object.entries(units).map(([name, text]) => [`${VENDOR}/${name}`, text]));
    return SimulatedHost.boot(shell, { files, running });
  };
  const states = async (...names: string[]) =>
    (await run(host, `systemctl is-active ${names.join(' ')} || :`)).output.trim().split('\n');

  it('stops nothing more to make room for a socket when it has no time left to start that again', async () => {
    host = await boot(sleeper({ service: 'X-Fleetmask-Stop=again\n' }), [A, B]);
    await rename(at('shim/systemctl'), at('shim/real-systemctl'));
    const passes = `#!/bin/sh\ncase " $* " in *' start '*) echo 100 >"$FLEETMASK_ROOT/proc/uptime" ;; esac\nexec "$FLEETMASK_ROOT/shim/real-systemctl" "$@"\n`;
    await writeFile(at('shim/systemctl'), passes, { mode: 0o755 });
    await writeFile(at('proc/uptime'), '0\n');
    const words = ['run=r1', 'where=etc', 'stop-timeout=9', 'meta=-', `start=${LISTENER}`, `start=${B}`, `read=${B}`];
    await converse(host, [A], ['undo', ...words]);
    expect(await states(A, B)).toEqual(['active', 'active']);
  });

  it.each([
    ['opens no socket that was closed by a mask which is gone', true, 'inactive'],
    ['starts a socket that was closed by a mask, for its name, under that mask', false, 'active'],
  ])('%s', async (_what, gone, state) => {
    host = await boot(sleeper(), [LISTENER]);
    const words = ['run=r1', 'where=etc', 'stop-timeout=9', 'meta=-', `start=${LISTENER}`, `deaf=${LISTENER}`];
    const both = [...words, `lift=${MASK}`, `read=${LISTENER}`];
    await run(host, `ln -s /dev/null "$FLEETMASK_ROOT${MASK}"; systemctl daemon-reload`);
    const [, , undone] = await converse(
      host,
      [LISTENER],
      ['apply', ...both, `link=/etc/systemd/system/${LISTENER}`, `stop=${LISTENER}`],
      async () => {
        if (gone) await rm(at(MASK));
      },
      ['undo', ...both],
    );
    expect(undone?.units.get(LISTENER)?.ActiveState ?? 'inactive').toBe(state);
    expect(undone?.rest.filter((text) => text.startsWith('lacking'))).toEqual([]);
  });
});
