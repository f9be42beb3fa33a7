/** Journals whose records are JSON and no records: every command says where and what, or reads on by a rule; none ends as a bug. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from '../../src/demo/fleet.ts';
import { journalFrom } from '../../src/journal/append-log.ts';
import { RECORD_TYPES } from '../../src/journal/record-schema.ts';
import { UsageError } from '../../src/model/index.ts';
import { demoFleet, operatorsOn } from '../embedded.ts';
import { type Operator, operator } from '../operator.ts';

const NAMES = ['deb-web1', 'el-app1'];
let fleet: Fleet;
const person = operatorsOn(() => fleet);
beforeAll(async () => {
  fleet = await demoFleet(NAMES);
});
afterAll(() => fleet.dispose());

const ways = () => ['--known-hosts', fleet.knownHostsPath, '-o', 'json'];
const fleetwide = () => ['-i', fleet.inventoryPath, '-l', NAMES.join(','), '-F', 'none', ...ways()];
const runsOf = ({ stateDir }: Operator) =>
  readdirSync(join(stateDir, 'runs')).filter((name) => name.endsWith('.ndjson'));
const fileOf = (alice: Operator) => join(alice.stateDir, 'runs', runsOf(alice).at(-1)!);
const linesOf = (alice: Operator) => readFileSync(fileOf(alice), 'utf8').trimEnd().split('\n');

/** A journal that has a record of every type, as the commands themselves have written it. */
async function everyRecord(): Promise<{ id: string; lines: string[] }> {
  const alice = person();
  const terms = [
    '--rollback',
    'fleet',
    '--expires',
    '2h',
    '--confirm-within',
    '5m',
    '--waves',
    '1,100%',
    '--reason',
    'x',
  ];
  const { id } = (await alice.run('mask', 'cron', '--now', '-y', ...terms, ...fleetwide())).report.run;
  await alice.run('confirm', id, ...ways());
  await alice.run('extend', id, '--expires', '3h', ...ways());
  await alice.run('release', id, ...ways());
  await alice.run('rollback', id, '-y', '-l', 'deb-web1', ...ways());
  const intent = linesOf(alice).find((line) => line.includes('"intent"') && line.includes('el-app1'))!;
  appendFileSync(fileOf(alice), `${intent}\n`);
  await alice.run('recover', id, '-y', ...ways());
  appendFileSync(fileOf(alice), `${intent}\n`);
  await alice.run('recover', id, '--forget', '-l', 'el-app1', '-y', ...ways());
  const { hosts } = JSON.parse(linesOf(alice)[0]!) as { hosts: { host: string }[] };
  appendFileSync(fileOf(alice), `${JSON.stringify({ type: 'joined', at: '', host: { ...hosts[0], host: 'web9' } })}\n`);
  await alice.run('recover', id, '--from-hosts', '-y', ...fleetwide());
  const lines = linesOf(alice);
  await alice.run('rollback', id, '-y', ...ways());
  return { id, lines };
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const DEEP = '@@deep@@';
const VALUES: readonly Json[] = [
  ...[null, true, -1, 1e300, 0.5, 'x', 'y'.repeat(1 << 20), DEEP],
  ...[[], [null], [[]], {}, { kind: 'x' }],
];

/** The same with one place of it changed, in every way, at every place. The first of a list stands for the others. */
function* mutants(value: Json): Generator<Json> {
  yield* VALUES;
  if (Array.isArray(value)) {
    if (value.length > 0) for (const first of mutants(value[0]!)) yield [first, ...value.slice(1)];
  } else if (typeof value === 'object' && value !== null) {
    yield { ...value, later: { a: [1] } };
    yield { ...value, later: DEEP };
    yield JSON.parse(`{"__proto__":{"type":"run","hosts":5},${JSON.stringify(value).slice(1)}`) as Json;
    for (const [key, inner] of Object.entries(value)) {
      const { [key]: _, ...without } = value;
      yield without;
      for (const other of mutants(inner)) yield { ...value, [key]: other };
    }
  }
}

/** As a line; JSON.stringify could not write what is nested so deeply. */
const written = (value: Json) =>
  JSON.stringify(value).replace(`"${DEEP}"`, `${'['.repeat(20_000)}${']'.repeat(20_000)}`);

describe('a journal', () => {
  it('with any record changed anywhere is refused with its line, or read by every command', {
    timeout: 300_000,
  }, async () => {
    const { id, lines } = await everyRecord();
    const places = new Map<string, number>();
    for (const [at, line] of lines.entries()) {
      const { type } = JSON.parse(line) as { type: string };
      if (!places.has(type)) places.set(type, at);
    }
    expect([...places.keys()].sort()).toEqual([...RECORD_TYPES].sort());
    const bob = operator();
    mkdirSync(join(bob.stateDir, 'runs'), { recursive: true });
    const file = join(bob.stateDir, 'runs', `${id}.ndjson`);
    const seen = { refused: 0, read: 0 };
    for (const [type, at] of places) {
      for (const mutant of mutants(JSON.parse(lines[at]!) as Json)) {
        const line = written(mutant);
        const text = [...lines.slice(0, at), line, ...lines.slice(at + 1), ''].join('\n');
        const what = `${type}: ${line.slice(0, 300)}`;
        try {
          journalFrom(text, file, id);
        } catch (error) {
          expect(error, what).toBeInstanceOf(UsageError);
          // a host or a record that is missing may be missed only later
          expect((error as Error).message, what).toMatch(/\.ndjson:\d+: |\.ndjson: /);
          seen.refused += 1;
          continue;
        }
        seen.read += 1;
        writeFileSync(file, text);
        const commands = [
          ['runs', 'show', id],
          ...['json', 'csv', 'junit', 'html'].map((format) => ['runs', 'export', id, '-o', format]),
          ['runs', 'list'],
          ['rollback', id],
          ['recover', id],
          ['recover', id, '--forget', '-l', 'all'],
        ];
        for (const args of commands) {
          const { code, stderr } = await bob.run(...args);
          expect(code, `${args.join(' ')}: ${what}: ${stderr.slice(0, 500)}`).not.toBe(1);
        }
      }
    }
    expect(seen.refused).toBeGreaterThan(500);
    expect(seen.read).toBeGreaterThan(20);
    bob.dispose();
  });
});

describe('a journal that cannot be read', () => {
  const last = '20990101-000000000-ffffff';
  const spoil: readonly (readonly [string, (file: string) => void, RegExp])[] = [
    ['is empty', (file) => writeFileSync(file, ''), /does not begin with a run/],
    ['is no JSON', (file) => writeFileSync(file, 'x\n'), /ndjson:1: not a journal record/],
    ['is a directory', (file) => mkdirSync(file), /cannot be read: not a file/],
    ['is a FIFO', (file) => execFileSync('mkfifo', [file]), /cannot be read: not a file/],
    ['leads nowhere', (file) => symlinkSync('/nowhere', file), /cannot be read: ENOENT/],
    [
      'is of a later version',
      (file) => writeFileSync(file, '{"type":"run","schema":"fleetmask.journal/9"}\n'),
      /another form/,
    ],
    ['has a record of a later version', (file) => writeFileSync(file, '{"type":"moved"}\n'), /unknown type: "moved"/],
  ];

  it.each(spoil)(
    'because it %s keeps no other from being used, and is not passed over as `last`',
    async (_, make, why) => {
      const alice = person();
      const { id } = (await alice.run('mask', 'cron', '-y', ...fleetwide())).report.run;
      const file = join(alice.stateDir, 'runs', `${last}.ndjson`);
      make(file);
      appendFileSync(join(alice.stateDir, 'order'), `\nbegun ${last}\n`);
      for (const args of [
        ['rollback', 'last', '-y'],
        ['confirm', 'last'],
        ['recover', last],
        ['runs', 'export', 'last'],
      ]) {
        const { code, stderr, stdout } = await alice.run(...args);
        expect([code, stdout], args.join(' ')).toEqual([2, '']);
        expect(stderr).toMatch(why);
      }
      const list = await alice.run('runs', 'list', '-o', 'json');
      expect(JSON.parse(list.stdout)).toMatchObject([
        { id, state: 'finished' },
        { id: last, state: 'damaged' },
      ]);
      expect((await alice.run('runs', 'list')).stdout).toMatch(new RegExp(`${last} .*damaged`));
      expect((await alice.run('status', 'cron', ...fleetwide())).code).toBe(0);
      expect((await alice.run('rollback', id, '-y', ...ways())).code).toBe(0);
      rmSync(file, { recursive: true });
    },
  );

  it.each([
    ['the state directory is a file', (dir: string) => writeFileSync(dir, '')],
    [
      'runs is a file',
      (dir: string) => {
        mkdirSync(dir);
        writeFileSync(join(dir, 'runs'), '');
      },
    ],
  ])('because %s is one clear line where it is needed, and no matter elsewhere', async (_, make) => {
    const bob = operator();
    make(bob.stateDir);
    for (const args of [
      ['runs', 'list'],
      ['runs', 'show', 'last'],
      ['rollback', 'last', '-y'],
      ['recover', 'last'],
    ]) {
      const { code, stderr } = await bob.run(...args);
      expect([code, stderr], args.join(' ')).toEqual([
        2,
        expect.stringMatching(/fleetmask: .* is not a directory\nhint: .*\n$/),
      ]);
    }
    const mask = await bob.run('mask', 'cron', '-y', ...fleetwide());
    expect([mask.code, mask.stderr]).toEqual([2, expect.stringMatching('is not a directory')]);
    expect((await bob.run('status', 'cron', ...fleetwide())).code).toBe(3);
    expect(await bob.run('completion', 'bash', '--', 'rollback', '')).toMatchObject({ code: 0 });
    bob.dispose();
  });
});
