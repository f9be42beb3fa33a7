/** The line to a host is cut after any number of bytes, either way: what is said of the host is true, and it ends healthy. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, type Dumps, daemon, dumps, ENABLED, HELD, hold, OFTEN, sh, unit } from './inside.ts';
import type { LabHost } from './lab.ts';
import { Relay, type Way } from './relay.ts';

const UNIT = 'lined.service';
/** For each host and each way. */
const CUTS = 12;
/** So many of them before the change. */
const BEFORE = 4;

describeLab('a line that is cut', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  let relays: Relay[];
  let before: Dumps[];
  /** What a line carries up to the change, and in all. */
  let probed: Record<Way, number>[];
  let whole: Record<Way, number>[];
  let way: string[];

  beforeAll(async () => {
    hosts = await lab.hosts(3, ['debian11', 'debian12', 'arch-like']);
    relays = await Promise.all(hosts.map((host) => Relay.to(host)));
    await everywhere((host) => sh(host, `${unit(UNIT, `${OFTEN}${daemon(ENABLED)}`)} systemctl enable -q --now lined`));
    before = await everywhere((host) => dumps(host, [UNIT]));
    const lines = hosts.map(
      ({ name }, i) => `    ${name}: { ansible_host: 127.0.0.1, ansible_port: ${relays[i]!.port} }`,
    );
    const vars = `  vars: { ansible_user: root, ansible_ssh_private_key_file: ${lab.key} }`;
    const inventory = join(operator.stateDir, 'relays.yaml');
    writeFileSync(inventory, `all:\n${vars}\n  hosts:\n${lines.join('\n')}\n`);
    const known = join(operator.stateDir, 'known_hosts');
    writeFileSync(known, hosts.map((host, i) => `[127.0.0.1]:${relays[i]!.port} ${host.publicHostKey}\n`).join(''));
    way = ['-i', inventory, '-l', 'all', '--known-hosts', known, '-y', '-o', 'json'];
    await mask('--check');
    probed = relays.map(({ carried }) => ({ ...carried }));
    const run = await mask();
    whole = relays.map(({ carried }) => ({ ...carried }));
    await expectTruth(run, () => '', ['masked']);
    await putBack();
  });
  afterAll(() => {
    for (const relay of relays) relay.close();
    operator.forget();
  });

  const everywhere = <T>(work: (host: LabHost, i: number) => Promise<T>): Promise<T[]> => Promise.all(hosts.map(work));
  const mask = (...more: string[]) => operator.run(['mask', 'lined', '--now', ...way, ...more]);
  const recover = () => operator.run(['recover', 'last', '-y', '--known-hosts', way[5]!, '-o', 'json']);

  /** How far a line gets: 0 … 1 up to the change, 1 … 2 from there to the end. */
  function cutAt(i: number, to: Way, part: number): number {
    const [first, all] = [probed[i]![to], whole[i]![to]];
    return Math.round(part < 1 ? first * part + 1 : first + (all - first) * (part - 1));
  }

  async function expectTruth(run: Run, where: (i: number) => string, can: readonly string[]): Promise<void> {
    await everywhere(async (host, i) => {
      const { outcome, fault } = run.on(host);
      const what = `${host.name} ${where(i)}: ${outcome} ${fault?.message ?? ''}`;
      expect(can, what).toContain(outcome);
      if (outcome === 'masked') expect(await hold(host, UNIT), what).toBe(HELD);
      else if (outcome !== 'stranded') expect(await changes(host, before[i]!), what).toEqual([]);
    });
  }

  async function putBack(): Promise<void> {
    await operator.run(['rollback', 'last', '-y', '--known-hosts', way[5]!, '-o', 'json']);
    await everywhere(async (host, i) => expect(await changes(host, before[i]!)).toEqual([]));
  }

  it.each(['up', 'down'] as const)(
    `${CUTS} times on each host, on its way %s: it is masked, untouched, or called again and put back`,
    async (to) => {
      const seen = new Set<string>();
      for (let cut = 0; cut < CUTS; cut += 1) {
        const bytes = hosts.map((_, i) =>
          cutAt(i, to, cut < BEFORE ? cut / BEFORE : 1 + (cut - BEFORE) / (CUTS - BEFORE)),
        );
        for (const [i, relay] of relays.entries()) relay.cutAfter(to, bytes[i]!);
        const run = await mask();
        await expectTruth(run, (i) => `${to} ${bytes[i]} of ${whole[i]![to]}`, [
          'masked',
          'rolled-back',
          'unreachable',
        ]);
        for (const { outcome } of run.report.hosts) seen.add(outcome);
        for (const relay of relays) relay.mend();
        await putBack();
      }
      expect([...seen].sort()).toEqual(['masked', 'rolled-back', 'unreachable']);
    },
  );

  it('and stays cut: the host is stranded where it was sent a change, and recovered when the line is back', async () => {
    // half a request gets there; perhaps a whole one; a whole one, and half the answer
    const cuts = [
      ['up', 1.4],
      ['down', 1.1],
      ['down', 1.5],
    ] as const;
    for (const [i, relay] of relays.entries()) relay.cutAfter(cuts[i]![0], cutAt(i, cuts[i]![0], cuts[i]![1]), true);
    const run = await mask('--rollback-timeout', '15s');
    await expectTruth(run, (i) => cuts[i]!.join(' '), ['stranded']);
    for (const relay of relays) relay.mend();
    const recovered = await recover();
    await expectTruth(recovered, (i) => cuts[i]!.join(' '), ['masked', 'rolled-back']);
    expect(
      hosts.map((host) => recovered.on(host).outcome),
      recovered.said,
    ).toMatchObject({ 0: 'rolled-back', 2: 'masked' });
    await putBack();
  });
});
