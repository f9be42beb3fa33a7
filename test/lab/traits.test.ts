/**
 * Hosts with the traits of distributions that are not Debian, each value of a trait with each value of every other one, on each
 * systemd: masked, held, and equal to a dump after the rollback. Where a trait rules a mask out, the host says so, untouched.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { howItWent, Operator, type Run } from './fleetmask.ts';
import { describeLab } from './given.ts';
import { changes, type Dumps, dumps, HELD, hold, receiptOf, reloadMark, sh } from './inside.ts';
import { KINDS, type Kind } from './kinds.ts';
import type { LabHost } from './lab.ts';
import { type Pair, pairsIn, pairsOf, pairwise } from './pairwise.ts';
import { outcomes } from './situation.ts';
import { canHave, TRAITS, type Trait, type Traits, traitsFrom } from './traits.ts';

const UNIT = 'traited.service';
const DEBIANS = KINDS.filter(({ family }) => family === 'debian');
const kindOf = (systemd: string): Kind => DEBIANS.find((kind) => String(kind.systemd) === systemd)!;

/** With these no host can be masked, whatever else it is: they come one by one, below. */
const RULED_OUT = ['sh=mksh', 'root=run0'];
/** Nor with both of one of these. */
const NEVER_TOGETHER = [
  // a mask has no place there
  ['etc=readonly', 'units=etc'],
  ['etc=store', 'units=etc'],
  // PAM lets nobody but root in, as long as the boot has not come that far
  ['state=maintenance', 'root=sudo'],
  ['state=maintenance', 'root=sudo-rs'],
  ['state=maintenance', 'root=doas'],
];

const PARAMETERS = {
  systemd: DEBIANS.map(({ systemd }) => String(systemd)),
  ...Object.fromEntries(
    Object.entries(TRAITS).map(([name, values]) => [
      name,
      values.filter((value) => !RULED_OUT.includes(`${name}=${value}`)),
    ]),
  ),
};

/** Whether a host of some kind can have both. */
function possible(pair: Pair): boolean {
  const fits = (kind: Kind, word: string) => {
    const [name, value] = word.split('=') as [Trait | 'systemd', string];
    return name === 'systemd' ? kindOf(value) === kind : canHave(kind, name, value);
  };
  if (NEVER_TOGETHER.some((words) => words.every((word) => pair.includes(word)))) return false;
  return DEBIANS.some((kind) => pair.every((word) => fits(kind, word)));
}

const ROWS = pairwise(PARAMETERS, possible);
const wanted = ({ systemd, ...traits }: Readonly<Record<string, string>>) => ({
  kind: kindOf(systemd!).name,
  traits: traits as Traits,
});

const PLAIN: Traits = {
  sh: 'dash',
  coreutils: 'gnu',
  usr: 'merged',
  etc: 'writable',
  units: 'vendor',
  state: 'running',
  bus: 'daemon',
  root: 'login',
  server: 'openssh',
};

const RUNTIME = '--now --runtime';
const DISPLACE = '--now --local-units displace';
/** What cannot be, each on a host of its own: what is asked, and what the host is refused for. */
const REFUSED: readonly (readonly [kind: string, traits: string[], asked: string, says: RegExp, hint: RegExp])[] = [
  ['debian11', ['sh=mksh'], '--now', /^refused: no-shell: .* under mksh/, /dash, bash or busybox/],
  ['debian13', ['sh=mksh'], '--now', /^refused: no-shell: .* under mksh/, /dash, bash or busybox/],
  [
    'debian13',
    ['root=run0'],
    '--now',
    /^refused: no-privilege: .*sudo: not found/,
    /--become-method, or log in as root/,
  ],
  ['debian11', ['etc=readonly', 'units=etc'], '--now', /^refused: local-unit: /, /--local-units displace/],
  ['debian12', ['etc=readonly', 'units=etc'], DISPLACE, /^refused: write-failed: .*Read-only/, /writable/],
  ['debian13', ['etc=readonly', 'units=etc'], RUNTIME, /^refused: local-unit: .*outranks a mask in \/run/, /without/],
  ['debian12', ['etc=store', 'units=etc'], RUNTIME, /^refused: local-unit: .*outranks a mask in \/run/, /without/],
  ['debian13', ['etc=store', 'units=etc'], DISPLACE, /^refused: write-failed: .*Read-only/, /writable/],
  ['debian12', ['state=maintenance', 'root=sudo'], '--now', /^unreachable: auth: .*booting up.*not permitted/, /-u/],
];

describe('the rows', () => {
  it('bring each value together with each value of every other trait, and nothing that cannot be', () => {
    const met = new Set(ROWS.flatMap((row) => pairsIn(PARAMETERS, row)).map((pair) => pair.join()));
    const all = pairsOf(PARAMETERS);
    expect(all.filter(possible).filter((pair) => !met.has(pair.join()))).toEqual([]);
    expect(all.filter((pair) => !possible(pair)).filter((pair) => met.has(pair.join()))).toEqual([]);
    expect(all.length).toBeGreaterThan(300);
    expect(ROWS.length).toBeLessThan(30);
  });
});

