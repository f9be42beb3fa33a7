/** What systemd takes for loaded and masked, and when. */
import { beforeAll, describe, expect, it } from 'vitest';
import { arrange, fileOfMask, type Given, read, run, type SystemdUnderTest } from './systemd-under-test.ts';
import { ADMIN, enabled, MASK, RUNTIME, sleeper, VENDOR, WANTED } from './units.ts';

/** Runs a transient unit. A simulated host goes by how systemd's own file begins. */
const RUN_TRANSIENT = `if [ -z "\${FLEETMASK_ROOT-}" ]; then
  systemd-run -q --unit fm-a.service sleep infinity
else
  mkdir -p "$FLEETMASK_ROOT/run/systemd/transient"
  echo '# This is a transient unit file' >"$FLEETMASK_ROOT/run/systemd/transient/fm-a.service"
  systemctl start fm-a.service
fi`;

export function systemdLoadingContract(open: () => Promise<SystemdUnderTest>): void {
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
  const masked = (active: string, file = 'masked') => `masked ${fileOfMask(host.version, file)} ${active}`;

  describe('what is loaded', () => {
    it('a link to /dev/null alone masks on disk only: the unit stays loaded, and starts', async () => {
      await given({
        files: { [`${VENDOR}/fm-a.service`]: sleeper({ install: WANTED }) },
        links: enabled('fm-a.service'),
      });
      await mask(`${ADMIN}/fm-a.service`);
      expect(await state('fm-a.service')).toBe('loaded masked inactive');
      expect(await sh('systemctl start fm-a.service')).toEqual({ code: 0, output: '' });
      expect(await state('fm-a.service')).toBe('loaded masked active');
    });

    it('a unit that nothing refers to is masked by the link at once', async () => {
      await given({ files: { [`${VENDOR}/fm-a.service`]: sleeper({ install: WANTED }) } });
      await mask(`${ADMIN}/fm-a.service`);
      expect(await state('fm-a.service')).toBe(masked('inactive'));
    });

    it('with the reload the mask replaces the settings, and the process runs on', async () => {
      const file = sleeper({ unit: 'RefuseManualStop=yes\n', service: 'KillMode=process\n' });
      await given({ files: { [`${VENDOR}/fm-a.service`]: file }, running: ['fm-a.service'] });
      const settings = () => read(host, 'fm-a.service', 'RefuseManualStop', 'KillMode', 'CanStart');
      await mask(`${ADMIN}/fm-a.service`);
      expect(await settings()).toBe('yes process yes');
      await reload();
      expect(await settings()).toBe(`no control-group ${host.version < 226 ? 'yes' : 'no'}`);
      expect(await state('fm-a.service')).toBe(masked('active'));
    });

    it('what changed since it was read is told, but for what came besides', async () => {
      const names = ['edited', 'gone', 'dropped', 'outranked', 'as-it-was'].map((each) => `fm-${each}.service`);
      await given({
        files: {
          ...Object.fromEntries(names.map((name) => [`${VENDOR}/${name}`, sleeper()])),
          [`${ADMIN}/fm-dropped.service.d/fm.conf`]: '[Service]\n',
        },
        running: names,
      });
      // busybox tells times apart by the second
      await sh(`sleep 1.1
        cd "\${FLEETMASK_ROOT-}/"
        echo '# more' >>.${VENDOR}/fm-edited.service
        rm .${VENDOR}/fm-gone.service
        echo 'KillMode=mixed' >>.${ADMIN}/fm-dropped.service.d/fm.conf
        cp .${VENDOR}/fm-outranked.service .${ADMIN}/`);
      const told = await Promise.all(names.map((name) => read(host, name, 'NeedDaemonReload', 'LoadState')));
      expect(told).toEqual(['yes loaded', 'yes loaded', 'yes loaded', 'no loaded', 'no loaded']);
      expect(await read(host, 'fm-gone.service', 'UnitFileState')).toBe('bad');
      await reload();
      expect(await state('fm-gone.service')).toBe('not-found  active');
    });

    it('a mask that is gone is held until the next reload', async () => {
      await given({
        files: { [`${VENDOR}/fm-a.service`]: sleeper({ install: WANTED }) },
        links: { ...enabled('fm-a.service'), [`${ADMIN}/fm-a.service`]: MASK },
      });
      await sh(`rm "\${FLEETMASK_ROOT-}${ADMIN}/fm-a.service"`);
      expect(await state('fm-a.service')).toBe(masked('inactive', 'enabled'));
      await reload();
      expect(await state('fm-a.service')).toBe('loaded enabled inactive');
    });

    it.each([
      ['/etc over /run', [RUNTIME, VENDOR], ADMIN, 'masked masked'],
      ['/run over /usr', [VENDOR], RUNTIME, 'masked masked-runtime'],
      ['not /run over /etc', [ADMIN], RUNTIME, 'loaded static'],
      ['not /etc over system.control', ['/etc/systemd/system.control'], ADMIN, 'loaded static'],
      ['not /etc over transient', ['/run/systemd/transient'], ADMIN, 'loaded transient'],
    ])('a mask works in %s', async (_, files, link, expected) => {
      await given({
        files: Object.fromEntries(files.map((dir) => [`${dir}/fm-a.service`, sleeper()])),
        links: { [`${link}/fm-a.service`]: MASK },
      });
      const [load, file = ''] = expected.split(' ');
      const told = load === 'masked' ? `masked ${fileOfMask(host.version, file)}` : expected;
      expect(await read(host, 'fm-a.service', 'LoadState', 'UnitFileState')).toBe(told);
    });

    it('the state of the unit file tells how it is enabled', async () => {
      await given({
        files: {
          ...Object.fromEntries([1, 2, 3].map((n) => [`${VENDOR}/fm-${n}.service`, sleeper({ install: WANTED })])),
          [`${VENDOR}/fm-4.service`]: sleeper(),
          [`${VENDOR}/fm-5.service`]: '',
          '/opt/fm-6.service': sleeper(),
        },
        links: {
          ...enabled('fm-1.service'),
          ...enabled('fm-2.service', RUNTIME),
          [`${ADMIN}/fm-6.service`]: '/opt/fm-6.service',
        },
      });
      const states = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => read(host, `fm-${n}.service`, 'UnitFileState')));
      const file = fileOfMask(host.version, 'masked');
      expect(states).toEqual(['enabled', 'enabled-runtime', 'disabled', 'static', file, 'linked']);
    });

    it('every alias tells of the real unit, until that is masked', async () => {
      await given({
        files: { [`${VENDOR}/fm-a.service`]: sleeper() },
        links: {
          [`${VENDOR}/fm-vendor.service`]: 'fm-a.service',
          [`${ADMIN}/fm-admin.service`]: `${VENDOR}/fm-a.service`,
        },
        running: ['fm-vendor.service'],
      });
      for (const name of ['fm-a.service', 'fm-vendor.service', 'fm-admin.service']) {
        const names = (await read(host, name, 'Id', 'Names', 'ActiveState')).split(' ');
        expect(names.filter((each) => each.startsWith('fm-a.') || each === 'active')).toEqual([
          ...['fm-a.service', 'fm-a.service', 'active'],
        ]);
        expect(names).toContain(name);
        // before 243 only the names are known that were asked for
        if (host.version >= 243) expect(names).toHaveLength(5);
      }
      await mask(`${ADMIN}/fm-a.service`);
      await reload();
      if (host.version < 243) return;
      const old = host.version < 250;
      for (const name of ['fm-vendor.service', 'fm-admin.service']) {
        expect(await read(host, name, 'Id', 'Names')).toBe(`${name} ${name}`);
        expect(await state(name)).toBe(old ? masked('inactive') : 'error masked inactive');
        expect((await sh(`systemctl start ${name}`)).output).toContain(old ? 'is masked' : 'failed to load properly');
        expect((await sh(`systemctl stop ${name}`)).code).toBe(old ? 0 : 5);
      }
      expect(await read(host, 'fm-a.service', 'Id', 'Names')).toBe('fm-a.service fm-a.service');
      expect(await state('fm-a.service')).toBe(masked('active'));
    });

    it('before 243 an alias of a masked unit that nothing refers to loads the file past the mask', async () => {
      await given({
        files: { [`${VENDOR}/fm-a.service`]: sleeper() },
        links: { [`${VENDOR}/fm-vendor.service`]: 'fm-a.service', [`${ADMIN}/fm-a.service`]: MASK },
      });
      const started = await sh('systemctl start fm-vendor.service');
      expect(started.code).toBe(host.version < 243 ? 0 : 1);
      await sh('systemctl stop fm-vendor.service');
    });

    it('before 240 an instance that a link enables is loaded past the mask of its template', async () => {
      await given({
        files: { [`${VENDOR}/fm-a@.service`]: sleeper({ install: WANTED }) },
        links: {
          [`${ADMIN}/multi-user.target.wants/fm-a@1.service`]: `${VENDOR}/fm-a@.service`,
          [`${ADMIN}/fm-a@.service`]: MASK,
        },
      });
      const old = host.version < 240;
      expect(await read(host, 'fm-a@1.service', 'LoadState')).toBe(old ? 'loaded' : 'masked');
      expect(await read(host, 'fm-a@2.service', 'LoadState')).toBe('masked');
      expect((await sh('systemctl start fm-a@1.service')).code).toBe(old ? 0 : 1);
      await mask(`${ADMIN}/fm-a@1.service`);
      await reload();
      expect(await read(host, 'fm-a@1.service', 'LoadState')).toBe('masked');
    });

    it('in 231 and 232 an answer ends behind the first unit that lacks a property', async () => {
      await given({
        files: {
          [`${VENDOR}/fm-a.service`]: sleeper(),
          [`${VENDOR}/fm-a.socket`]: '[Socket]\nListenStream=/run/fm-a\n',
        },
      });
      const { code, output } = await sh('systemctl show -pId -pAccept -- fm-a.service fm-a.socket');
      const short = host.version === 231 || host.version === 232;
      expect(code).toBe(short ? 1 : 0);
      expect(output.match(/^Id=.*$/gm)).toEqual(['Id=fm-a.service', ...(short ? [] : ['Id=fm-a.socket'])]);
      expect((await sh('systemctl show -pId -- fm-a.service fm-a.socket')).code).toBe(0);
    });

    it('a transient unit is gone when it stops; the mask under it counts after the next reload', async () => {
      await given({});
      await sh(RUN_TRANSIENT);
      await mask(`${ADMIN}/fm-a.service`);
      await reload();
      expect(await read(host, 'fm-a.service', 'LoadState', 'UnitFileState', 'Transient')).toBe('loaded transient yes');
      await sh('systemctl stop fm-a.service');
      expect(await read(host, 'fm-a.service', 'LoadState')).toBe('not-found');
      await reload();
      expect(await state('fm-a.service')).toBe(masked('inactive'));
    });

    it('a masked template masks its instances but for those with a file of their own', async () => {
      const instances = ['fm-a@1.service', 'fm-a@2.service', 'fm-a@own.service'];
      await given({
        files: { [`${VENDOR}/fm-a@.service`]: sleeper(), [`${VENDOR}/fm-a@own.service`]: sleeper() },
        running: ['fm-a@1.service', 'fm-a@own.service'],
      });
      await mask(`${ADMIN}/fm-a@.service`);
      await reload();
      const states = await Promise.all(instances.map(state));
      expect(states).toEqual([masked('active'), masked('inactive'), 'loaded static active']);
      expect(await read(host, 'fm-a@1.service', 'ControlGroup')).toBe(
        `/system.slice/system-fm${host.version < 234 ? '\\x5cx2d' : '\\x2d'}a.slice/fm-a@1.service`,
      );
      expect(await sh('systemctl show -pId fm-a@.service')).toEqual({
        code: 1,
        output: 'Failed to get properties: Unit name fm-a@.service is neither a valid invocation ID nor unit name.',
      });
    });

    it('a pattern stands for what is loaded; from systemd 250 on, for what is not inactive', async () => {
      await given({
        files: { [`${VENDOR}/fm-a@.service`]: sleeper({ install: WANTED }) },
        links: { [`${ADMIN}/multi-user.target.wants/fm-a@2.service`]: `${VENDOR}/fm-a@.service` },
        running: ['fm-a@1.service'],
      });
      const ids = async (all: string) => (await sh(`systemctl show ${all} -pId 'fm-a@*.service' | sort`)).output.trim();
      expect(await ids('')).toBe(host.version < 250 ? 'Id=fm-a@1.service\nId=fm-a@2.service' : 'Id=fm-a@1.service');
      expect(await ids('--all')).toBe('Id=fm-a@1.service\nId=fm-a@2.service');
      expect(await sh("systemctl show -pId 'fm-none@*.service'")).toEqual({ code: 0, output: '' });
    });

    it('a missing unit is shown as not found, and cannot be started or stopped', async () => {
      await given({});
      expect(await read(host, 'fm-none.service', 'Id', 'LoadState', 'UnitFileState', 'ActiveState')).toBe(
        'fm-none.service not-found  inactive',
      );
      expect(await sh('systemctl start fm-none.service')).toEqual({
        code: 5,
        output: 'Failed to start fm-none.service: Unit fm-none.service not found.',
      });
      expect(await sh('systemctl stop fm-none.service')).toEqual({
        code: 5,
        output: 'Failed to stop fm-none.service: Unit fm-none.service not loaded.',
      });
    });

    it('a name with a backslash is a name like any other', async () => {
      const name = 'fm-dev\\x2did.service';
      await given({
        files: { [`${VENDOR}/${name}`]: sleeper({ install: WANTED }) },
        links: enabled(name),
        running: [name],
      });
      // before 234 the backslash of a value is written out
      const shown = host.version < 234 ? name.replace('\\', '\\x5c') : name;
      expect(await read(host, name, 'Id', 'ControlGroup')).toBe(`${shown} /system.slice/${shown}`);
      await mask(`${ADMIN}/${name}`);
      await reload();
      expect(await state(name)).toBe(masked('active'));
      expect((await sh(`systemctl start '${name}'`)).output).toBe(`Failed to start ${name}: Unit ${name} is masked.`);
    });
  });
}
