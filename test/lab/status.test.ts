/** What status says is what is true inside, in every state that a unit can be in. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, dumps, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';

const ETC = 'ln -s /dev/null /etc/systemd/system';
const RUN = 'ln -s /dev/null /run/systemd/system';
const reload = 'systemctl daemon-reload';

/** Name, how it comes to be (what ends unread is last: any reload would read it), then what status says of it: outcome, load state, file state, whether it runs, and a remark. */
const STATES = [
  ['st-runs', 'systemctl start st-runs', 'not-masked', 'loaded', 'static', 'active', ''],
  ['st-idle', ':', 'not-masked', 'loaded', 'static', 'inactive', ''],
  ['st-etc', `${ETC}/st-etc.service; ${reload}`, 'masked', 'masked', 'masked', 'inactive', ''],
  ['st-run', `${RUN}/st-run.service; ${reload}`, 'masked', 'masked', 'masked-runtime', 'inactive', ''],
  [
    'st-undead',
    `systemctl start st-undead; ${ETC}/st-undead.service; ${reload}`,
    'masked',
    'masked',
    'masked',
    'active',
    'still running',
  ],
  [
    'st-unread',
    `systemctl start st-unread; ${ETC}/st-unread.service`,
    'not-masked',
    'loaded',
    'masked',
    'active',
    'on disk only',
  ],
] as const;

describeLab('status', (lab) => {
  let hosts: LabHost[];
  const operator = new Operator(lab);
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'arch-like']);
  });
  afterAll(() => operator.forget());

  it('tells masked from unread, unread from running on, and touches nothing', async () => {
    const given = `${STATES.map(([name]) => unit(`${name}.service`, daemon())).join('')} ${reload};`;
    await Promise.all(hosts.map((host) => sh(host, `${given} ${STATES.map(([, script]) => script).join('\n')}`)));
    const names = STATES.map(([name]) => `${name}.service`);
    const before = await Promise.all(hosts.map((host) => dumps(host, names)));
    for (const [name, , outcome, load, file, active, remark] of STATES) {
      const run = await operator.do(`status ${name}`, hosts);
      expect(run.exitCode, name).toBe(outcome === 'masked' ? 0 : 3);
      for (const host of hosts) {
        const { units, ...told } = run.on(host);
        expect([name, told.outcome, units[0]?.after]).toEqual([name, outcome, { load, file, active }]);
        expect(units[0]?.notes.join()).toMatch(remark);
      }
    }
    const both = await operator.do('status st-etc st-idle', hosts);
    expect([both.exitCode, both.on(hosts[0]!).outcome], both.said).toEqual([3, 'mixed']);
    const none = await operator.do('status st-none', hosts);
    expect([none.exitCode, none.on(hosts[0]!).fault?.kind]).toEqual([4, 'no-unit']);
    expect(await Promise.all(hosts.map((host) => dumps(host, names)))).toEqual(before);
  });
});
