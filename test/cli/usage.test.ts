/** What an operator can get wrong: exit 2, a sentence that says what and where, and nothing is touched. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { operator } from '../operator.ts';

const alice = operator();
afterAll(() => alice.dispose());

const HOSTS = join(alice.home, 'hosts.yaml');
const BROKEN = join(alice.home, 'broken.yaml');
const PROGRAM = join(alice.home, 'hosts.ini');
writeFileSync(HOSTS, 'all:\n  hosts:\n    web1: { ansible_host: 127.0.0.1, ansible_port: 1 }\n');
writeFileSync(BROKEN, 'all:\n  hosts:\n    web1: {\n');
writeFileSync(PROGRAM, '[web]\nweb1\n[web:children]\nnobody\n');

const NEVER: readonly (readonly [args: string, says: RegExp])[] = [
  ['', /Which command/],
  ['frobnicate', /frobnicate|Unknown/],
  ['mask', /an argument is missing: fleetmask mask <units/],
  [`mask cron -i ${HOSTS}`, /limit/],
  [`mask cron -i ${HOSTS} -l all`, /consent.*terminal/],
  [`mask cron -i ${HOSTS} -l all -y --frobnicate`, /frobnicate/],
  ['mask cron -l all -y', /no inventory/],
  [`mask cron -i ${HOSTS} -l nobody -y`, /nobody/],
  [`mask cron -i ${HOSTS} -l all -l web1 -y`, /--limit.*more than once/],
  [`mask v* -i ${HOSTS} -l all -y`, /not a unit name/],
  [`mask $(id) -i ${HOSTS} -l all -y`, /not a unit name/],
  [`mask a/b.service -i ${HOSTS} -l all -y`, /not a unit name/],
  [`mask -i ${HOSTS} -l all -y -- -.mount`, /not a unit name: "-\.mount"/],
  ['frobnicate -- --now', /no command "frobnicate"/],
  [`mask ${'a'.repeat(300)} -i ${HOSTS} -l all -y`, /not a unit name/],
  [`mask cron -i ${BROKEN} -l all -y`, /broken\.yaml:\d+/],
  [`mask cron -i ${PROGRAM} -l all -y`, /hosts\.ini:\d+/],
  [`mask cron -i /nowhere.yaml -l all -y`, /nowhere\.yaml/],
  [`mask cron -i ${HOSTS} -l all -y -f 0`, /forks/],
  [`mask cron -i ${HOSTS} -l all -y -f many`, /forks/],
  [`mask cron -i ${HOSTS} -l all -y -T soon`, /--timeout.*duration/],
  [`mask cron -i ${HOSTS} -l all -y --host-timeout 0`, /--host-timeout.*duration/],
  [`mask cron -i ${HOSTS} -l all -y --host-key-checking maybe`, /maybe|Invalid/],
  [`mask cron -i ${HOSTS} -l all -y --private-key /no/such/key`, /\/no\/such\/key/],
  [`mask cron -i ${HOSTS} -l all -y --port 70000`, /--port/],
  [`mask cron -i ${HOSTS} -l all -y --kill-leftovers`, /--now/],
  [`mask ssh -i ${HOSTS} -l all -y --allow-lockout`, /--allow-lockout goes with --confirm-within/],
  [
    `mask cron -i ${HOSTS} -l all -y -o yaml`,
    /--output: no such choice: "yaml", Choices: "table", "json", "ndjson", "csv", "junit", "html"/,
  ],
  [`doctor -i ${HOSTS} -o csv`, /--output: no such choice: "csv"/],
  [`inventory list -i ${HOSTS} -o junit`, /--output: no such choice: "junit"/],
  [`watch cron -i ${HOSTS} -o html`, /--output: no such choice: "html"/],
  [`recover --from-hosts -i ${HOSTS} -o csv`, /list of receipts has no form as csv/],
  ['runs list -o csv', /runs list has no form as csv/],
  ['runs show last -o html', /runs show has no form as html/],
  ['plan frob cron', /mask or unmask/],
  [`plan unmask v* -i ${HOSTS}`, /not a unit name/],
  ['rollback 20990101', /no run/],
  ['rollback ../../etc/passwd', /no run/],
  ['runs frob', /list or show/],
  ['runs show', /which run/],
  ['runs export', /runs export: which run/],
  ['runs export nobody', /no run "nobody"/],
  ['inventory frob', /list or graph/],
];

describe('exit 2, with what is wrong and nothing on stdout:', () => {
  for (const [args, says] of NEVER) {
    const shown = args.replaceAll(`${alice.home}/`, '').replace(/a{99,}/, 'aaa…');
    it(`fleetmask ${shown}`, async () => {
      const { code, stdout, stderr } = await alice.run(...args.split(' ').filter((word) => word !== ''));
      expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(says);
      expect(stderr).toMatch(/^fleetmask: /);
    });
  }
});

it('what follows -- is an argument, whatever it begins with', async () => {
  const answer = async (args: string) => (await alice.run(...args.split(' '))).stdout;
  const plain = await answer(`inventory host web1 -i ${HOSTS} -o json`);
  expect(plain).toMatch('127.0.0.1');
  expect(await answer(`inventory -i ${HOSTS} -o json -- host web1`)).toBe(plain);
  expect(await answer(`inventory host -i ${HOSTS} -o json -- web1`)).toBe(plain);
});

describe('a question', () => {
  it('names units and hosts, and no is no', async () => {
    let asked = '';
    const bob = operator({
      prompt: async (question) => {
        asked = question;
        return 'n';
      },
    });
    const { code, stderr } = await bob.run('mask', 'cron', '--now', '-i', HOSTS, '-l', 'all');
    bob.dispose();
    expect(asked).toMatch(/Mask cron \(and stop it\) on 1 host: web1\? \[y\/N\]/);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('nothing was touched') });
  });
});

describe('Ctrl-C at a question', () => {
  it.each(['', '-k', '-y -K'])('is an interruption, not a terminal that is missing: %s', async (flags) => {
    const bob = operator({ prompt: async () => null });
    const words = `mask cron -i ${HOSTS} -l all ${flags}`.trim().split(' ');
    const { code, stderr } = await bob.run(...words);
    bob.dispose();
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: 'fleetmask: interrupted at the prompt: nothing was touched\n',
    });
  });
});

describe('an inventory from stdin', () => {
  it.each(['-i -', '--inventory -', '-i=-'])('is named by %s', async (flag) => {
    const bob = operator({ readStdin: async () => '[db]\ndb1\ndb2\n' });
    const words = `inventory list -l db ${flag} --names`.split(' ');
    const { code, stdout, stderr } = await bob.run(...words);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'db1\ndb2\n', stderr: '' });
    bob.dispose();
  });
});

describe('help', () => {
  for (const command of [
    '',
    'mask',
    'unmask',
    'status',
    'plan',
    'rollback',
    'recover',
    'watch',
    'runs',
    'inventory',
    'doctor',
    'demo',
  ]) {
    it(`of ${command || 'fleetmask'} is on stdout, fits, and has examples`, async () => {
      const { code, stdout } = await alice.run(...command.split(' ').filter(Boolean), '--help');
      expect(code).toBe(0);
      expect(stdout).toContain('fleetmask');
      if (command !== '') expect(stdout).toContain('Examples:');
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    });
  }
});

describe('settings', () => {
  it('come from flags, then the environment, then ./fleetmask.yaml, then the user’s config.yaml', async () => {
    const bob = operator({ env: { FLEETMASK_LIMIT: 'nobody-env' } });
    mkdirSync(join(bob.home, '.config', 'fleetmask'), { recursive: true });
    writeFileSync(join(bob.home, '.config', 'fleetmask', 'config.yaml'), `inventory: [${HOSTS}]\nlimit: nobody-user\n`);
    const names = async (...args: string[]) => (await bob.run('inventory', 'list', '--names', ...args)).stderr;
    expect(await names()).toContain('nobody-env');
    expect(await names('-l', 'nobody-flag')).toContain('nobody-flag');
    bob.dispose();
  });

  it('from the nearer file win', async () => {
    const bob = operator();
    mkdirSync(join(bob.home, '.config', 'fleetmask'), { recursive: true });
    writeFileSync(join(bob.home, '.config', 'fleetmask', 'config.yaml'), `inventory: [${HOSTS}]\nlimit: nobody-user\n`);
    writeFileSync(join(bob.home, 'fleetmask.yaml'), 'limit: nobody-here\n');
    expect((await bob.run('inventory', 'list')).stderr).toContain('nobody-here');
    bob.dispose();
  });

  it('are taken as the flag would take them: 0 and 1 are numbers where a number is meant', async () => {
    const check = ['mask', 'cron', '-i', HOSTS, '-l', 'web1', '--check', '-T', '1s'];
    for (const [setting, text] of [
      ['max-fail: 0', '0'],
      ['waves: 5', '5'],
      ['max-unreachable: "10%"', '10%'],
    ] as const) {
      const name = setting.split(':')[0]!;
      const bob = operator({ env: { [`FLEETMASK_${name.toUpperCase().replace('-', '_')}`]: text } });
      expect((await bob.run(...check)).code, setting).toBe(4);
      bob.dispose();
      const carol = operator();
      writeFileSync(join(carol.home, 'fleetmask.yaml'), `${setting}\n`);
      expect((await carol.run(...check)).code, setting).toBe(4);
      writeFileSync(join(carol.home, 'fleetmask.yaml'), `${name}: false\n`);
      expect(await carol.run(...check), setting).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`--${name}`),
      });
      carol.dispose();
    }
    const dave = operator({ env: { FLEETMASK_FORKS: '1', FLEETMASK_NOW: '1' } });
    expect((await dave.run(...check, '--kill-leftovers')).code, 'and a truth where that is meant').toBe(4);
    dave.dispose();
  });

  it('that no command knows are an error with file and line', async () => {
    const bob = operator();
    writeFileSync(join(bob.home, 'fleetmask.yaml'), 'forks: 5\nfroks: 6\n');
    const { code, stderr } = await bob.run('runs', 'list');
    bob.dispose();
    expect(code).toBe(2);
    expect(stderr).toMatch(/fleetmask\.yaml:2: unknown setting "froks"/);
  });
});
