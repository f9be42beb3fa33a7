/** A fault at every step of the remote program, before and after each program that it runs, on systemd 247, 252 and 257. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { start } from './executable.ts';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, type Dumps, HELD, hold, sh } from './inside.ts';
import type { LabHost } from './lab.ts';
import { holdAt, rehearse, release, type Step, told, unstageSteps, untilHeld } from './steps.ts';

const UNIT = 'stepped.service';
const ASK = 'mask stepped --now';
const LOSE_SESSION = "pkill -KILL -f '^sshd(-session)?: root@notty'";

describeLab('at every step of a change', (lab) => {
  let hosts: LabHost[];
  let before: Dumps[];
  /** Those of a change, without those of the probe before it. */
  let steps: Step[];
  const operator = new Operator(lab);

  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
    const rehearsed = await rehearse(operator, hosts, 'stepped', ASK);
    before = rehearsed.before;
    const [ran = [], ...others] = rehearsed.ran.map((lines) =>
      lines.map((line) => line.split(' ').slice(0, 2).join(' ')),
    );
    for (const other of others) expect(other).toEqual(ran);
    const first = ran.findIndex((line) => line.startsWith('mkdir'));
    // after one is before the next, but for the link, which is then not in the receipt yet, and the last
    steps = ran.flatMap((command, i) => {
      if (i < first) return [];
      const step = { number: i + 1, when: 'before', command } as const;
      const after = command.startsWith('ln') || i === ran.length - 1;
      return after ? [step, { ...step, when: 'after' as const }] : [step];
    });
    expect(steps.length).toBeGreaterThanOrEqual(9);
  });
  afterAll(async () => {
    await unstageSteps(hosts);
    operator.forget();
  });

  const everywhere = <T>(work: (host: LabHost, i: number) => Promise<T>): Promise<T[]> => Promise.all(hosts.map(work));

  /** What is said of a host is what is true inside of it. */
  async function expectTruth(run: Run, step: Step, can: readonly string[]): Promise<void> {
    await everywhere(async (host, i) => {
      const { outcome, fault } = run.on(host);
      const what = `${host.name} ${told(step)}: ${outcome} ${fault?.message ?? ''}`;
      expect(can, what).toContain(outcome);
      if (outcome === 'masked') expect(await hold(host, UNIT), what).toBe(HELD);
      else expect(await changes(host, before[i]!), what).toEqual([]);
    });
  }

  it('the controller is killed: recover finds the host masked and proved, or puts it back', async () => {
    for (const step of steps) {
      await orphaned(step);
      hosts.forEach(release);
      await expectTruth(await recover(), step, ['masked', 'rolled-back']);
      await settledForGood();
    }
  });

  it('the power goes, there and at the controller: recover puts the host back', async () => {
    for (const step of steps) {
      await orphaned(step);
      await everywhere((host) => host.powerCut());
      await everywhere((host) => host.boot());
      await expectTruth(await recover(), step, ['rolled-back']);
      await settledForGood();
    }
  });

  it.each([
    ['the shell at work is killed: the host is put back', "pkill -KILL -f '^sh -s -- root'"],
    ['the session is lost: the host is called again and put back, though the shell goes on', LOSE_SESSION],
  ])('%s', async (_, fault) => {
    for (const step of steps) {
      const running = await faulted(step, fault);
      hosts.forEach(release);
      await expectTruth(await running.run, step, ['rolled-back']);
    }
  });

  it('the session is lost, and what the shell has begun hangs: the undo ends that, so that it does nothing later', async () => {
    for (const step of steps) {
      const running = await faulted(step, LOSE_SESSION);
      const run = await running.run;
      hosts.forEach(release);
      // what is left of it, if anything, looks every 20 ms
      await sleep(200);
      await expectTruth(run, step, ['rolled-back']);
    }
  });

  /** A change that is held at this step, where its controller was killed. */
  async function orphaned(step: Step): Promise<void> {
    await everywhere((host) => holdAt(host, step));
    const { child, ended } = start(operator, operator.argv(ASK, hosts));
    await everywhere((host) => untilHeld(host));
    child.kill('SIGKILL');
    await ended;
  }

  /** A change that is held at this step, where a script made a fault. */
  async function faulted(step: Step, script: string): Promise<{ run: Promise<Run> }> {
    await everywhere((host) => holdAt(host, step));
    const run = operator.do(ASK, hosts);
    await everywhere((host) => untilHeld(host));
    await everywhere((host) => sh(host, script));
    return { run };
  }

  function recover(): Promise<Run> {
    return operator.run(['recover', 'last', '-y', '--known-hosts', lab.knownHosts, '-o', 'json']);
  }

  /** Nothing is left to recover; what is masked is put back for the next step. */
  async function settledForGood(): Promise<void> {
    const { inDoubt } = JSON.parse((await operator.run(['runs', 'show', 'last', '-o', 'json'])).stdout);
    expect(inDoubt).toEqual([]);
    await operator.undo('last');
    await everywhere(async (host, i) => expect(await changes(host, before[i]!)).toEqual([]));
  }
});
