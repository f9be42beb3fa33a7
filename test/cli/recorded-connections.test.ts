/** Plan files and journals that somebody else wrote: what they would run and where they would lead is shown, and agreed to. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { canonical } from '../../src/run/saved-plan.ts';
import { demoFleet } from '../embedded.ts';
import { type Operator, operator } from '../operator.ts';

const NAMES = ['deb-web1', 'el-app1'];

let fleet: Fleet;
let alice: Operator;
let marker: string;
let plan: string;
beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
afterAll(() => fleet.dispose());
beforeEach(() => {
  alice = operator();
  marker = join(alice.home, 'ran');
  plan = join(alice.home, 'cron.plan');
});
afterEach(async () => {
  if (existsSync(alice.stateDir)) await alice.run('rollback', 'last', '-y', '--trust-plan', ...known());
  alice.dispose();
});

const known = () => ['--known-hosts', fleet.knownHostsPath];
const on = (...names: string[]) => [
  '-i',
  fleet.inventoryPath,
  '-l',
  names.join(','),
  '-F',
  'none',
  ...known(),
  '-o',
  'json',
];
const proxied = () => ({ kind: 'command', command: `touch ${marker}; exit 1` });

type Fields = Record<string, unknown>;

/** The plan, changed, with a digest that fits. */
function forgePlan(change: (host: Fields) => void): void {
  const { digest: _, ...found } = JSON.parse(readFileSync(plan, 'utf8')) as {
    digest: string;
    hosts: [{ host: Fields }];
  };
  change(found.hosts[0].host);
  const digest = createHash('sha256').update(canonical(found)).digest('hex');
  writeFileSync(plan, JSON.stringify({ ...found, digest }));
}

function forgeJournal(change: (host: Fields) => void): void {
  const dir = join(alice.stateDir, 'runs');
  const file = join(dir, readdirSync(dir).find((name) => name.endsWith('.ndjson'))!);
  const [first = '', ...rest] = readFileSync(file, 'utf8').split('\n');
  const start = JSON.parse(first) as { hosts: [Fields] };
  change(start.hosts[0]);
  writeFileSync(file, [JSON.stringify(start), ...rest].join('\n'));
}

const refused = (stderr: string) => expect.objectContaining({ code: 2, stderr: expect.stringContaining(stderr) });

describe('a plan file', () => {
  beforeEach(async () => {
    const { code, stderr } = await alice.run('plan', 'mask', 'cron', '--out', plan, ...on(...NAMES));
    expect(code, stderr).toBe(3);
  });
  const apply = (...more: string[]) => alice.run('apply', plan, '-y', ...known(), '-o', 'json', ...more);

  it.each([
    ['KnownHostsCommand=touch ran', 'option -o KnownHostsCommand=touch ran'],
    ['HostName=elsewhere', 'option -o HostName=elsewhere'],
  ])('with the option %s for ssh is shown', async (option, line) => {
    forgePlan((host) => {
      host.ssh = { ...(host.ssh as Fields), options: [option] };
    });
    expect(await apply()).toEqual(refused(line));
  });

  it('of one’s own is carried out without a question', async () => {
    const run = await apply();
    expect(run.code, run.stderr).toBe(0);
  });

  it('that names a command is refused without a terminal, with the command, and nothing is run', async () => {
    forgePlan((host) => Object.assign(host, { proxy: proxied() }));
    const run = await apply();
    expect(run).toEqual(refused(`command touch ${marker}; exit 1  (deb-web1)`));
    expect(run.stderr).toContain('--trust-plan');
    expect(existsSync(marker)).toBe(false);
  });

  it('also where the command leads to a bastion', async () => {
    forgePlan((host) => Object.assign(host, { proxy: { kind: 'jump', via: { ...host, proxy: proxied() } } }));
    expect(await apply()).toEqual(refused('command touch'));
    expect(existsSync(marker)).toBe(false);
  });

  it.each([
    ['another address', { address: '127.0.0.66' }, /address \S+@127\.0\.0\.66:\d+ {2}\(deb-web1\)/],
    ['another user', { user: 'mallory' }, /address mallory@/],
    [
      'other host keys',
      { hostKeyChecking: 'accept-new', knownHostsFiles: ['/tmp/x'] },
      /host-key-checking accept-new[\s\S]*known_hosts \/tmp\/x/,
    ],
    ['an ssh_config', { ssh: { destination: 'x', config: '/tmp/evil' } }, /ssh_config \/tmp\/evil/],
    ['no seal at all', { seal: undefined }, /address/],
  ])('with %s is refused without a terminal', async (_, change, says) => {
    forgePlan((host) => Object.assign(host, change));
    // flags that decide for all hosts are not what the plan says
    const run = await alice.run('apply', plan, '-y', '-o', 'json');
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(says) });
  });

  it('with characters that deceive shows them escaped', async () => {
    forgePlan((host) => Object.assign(host, { proxy: { kind: 'command', command: 'evil\u001b[2K\rgood' } }));
    const { stderr } = await apply();
    expect(stderr).toContain('evil\\x1b');
    for (const deceives of ['\u001b', '\r']) expect(stderr).not.toContain(deceives);
  });

  it('is used where a person agrees, or --trust-plan says so, or the inventory gives the hosts', async () => {
    forgePlan((host) => Object.assign(host, { seal: 'x' }));
    const asked: string[] = [];
    const answering = (answer: string | null) =>
      operator({
        cwd: alice.home,
        env: { FLEETMASK_STATE_DIR: alice.stateDir },
        prompt: async (question) => {
          asked.push(question);
          return answer;
        },
      });
    for (const [answer, code] of [
      ['n', 2],
      [null, 130],
      ['y', 0],
    ] as const) {
      const person = answering(answer);
      const run = await person.run('apply', plan, '-y', ...known(), '-o', 'json');
      person.dispose();
      expect(run.code, run.stderr).toBe(code);
    }
    expect(asked).toHaveLength(3);
    expect(asked[0]).toMatch(
      /neither your inventory nor your ssh_config gives:\n {2}address [\s\S]*Use it\? \[y\/N\] $/,
    );
    await alice.run('rollback', 'last', '-y', ...known());
    expect((await apply('--trust-plan')).code).not.toBe(2);
    await alice.run('rollback', 'last', '-y', ...known());
    expect((await alice.run('apply', plan, '-y', ...on(...NAMES))).code).not.toBe(2);
  });
});

