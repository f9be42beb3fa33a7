/** Unit files of the administrator that make room for a mask on --local-units displace, and come back as the same inode. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, ENABLED, HELD, hold, property, sh, stopping, unit, WAITS } from './inside.ts';
import type { LabHost } from './lab.ts';
import { leavesAlone, masksAndPutsBack } from './situation.ts';

const ETC = '/etc/systemd/system';
const reload = 'systemctl daemon-reload;';

/** Everything that tells one file from another like it, and whatever hidden names are left around it. */
const identity = (host: LabHost, name: string, dir = ETC) =>
  sh(
    host,
    `stat -c '%i %f %u %g %Y %h' ${dir}/${name}; command -v getfattr >/dev/null && getfattr -hd ${dir}/${name} 2>/dev/null
     ls -A ${dir} | grep fleetmask || :`,
  );

describeLab('with --local-units displace', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
  });
  afterAll(() => operator.forget());
  const onEach = (script: string) => Promise.all(hosts.map((host) => sh(host, script)));
  const identities = (name: string, dir?: string) => Promise.all(hosts.map((host) => identity(host, name, dir)));

  it('a unit file in /etc is masked, with drop-ins and all, and comes back as it was', async () => {
    const given = `${unit('own.service', `${daemon()}\n${ENABLED}`, ETC)} ${unit('x.conf', '[Service]\nNice=5', `${ETC}/own.service.d`)}
      chmod 640 ${ETC}/own.service; chown 65534:1 ${ETC}/own.service; touch -d 2001-01-01 ${ETC}/own.service
      ${reload} systemctl enable -q --now own`;
    await onEach(given);
    const before = await identities('own.service');
    await masksAndPutsBack(operator, hosts, {
      given: ':',
      ask: 'mask own --now --local-units displace',
      compared: ['own.service'],
      meanwhile: async (host, run) => {
        expect(run.on(host).units[0]?.steps).toContain(`put a link in the place of ${ETC}/own.service`);
        expect(await sh(host, `readlink ${ETC}/own.service`)).toBe('/dev/null');
        const again = await operator.do('mask own --now --local-units displace', [host]);
        expect(again.on(host).outcome, again.said).toBe('unchanged');
        const unmask = await operator.do('unmask own', [host]);
        expect(unmask.on(host), unmask.said).toMatchObject({ outcome: 'refused', fault: { kind: 'local-unit' } });
        expect(await hold(host, 'own.service')).toBe(HELD);
      },
    });
    expect(await identities('own.service')).toEqual(before);
  });

  it('a linked unit file likewise: the link comes back', async () => {
    await onEach(
      `${unit('linked.service', `${daemon()}\n${ENABLED}`, '/opt')} systemctl link -q /opt/linked.service; systemctl enable -q --now linked`,
    );
    const before = await identities('linked.service');
    await masksAndPutsBack(operator, hosts, {
      given: ':',
      ask: 'mask linked --now --local-units displace',
      compared: ['linked.service'],
    });
    expect(await identities('linked.service')).toEqual(before);
  });

  it('a unit file in /run makes room for a mask until the boot', async () => {
    const run = '/run/systemd/system';
    await onEach(`${unit('brief.service', daemon(), run)} ${reload} systemctl start brief`);
    const before = await identities('brief.service', run);
    await masksAndPutsBack(operator, hosts, {
      given: ':',
      ask: 'mask brief --now --runtime --local-units displace',
      compared: ['brief.service'],
    });
    expect(await identities('brief.service', run)).toEqual(before);
  });

  it('one in /etc cannot make room for a mask in /run, and nothing is touched', async () => {
    await leavesAlone(
      operator,
      hosts,
      {
        given: `${unit('outranks.service', daemon(), ETC)} ${reload}`,
        ask: 'mask outranks --runtime --local-units displace',
        compared: ['outranks.service'],
      },
      'local-unit',
    );
  });

  it('a unit file that is immutable: nothing is touched', async () => {
    const [host] = hosts;
    await sh(host!, `${unit('stone.service', daemon(), ETC)} ${reload} chattr +i ${ETC}/stone.service`);
    const before = await identity(host!, 'stone.service');
    const run = await operator.do('mask stone --local-units displace', [host!]);
    await sh(host!, `chattr -i ${ETC}/stone.service`);
    expect(run.on(host!), run.said).toMatchObject({ outcome: 'refused', fault: { kind: 'write-failed' } });
    expect(await identity(host!, 'stone.service')).toBe(before);
  });

  it('a local socket of a local service, with --with-triggers', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('pair.service', daemon(), ETC)} ${unit('pair.socket', '[Socket]\nListenStream=/run/pair', ETC)}
        ${reload} systemctl start pair.socket pair.service`,
      ask: 'mask pair --now --with-triggers --local-units displace',
      compared: ['pair.service', 'pair.socket'],
    });
  });

  it('a host whose shell is killed meanwhile is put back, with the same inode', async () => {
    await onEach(`rm -f /run/let-go; ${unit('cut-off.service', daemon(WAITS), ETC)} ${reload} systemctl start cut-off`);
    const before = await identities('cut-off.service');
    const running = operator.do('mask cut-off --now --local-units displace --rollback none', hosts);
    await Promise.all(
      hosts.map(async (host) => {
        await stopping(host, 'cut-off.service');
        await sh(host, 'read -r pid _ </run/fleetmask/lock; kill -9 "$pid"; touch /run/let-go');
      }),
    );
    const run = await running;
    expect(run.exitCode, run.said).toBe(6);
    expect(await identities('cut-off.service')).not.toEqual(before);
    const undone = await operator.undo(run);
    expect(undone.report.hosts.map(({ outcome, fault }) => fault?.message ?? outcome)).toEqual(
      hosts.map(() => 'restored'),
    );
    expect(await identities('cut-off.service')).toEqual(before);
    for (const host of hosts) expect(await property(host, 'cut-off.service', 'ActiveState')).toBe('active');
  });

  it('a new file that somebody put there meanwhile is left alone, and the host is stranded with a word on where the old one is', async () => {
    const [host] = hosts;
    await sh(host!, `${unit('replaced.service', daemon(), ETC)} ${reload}`);
    const run = await operator.do('mask replaced --local-units displace', [host!]);
    await sh(host!, `rm ${ETC}/replaced.service; ${unit('replaced.service', daemon('Nice=3'), ETC)} ${reload}`);
    const undone = await operator.undo(run);
    expect(undone.on(host!), undone.said).toMatchObject({ outcome: 'stranded', fault: { kind: 'not-restored' } });
    expect(undone.on(host!).fault?.message).toMatch(/left alone; what was there before lies beside it/);
    expect(await sh(host!, `grep Nice ${ETC}/replaced.service; ls -A ${ETC} | grep fleetmask`)).toBe(
      `Nice=3\n.replaced.service.fleetmask-${run.report.run.id}.orig`,
    );
  });

  it('refused without it, with the path and the flag', async () => {
    const [host] = hosts;
    await sh(host!, `${unit('refused.service', daemon(), ETC)} ${reload}`);
    const { fault } = (await operator.do('mask refused', [host!])).on(host!);
    expect(`${fault?.message} ${fault?.hint}`).toMatch(
      /\/etc\/systemd\/system\/refused\.service .*--local-units displace/,
    );
  });
});
