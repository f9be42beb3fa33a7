/** What systemd starts and stops, and what it refuses. */
import { beforeAll, describe, expect, it } from 'vitest';
import { arrange, fileOfMask, type Given, read, run, type SystemdUnderTest } from './systemd-under-test.ts';
import {
  ADMIN,
  connectTo,
  MASK,
  PARENT,
  SLOW,
  SOCKET,
  STOPPED_EARLY,
  STUBBORN,
  sleeper,
  startedWhileItStops,
  stoppedWhileItStarts,
  VENDOR,
  WANTED_BACK,
} from './units.ts';

/** What `timeout` exits with, and what busybox's does. */
const TIMED_OUT = ['124', '137', '143'];

export function systemdJobsContract(open: () => Promise<SystemdUnderTest>): void {
  let host: SystemdUnderTest;
  beforeAll(async () => {
    host = await open();
  });
  const given = (what: Given) => arrange(host, what);
  const sh = (script: string) => run(host, script);
  /** Load, file and active state. */
  const state = (unit: string) => read(host, unit, 'LoadState', 'UnitFileState', 'ActiveState');
  const mask = (...paths: string[]) =>
    sh(paths.map((path) => `ln -s /dev/null "\${FLEETMASK_ROOT-}${path}"`).join('\n'));
  const reload = () => sh('systemctl daemon-reload');

  describe('what starts and stops', () => {
    it('a masked unit is not started; another one in the same call is', async () => {
      await given({
        files: { [`${VENDOR}/fm-a.service`]: sleeper(), [`${VENDOR}/fm-b.service`]: sleeper() },
        links: { [`${ADMIN}/fm-a.service`]: MASK },
      });
      expect(await sh('systemctl start fm-a.service fm-b.service')).toEqual({
        code: 1,
        output: 'Failed to start fm-a.service: Unit fm-a.service is masked.',
      });
      expect(await sh('systemctl is-active fm-a.service fm-b.service')).toEqual({
        code: 0,
        output: 'inactive\nactive',
      });
    });

    it('a unit may refuse to be stopped, until it is masked and reloaded', async () => {
      const file = sleeper({ unit: 'RefuseManualStop=yes\n' });
      await given({ files: { [`${VENDOR}/fm-a.service`]: file }, running: ['fm-a.service'] });
      await mask(`${ADMIN}/fm-a.service`);
      const refused = await sh('systemctl stop fm-a.service');
      expect(refused.code).toBe(4);
      expect(refused.output).toContain(
        'Failed to stop fm-a.service: Operation refused, unit fm-a.service may be requested',
      );
      expect(await state('fm-a.service')).toMatch(/ active$/);
      await reload();
      expect((await sh('systemctl stop fm-a.service')).code).toBe(0);
      expect(await state('fm-a.service')).toBe(`masked ${fileOfMask(host.version, 'masked')} inactive`);
    });

    it('a start that comes while a unit stops takes the place of the stop, which is told so; not under a mask that is read', async () => {
      await given({ files: { [`${VENDOR}/fm-a.service`]: WANTED_BACK }, running: ['fm-a.service'] });
      await sh(startedWhileItStops('fm-a.service'));
      expect(await sh('systemctl stop fm-a.service')).toEqual({ code: 1, output: 'Job for fm-a.service canceled.' });
      await mask(`${ADMIN}/fm-a.service`);
      await reload();
      expect((await sh('systemctl stop fm-a.service; rm -f /run/fm-clients')).code).toBe(0);
      expect(await state('fm-a.service')).toBe(`masked ${fileOfMask(host.version, 'masked')} inactive`);
    });

    it('a stop that comes while a unit starts takes the place of the start, which is told so', async () => {
      await given({ files: { [`${VENDOR}/fm-a.service`]: STOPPED_EARLY } });
      const { code, output } = await sh(`${stoppedWhileItStarts('fm-a.service')}\nsystemctl start fm-a.service`);
      expect([code, output]).toEqual([1, 'Job for fm-a.service canceled.']);
      expect((await sh('systemctl start fm-a.service')).code).toBe(0);
    });

    it('a missing unit does not keep others from being stopped', async () => {
      await given({ files: { [`${VENDOR}/fm-a.service`]: sleeper() }, running: ['fm-a.service'] });
      expect((await sh('systemctl stop fm-none.service fm-a.service')).code).toBe(5);
      expect(await sh('systemctl is-active fm-a.service')).toEqual({ code: 3, output: 'inactive' });
    });

    describe('a start that waits for another', () => {
      const waits = sleeper({ unit: 'After=fm-slow.service\n' });
      const queued = async () => {
        await given({ files: { [`${VENDOR}/fm-a.service`]: waits, [`${VENDOR}/fm-slow.service`]: SLOW } });
        await sh('systemctl start --no-block fm-slow.service; systemctl start --no-block fm-a.service');
      };
      const jobs = async () =>
        (await sh('systemctl list-jobs --no-legend -- fm-a.service fm-slow.service')).output
          .split('\n')
          .map((line) => line.trim().split(/\s+/).slice(1, 3).join(' '))
          .sort();

      it('is a job, as the slow start is', async () => {
        await queued();
        expect(await jobs()).toEqual(['fm-a.service start', 'fm-slow.service start']);
        expect(await state('fm-a.service')).toBe('loaded static inactive');
        expect(await state('fm-slow.service')).toBe('loaded static activating');
        expect(await read(host, 'fm-a.service', 'Job')).toMatch(/^\d+$/);
        expect(await sh('systemctl is-active fm-a.service fm-slow.service')).toMatchObject({
          output: 'inactive\nactivating',
        });
      });

      it('is over with the other’s', async () => {
        await queued();
        await sh('systemctl stop fm-slow.service; sleep 0.2');
        expect(await jobs()).toEqual(['']);
        expect(await state('fm-a.service')).toBe('loaded static active');
      });

      it('is cancelled by a stop', async () => {
        await queued();
        expect((await sh('systemctl stop fm-a.service')).code).toBe(0);
        expect(await jobs()).toEqual(['fm-slow.service start']);
      });

      it('is cancelled by a mask that is read', async () => {
        await queued();
        await mask(`${ADMIN}/fm-a.service`);
        expect(await jobs()).toEqual(['fm-a.service start', 'fm-slow.service start']);
        await reload();
        expect(await jobs()).toEqual(['fm-slow.service start']);
      });
    });

    describe('with dependents', () => {
      const kinds = { req: 'Requires', bind: 'BindsTo', part: 'PartOf', want: 'Wants', quisite: 'Requisite' };
      const names = Object.keys(kinds).map((kind) => `fm-${kind}.service`);
      const family = Object.fromEntries([
        [`${VENDOR}/fm-a.service`, sleeper()],
        ...Object.entries(kinds).map(([kind, relation]) => [
          `${VENDOR}/fm-${kind}.service`,
          sleeper({ unit: `${relation}=fm-a.service\nAfter=fm-a.service\n` }),
        ]),
      ]);
      const relations = () =>
        read(host, 'fm-a.service', 'RequiredBy', 'BoundBy', 'ConsistsOf', 'WantedBy', 'RequisiteOf');

      it('those that need it stop with it; one that wants it does not', async () => {
        await given({ files: family, running: ['fm-a.service', ...names] });
        expect(await relations()).toBe(names.join(' '));
        expect((await sh('systemctl stop fm-a.service')).code).toBe(0);
        expect((await sh(`systemctl is-active ${names.join(' ')}`)).output.split('\n')).toEqual([
          ...['inactive', 'inactive', 'inactive', 'active', 'inactive'],
        ]);
      });

      it('it tells of those that are loaded only', async () => {
        await given({ files: family, running: ['fm-want.service'] });
        await reload();
        expect(await relations()).toBe('   fm-want.service ');
      });

      it('those that need it start it; one that wants to find it running does not', async () => {
        await given({ files: family });
        expect(await sh('systemctl start fm-quisite.service')).toEqual({
          code: 1,
          output: "A dependency job for fm-quisite.service failed. See 'journalctl -xe' for details.",
        });
        expect(await state('fm-a.service')).toBe('loaded static inactive');
        expect((await sh('systemctl start fm-req.service')).code).toBe(0);
        expect(await state('fm-a.service')).toBe('loaded static active');
      });

      it('those that need it do not start while it is masked; others do', async () => {
        await given({ files: family, links: { [`${ADMIN}/fm-a.service`]: MASK } });
        for (const kind of ['req', 'bind', 'quisite']) {
          expect(await sh(`systemctl start fm-${kind}.service`)).toEqual({
            code: 1,
            output: `Failed to start fm-${kind}.service: Unit fm-a.service is masked.`,
          });
        }
        expect((await sh('systemctl start fm-part.service fm-want.service')).code).toBe(0);
      });
    });

    it('a unit that does not stop stays deactivating, masked or not', async () => {
      await given({ files: { [`${VENDOR}/fm-a.service`]: STUBBORN }, running: ['fm-a.service'] });
      const stop = async () => (await sh('timeout 1 systemctl stop fm-a.service; echo "$?"')).output.split('\n').at(-1);
      expect(TIMED_OUT).toContain(await stop());
      expect(await read(host, 'fm-a.service', 'ActiveState', 'SubState')).toBe('deactivating stop-sigterm');
      await mask(`${ADMIN}/fm-a.service`);
      await reload();
      expect(TIMED_OUT).toContain(await stop());
      expect(await state('fm-a.service')).toBe(`masked ${fileOfMask(host.version, 'masked')} deactivating`);
      expect(await sh('systemctl is-active fm-a.service')).toEqual({ code: 3, output: 'deactivating' });
    });

    it.each([
      ['before the reload: its children stay', '', '/system.slice/fm-a.service'],
      ['after it: nothing stays', 'systemctl daemon-reload', ''],
    ])('a masked unit with KillMode=process is stopped %s', async (_, first, group) => {
      await given({ files: { [`${VENDOR}/fm-a.service`]: PARENT }, running: ['fm-a.service'] });
      await mask(`${ADMIN}/fm-a.service`);
      await sh(`${first}\nsystemctl stop fm-a.service`);
      expect(await read(host, 'fm-a.service', 'ActiveState', 'MainPID', 'ControlGroup')).toBe(`inactive 0 ${group}`);
    });

    it('what triggers a masked service stays up, but starts no more', async () => {
      const triggers = ['fm-a.socket', 'fm-a.timer', 'fm-a.path'];
      await given({
        files: {
          [`${VENDOR}/fm-a.service`]: sleeper(),
          [`${VENDOR}/fm-a.socket`]: '[Socket]\nListenStream=/run/fm-a.socket\n',
          [`${VENDOR}/fm-a.timer`]: '[Timer]\nOnActiveSec=1h\n',
          [`${VENDOR}/fm-a.path`]: '[Path]\nPathExists=/nonexistent/fm-a\n',
        },
        running: triggers,
      });
      expect(await read(host, 'fm-a.service', 'TriggeredBy')).toBe('fm-a.path fm-a.socket fm-a.timer');
      await mask(`${ADMIN}/fm-a.service`);
      await reload();
      const states = () => Promise.all(triggers.map((each) => read(host, each, 'ActiveState', 'SubState')));
      expect(await states()).toEqual(['active listening', 'active waiting', 'active waiting']);
      expect((await sh(`systemctl stop ${triggers.join(' ')}`)).code).toBe(0);
      for (const each of triggers) {
        expect(await sh(`systemctl start ${each}`)).toEqual({
          code: 1,
          output: 'Job failed. See "journalctl -xe" for details.',
        });
      }
      expect(await states()).toEqual(['inactive dead', 'inactive dead', 'inactive dead']);
    });

    it('a socket whose service is masked fails with the first connection, and starts again after both are mended', async () => {
      await given({
        files: {
          [`${VENDOR}/fm-a.service`]: sleeper(),
          [`${VENDOR}/fm-a.socket`]: SOCKET,
        },
        running: ['fm-a.socket'],
      });
      await mask(`${ADMIN}/fm-a.service`);
      await reload();
      await sh(connectTo('fm-a.socket'));
      expect(await read(host, 'fm-a.socket', 'ActiveState', 'Result')).toBe('failed resources');
      await sh(
        `rm "\${FLEETMASK_ROOT-}${ADMIN}/fm-a.service"; systemctl daemon-reload; systemctl reset-failed fm-a.socket`,
      );
      expect(await read(host, 'fm-a.socket', 'ActiveState', 'Result')).toBe('inactive success');
      expect((await sh('systemctl start fm-a.socket')).code).toBe(0);
      expect(await state('fm-a.socket')).toBe('loaded static active');
    });

    it('a oneshot that ended is inactive, one that remains is active, one that failed is failed until reset', async () => {
      await given({
        files: {
          [`${VENDOR}/fm-1.service`]: sleeper({ exec: '/bin/true', service: 'Type=oneshot\n' }),
          [`${VENDOR}/fm-2.service`]: sleeper({ exec: '/bin/true', service: 'Type=oneshot\nRemainAfterExit=yes\n' }),
          [`${VENDOR}/fm-3.service`]: sleeper({
            exec: '/bin/false',
            service: 'Type=oneshot\nX-Fleetmask-Start=fails\n',
          }),
        },
      });
      const { code, output } = await sh('systemctl start fm-1.service fm-2.service fm-3.service');
      expect([code, output.split('\n')[0]]).toEqual([
        1,
        'Job for fm-3.service failed because the control process exited with error code.',
      ]);
      const active = 'systemctl is-active fm-1.service fm-2.service fm-3.service';
      expect(await sh(active)).toEqual({ code: 0, output: 'inactive\nactive\nfailed' });
      await sh('systemctl stop fm-3.service');
      expect((await sh(active)).output).toBe('inactive\nactive\nfailed');
      await sh('systemctl reset-failed fm-3.service');
      expect((await sh(active)).output).toBe('inactive\nactive\ninactive');
    });
  });
}
