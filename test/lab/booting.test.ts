/** Hosts that are still booting, and what a boot takes away: jobs that wait for their turn are part of what was there before. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { daemon, letGo, property, sh, unit, until } from './inside.ts';
import type { LabHost } from './lab.ts';
import { outcomes } from './situation.ts';

const PORT = 4712;

describeLab('a host', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'rhel-like']);
    // its boot lasts until it is let go, and what is to be masked waits for that
    const lasting = 'Type=oneshot\nExecStart=/bin/sh -c "until [ -e /run/let-go ]; do sleep 0.1; done"';
    const wanted = '[Install]\nWantedBy=multi-user.target';
    await everywhere((host) =>
      sh(
        host,
        `${unit('lasting.service', `[Service]\n${lasting}\nTimeoutStartSec=infinity\n${wanted}`)}
         ${unit('queued.service', `[Unit]\nAfter=lasting.service\n${daemon()}\n${wanted}`)}
         systemctl daemon-reload; systemctl enable -q queued`,
      ),
    );
  });
  afterAll(() => operator.forget());

  const everywhere = <T>(work: (host: LabHost, i: number) => Promise<T>): Promise<T[]> => Promise.all(hosts.map(work));
  const all = (outcome: string) => Object.fromEntries(hosts.map(({ name }) => [name, outcome]));
  const job = async (host: LabHost) =>
    (await host.exec(['systemctl', 'list-jobs', '--no-legend', '--', 'queued.service'])).stdout
      .trim()
      .split(/ +/)
      .slice(2)
      .join(' ');
  const state = (host: LabHost) => property(host, 'queued.service', 'ActiveState');

  /** Boots the hosts, which stay `starting` until they are let go. */
  async function booting(): Promise<{ booted: Promise<unknown> }> {
    await everywhere((host) => sh(host, 'systemctl enable -q lasting'));
    await everywhere((host) => host.powerCut());
    const booted = everywhere((host) => host.boot());
    await everywhere((host) =>
      until(
        async () => {
          try {
            return `${(await host.exec(['systemctl', 'is-system-running'])).stdout.trim()} ${await job(host)}`;
          } catch (error) {
            return (error as Error).message;
          }
        },
        (told) => told === 'starting start waiting',
      ),
    );
    return { booted };
  }

  async function endOfBoot(booted: Promise<unknown>): Promise<void> {
    await letGo(...hosts);
    await booted;
  }

  it('that is booting is masked before a unit had its turn, and after the rollback the unit waits for it again', async () => {
    const { booted } = await booting();
    const run = await operator.do('mask queued --now', hosts);
    expect(outcomes(run), run.said).toEqual(all('masked'));
    expect(await everywhere(job)).toEqual(hosts.map(() => ''));
    const undone = await operator.undo(run);
    expect(outcomes(undone), undone.said).toEqual(all('restored'));
    expect(await everywhere(job)).toEqual(hosts.map(() => 'start waiting'));
    await endOfBoot(booted);
    await everywhere((host) =>
      until(
        () => state(host),
        (active) => active === 'active',
      ),
    );
  });

  it('that was booting when it was masked has the unit started by a rollback after its boot', async () => {
    const { booted } = await booting();
    const run = await operator.do('mask queued --now', hosts);
    expect(outcomes(run), run.said).toEqual(all('masked'));
    await endOfBoot(booted);
    expect(await everywhere(state)).toEqual(hosts.map(() => 'inactive'));
    const undone = await operator.undo(run);
    expect(outcomes(undone), undone.said).toEqual(all('restored'));
    await everywhere((host) =>
      until(
        () => state(host),
        (active) => active === 'active',
      ),
    );
  });

  it('whose boot removed the mask of a socket is not made to listen where that mask had closed it', async () => {
    await everywhere((host) => sh(host, 'systemctl disable -q lasting'));
    const socket = (host: LabHost) => `[Socket]\nListenStream=${host.address}:${PORT}`;
    const connect = (host: LabHost) => `bash -c 'exec 3<>/dev/tcp/${host.address}/${PORT}' 2>/dev/null`;
    const listens = () => everywhere(async (host) => (await host.exec(connect(host))).code === 0);
    await everywhere((host) =>
      sh(
        host,
        `${unit('shut.socket', socket(host))} ${unit('shut.service', daemon())} systemctl daemon-reload; systemctl start shut.socket
         ln -s /dev/null /run/systemd/system/shut.socket; systemctl daemon-reload`,
      ),
    );
    // that is what systemd calls active
    expect(await everywhere((host) => property(host, 'shut.socket', 'ActiveState'))).toEqual(hosts.map(() => 'active'));
    expect(await listens()).toEqual(hosts.map(() => false));
    const run = await operator.do('mask shut.service shut.socket --now', hosts);
    expect(outcomes(run), run.said).toEqual(all('masked'));
    await everywhere((host) => host.powerCut());
    await everywhere((host) => host.boot());
    const undone = await operator.undo(run);
    expect(outcomes(undone), undone.said).toEqual(all('restored'));
    expect(await listens()).toEqual(hosts.map(() => false));
  });
});
