/** Timers that come and go while systemd runs: what switches rely on. */
import { beforeAll, describe, expect, it } from 'vitest';
import { arrange, run, type SystemdUnderTest } from './systemd-under-test.ts';
import { ADMIN } from './units.ts';

export function systemdTimersContract(open: () => Promise<SystemdUnderTest>): void {
  let host: SystemdUnderTest;
  beforeAll(async () => {
    host = await open();
  });
  const timer = (...times: string[]) => `[Unit]\nDescription=T\n[Timer]\n${times.map((line) => `${line}\n`).join('')}`;
  const service = '[Unit]\nDescription=S\n[Service]\nType=oneshot\nExecStart=/bin/true\n';
  const write = (name: string, text: string) => `cat >"\${FLEETMASK_ROOT-}${ADMIN}/${name}" <<'END'\n${text}END\n`;
  const both = (...times: string[]) => write('fm-t.service', service) + write('fm-t.timer', timer(...times));
  const next = `systemctl show -pSubState -pNextElapseUSecMonotonic -pNextElapseUSecRealtime -- fm-t.timer |
    sed 's/=[1-9].*/=set/; s/=[A-Z].*/=set/; s/=infinity$/=/; s/=0$/=/' | sort`;
  const waiting = (monotonic: string, realtime: string) =>
    [`NextElapseUSecMonotonic=${monotonic}`, `NextElapseUSecRealtime=${realtime}`, 'SubState=waiting'].join('\n');
  const COUNTED = 'OnActiveSec=1h';
  const DATED = 'OnCalendar=2035-01-01 06:00:00 UTC';

  describe('timers', () => {
    it('a new one starts without a reload, and waits for its time', async () => {
      await arrange(host, {});
      expect(await run(host, `${both(COUNTED)}systemctl start fm-t.timer && ${next}`)).toEqual({
        code: 0,
        output: waiting('set', ''),
      });
    });

    it('a running one takes new times from a reload', async () => {
      await arrange(host, {});
      await run(host, `${both(COUNTED, DATED)}systemctl start fm-t.timer`);
      const old = host.version < 228;
      expect((await run(host, next)).output).toBe(waiting('set', old ? '' : 'set'));
      if (old) return;
      await run(host, `${write('fm-t.timer', timer(DATED))}systemctl daemon-reload`);
      expect((await run(host, next)).output).toBe(waiting('', 'set'));
    });

    it('one that is stopped, removed and forgotten by a reload leaves nothing', async () => {
      await arrange(host, {});
      await run(host, `${both(COUNTED)}systemctl start fm-t.timer`);
      const gone = `systemctl stop -- fm-t.timer fm-t.service; rm "\${FLEETMASK_ROOT-}${ADMIN}"/fm-t.*
systemctl reset-failed -- fm-t.timer fm-t.service 2>/dev/null; systemctl daemon-reload
systemctl show -pLoadState -pActiveState -- fm-t.timer | sort`;
      expect((await run(host, gone)).output).toBe('ActiveState=inactive\nLoadState=not-found');
    });
  });
}
