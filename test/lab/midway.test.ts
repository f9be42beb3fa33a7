/** What a host depends on fails in the middle of a change, on systemd 247, 252 and 257: sshd, PID 1, D-Bus, and its disks. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, type Dumps, deaf, HELD, HELD_FAILED, hold, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';
import { leavesAlone, masksAndPutsBack } from './situation.ts';
import { holdAt, rehearse, release, unstageSteps, untilHeld } from './steps.ts';

const UNIT = 'midway.service';
const SYSTEMD = '/etc/systemd/system';

describeLab('in the middle of a change', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  let before: Dumps[];
  /** The numbers of steps: the link, what comes after it, the stop, the reload. */
  let at: Record<'link' | 'linked' | 'stop' | 'reload', number>;

  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
    const rehearsed = await rehearse(operator, hosts, 'midway', 'mask midway --now');
    before = rehearsed.before;
    const [ran = []] = rehearsed.ran;
    const number = (words: RegExp) => ran.findIndex((line) => words.test(line)) + 1;
    at = { link: number(/^ln/), linked: number(/^stat/), stop: number(/ stop /), reload: number(/ daemon-reload/) };
    expect(Object.values(at)).not.toContain(0);
  });
  beforeEach(async () => {
    await everywhere(async (host, i) => expect(await changes(host, before[i]!)).toEqual([]));
  });
  afterAll(async () => {
    await unstageSteps(hosts);
    operator.forget();
  });

  const everywhere = <T>(work: (host: LabHost, i: number) => Promise<T>): Promise<T[]> => Promise.all(hosts.map(work));
  const inside = (script: (host: LabHost) => string) => everywhere((host) => sh(host, script(host)));
  const sshd = ({ kind }: LabHost) => (kind.family === 'debian' ? 'ssh' : 'sshd');
  const signal = (name: string) => (host: LabHost) =>
    `kill -${name} $(systemctl show -p MainPID --value ${sshd(host)})`;
  const loseSession = () => "pkill -KILL -f '^sshd(-session)?: root@notty'";

  /** Masks, with a fault let in right before this step, and its end while the run goes on. */
  async function faulted(
    step: keyof typeof at,
    fault: () => Promise<unknown>,
    { flags = '', end = async (): Promise<unknown> => undefined } = {},
  ): Promise<Run> {
    await everywhere((host) => holdAt(host, { number: at[step], when: 'before' }));
    const running = operator.do(`mask midway --now${flags}`, hosts);
    await everywhere((host) => untilHeld(host));
    await fault();
    hosts.forEach(release);
    const [run] = await Promise.all([running, end()]);
    return run;
  }

  async function expectTruth(run: Run, can: readonly string[]): Promise<void> {
    await everywhere(async (host, i) => {
      const { outcome, fault } = run.on(host);
      const what = `${host.name}: ${outcome} ${fault?.kind} ${fault?.message ?? ''}`;
      expect(can, what).toContain(fault ? `${outcome}: ${fault.kind}` : outcome);
      if (outcome === 'masked') expect(await hold(host, UNIT), what).toBe(HELD);
      else if (outcome !== 'stranded') expect(await changes(host, before[i]!), what).toEqual([]);
    });
  }

  async function maskedAndBack(run: Run): Promise<void> {
    await expectTruth(run, ['masked']);
    await operator.undo(run);
    await everywhere(async (host, i) => expect(await changes(host, before[i]!)).toEqual([]));
  }

  it('sshd stops: the session goes on, and the host is masked', async () => {
    const run = await faulted('stop', () => inside((host) => `systemctl stop ${sshd(host)}`));
    await inside((host) => `systemctl start ${sshd(host)}`);
    await maskedAndBack(run);
  });

  it('sshd restarts: the session goes on, and the host is masked', async () => {
    await maskedAndBack(await faulted('stop', () => inside((host) => `systemctl restart ${sshd(host)}`)));
  });

  it('sshd restarts and the session is lost: the host is called again and put back', async () => {
    const run = await faulted('stop', () => inside((host) => `systemctl restart ${sshd(host)}; ${loseSession()}`));
    await expectTruth(run, ['rolled-back: lost']);
  });

  it('the session is lost and sshd is frozen: the host is put back once it thaws', async () => {
    const frozen = () => inside((host) => `${signal('STOP')(host)}; ${loseSession()}`);
    const end = () => sleep(4_000).then(() => inside(signal('CONT')));
    await expectTruth(await faulted('stop', frozen, { end }), ['rolled-back: lost']);
  });

  it('the session is lost and sshd is down for 25 s: the host is called until it answers, and put back', async () => {
    const down = () => inside((host) => `systemctl stop ${sshd(host)}; ${loseSession()}`);
    const end = () => sleep(25_000).then(() => inside((host) => `systemctl start ${sshd(host)}`));
    await expectTruth(await faulted('stop', down, { end }), ['rolled-back: lost']);
  });

  it('the session freezes: it is given up in time, and the host is called again and put back', async () => {
    const frozen = () => inside(() => "pkill -STOP -f '^sshd(-session)?: root@notty'");
    const run = await faulted('stop', frozen, { flags: ' --host-timeout 10' });
    await inside(() => "pkill -KILL -f '^sshd(-session)?: root@notty' || :");
    await expectTruth(run, ['rolled-back: timed-out']);
  });

  it.each(['stop', 'reload'] as const)(
    'systemd freezes before the %s: the host is put back when it thaws',
    async (step) => {
      const pids = hosts.map((host) => Number(host.nsenter([])[2]));
      const send = async (name: NodeJS.Signals) => pids.map((pid) => process.kill(pid, name));
      const end = () => sleep(13_000).then(() => send('SIGCONT'));
      const run = await faulted(step, () => send('SIGSTOP'), { flags: ' --host-timeout 10', end });
      await expectTruth(run, ['rolled-back: timed-out', 'masked']);
    },
  );

  it('D-Bus dies: the host is masked all the same', async () => {
    const run = await faulted('stop', () => inside(() => 'systemctl stop dbus.socket dbus.service'));
    await expectTruth(run, ['masked']);
    await inside(() => 'systemctl start dbus.socket dbus.service; systemctl restart systemd-logind');
    await maskedAndBack(run);
  });

  it('systemd executes itself anew, again and again: the host is masked, or put back where it would not be read, and put back later', async () => {
    const again = 'while [ -e /run/anew ]; do systemctl daemon-reexec; sleep 1; done; rm /run/ends';
    const meanwhile = async <T>(work: () => Promise<T>): Promise<T> => {
      await inside(() => `touch /run/anew /run/ends; setsid sh -c '${again}' >/dev/null 2>&1 </dev/null &`);
      try {
        return await work();
      } finally {
        await inside(() => 'rm /run/anew; while [ -e /run/ends ]; do sleep 0.1; done');
      }
    };
    const run = await meanwhile(() => operator.do('mask midway --now', hosts));
    // a busy host may be at it whenever it is asked
    await expectTruth(run, ['masked', 'rolled-back: read-back']);
    await meanwhile(() => operator.undo(run));
    await everywhere(async (host, i) => expect(await changes(host, before[i]!)).toEqual([]));
  });

  it('systemd refuses a second reload so soon: the undo waits for its turn', async () => {
    const recent = hosts.filter(({ kind }) => kind.systemd >= 253);
    const file = '/etc/systemd/system.conf.d/reload-limit.conf';
    const text = '[Manager]\nReloadLimitIntervalSec=8\nReloadLimitBurst=1\n';
    await Promise.all(recent.map((host) => host.writeFile(file, text)));
    await inside(() => 'systemctl daemon-reexec');
    try {
      const run = await operator.do('mask midway --now', recent);
      const undone = await operator.undo(run);
      expect([run, undone].map(({ report }) => report.totals)).toEqual([{ masked: 1 }, { restored: 1 }]);
    } finally {
      await inside(() => `rm -f ${file}; until systemctl daemon-reexec; do sleep 1; done`);
    }
  });

  describe('the receipts’ disk', () => {
    beforeEach(() =>
      inside(() => 'mkdir -p /var/lib/fleetmask; mount -t tmpfs -o size=64k tmpfs /var/lib/fleetmask').then(() => {}),
    );
    afterEach(() => inside(() => 'umount /var/lib/fleetmask').then(() => {}));

    it('fills up: what was begun is finished, and put back by what was written', async () => {
      const full = () => inside(() => 'cat /dev/zero >/var/lib/fleetmask/ballast 2>/dev/null || :');
      await maskedAndBack(await faulted('linked', full));
    });

    it('becomes read-only before the link is on the receipt: the host is put back', async () => {
      const run = await faulted('link', () => inside(() => 'mount -o remount,ro /var/lib/fleetmask'));
      await expectTruth(run, ['rolled-back: write-failed']);
    });
  });

  it('the unit directory becomes read-only: what cannot be put back is stranded, and recovered when it can', async () => {
    const readonly = () =>
      inside(() => `mount --bind ${SYSTEMD} ${SYSTEMD}; mount -o remount,bind,ro ${SYSTEMD}; ${loseSession()}`);
    const run = await faulted('stop', readonly);
    await expectTruth(run, ['stranded: lost']);
    await inside(() => `umount ${SYSTEMD}`);
    const recovered = await operator.run(['recover', 'last', '-y', '--known-hosts', lab.knownHosts, '-o', 'json']);
    await expectTruth(recovered, ['rolled-back: interrupted', 'rolled-back: lost', 'rolled-back: not-restored']);
  });

  it('there is no room for a link: the host is not touched', async () => {
    const full = `cp -a ${SYSTEMD} /run/units; mount -t tmpfs -o nr_inodes=2000 tmpfs ${SYSTEMD}; cp -a /run/units/. ${SYSTEMD}; rm -rf /run/units
      mkdir ${SYSTEMD}/ballast; cd ${SYSTEMD}/ballast; seq 2000 | xargs touch 2>/dev/null || :; cd /`;
    const situation = { given: full, ask: 'mask midway --now', compared: [UNIT] };
    await leavesAlone(operator, hosts, situation, 'write-failed').finally(() =>
      inside(() => `umount ${SYSTEMD}; systemctl daemon-reload`),
    );
  });

  it('a unit has to be killed by systemd, after its own time for a stop: it is masked, and put back', async () => {
    await masksAndPutsBack(operator, hosts, {
      given: `${unit('glacial.service', deaf('TimeoutStopSec=3'))} systemctl daemon-reload; systemctl start glacial`,
      ask: 'mask glacial --now',
      compared: ['glacial.service'],
      held: [],
      meanwhile: async (host) => expect(await hold(host, 'glacial.service')).toBe(HELD_FAILED),
    });
  });
});
