import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fault, type HostReport, type Outcome, printable, type Report } from '../../src/model/index.ts';
import { type ResultOptions, renderReport, tableSink } from '../../src/report/index.ts';
import { away, columnsOf, ENABLED, host, MASKED, recorded, report, typicalRun, unit } from './fixtures.ts';
import { PAYLOADS } from './hostile.ts';

const ESC = '\u001b';
const BRIEF: ResultOptions = { verbose: false };

function show(result: Report, columns: number | 'unknown' = 80, options = BRIEF): string {
  return renderReport(result, { columns: columns === 'unknown' ? undefined : columns, color: false }, options);
}

function tableLines(text: string): string[] {
  const lines = text.split('\n');
  return lines.slice(
    0,
    lines.findIndex((line, i) => i > 1 && line.startsWith('─')),
  );
}

const fleet = (count: number, make: (name: string, i: number) => HostReport) =>
  Array.from({ length: count }, (_, i) => make(`web${i + 1}`, i));

const twoUnits = report(
  [
    host('print1', 'masked', {
      units: [
        unit('cups.service'),
        unit('cups.socket'),
        unit('cups-browsed.service', { triggers: ['avahi-daemon.socket'] }),
      ],
    }),
    host('print2', 'masked', {
      on: 'rocky',
      units: [unit('cups.service', { after: { ...MASKED, active: 'active' } }), unit('cups.socket'), unit('cups.path')],
    }),
  ],
  { units: ['cups'], now: false },
);

const planned = report(
  [
    host('web1', 'planned', {
      units: [
        unit('cups.service', {
          after: null,
          notes: ['socket-activated'],
          steps: ['link in /etc', 'stop', 'reload', 'try start'],
        }),
        unit('cups.socket', { after: null, steps: ['link in /etc', 'stop', 'reload', 'try start'] }),
      ],
    }),
    host('web2', 'unchanged', { on: 'rocky', units: [unit('cups.service', { before: MASKED, after: null })] }),
    host('web3', 'refused', {
      units: [unit('cups.service', { after: null })],
      fault: fault('local-unit', 'cups.service is a file of its own in /etc/systemd/system'),
    }),
  ],
  { command: 'plan', units: ['cups'] },
);

const status = report(
  [
    host('web1', 'masked', { units: [unit('cron.service', { before: MASKED })] }),
    host('web2', 'not-masked', { on: 'rocky', units: [unit('crond.service', { after: null })] }),
    host('web3', 'mixed', { units: [unit('cron.service'), unit('anacron.timer', { after: ENABLED })] }),
    away('old1', 'unreachable', 'connect to 10.0.0.9 port 22: connection refused'),
  ],
  { command: 'status' },
);

const thousand = report(
  fleet(1000, (name, i) =>
    i % 100 === 99
      ? {
          ...away(name, 'unreachable', `connect to ${name} (10.1.0.${i}) port 22: no route to host`),
          address: `10.1.0.${i}`,
        }
      : host(name, 'masked', { seconds: 0.2 + i / 1000, units: [unit('cron.service', { leftovers: i % 2 })] }),
  ),
);