describe('a journal', () => {
  beforeEach(async () => {
    const run = await alice.run('mask', 'cron', '-y', ...on('deb-web1'));
    expect(run.code, run.stderr).toBe(0);
  });

  it('of one’s own is followed without a question; its key is for its owner alone', async () => {
    expect(statSync(join(alice.stateDir, 'seal.key')).mode & 0o777).toBe(0o600);
    expect((await alice.run('rollback', 'last', '-y', ...known())).code).toBe(0);
  });

  it.each([
    'rollback last -y',
    'recover last -y',
    'confirm last',
    'extend last --expires 2h',
    'release last',
    'watch --run last --count 1',
  ])('that names a command, or another address, is not followed: %s', async (line) => {
    // in doubt, and with an automatic rollback, so that each command has something to do
    const dir = join(alice.stateDir, 'runs');
    const file = join(dir, readdirSync(dir).find((name) => name.endsWith('.ndjson'))!);
    const text = readFileSync(file, 'utf8');
    const records = text
      .trimEnd()
      .split('\n')
      .map((each) => JSON.parse(each) as { type: string; report: Fields; run: Fields });
    const start = records[0]!;
    Object.assign(start.run, { confirmWithin: 300, expiresAt: '2099-01-01T00:00:00Z' });
    for (const record of records) {
      if (record.type === 'settled')
        Object.assign(record.report, { confirmBy: '2099-01-01T00:00:00Z', expiresAt: '2099-01-01T00:00:00Z' });
    }
    const kept = line.startsWith('recover')
      ? records.filter(({ type }) => type !== 'settled' && type !== 'finished')
      : records;
    writeFileSync(file, kept.map((record) => `${JSON.stringify(record)}\n`).join(''));
    for (const change of [{ proxy: proxied() }, { address: '127.0.0.66' }]) {
      const before = readFileSync(file, 'utf8');
      forgeJournal((host) => Object.assign(host, change));
      const run = await alice.run(...line.split(' '), ...known());
      expect(run, run.stderr).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/command touch|address \S+@127\.0\.0\.66/),
      });
      expect(existsSync(marker)).toBe(false);
      writeFileSync(file, before);
    }
    writeFileSync(file, text);
  });

  it('a command that ssh_config gives today needs no question', async () => {
    mkdirSync(join(alice.home, '.ssh'), { mode: 0o700 });
    writeFileSync(join(alice.home, '.ssh', 'config'), `Host deb-web1\n  ProxyCommand touch ${marker}; exit 1\n`, {
      mode: 0o600,
    });
    forgeJournal((host) => Object.assign(host, { proxy: proxied(), seal: undefined }));
    const watch = () => alice.run('watch', '--run', 'last', '--count', '1', '-T', '1s', ...known());
    // the address is asked about, the command is not
    expect((await watch()).stderr).not.toMatch(/^command /m);
    rmSync(join(alice.home, '.ssh'), { recursive: true });
    expect((await watch()).stderr).toMatch(/^command /m);
    rmSync(alice.stateDir, { recursive: true });
  });
});
