/** Command lines that people type: each does what was meant, or says in a sentence what to type instead. None does nothing and exits 0. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { operator } from '../operator.ts';

const alice = operator();
afterAll(() => alice.dispose());

const HOSTS = join(alice.home, 'hosts.ini');
writeFileSync(HOSTS, '[web]\nweb1 ansible_host=127.0.0.1 ansible_port=1\nweb2 ansible_host=127.0.0.1 ansible_port=1\n');

/** Refused with exit 2 before anything is connected to. `INV` stands for the inventory. */
const REFUSED: readonly (readonly [line: string, says: RegExp])[] = [
  ['stop cron', /no command "stop".*\nhint: Use fleetmask mask UNIT --now/],
  ['start cron', /no command "start".*\nhint: Use fleetmask rollback RUN/],
  ['disable cron -i INV', /no command "disable".*\nhint: disable only keeps a unit from being started at boot/],
  ['enable cron -i INV', /no command "enable".*\nhint: unmask removes a mask/],
  ['is-enabled cron -i INV', /hint: Use fleetmask status UNIT/],
  ['list', /hint: Use fleetmask runs list/],
  ['get hosts', /hint: Use fleetmask status UNIT/],
  ['ping -i INV -l all', /hint: Use fleetmask doctor/],
  ['config', /hint: Settings are in fleetmask\.yaml/],
  ['msak cron -i INV', /no command "msak".*\nhint: Did you mean mask\?/],
  ['help msak', /no command "msak".*\nhint: Did you mean mask\?/],
  ['mask cron -i INV -l', /-l needs a value, and has none/],
  ['mask cron -iINV -lall --user', /--user needs a value, and has none/],
  [
    'mask cron -i INV -l -y',
    /-l needs a value, and has none\nhint: A value that begins with - is attached: --limit=-y/,
  ],
  ['status cron -i INV -o', /-o needs one of table, json/],
  ['mask cron -i INV -l all -e foo=bar', /no option "-e"\nhint: Variables belong in the inventory/],
  ['mask cron -i INV -l all --check --diff', /no option "--diff"\nhint: Use --check/],
  ['mask cron -i INV -l all --dry-run=server', /--dry-run takes no value, and was given "server"/],
  ['mask cron -i INV -l all --now=yes -y', /--now takes no value, and was given "yes"/],
  ['mask cron -i INV -l all --serial 1 -y', /no option "--serial"\nhint: Use --waves/],
  ['mask cron -i INV -l all --force -y', /no option "--force"\nhint: Nothing is forced here/],
  ['mask cron -i INV -l all --nwo -y', /no option "--nwo"\nhint: Did you mean --now\?/],
  ['mask cron -i INV -l all -now -y', /one dash and the name of a long option\nhint: Use --now/],
  ['plan mask cron -i INV -out x.plan', /one dash and the name of a long option\nhint: Use --out/],
  ['mask cron -i INV -lall -yx', /no option "-x"/],
  ['watch cron --interval 5', /no option "--interval"\nhint: Use --every/],
  ['status cron -i INV -l all --json', /no option "--json"\nhint: Use -o json/],
  ['status --all -i INV', /no option "--all"\nhint: Use -l all/],
  ['inventory --list -i INV', /no option "--list"\nhint: Use fleetmask inventory list/],
  ['--vers', /no option "--vers"\nhint: Did you mean --version\?/],
  ['mask cron.servce -i INV -l all -y', /"cron\.servce" has no suffix of a unit\nhint: Did you mean cron\.service\?/],
  ['mask cups.sokcet -i INV -l all -y', /hint: Did you mean cups\.socket\?/],
  ['mask cron -i INV -l wbe -y', /no host or group matches "wbe"\nhint: Did you mean web/],
  ['mask cron -i INV', /limit/],
];

const type = (line: string) => alice.run(...line.replaceAll('INV', HOSTS).split(' '));

describe('refused with what to type instead:', () => {
  it.each(REFUSED)('%s', async (line, says) => {
    const { code, stdout, stderr } = await type(line);
    expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/allow-absent|a bug/);
  });
});

/** Each pair of lines answers alike. */
const ALIKE: readonly (readonly [typed: string, meant: string])[] = [
  ['inventory list -iINV -lweb1 --names', 'inventory list -i INV -l web1 --names'],
  ['inventory list -i=INV -l=web1 --names', 'inventory list -i INV -l web1 --names'],
  ['-i INV inventory list --names', 'inventory list -i INV --names'],
  ['inventory ls -i INV', 'inventory list -i INV'],
  ['inventory list -ojson -iINV', 'inventory list -i INV --output json'],
  ['inventory list -vi INV', 'inventory list -v -i INV'],
  ['inventory list -vojson -iINV', 'inventory list -v -o json -i INV'],
  ['plan mask cron -iINV -lweb1 -f20 -T1 -ojson', 'plan mask cron -i INV -l web1 -f 20 -T 1 -o json'],
  ['mask cron -iINV -lweb1 --dry-run -T1 -ojson', 'mask cron -i INV -l web1 --check -T 1 -o json'],
  ['help mask', 'mask --help'],
  ['help', '--help'],
  ['help undo', 'rollback --help'],
  ['mask -h', 'mask --help'],
  ['version', '--version'],
  ['-V', '--version'],
  ['history', 'runs list'],
  ['runs ls', 'runs list'],
  ['undo 20990101', 'rollback 20990101'],
];

/** Times and the ids of runs differ. */
const timeless = (text: string) =>
  text.replace(/\d{8}-\d{9}-[0-9a-f]{6}|\d{4}-\d\d-\d\dT[\d:.]+Z|"seconds": [\d.]+/g, '');

describe('is taken as it is meant:', () => {
  it.each(ALIKE)('%s', async (typed, meant) => {
    const [one, other] = [await type(typed), await type(meant)];
    expect([one.code, timeless(one.stdout), one.stderr]).toEqual([other.code, timeless(other.stdout), other.stderr]);
    expect(one.stdout + one.stderr).not.toBe('');
  });
});

it('attached options mask what they say: nothing exits 0 having done nothing', async () => {
  const run = await type('mask cron -iINV -lall -y -T2 -ojson');
  expect(run.code).toBe(4);
  expect(run.report.totals).toEqual({ unreachable: 2 });
});