describe('golden screens at 80 columns', () => {
  const longNames = [unit('systemd-tmpfiles-clean.timer')];
  const screens: [string, Report, ResultOptions][] = [
    ['mask', typicalRun(), BRIEF],
    ['several-units-without-now', twoUnits, BRIEF],
    ['plan', planned, BRIEF],
    ['status', status, BRIEF],
    ['thousand-hosts', thousand, BRIEF],
    ['long-names', report([host('frontend-01.prod.eu-west-1.example.com', 'masked', { units: longNames })]), BRIEF],
  ];
  test.each(screens)('%s', async (name, result, options) => {
    const text = show(result, 80, options);
    for (const line of text.split('\n')) expect(columnsOf(line)).toBeLessThanOrEqual(80);
    await expect(text).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  test('mask on a wide terminal', async () => {
    await expect(show(typicalRun(), 140)).toMatchFileSnapshot('golden/mask-140.txt');
  });

  test('mask into a pipe', async () => {
    await expect(show(typicalRun(), 'unknown')).toMatchFileSnapshot('golden/mask-pipe.txt');
  });
});

test('hosts that failed come last, the worst at the very end', () => {
  const all: Outcome[] = ['stranded', 'rolled-back', 'unreachable', 'refused', 'not-started', 'unchanged', 'masked'];
  const outcomes = tableLines(show(report(all.map((outcome, i) => host(`h${i}`, outcome))), 140)).map(
    (line) => all.find((outcome) => line.includes(` ${outcome} `)) ?? '',
  );
  expect(outcomes.slice(2)).toEqual([
    'unchanged',
    'masked',
    'refused',
    'not-started',
    'unreachable',
    'rolled-back',
    'stranded',
  ]);
});

test('a process that still runs under a mask is shown in the table and under it', () => {
  const text = show(twoUnits, 140);
  expect(text).toContain('active → active');
  expect(text).toContain('print2 cups.service: still running (active)');
});

test('that a unit still runs is told once, and what could trigger it only where it is masked', () => {
  const after = { ...MASKED, active: 'active' };
  const told = host('web1', 'masked', {
    units: [unit('cron.service', { after, notes: ['masked, and still running'] })],
  });
  expect(show(report([told])).match(/still running/g)).toHaveLength(1);
  const back = host('web1', 'rolled-back', {
    units: [unit('cups.service', { after: ENABLED, triggers: ['cups.socket'] })],
  });
  expect(show(report([back]))).not.toContain('triggered');
});

test('a host that was changed and could not be read again shows a question mark', () => {
  const lost = host('edge1', 'stranded', { units: [unit('cron.service', { after: null })] });
  expect(show(report([lost]), 140)).toMatch(/enabled → \? +active → \?/);
});

test('equal faults are told once, whatever the hosts and their addresses are called', () => {
  const text = show(thousand);
  expect(text).toContain('web100, web200 (+8 more): connect to the host (its address) port 22: no route to\n    host');
  expect(text.match(/hint:/g)).toHaveLength(1);
});

test('faults that differ by more than a name stay apart', () => {
  const hosts = [away('a', 'auth', 'a bad key'), away('b', 'auth', 'a bad day'), away('c', 'unreachable', 'a bad key')];
  expect(show(report(hosts)).match(/hint:/g)).toHaveLength(3);
});

test('a host called `a` is not in every word', () => {
  const hosts = [away('a', 'auth', 'no key of a was accepted'), away('b', 'auth', 'no key of b was accepted')];
  expect(show(report(hosts))).toContain('a, b: no key of the host was accepted');
});

test('a thousand equal hosts are a few rows, and verbose names each', () => {
  expect(tableLines(show(thousand)).length).toBeLessThan(8);
  expect(show(thousand, 140)).toContain('web1 (+989 more)');
  const verbose = show(thousand, 120, { verbose: true });
  for (const { host } of thousand.hosts) expect(verbose).toMatch(new RegExp(`^${host} `, 'm'));
  expect(verbose).not.toContain('more)');
});

test('forty hosts have forty rows', () => {
  expect(tableLines(show(report(fleet(40, (name) => host(name, 'masked'))), 140))).toHaveLength(42);
  expect(tableLines(show(report(fleet(41, (name) => host(name, 'masked'))), 140))).toHaveLength(3);
});

test('a fold loses no outcome: hosts that differ in anything but time are in different rows', () => {
  const hosts = fleet(50, (name, i) => host(name, i === 30 ? 'stranded' : 'masked', { seconds: i }));
  expect(tableLines(show(report(hosts), 140))).toHaveLength(4);
});

test('a host named __proto__ is a host like any other', () => {
  const text = show(report([host('__proto__', 'masked'), away('constructor', 'auth', 'no key was accepted')]), 140);
  expect(text).toMatch(/^__proto__ +debian 12/m);
  expect(text).toContain('constructor: no key was accepted');
});

test('a run without hosts is a line of totals', () => {
  expect(show(report([]))).toBe('0 hosts in 3.2 s\n');
});

test('nothing written without colour holds an escape, and with colour every style is switched off again', () => {
  const plain = recorded({ columns: 80, isTTY: true });
  const coloured = recorded({ columns: 80, isTTY: true, color: true });
  for (const out of [plain, coloured]) {
    tableSink(out, BRIEF).event({ type: 'run-finished', report: typicalRun() });
  }
  expect(plain.text()).not.toContain(ESC);
  expect(coloured.text()).toContain(ESC);
  // the same screen once the colours are taken away
  const stripped = coloured.text().replaceAll(new RegExp(`${ESC}\\[[0-9;]+m`, 'g'), '');
  expect(stripped).toBe(plain.text());
  for (const line of coloured.text().split('\n')) {
    const codes = [...line.matchAll(new RegExp(`${ESC}\\[([0-9;]+)m`, 'g'))].map((match) => match[1]);
    expect(codes.length % 2).toBe(0);
  }
});

const hostile = fc.oneof(
  fc.constantFrom(...PAYLOADS.map(([, text]) => text)),
  fc.string({ unit: 'binary', maxLength: 40 }),
);
const state = fc.option(fc.record({ load: hostile, file: hostile, active: hostile }));
const anyHost: fc.Arbitrary<HostReport> = fc.record({
  host: hostile,
  address: hostile,
  port: fc.integer(),
  outcome: fc.constantFrom<Outcome>('masked', 'unchanged', 'unreachable', 'stranded', 'rolled-back'),
  seconds: fc.double(),
  os: fc.option(fc.record({ id: hostile, version: fc.option(hostile), name: hostile })),
  systemd: fc.option(fc.integer()),
  units: fc.array(
    fc.record({
      asked: hostile,
      unit: hostile,
      before: state,
      after: state,
      startProbe: fc.constantFrom('blocked' as const, 'not-blocked' as const, 'skipped' as const),
      triggers: fc.array(hostile, { maxLength: 2 }),
      leftovers: fc.nat(),
      steps: fc.array(hostile, { maxLength: 2 }),
      notes: fc.array(hostile, { maxLength: 2 }),
    }),
    { maxLength: 3 },
  ),
  fault: fc.option(fc.record({ kind: fc.constant('auth' as const), message: hostile, hint: hostile })),
});

test('whatever hosts say, a screen without colour holds printable characters and newlines alone', () => {
  fc.assert(
    fc.property(
      fc.array(anyHost, { maxLength: 4 }),
      fc.option(fc.integer({ min: 40, max: 160 })),
      fc.constantFrom('mask' as const, 'status' as const, 'plan' as const),
      (hosts, columns, command) => {
        const text = show(report(hosts, { command }), columns ?? 'unknown');
        expect([...text].filter((char) => char !== '\n' && printable(char) !== char)).toEqual([]);
      },
    ),
  );
});
