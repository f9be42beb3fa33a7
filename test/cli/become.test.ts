/** Becoming root, as an operator asks for it: flags and inventory, the password, and where it must not be. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, startFleet } from '../../src/demo/fleet.ts';
import { DEMO_HOSTS } from '../../src/demo/hosts.ts';
import type { Host, InventoryConnection } from '../../src/model/index.ts';
import { type BecomeFlags, becomeAgain, becomeOf } from '../../src/operations/targets/become.ts';
import { operator } from '../operator.ts';

const host = (connection: InventoryConnection): Host => ({ name: 'web1', groups: [], vars: new Map(), connection });

const alice = operator();
afterAll(() => alice.dispose());

describe('a host becomes root', () => {
  const cases: readonly (readonly [inventory: InventoryConnection, flags: BecomeFlags, by: string])[] = [
    [{}, {}, 'auto'],
    [{}, { become: true }, 'sudo'],
    [{}, { 'become-method': 'doas' }, 'doas'],
    [{ become: true }, {}, 'sudo'],
    [{ become: true, becomeMethod: 'su' }, { 'become-method': 'doas' }, 'su'],
    [{ becomeMethod: 'doas' }, { become: true, 'become-method': 'sudo' }, 'doas'],
    [{ become: false }, {}, 'never'],
    [{ become: false }, { become: true }, 'sudo'],
    [{ become: true, becomeUser: 'root' }, { 'become-user': 'root' }, 'sudo'],
    // a role escalates to postgres somewhere; nothing says that the connection does
    [{ becomeUser: 'postgres' }, {}, 'auto'],
  ];
  for (const [inventory, flags, by] of cases) {
    it(`by ${by} where the inventory says ${JSON.stringify(inventory)} and the flags ${JSON.stringify(flags)}`, () => {
      expect(becomeOf(host(inventory), flags)).toBe(by);
    });
  }

  it('in a rollback as in the run, unless the flags say otherwise', () => {
    expect(becomeAgain('su', {})).toBe('su');
    expect(becomeAgain('auto', { 'become-method': 'su' })).toBe('su');
    expect(becomeAgain('never', {})).toBe('never');
    expect(becomeAgain('never', { become: true })).toBe('sudo');
  });

  it('and never another user', () => {
    for (const become of [
      () => becomeOf(host({ become: true, becomeUser: 'postgres' }), {}),
      () => becomeOf(host({}), { 'become-user': 'postgres' }),
      () => becomeAgain('sudo', { 'become-user': 'postgres' }),
    ]) {
      expect(become).toThrow(/postgres: only root can mask/);
    }
  });
});

const HOSTS = join(alice.home, 'hosts.yaml');
writeFileSync(HOSTS, 'all:\n  hosts:\n    web1: { ansible_host: 127.0.0.1, ansible_port: 1 }\n');
const SECRET = join(alice.home, 'secret');
writeFileSync(SECRET, 's3cret', { mode: 0o600 });
const mask = ['mask', 'cron', '-i', HOSTS, '-l', 'all', '-y', '-F', 'none'];

describe('a password for becoming root', () => {
  const mistakes: readonly (readonly [args: string[], says: RegExp])[] = [
    [['-K'], /nobody answered at a terminal/],
    [['-K', '--become-password-file', SECRET], /-K and --become-password-file both give/],
    [['--become-password-file', '/no/such/file'], /cannot be read/],
    [['--become-method', 'doas', '--become-password-file', SECRET], /doas takes no password/],
    [['--become-method', 'su'], /su asks for the password of root/],
    [['--become-user', 'postgres'], /only root/],
    [['--become-method', 'pbrun'], /pbrun|Invalid/],
    [['--become-password', 's3cret'], /has no option/],
  ];
  for (const [args, says] of mistakes) {
    it(`is a mistake as ${args.join(' ').replace(alice.home, '')}`, async () => {
      const { code, stderr } = await alice.run(...mask, ...args);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(says) });
    });
  }

  it('is asked for once, hidden, before anything is connected to', async () => {
    const asked: string[] = [];
    const bob = operator({
      prompt: async (question, answer) => {
        asked.push(`${question}${answer}`);
        return 's3cret';
      },
    });
    const { code, stdout, stderr } = await bob.run(...mask, '-K', '-o', 'json');
    expect(code, stderr).toBe(4);
    expect(asked).toEqual(['The password for becoming root: hidden']);
    const journals = readdirSync(join(bob.stateDir, 'runs')).map((name) =>
      readFileSync(join(bob.stateDir, 'runs', name), 'utf8'),
    );
    expect(journals.join()).toContain('"become":"auto"');
    expect(journals.join() + stdout + stderr).not.toContain('s3cret');
    bob.dispose();
  });
});

describe('on a fleet that asks for it, a password', () => {
  const PASSWORD = ' s3cr€t "w\\o\'rd` $(id) ';
  let fleet: Fleet;
  beforeAll(async () => {
    const [plain] = DEMO_HOSTS;
    const specs = ['a1', 'a2', 'a3'].map((name) => ({
      ...plain!,
      name,
      image: { ...plain!.image, privilege: 'none' as const },
    }));
    fleet = await startFleet(specs, { path: process.env.PATH ?? '', tempDir: alice.home });
    for (const { dir } of fleet.hosts) writeFileSync(join(dir, 'sim/password'), PASSWORD);
  });
  afterAll(() => fleet.dispose());
  const at = () => ['--known-hosts', fleet.knownHostsPath, '-o', 'json'];
  const given = (content: string) => {
    writeFileSync(SECRET, content, { mode: 0o600 });
    return ['--become-password-file', SECRET];
  };
  const masked = () => [...at(), '-i', fleet.inventoryPath, '-l', 'all', '-y', '-F', 'none'];

  it('that is right masks and puts back, and is written nowhere', async () => {
    const run = await alice.run('mask', 'cron', '--now', ...masked(), ...given(PASSWORD));
    expect(run.report.totals, run.stderr).toEqual({ masked: 3 });
    const back = await alice.run('rollback', 'last', '-y', ...at(), ...given(PASSWORD));
    expect(back.report.totals, back.stderr).toEqual({ restored: 3 });
    const dirs = [alice.stateDir, ...fleet.hosts.map(({ dir }) => join(dir, 'var'))];
    const files = dirs.flatMap((dir) =>
      readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
    );
    expect(files.length).toBeGreaterThan(0);
    const texts = [...files, run.stdout, run.stderr, back.stdout, back.stderr];
    expect(texts.filter((text) => text.includes('s3cr'))).toEqual([]);
  });

  it('that is wrong is told one host, and all are as they were', async () => {
    const run = await alice.run('mask', 'cron', '--now', ...masked(), ...given('s3cr wrong'));
    expect(run.code).toBe(4);
    expect(run.report.totals).toEqual({ refused: 3 });
    const messages = run.report.hosts.map(({ fault }) => `${fault?.kind}: ${fault?.message}`).sort();
    expect(messages).toEqual([
      expect.stringMatching(/^no-privilege: a\d refused the password for becoming root; after that/),
      expect.stringMatching(/^no-privilege: a\d refused the password for becoming root; after that/),
      expect.stringMatching(/^no-privilege: sudo: the password is wrong/),
    ]);
    expect(run.stdout + run.stderr).not.toContain('s3cr');
  });

  it('that is missing is asked for by the hint, and status needs none', async () => {
    const run = await alice.run('mask', 'cron', ...masked());
    for (const { fault } of run.report.hosts)
      expect(fault).toMatchObject({ kind: 'no-privilege', hint: expect.stringContaining('-K') });
    const status = await alice.run(
      'status',
      'cron',
      '--expect',
      'unmasked',
      '-i',
      fleet.inventoryPath,
      '-F',
      'none',
      ...at(),
    );
    expect(status.code, status.stderr).toBe(0);
  });
});
