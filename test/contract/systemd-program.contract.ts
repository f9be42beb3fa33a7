/** What the remote program does to a host, and tells of it: run unchanged on the simulated systemd and on real ones. */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  arrange,
  converse,
  fileOfMask,
  type Given,
  read,
  run,
  type SystemdUnderTest,
  type Told,
} from './systemd-under-test.ts';
import {
  ADMIN,
  connectTo,
  enabled,
  MASK,
  PARENT,
  RUNTIME,
  SLOW,
  SOCKET,
  STOPPED_EARLY,
  STUBBORN,
  sleeper,
  startedWhileItStops,
  stoppedWhileItStarts,
  VENDOR,
  WANTED,
  WANTED_BACK,
} from './units.ts';

const A = `${VENDOR}/fm-a.service`;
const LINK = `${ADMIN}/fm-a.service`;
const GROUP = '/system.slice/fm-a.service';

/** Mask, stop, read back, try. */
const APPLY = [
  'run=r1',
  'where=etc',
  'stop-timeout=1',
  'meta=-',
  `link=${LINK}`,
  'stop=fm-a.service',
  `group=${GROUP}`,
];
const PROVE = ['read=fm-a.service', 'try=fm-a.service'];
const UNDO = ['run=r1', 'where=etc', 'stop-timeout=1', 'meta=-', 'read=fm-a.service'];

