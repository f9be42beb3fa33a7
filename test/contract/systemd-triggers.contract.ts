/** What the remote program does about what starts a unit, and about unit files in the way: on simulated and on real systemds. */
import { beforeAll, describe, expect, it } from 'vitest';
import { arrange, converse, type Given, read, run, type SystemdUnderTest } from './systemd-under-test.ts';
import { ADMIN, connectTo, enabled, RUNTIME, SOCKET, sleeper, VENDOR, WANTED } from './units.ts';

const A = `${VENDOR}/fm-a.service`;

export function systemdTriggersContract(open: () => Promise<SystemdUnderTest>): void {
  let host: SystemdUnderTest;
  beforeAll(async () => {
    host = await open();
  });
  const given = (what: Given) => arrange(host, what);
  const undo = (...words: string[]) =>
    ['undo', 'run=r1', 'where=etc', 'stop-timeout=5', 'meta=-', 'read=fm-a.service', ...words] as const;
  /** All that undo has to restore of a unit. */
  const whole = (unit: string) =>
    read(
      host,
      unit,
      ...['Names', 'LoadState', 'UnitFileState', 'ActiveState', 'SubState', 'FragmentPath', 'KillMode', 'CanStart'],
      ...['RequiredBy', 'BoundBy', 'ConsistsOf', 'WantedBy', 'TriggeredBy'],
    );

  describe('what can start a unit', () => {
    it('shows what can start a unit, and what can start that, when it is asked to', async () => {
      await given({
        files: {
          [A]: sleeper(),
          [`${VENDOR}/fm-a.socket`]: SOCKET,
          [`${VENDOR}/fm-b.timer`]: '[Timer]\nOnCalendar=yearly\nUnit=fm-a.socket\n',
        },
        running: ['fm-b.timer'],
      });
      const [, probe] = await converse(host, [], ['probe', 'triggers=yes', 'name=fm-a.service']);
      expect(probe?.units.get('fm-a.service')).toMatchObject({ TriggeredBy: 'fm-a.socket' });
      expect(probe?.units.get('fm-a.socket')).toMatchObject({
        TriggeredBy: 'fm-b.timer',
        Triggers: 'fm-a.service',
        Accept: 'no',
      });
      expect(probe?.units.get('fm-b.timer')).toMatchObject({ Triggers: 'fm-a.socket', ActiveState: 'active' });
      expect(probe?.rest).toContain(`path file ${VENDOR}/fm-b.timer`);
    });

    it('masks and stops what triggers a unit together with it, and undo has it listen and wait again', async () => {
      await given({
        files: {
          [A]: sleeper(),
          [`${VENDOR}/fm-a.socket`]: SOCKET,
          [`${VENDOR}/fm-a.timer`]: '[Timer]\nOnCalendar=yearly\n',
          [`${VENDOR}/fm-a.path`]: '[Path]\nPathExists=/run/fm-none\n',
        },
        running: ['fm-a.socket', 'fm-a.timer', 'fm-a.path', 'fm-a.service'],
      });
      const units = ['fm-a.socket', 'fm-a.timer', 'fm-a.path', 'fm-a.service'];
      const before = await Promise.all(units.map(whole));
      const [, masked, undone] = await converse(
        host,
        units,
        [
          ...(['apply', 'run=r1', 'where=etc', 'stop-timeout=5', 'meta=-'] as const),
          ...units.flatMap((unit) => [`link=${ADMIN}/${unit}`, `stop=${unit}`, `read=${unit}`, `try=${unit}`]),
        ],
        undo(...units.flatMap((unit) => [`start=${unit}`, `read=${unit}`])),
      );
      for (const unit of units) {
        expect(masked?.units.get(unit)).toMatchObject({ LoadState: 'masked', ActiveState: 'inactive' });
        expect(masked?.steps[`try:${unit}`]).toBe('1');
      }
      expect(undone?.steps).toMatchObject({ start: '0' });
      expect(undone?.steps).not.toHaveProperty('stop-closed');
      expect(await Promise.all(units.map(whole))).toEqual(before);
    });

    it.each([
      ['while nothing runs behind it', ['fm-a.socket']],
      ['with its service, which runs', ['fm-a.socket', 'fm-a.service']],
    ])('a socket that was masked without being stopped listens again after the undo, %s', async (_, running) => {
      await given({ files: { [A]: sleeper(), [`${VENDOR}/fm-a.socket`]: SOCKET }, running });
      const [, masked, undone] = await converse(
        host,
        running,
        ['apply', 'run=r1', 'where=etc', 'meta=-', `link=${ADMIN}/fm-a.socket`, 'read=fm-a.socket'],
        undo(...running.map((unit) => `start=${unit}`)),
      );
      expect(masked?.units.get('fm-a.socket')).toMatchObject({ LoadState: 'masked', ActiveState: 'active' });
      expect(undone?.steps).toEqual({
        reload: '0',
        [`unlink:${ADMIN}/fm-a.socket`]: '0',
        'stop-closed': '0',
        start: '0',
      });
      await run(host, 'systemctl stop fm-a.service');
      await run(host, connectTo('fm-a.socket'));
      expect(await read(host, 'fm-a.service', 'ActiveState')).toBe('active');
    });

    it('a socket that was masked and stopped beside its service listens again after the undo, and both run', async () => {
      const running = ['fm-a.socket', 'fm-a.service'];
      // what has a control group is seen to run
      const service = sleeper({ service: 'X-Fleetmask-Children=1\n' });
      await given({ files: { [A]: service, [`${VENDOR}/fm-a.socket`]: SOCKET }, running });
      const before = await Promise.all(running.map(whole));
      const [probe, masked, undone] = await converse(
        host,
        ['fm-a.socket'],
        ['apply', 'run=r1', 'where=etc', 'meta=-', `link=${ADMIN}/fm-a.socket`, 'stop=fm-a.socket', 'read=fm-a.socket'],
        undo(...running.map((unit) => `start=${unit}`)),
      );
      expect(probe?.rest).toEqual(expect.arrayContaining(['related Id=fm-a.service', 'related ActiveState=active']));
      expect(masked?.units.get('fm-a.socket')).toMatchObject({ LoadState: 'masked', ActiveState: 'inactive' });
      expect(undone?.steps).toMatchObject({ 'stop-closed': '0', start: '0' });
      expect(undone?.rest.filter((line) => line.startsWith('started '))).toEqual([]);
      expect(await Promise.all(running.map(whole))).toEqual(before);
    });

    it('a timer that was masked without being stopped failed, and waits again after the undo', async () => {
      const timer = '[Timer]\nOnCalendar=yearly\n';
      await given({ files: { [A]: sleeper(), [`${VENDOR}/fm-a.timer`]: timer }, running: ['fm-a.timer'] });
      const before = await whole('fm-a.timer');
      const [, masked, undone] = await converse(
        host,
        ['fm-a.timer'],
        ['apply', 'run=r1', 'where=etc', 'meta=-', `link=${ADMIN}/fm-a.timer`, 'read=fm-a.timer'],
        undo('start=fm-a.timer'),
      );
      expect(masked?.units.get('fm-a.timer')).toMatchObject({ LoadState: 'masked', ActiveState: 'failed' });
      expect(undone?.steps).toMatchObject({ 'reset-failed': '0', start: '0' });
      expect(await whole('fm-a.timer')).toBe(before);
    });
  });

  it('what could run the same past a mask is told, when it is asked for', async () => {
    const service = (program: string, more = '') => `[Service]\nExecStart=${program} -f\n${more}`;
    const bus = '/usr/share/dbus-1/system-services';
    await given({
      files: {
        [A]: service('/opt/fm-daemon', 'BusName=org.example.FmA\n'),
        [`${ADMIN}/fm-copy.service`]: service('-/opt/fm-daemon'),
        [`${VENDOR}/fm-other.service`]: service('/opt/fm-other'),
        [`${VENDOR}/fm-masked.service`]: service('/opt/fm-daemon'),
        [`${bus}/fm-asks.service`]:
          '[D-BUS Service]\nName=org.example.Asks\nExec=/bin/false\nSystemdService=fm-a.service\n',
        [`${bus}/fm-own.service`]: '[D-BUS Service]\nName=org.example.FmA\nExec=/opt/fm-daemon --bus\n',
        [`${bus}/fm-else.service`]: '[D-BUS Service]\nName=org.example.Else\nSystemdService=fm-else.service\n',
        '/etc/init.d/fm-a': '#!/bin/sh\n. /lib/lsb/init-functions\n',
      },
      links: { [`${ADMIN}/fm-masked.service`]: '/dev/null' },
    });
    await run(host, `chmod +x "\${FLEETMASK_ROOT-}/etc/init.d/fm-a"`);
    const [, silent, told] = await converse(
      host,
      [],
      ['probe', 'name=fm-a.service'],
      ['probe', 'ways=yes', 'name=fm-a.service'],
    );
    const facts = (records: readonly string[]) => records.filter((each) => /^(found|script) /.test(each)).sort();
    expect(facts(silent?.rest ?? [])).toEqual([]);
    expect(silent?.units.get('fm-a.service')).not.toHaveProperty('Program');
    expect(told?.units.get('fm-a.service')).toMatchObject({ Program: '/opt/fm-daemon', BusName: 'org.example.FmA' });
    expect(facts(told?.rest ?? [])).toEqual([
      'found /etc/init.d/fm-a functions',
      `found ${ADMIN}/fm-copy.service ExecStart=-/opt/fm-daemon`,
      `found ${VENDOR}/fm-a.service ExecStart=/opt/fm-daemon`,
      `found ${bus}/fm-asks.service SystemdService=fm-a.service`,
      `found ${bus}/fm-own.service Exec=/opt/fm-daemon`,
      `found ${bus}/fm-own.service Name=org.example.FmA`,
      'script /etc/init.d/fm-a',
    ]);
  });

  describe('a unit file where the link must be', () => {
    const inodes = async (path: string) => {
      const dir = path.slice(0, path.lastIndexOf('/'));
      const { output } = await run(
        host,
        `ls -id "\${FLEETMASK_ROOT-}${path}"; ls -A "\${FLEETMASK_ROOT-}${dir}" | grep fleetmask`,
      );
      return output;
    };

    it.each([
      ['of the administrator', 'etc', { files: { [`${ADMIN}/fm-a.service`]: sleeper({ install: WANTED }) } }],
      [
        'that is a link to one elsewhere',
        'etc',
        {
          files: { '/opt/fm-a.service': sleeper({ install: WANTED }) },
          links: { [`${ADMIN}/fm-a.service`]: '/opt/fm-a.service' },
        },
      ],
      ['in /run', 'run', { files: { [`${RUNTIME}/fm-a.service`]: sleeper({ install: WANTED }) } }],
    ] as const)('%s makes room for it, and comes back with the same inode', async (_, where, what: Given) => {
      const file = `${where === 'etc' ? ADMIN : RUNTIME}/fm-a.service`;
      const dropIn = { [`${ADMIN}/fm-a.service.d/x.conf`]: '[Service]\nNice=5\n' };
      const links = { ...enabled('fm-a.service'), ...what.links };
      await given({ files: { ...what.files, ...dropIn }, links, running: ['fm-a.service'] });
      const before = [await whole('fm-a.service'), await inodes(file)];
      const words = ['run=r1', `where=${where}`, 'stop-timeout=5', 'meta=-', 'read=fm-a.service'];
      const [, masked, undone] = await converse(
        host,
        ['fm-a.service'],
        ['apply', ...words, `displace=${file}`, 'stop=fm-a.service', 'try=fm-a.service'],
        ['undo', ...words, 'start=fm-a.service'],
      );
      expect(masked?.steps).toEqual({ [`displace:${file}`]: '0', stop: '0', reload: '0', 'try:fm-a.service': '1' });
      expect(masked?.units.get('fm-a.service')).toMatchObject({
        LoadState: 'masked',
        CanStart: host.version < 226 ? 'yes' : 'no',
      });
      expect(undone?.steps).toEqual({ [`replace:${file}`]: '0', reload: '0', start: '0' });
      expect([await whole('fm-a.service'), await inodes(file)]).toEqual(before);
    });
  });
}