describeLab('hosts of every trait', (lab) => {
  const operator = new Operator(lab);
  let hosts: LabHost[];
  let walled: LabHost[];
  let refusing: LabHost[];
  let before: Record<string, Dumps>;
  let asks = 0;
  const inventory = (on: readonly LabHost[]) => {
    const line = (host: LabHost) => {
      const method = { login: 'root', sudo: 'sudo', 'sudo-rs': 'sudo', doas: 'doas', run0: 'sudo' }[host.traits.root!];
      const user = method === 'root' ? 'ansible_user=root' : `ansible_user=op ansible_become_method=${method}`;
      return `${host.name} ansible_host=${host.address} ansible_port=${host.port} ansible_ssh_private_key_file=${lab.key} ${user}\n`;
    };
    const path = join(operator.stateDir, `${++asks}.ini`);
    writeFileSync(path, on.map(line).join(''), { mode: 0o600 });
    return path;
  };
  const ask = (on: readonly LabHost[], command: string, env = {}): Promise<Run> => {
    const consent = /^mask/.test(command) ? ['-y'] : [];
    const where = ['-l', 'all', '-i', inventory(on), '-F', 'none', '--known-hosts', lab.knownHosts, '-o', 'json'];
    return operator.run([...command.split(' '), ...consent, ...where], env);
  };
  const each = async <T>(on: readonly LabHost[], read: (host: LabHost) => Promise<T>): Promise<Record<string, T>> =>
    Object.fromEntries(await Promise.all(on.map(async (host) => [titled(host), await read(host)] as const)));
  const same = <T>(on: readonly LabHost[], value: T) => Object.fromEntries(on.map((host) => [titled(host), value]));
  const titled = ({ name, traits }: LabHost) => `${name} ${Object.values(traits).join(' ')}`;
  const ended = (on: readonly LabHost[], run: Run) =>
    Object.fromEntries(on.map((host) => [titled(host), outcomes(run)[host.name]]));

  beforeAll(async () => {
    const rows = REFUSED.map(([kind, traits]) => ({ kind, traits: { ...PLAIN, ...traitsFrom(traits) } }));
    const all = await lab.shaped([...ROWS.map(wanted), ...rows]);
    hosts = all.slice(0, ROWS.length);
    walled = hosts.filter(({ traits }) => traits.etc !== 'writable');
    refusing = all.slice(ROWS.length);
    await Promise.all(all.map((host) => sh(host, `systemctl start ${UNIT}`)));
    before = await each(all, (host) => dumps(host, [UNIT]));
  });
  afterAll(async () => {
    await Promise.all([...hosts, ...refusing].map((host) => host.remove()));
    operator.forget();
  });

  const masksAndPutsBack = async (on: readonly LabHost[], asked: string) => {
    const run = await ask(on, `mask traited ${asked}`);
    expect(ended(on, run), run.said).toEqual(same(on, 'masked'));
    expect(await each(on, (host) => hold(host, UNIT))).toEqual(same(on, HELD));
    const undone = await operator.undo(run);
    expect(ended(on, undone), undone.said).toEqual(same(on, 'restored'));
    expect(await each(on, (host) => changes(host, before[titled(host)]!))).toEqual(same(on, []));
  };

  it('whose /etc/systemd/system takes no mask are refused, untouched, and pointed to --runtime', async () => {
    const marks = await each(walled, reloadMark);
    const run = await ask(walled, 'mask traited --now');
    for (const host of walled) {
      const { outcome, fault } = run.on(host);
      expect(`${titled(host)}: ${outcome}: ${fault?.kind}`).toBe(`${titled(host)}: refused: write-failed`);
      expect(fault?.message).toMatch(/\/etc\/systemd\/system\/traited.service.*: Read-only file system/);
      expect(fault?.hint).toMatch('Use `--runtime`');
    }
    expect(await each(walled, reloadMark)).toEqual(marks);
    expect(await each(walled, (host) => changes(host, before[titled(host)]!))).toEqual(same(walled, []));
  });

  it('are read, masked, held, and put back', async () => {
    const read = await ask(hosts, 'status traited');
    expect(ended(hosts, read), read.said).toEqual(same(hosts, 'not-masked'));
    const others = hosts.filter((host) => !walled.includes(host));
    await Promise.all([
      masksAndPutsBack(walled, RUNTIME),
      masksAndPutsBack(others, `${DISPLACE} --confirm-within 10m`),
    ]);
  });

  it('that cannot be masked say why, untouched', async () => {
    const marks = await each(refusing, reloadMark);
    await Promise.all(
      [...new Set(REFUSED.map(([, , asked]) => asked))].map(async (asked) => {
        const on = refusing.filter((_, i) => REFUSED[i]![2] === asked);
        const run = await ask(on, `mask traited ${asked}`);
        for (const host of on) {
          const [, , , says, hint] = REFUSED[refusing.indexOf(host)]!;
          expect(howItWent(run.on(host)), titled(host)).toMatch(says);
          expect(run.on(host).fault?.hint, titled(host)).toMatch(hint);
          expect(await receiptOf(host, run.report.run.id)).toBe('');
        }
      }),
    );
    expect(await each(refusing, reloadMark)).toEqual(marks);
    expect(await each(refusing, (host) => changes(host, before[titled(host)]!))).toEqual(same(refusing, []));
  });
});