export function systemdProgramContract(open: () => Promise<SystemdUnderTest>): void {
  let host: SystemdUnderTest;
  beforeAll(async () => {
    host = await open();
  });
  const given = (what: Given) => arrange(host, what);
  const apply = (...words: string[]) => ['apply', ...APPLY, ...PROVE, ...words] as const;
  const undo = (...words: string[]) => ['undo', ...UNDO, ...words] as const;
  /** All that undo has to restore of a unit. */
  const whole = (unit: string) =>
    read(
      host,
      unit,
      ...['Names', 'LoadState', 'UnitFileState', 'ActiveState', 'SubState', 'FragmentPath', 'KillMode', 'CanStart'],
      ...['RequiredBy', 'BoundBy', 'ConsistsOf', 'WantedBy', 'TriggeredBy'],
    );
  const exists = async (path: string) => {
    const { code } = await run(host, `[ -e "\${FLEETMASK_ROOT-}${path}" ] || [ -L "\${FLEETMASK_ROOT-}${path}" ]`);
    return code === 0;
  };

  describe('the remote program', () => {
    it('tells what changed of a unit since systemd read it, drop-ins that are new included', async () => {
      const names = ['edited', 'gone', 'dropped', 'as-it-was', 'idle'].map((each) => `fm-${each}.service`);
      const old = { [`${ADMIN}/fm-as-it-was.service.d/fm.conf`]: '[Service]\n' };
      await given({
        files: { ...Object.fromEntries(names.map((name) => [`${VENDOR}/${name}`, sleeper()])), ...old },
        running: names.slice(0, 4),
      });
      // busybox tells times apart by the second
      await run(
        host,
        `sleep 1.1
        cd "\${FLEETMASK_ROOT-}/"
        echo '# more' >>.${VENDOR}/fm-edited.service
        rm .${VENDOR}/fm-gone.service
        mkdir -p .${ADMIN}/fm-dropped.service.d .${ADMIN}/fm-idle.service.d
        echo '[Service]' | tee .${ADMIN}/fm-dropped.service.d/fm.conf >.${ADMIN}/fm-idle.service.d/fm.conf`,
      );
      const [told] = await converse(host, names);
      expect(names.map((name) => told?.units.get(name)?.NeedDaemonReload)).toEqual([
        ...['yes', 'yes', 'yes', undefined, undefined],
      ]);
      expect(names.map((name) => (told?.units.get(name)?.Gone ?? '').replace(/^\/lib/, '/usr/lib'))).toEqual([
        ...['', `${VENDOR}/fm-gone.service`, '', '', ''],
      ]);
    });

    it('tells the members of a unit that runs nothing itself, loaded or not, masked or not', async () => {
      const part = (more = '') => sleeper({ unit: `PartOf=fm-a.service\n${more}` });
      await given({
        files: {
          [A]: '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n',
          [`${VENDOR}/fm-a@.service`]: sleeper({ unit: 'PartOf=%p.service fm-a.service\n' }),
          [`${VENDOR}/fm-a@own.service`]: part(),
          [`${VENDOR}/fm-idle.service`]: part(),
          [`${VENDOR}/fm-bound.service`]: sleeper({ unit: 'BindsTo=fm-a.service\n' }),
          [`${VENDOR}/fm-after.service`]: sleeper({ unit: 'After=fm-a.service\n' }),
          [`${VENDOR}/fm-wider.service.d/fm.conf`]: '[Unit]\nPartOf=fm-other.service fm-a.service\n',
          [`${VENDOR}/fm-wider.service`]: sleeper(),
        },
        running: ['fm-a.service', 'fm-a@x.service'],
      });
      const probe = { names: ['fm-a.service'], wishes: ['members=yes'] } as const;
      const claims = [
        ...['member fm-a@.service %p.service fm-a.service', 'member fm-a@own.service fm-a.service'],
        ...['member fm-idle.service fm-a.service', 'member fm-wider.service fm-other.service fm-a.service'],
      ];
      const of = (told?: Told) => told?.rest.filter((line) => /^(?:wrapper|member) /.test(line)).sort();
      const [open] = await converse(host, probe);
      expect(of(open)).toEqual([...claims, 'wrapper fm-a.service']);
      const shown = ['fm-a@fleetmask-witness', 'fm-a@own', 'fm-a@x', 'fm-idle'].map((name) => `${name}.service`);
      for (const name of shown) expect(open?.units.get(name)?.PartOf?.split(' '), name).toContain('fm-a.service');
      expect([...(open?.units.keys() ?? [])]).not.toContain('fm-after.service');
      await run(
        host,
        `cd "\${FLEETMASK_ROOT-}/" && for name in fm-a fm-a@ fm-idle; do ln -s /dev/null .${ADMIN}/$name.service; done
        systemctl stop fm-a.service fm-a@x.service; systemctl daemon-reload`,
      );
      const [masked] = await converse(host, probe);
      expect(of(masked)).toEqual([...claims, 'wrapper fm-a.service']);
      const loads = [...shown.slice(0, 2), 'fm-idle.service'].map((name) => masked?.units.get(name)?.LoadState);
      expect(loads).toEqual(['masked', 'loaded', 'masked']);
    });

    it('tells the template of the same name, and its instances, masked or not', async () => {
      await given({
        files: { [A]: sleeper(), [`${VENDOR}/fm-a@.service`]: sleeper(), [`${VENDOR}/fm-ab@.service`]: sleeper() },
        running: ['fm-a@x.service'],
      });
      const probe = { names: ['fm-a.service'], wishes: ['members=yes'] } as const;
      const [open] = await converse(host, probe);
      const shown = ['fm-a.service', 'fm-a@fleetmask-witness.service', 'fm-a@x.service'];
      expect([...(open?.units.keys() ?? [])].sort()).toEqual(shown);
      expect(open?.units.get('fm-a@x.service')?.ActiveState).toBe('active');
      await run(
        host,
        `cd "\${FLEETMASK_ROOT-}/" && ln -s /dev/null .${ADMIN}/fm-a@.service; systemctl stop fm-a@x.service; systemctl daemon-reload`,
      );
      const [masked] = await converse(host, probe);
      expect(masked?.units.get('fm-a@fleetmask-witness.service')?.LoadState).toBe('masked');
    });

    it('tells what waits to be started, cancels that, and queues it again', async () => {
      await given({
        files: { [A]: sleeper({ unit: 'After=fm-slow.service\n' }), [`${VENDOR}/fm-slow.service`]: SLOW },
      });
      await run(host, 'systemctl start --no-block fm-slow.service; systemctl start --no-block fm-a.service');
      const jobs = async () =>
        (await run(host, 'systemctl list-jobs --no-legend -- fm-a.service')).output.trim().split(/ +/)[2];
      const [told, done] = await converse(host, ['fm-a.service'], apply());
      expect(told?.rest).toContain('job fm-a.service start');
      expect(done).toMatchObject({ steps: { stop: '0', 'try:fm-a.service': '1' } });
      expect(await jobs()).toBeUndefined();
      const [, , undone] = await converse(host, ['fm-a.service'], ['nothing'], undo('queue=fm-a.service'));
      expect(undone).toMatchObject({ steps: { queue: '0' }, rest: expect.arrayContaining(['job fm-a.service start']) });
      expect(await jobs()).toBe('start');
      expect(await exists('/var/lib/fleetmask/r1')).toBe(false);
      await run(host, 'systemctl stop fm-slow.service; sleep 0.2');
      const [, again] = await converse(
        host,
        ['fm-a.service'],
        ['undo', ...UNDO.slice(1), 'run=r2', 'queue=fm-a.service'],
      );
      expect(again?.steps).toEqual({});
    });

    it('finds out what there is, under every name', async () => {
      await given({
        files: {
          [A]: sleeper({ install: WANTED }),
          [`${VENDOR}/fm-b.service`]: sleeper({ unit: 'BindsTo=fm-a.service\n' }),
        },
        links: { ...enabled('fm-a.service'), [`${VENDOR}/fm-alias.service`]: 'fm-a.service' },
        running: ['fm-a.service', 'fm-b.service'],
      });
      const [probe] = await converse(host, ['fm-alias.service', 'fm-none.service']);
      expect(probe?.units.get('fm-a.service')).toMatchObject({
        LoadState: 'loaded',
        ActiveState: 'active',
        UnitFileState: 'enabled',
        CanStart: 'yes',
        ControlGroup: GROUP,
        BoundBy: 'fm-b.service',
      });
      expect(probe?.units.get('fm-none.service')).toMatchObject({ LoadState: 'not-found' });
      expect(probe?.rest).toEqual(
        expect.arrayContaining([
          'host privilege=root',
          `path file ${A}`,
          `path link ${VENDOR}/fm-alias.service fm-a.service`,
          'related Id=fm-b.service',
          'related ActiveState=active',
        ]),
      );
      expect(probe?.rest.some((record) => /^manager Version=\d/.test(record))).toBe(true);
    });

    it('masks, stops and proves it, and undoes it', async () => {
      await given({
        files: { [A]: sleeper({ install: WANTED }) },
        links: enabled('fm-a.service'),
        running: ['fm-a.service'],
      });
      const before = await whole('fm-a.service');
      const [, masked, undone] = await converse(host, ['fm-a.service'], apply(), undo('start=fm-a.service'));
      expect(masked?.steps).toEqual({ [`link:${LINK}`]: '0', stop: '0', reload: '0', 'try:fm-a.service': '1' });
      expect(masked?.said).toEqual(['try:fm-a.service Failed to start fm-a.service: Unit fm-a.service is masked.']);
      expect(masked?.units.get('fm-a.service')).toMatchObject({
        LoadState: 'masked',
        ...(host.version >= 238 && { UnitFileState: 'masked' }),
        ActiveState: 'inactive',
        CanStart: host.version < 226 ? 'yes' : 'no',
      });
      expect(masked?.rest).toContain(`left 0 0 ${GROUP}`);
      expect(masked?.rest).toContain(`path null ${LINK}`);
      expect(undone?.steps).toEqual({ reload: '0', [`unlink:${LINK}`]: '0', start: '0' });
      expect(await whole('fm-a.service')).toBe(before);
      expect(await exists('/var/lib/fleetmask')).toBe(false);
    });

    it('what stopped with the unit runs again after the undo', async () => {
      await given({
        files: {
          [A]: sleeper({ install: WANTED }),
          [`${VENDOR}/fm-req.service`]: sleeper({ unit: 'Requires=fm-a.service\nAfter=fm-a.service\n' }),
          [`${VENDOR}/fm-part.service`]: sleeper({ unit: 'PartOf=fm-a.service\n' }),
        },
        links: enabled('fm-a.service'),
        running: ['fm-a.service', 'fm-req.service', 'fm-part.service'],
      });
      const units = ['fm-a.service', 'fm-req.service', 'fm-part.service'];
      const before = await Promise.all(units.map(whole));
      const [, masked, undone] = await converse(host, units, apply(), undo(...units.map((unit) => `start=${unit}`)));
      expect(masked?.steps).toMatchObject({ stop: '0', 'try:fm-a.service': '1' });
      expect(undone?.steps).toMatchObject({ start: '0' });
      expect(await Promise.all(units.map(whole))).toEqual(before);
    });

    it('a unit without --now runs on, masked; its undo touches the link only', async () => {
      await given({ files: { [A]: sleeper() }, running: ['fm-a.service'] });
      const before = await whole('fm-a.service');
      const request = ['apply', ...APPLY.filter((word) => !word.startsWith('stop=')), ...PROVE] as const;
      const [, masked, undone] = await converse(host, ['fm-a.service'], request, undo('start=fm-a.service'));
      expect(masked?.units.get('fm-a.service')).toMatchObject({ LoadState: 'masked', ActiveState: 'active' });
      expect(undone?.steps).toEqual({ reload: '0', [`unlink:${LINK}`]: '0' });
      expect(await whole('fm-a.service')).toBe(before);
    });

    it('counts the children that a unit leaves on purpose', async () => {
      await given({ files: { [A]: PARENT }, running: ['fm-a.service'] });
      const [, masked] = await converse(host, ['fm-a.service'], apply());
      expect(masked?.rest).toContain(`left 1 0 ${GROUP}`);
      expect(masked?.units.get('fm-a.service')).toMatchObject({ ActiveState: 'inactive', ControlGroup: GROUP });
    });

    it('stops again what somebody started before the reload', async () => {
      await given({
        files: {
          [A]: sleeper({ service: 'X-Fleetmask-Stop=again\n' }),
          // It is true all the time, so the unit is started whenever it stops.
          [`${VENDOR}/fm-a.path`]: '[Path]\nPathExists=/dev/null\n',
        },
        running: ['fm-a.path', 'fm-a.service'],
      });
      const [, masked] = await converse(host, ['fm-a.service'], apply('stop-timeout=20'));
      // where the reload came first, the mask has refused that start
      expect({ 'stop-again:1': '0', ...masked?.steps }).toMatchObject({
        ...{ stop: '0', 'stop-again:1': '0', 'try:fm-a.service': '1' },
      });
      expect(masked?.units.get('fm-a.service')).toMatchObject({ LoadState: 'masked', ActiveState: 'inactive' });
    });

    it('a unit whose stop is cancelled by a start is stopped under the mask', async () => {
      await given({ files: { [A]: WANTED_BACK }, running: ['fm-a.service'] });
      const before = await whole('fm-a.service');
      await run(host, startedWhileItStops('fm-a.service'));
      const [, masked] = await converse(host, ['fm-a.service'], apply('stop-timeout=20'));
      expect(masked?.steps).toMatchObject({ stop: '1', 'stop-cancelled': '1', reload: '0', 'try:fm-a.service': '1' });
      expect(masked?.said).toContain('stop Job for fm-a.service canceled.');
      expect(masked?.units.get('fm-a.service')).toMatchObject({ LoadState: 'masked', ActiveState: 'inactive' });
      const words = undo('start=fm-a.service', 'stop-timeout=20');
      const [, , undone] = await converse(host, ['fm-a.service'], ['nothing'], words);
      expect(undone?.rest).not.toContain('lacking fm-a.service');
      await run(host, 'rm -f /run/fm-clients');
      expect(await whole('fm-a.service')).toBe(before);
    });

    it('what was not running, and runs when the mask is read, is stopped: a unit, and instances of a template', async () => {
      const names = ['fm-a.service', 'fm-t@1.service', 'fm-t@own.service'];
      await given({
        files: {
          [A]: sleeper(),
          [`${VENDOR}/fm-t@.service`]: sleeper(),
          [`${VENDOR}/fm-t@own.service`]: sleeper(),
        },
        running: names,
      });
      const words = [
        ...['run=r1', 'where=etc', 'stop-timeout=20', 'meta=-', `link=${LINK}`, `link=${ADMIN}/fm-t@.service`],
        ...['down=fm-a.service', 'down=fm-t@*.service', 'read=fm-a.service', 'read=fm-t@*.service'],
      ];
      const [, masked] = await converse(host, ['fm-a.service'], ['apply', ...words]);
      expect(masked?.steps).toMatchObject({ 'stop-again:1': '0' });
      expect((await run(host, `systemctl is-active ${names.join(' ')}`)).output.split('\n')).toEqual([
        ...['inactive', 'inactive', 'active'],
      ]);
      await converse(host, ['fm-a.service'], ['nothing'], undo());
    });

    it('a start of the undo that is cancelled by a stop is asked for again', async () => {
      await given({ files: { [A]: STOPPED_EARLY } });
      await run(host, stoppedWhileItStarts('fm-a.service'));
      const [, undone] = await converse(
        host,
        ['fm-a.service'],
        ['undo', ...UNDO.slice(1), 'run=r2', 'stop-timeout=20', 'start=fm-a.service'],
      );
      expect(undone?.said).toContain('start Job for fm-a.service canceled.');
      expect(undone?.units.get('fm-a.service')).toMatchObject({ ActiveState: 'active' });
      expect(undone?.rest).not.toContain('lacking fm-a.service');
    });

    it('a unit that ends and is tried over and over does not run again', async () => {
      const service = 'Type=forking\nRestart=always\nRestartSec=300\nX-Fleetmask-Start=restarts\n';
      await given({ files: { [A]: sleeper({ exec: '/bin/false', service }) } });
      const [, undone] = await converse(
        host,
        ['fm-a.service'],
        ['undo', ...UNDO.slice(1), 'run=r2', 'stop-timeout=20', 'start=fm-a.service'],
      );
      expect(undone?.rest).toContain('lacking fm-a.service');
      expect(undone?.units.get('fm-a.service')).toMatchObject({ ActiveState: 'activating', Result: 'exit-code' });
      await run(host, 'systemctl stop fm-a.service');
    });

    it('a unit that does not start again: what it wrote is told', async () => {
      const exec = `/bin/sh -c 'echo it cannot run here; exit 1'`;
      await given({ files: { [A]: sleeper({ exec, service: 'Type=oneshot\nX-Fleetmask-Start=fails\n' }) } });
      const [, undone] = await converse(
        host,
        ['fm-a.service'],
        ['undo', ...UNDO.slice(1), 'run=r2', 'stop-timeout=20', 'start=fm-a.service'],
      );
      expect(undone?.rest).toContain('lacking fm-a.service');
      expect(undone?.units.get('fm-a.service')).toMatchObject({ Result: 'exit-code' });
      expect(undone?.rest).toContainEqual(
        expect.stringMatching(/^logged fm-a\.service [A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ \S+: it cannot run here$/),
      );
    });

    it('a unit that does not stop in time is neither reloaded nor tried', async () => {
      await given({ files: { [A]: STUBBORN }, running: ['fm-a.service'] });
      const [, stuck] = await converse(host, ['fm-a.service'], apply());
      expect(Object.keys(stuck?.steps ?? {})).toEqual([`link:${LINK}`, 'stop']);
      expect(['124', '137', '143']).toContain(stuck?.steps.stop); // by the way that its timeout ends it
      expect(stuck?.units.get('fm-a.service')).toMatchObject({ LoadState: 'loaded', ActiveState: 'deactivating' });
    });

    it('a unit that refuses to stop is put back as it was', async () => {
      await given({ files: { [A]: sleeper({ unit: 'RefuseManualStop=yes\n' }) }, running: ['fm-a.service'] });
      const before = await whole('fm-a.service');
      const [, refused, undone] = await converse(host, ['fm-a.service'], apply(), undo('start=fm-a.service'));
      expect(refused?.steps).toEqual({ [`link:${LINK}`]: '0', stop: '4' });
      expect(undone?.steps).toEqual({ reload: '0', [`unlink:${LINK}`]: '0' });
      expect(await whole('fm-a.service')).toBe(before);
    });

    it('a unit that is not masked after all is not tried', async () => {
      await given({ files: { [A]: sleeper(), '/etc/systemd/system.control/fm-a.service': sleeper() } });
      const before = await whole('fm-a.service');
      const [, ineffective] = await converse(host, ['fm-a.service'], apply(), undo());
      expect(ineffective?.steps).toMatchObject({ reload: '0', 'try:fm-a.service': 'untried' });
      expect(await whole('fm-a.service')).toBe(before);
    });

    it('a unit file where the link should go refuses everything, and leaves no receipt', async () => {
      await given({ files: { [LINK]: sleeper() }, running: ['fm-a.service'] });
      const before = await whole('fm-a.service');
      const [, failed, undone] = await converse(host, ['fm-a.service'], apply(), undo('start=fm-a.service'));
      expect(failed?.steps).toEqual({ [`link:${LINK}`]: '1' });
      expect(failed?.rest.join()).toMatch(/refused write .*exists/);
      expect(undone?.rest).toContain('receipt none');
      expect(await exists('/var/lib/fleetmask')).toBe(false);
      expect(await whole('fm-a.service')).toBe(before);
    });

    it('masks until the next boot, over an enabled unit', async () => {
      await given({ files: { [A]: sleeper({ install: WANTED }) }, links: enabled('fm-a.service') });
      const words = ['run=r1', 'where=run', 'meta=-', `link=${RUNTIME}/fm-a.service`, ...PROVE];
      const [, masked] = await converse(host, ['fm-a.service'], ['apply', ...words]);
      expect(masked?.units.get('fm-a.service')).toMatchObject({ LoadState: 'masked' });
      const told = masked?.units.get('fm-a.service')?.UnitFileState ?? '';
      expect(told).toBe(fileOfMask(host.version, 'masked-runtime'));
      expect(await exists('/run/fleetmask/runs/r1/log')).toBe(true);
      expect(await exists('/var/lib/fleetmask')).toBe(false);
    });

    it('unmasks, and undoes that', async () => {
      await given({
        files: { [A]: sleeper({ install: WANTED }) },
        links: { ...enabled('fm-a.service'), [LINK]: MASK, [`${RUNTIME}/fm-a.service`]: MASK },
      });
      const before = await whole('fm-a.service');
      const words = ['run=r1', 'where=etc', 'meta=-', `remove=${LINK}`, `remove=${RUNTIME}/fm-a.service`];
      const [, unmasked, undone] = await converse(
        host,
        ['fm-a.service'],
        ['apply', ...words, 'read=fm-a.service'],
        undo(),
      );
      expect(unmasked?.steps).toEqual({
        [`remove:${LINK}`]: '0',
        [`remove:${RUNTIME}/fm-a.service`]: '0',
        reload: '0',
      });
      expect(unmasked?.units.get('fm-a.service')).toMatchObject({ LoadState: 'loaded', UnitFileState: 'enabled' });
      expect(undone?.steps).toMatchObject({ [`relink:${LINK}`]: '0', [`relink:${RUNTIME}/fm-a.service`]: '0' });
      expect(await whole('fm-a.service')).toBe(before);
    });

    it('a name with a backslash is masked and put back', async () => {
      const name = 'fm-dev\\x2did.service';
      await given({
        files: { [`${VENDOR}/${name}`]: sleeper({ install: WANTED }) },
        links: enabled(name),
        running: [name],
      });
      const before = await whole(name);
      const [, masked, undone] = await converse(
        host,
        [name],
        [
          'apply',
          'run=r1',
          'where=etc',
          'meta=-',
          `link=${ADMIN}/${name}`,
          `stop=${name}`,
          `read=${name}`,
          `try=${name}`,
        ],
        ['undo', 'run=r1', 'where=etc', 'meta=-', `start=${name}`, `read=${name}`],
      );
      expect(masked?.units.get(name)).toMatchObject({ LoadState: 'masked', ActiveState: 'inactive' });
      expect(masked?.steps[`try:${name}`]).toBe('1');
      expect(undone?.units.get(name)).toMatchObject({ LoadState: 'loaded', ActiveState: 'active' });
      expect(await whole(name)).toBe(before);
    });

    it('a failed socket is reset and listens again after the undo', async () => {
      await given({
        files: { [A]: sleeper(), [`${VENDOR}/fm-a.socket`]: SOCKET },
        running: ['fm-a.socket'],
      });
      const [, , undone] = await converse(
        host,
        ['fm-a.service'],
        apply(),
        () => run(host, connectTo('fm-a.socket')),
        undo('start=fm-a.socket'),
      );
      expect(undone?.steps).toEqual({ reload: '0', [`unlink:${LINK}`]: '0', 'reset-failed': '0', start: '0' });
      expect(await read(host, 'fm-a.socket', 'ActiveState', 'SubState')).toBe('active listening');
    });
  });
}
