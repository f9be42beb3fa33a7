/** What hosts say that mean harm to whoever reads it: each as much as is taken, or a quarter of that. */

import type { Ask, Change, Evidence, Facts, HostReport, Prior, Receipt, Report } from '../../src/model/index.ts';
import type { HostRecord } from '../../src/remote/blocks.ts';
import { receiptsFrom } from '../../src/remote/receipts.ts';
import { evidenceFrom, factsFrom } from '../../src/remote/records.ts';

/** A part of the largest input. */
export type Share = 0.05 | 0.25 | 1;

/** As limits.ts and protocol.ts have them; more is a fault of the host. */
export const MOST = {
  bytes: 1_000_000,
  record: 64_000,
  units: 2_500,
  names: 19_900,
  paths: 5_000,
  hits: 5_000,
  session: 200,
  served: 10_000,
  use: 200,
  users: 200,
} as const;

export const of = (share: Share, most: number): number => Math.floor(share * most);
export const times = <T>(count: number, each: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => each(i));
export const record = (kind: string, text: string): HostRecord => ({ kind, text });
const service = (i: number): string => `u${i}.service`;

/** Texts that patterns with more than one way to match take long over. */
export const TEXTS: Readonly<Record<string, string>> = {
  words: 'account password user expired locked try again code pin ',
  accounts: 'account ',
  questions: 'code: ',
  blanks: ' ',
  ends: '\n',
  returns: '\r\n',
  letters: 'a',
  numbers: '1',
  names: 'a.service ',
  dots: 'a.',
  ats: 'a@',
  dashes: 'a-',
  slashes: '/a',
  quotes: '"\\',
  escapes: '\x1b[0m',
  signs: '=+-@;',
  wide: 'Ä漢\u{1f600}\u202e',
  pairs: 'a=b&',
  percents: '%41',
  keys: 'debug1: Offering public key: a SHA256:',
  banners: 'SSH-2.0-a ',
  colons: 'in a:1: ',
  authorities: 'debug1: Server host certificate: a CA ',
};

export function filled(word: string, length: number): string {
  return word.repeat(Math.ceil(length / word.length)).slice(0, length);
}

const HEAD: readonly HostRecord[] = [
  record('host', 'privilege=root'),
  record('host', 'boot=7668fa30-a93a-4844-b395-b03d4d709757'),
  record('host', 'machine=96ca52564c034435a8552824c58ddb9f'),
  record('manager', 'Version=252'),
];

interface UnitWords {
  readonly id: string;
  readonly kind?: string;
  readonly more?: readonly string[];
}

export function unit({ id, kind = 'unit', more = [] }: UnitWords): HostRecord[] {
  const about = [`Id=${id}`, `Names=${id}`, 'LoadState=loaded', 'ActiveState=active', 'CanStart=yes', ...more, ''];
  return about.map((text) => record(kind, text));
}

const asked = (more: readonly string[] = []) => unit({ id: 'cron.service', more });

/** Each of them is a probe's answer of the largest size. */
export const PROBES: Readonly<Record<string, (share: Share) => HostRecord[]>> = {
  'a chain that fans out to duplicates': (share) => {
    const units = of(share, 2_000);
    const fan = times(380, () => service(units - 1)).join(' ');
    return [
      ...HEAD,
      ...asked([`RequiredBy=${service(0)}`]),
      ...times(units, (i) =>
        unit({
          id: service(i),
          kind: 'beyond',
          more: [`RequiredBy=${i % 50 === 7 ? fan : service(i + 1)} ${service(i + 1)}`],
        }),
      ).flat(),
      record('session', 'process 1 ssh.service sshd'),
    ];
  },
  'units that all need each other': (share) => {
    const units = Math.floor(Math.sqrt(of(share, MOST.names)));
    const all = times(units, service).join(' ');
    return [
      ...HEAD,
      ...asked([`RequiredBy=${all}`, `TriggeredBy=${all}`]),
      ...times(units - 2, (i) => unit({ id: service(i), kind: 'related', more: [`RequiredBy=${all}`] })).flat(),
      record('session', 'process 1 ssh.service sshd'),
    ];
  },
  'lines of unit files': (share) => [
    ...HEAD,
    ...asked([...times(400, (i) => `Program=/usr/bin/p${i}`), 'BusName=org.x']),
    ...times(of(share, MOST.hits), (i) =>
      record('found', `/usr/lib/systemd/system/u${i}.service ExecStart=/bin/p${i % 400}`),
    ),
  ],
  'activation files of D-Bus': (share) => [
    ...HEAD,
    ...asked(['Program=/usr/bin/p', 'BusName=org.x']),
    ...times(of(share, MOST.hits) / 2, (i) => [
      record('found', `/usr/share/dbus-1/services/s${i}.service Name=org.x${i}`),
      record('found', `/usr/share/dbus-1/services/s${i}.service Exec=/bin/p`),
    ]).flat(),
  ],
  'names of one unit': (share) => [...HEAD, ...asked([`Names=${times(of(share, MOST.names), service).join(' ')}`])],
  'units of a pattern': (share) => [
    ...HEAD,
    ...times(of(share, MOST.units), (i) => unit({ id: `php${i}-fpm.service`, more: ['LoadState=masked'] })).flat(),
    ...times(of(share, MOST.paths), (i) => record('path', `null /etc/systemd/system/php${i % 2_500}-fpm.service`)),
  ],
  'members of wrappers': (share) => {
    const units = of(share, 900);
    const wrappers = times(20, (i) => `cron${i}.target`).join(' ');
    return [
      ...HEAD,
      ...asked([`Names=cron.service ${wrappers}`]),
      ...unit({ id: 'm@fleetmask-witness.service', more: ['PartOf=cron.service'] }),
      ...times(units, (i) =>
        unit({ id: `${i % 2 ? 'm@' : 'm'}${i}.service`, more: [`PartOf=cron.service ${i % 2 ? '' : wrappers}`] }),
      ).flat(),
      ...['cron.service', ...wrappers.split(' ')].map((name) => record('wrapper', name)),
      ...times(units, (i) => record('member', `m@${i}.service cron.service`)),
    ];
  },
  'services of users': (share) => [
    ...HEAD,
    ...asked(),
    ...times(of(share, MOST.users), (i) => record('user', `${i} cron.service`)),
  ],
  instances: (share) => [
    ...HEAD,
    ...unit({ id: 'getty@fleetmask-witness.service' }),
    ...times(of(share, 900), (i) => unit({ id: `getty@tty${i}.service`, more: ['TriggeredBy=getty.socket'] })).flat(),
  ],
  'triggers of triggers': (share) => {
    const units = of(share, MOST.units) - 1;
    return [
      ...HEAD,
      ...asked(['TriggeredBy=t0.timer']),
      ...times(units, (i) => unit({ id: `t${i}.timer`, more: [`TriggeredBy=t${i + 1}.timer t${i + 2}.timer`] })).flat(),
    ];
  },
  'what a timer starts': (share) => [
    ...HEAD,
    ...unit({ id: 'cron.timer', more: [`Triggers=${times(of(share, MOST.names), service).join(' ')}`] }),
  ],
  paths: (share) => [
    ...HEAD,
    ...asked(),
    ...times(of(share, MOST.paths), (i) => record('path', `${i % 2 ? 'null' : 'link'} /d${i}/cron.service /x`)),
  ],
  'processes and listeners of the session': (share) => [
    ...HEAD,
    ...asked(),
    ...times(MOST.session, (i) => record('session', `process ${i} ${service(i)} ${'x'.repeat(200)}`)),
    ...times(of(share, MOST.units) - 1, (i) =>
      unit({
        id: `v${i}.socket`,
        kind: 'beyond',
        more: [
          `Names=${times(6, (j) => `n${i}x${j}.socket`).join(' ')}`,
          `Listen=${times(8, () => '[::]:22 (Stream)').join(' ')}`,
        ],
      }),
    ).flat(),
  ],
  'uses of storage': (share) => [
    ...HEAD,
    ...asked(),
    record('session', 'process 1 ssh.service sshd'),
    ...times(MOST.use, (i) => record('use', `${i % 2 ? 'lvm' : 'md'} boots /${'x'.repeat(200)}${i}`)),
    ...times(of(share, MOST.units) - 1, (i) =>
      unit({
        id: `v${i}.service`,
        kind: 'beyond',
        more: [`Names=${times(7, (j) => `lvm2-${i}x${j}.service`).join(' ')}`],
      }),
    ).flat(),
  ],
  'what super-servers serve': (share) => [
    ...HEAD,
    ...asked(),
    record('served', `enabled ${times(of(share, 8_000), (i) => `s${i}`).join(' ')}`),
    ...times(of(share, MOST.served) - 2, (i) => record('served', `xinetd s${i} s${i} no /${'x'.repeat(60)}`)),
    record('served', 'whole'),
  ],
  'a refusal of sudo': (share) => [
    record('host', 'privilege=none'),
    record('manager', 'Version=252'),
    ...times(of(share, 15 * 4) / 4, () => record('sudo', filled('account ', MOST.record))),
  ],
  'values of every property': (share) => [
    ...HEAD,
    ...asked(),
    ...times(of(share, 200), (i) =>
      unit({
        id: service(i),
        more: [
          'SubState',
          'UnitFileState',
          'FragmentPath',
          'SourcePath',
          'KillMode',
          'Program',
          'Listen',
          'TimersMonotonic',
          'ControlGroup',
          'BusName',
        ].map((key, j) => `${key}=${filled(Object.values(TEXTS)[(i + j) % 20]!.replaceAll('\n', 'n'), 450)}`),
      }),
    ).flat(),
  ],
  'lines of os-release': (share) => times(of(share, 200), (i) => record('os', `K${i}="${filled('\\"', 4_900)}`)),
};

/** Receipts of runs, as much as one answer takes. */
export const RECEIPTS: Readonly<Record<string, (share: Share) => HostRecord[]>> = {
  many: (share) =>
    times(of(share, 4_000), (i) => [
      record(
        'log',
        `${runId(i)} request run=${runId(i)} link=/etc/systemd/system/cron.service stop=cron.service had=/etc/systemd/system/cron.service`,
      ),
      record('holds', `${runId(i)} /etc/systemd/system/cron.service`),
    ]).flat(),
  'with long requests': (share) =>
    times(of(share, 16), (i) => {
      const words = times(1_100, (j) => `link=/etc/systemd/system/u${j}.service was=u${j}.service,,,active`);
      return record('log', `${runId(i)} request meta=command=mask&units=${filled('u%20', 4_000)} ${words.join(' ')}`);
    }),
  'with long answers': (share) =>
    times(of(share, 15_000), (i) =>
      record('told', `${runId(0)} ${['unit', 'step', 'said', 'path'][i % 4]} ${filled('step 1 ', 50)}`),
    ),
  'with meta words': (share) => [record('log', `${runId(0)} request meta=${filled('a=%41&', of(share, MOST.record))}`)],
};

export const runId = (i: number): string => `20261201-120000000-${String(i).padStart(6, '0')}`;

/** Answers to a change. */
export const ANSWERS: Readonly<Record<string, (share: Share) => HostRecord[]>> = {
  steps: (share) =>
    times(of(share, 2_000), (i) => [
      record('step', `try:u${i}.service 1`),
      record('said', `try:u${i}.service ${filled('is mask ', 300)}`),
    ]).flat(),
  words: (share) => [
    record('step', 'stop 1'),
    ...times(of(share, 15_000), () => record('said', `stop ${filled('refused ', 60)}`)),
  ],
  'left and foreign': (share) =>
    times(of(share, 1_000), (i) => [
      record('left', `1 0 /system.slice/u${i}.service`),
      record('foreign', filled('/x\x1b', 900)),
    ]).flat(),
  'a refusal': (share) => times(of(share, 15_000), () => record('refused', `locked r-1 ${filled('a=%41&', 55)}`)),
  units: (share) =>
    times(of(share, MOST.units), (i) =>
      unit({ id: service(i), more: [`TriggeredBy=${times(7, (j) => service(i + j)).join(' ')}`] }),
    ).flat(),
};

export const ASK: Ask = {
  ...{ verb: 'mask', units: ['cron'], now: true, runtime: false, withTriggers: false, localUnits: 'refuse' },
  ...{ allowAbsent: false, killLeftovers: false, startProbe: true, allowLockout: false },
};

export function factsOf(records: readonly HostRecord[], receipts: readonly Receipt[] = []): Facts {
  return { ...factsFrom(records), receipts };
}

/** A change of as many units as one host may have in one. */
export function deedOf(share: Share): { change: Change; prior: Prior } {
  const names = times(of(share, 1_000), service);
  const paths = names.map((name) => `/etc/systemd/system/${name}`);
  return {
    change: {
      ...{ where: 'etc', links: paths, removes: paths, displaces: paths, stops: names, attempts: names },
      ...{ groups: names.map((name) => `/system.slice/${name}`), killLeftovers: true, reads: names, looks: [] },
    },
    prior: {
      ...{ bootId: null, machineId: null, masks: paths },
      states: names.map((id, i) => ({ id, load: i % 2 ? 'loaded' : '', file: 'enabled', active: 'active' })),
    },
  };
}

/** What a host as in `deedOf` answers when all is as it was: it is looked at to the end. */
export function restored(share: Share): Evidence {
  const { prior } = deedOf(share);
  const names = times(of(share, 1_000), service);
  return evidenceFrom([
    ...names.flatMap((id) =>
      unit({ id, more: ['UnitFileState=enabled', `TriggeredBy=${times(15, () => names[0]).join(' ')}`] }),
    ),
    ...prior.masks.map((path) => record('path', `null ${path}`)),
    ...times(of(share, 4_000), (i) => record('path', `null /x${i}/${service(i % 1_000)}`)),
  ]);
}

export function receipts(records: readonly HostRecord[]): Receipt[] {
  return receiptsFrom(records);
}

/** The report of one host that fills every place of it as far as the pure middle lets it. */
export function hostReport(share: Share, host = 'evil', word = 'a b-c.d\\x1b=@ ä'): HostReport {
  const names = times(of(share, 100), service);
  return {
    ...{ host, address: '192.0.2.1', port: 22, outcome: 'rolled-back', seconds: 1 },
    os: { id: 'debian', version: filled('1.', 200), name: filled(word, 200) },
    systemd: 252,
    units: times(of(share, 52), (i) => ({
      ...{ asked: 'cron', unit: service(i), startProbe: 'skipped', triggers: names, leftovers: 3, covers: names },
      before: { load: filled(word, 40), file: filled(word, 40), active: 'active' },
      after: { load: filled(word, 40), file: filled(word, 40), active: 'active' },
      steps: times(20, () => 'stop'),
      notes: times(2, () => filled(word, 1_000)),
      ways: times(20, () => filled(word, 400)),
    })),
    fault: { kind: 'read-back', message: filled(`${host} `, of(share, 60_000)), hint: filled(word, 2_000) },
  };
}

export function report(hosts: readonly HostReport[]): Report {
  return {
    schema: 'fleetmask.report/1',
    run: {
      ...{
        id: runId(1),
        command: 'mask',
        units: ['cron'],
        now: true,
        runtime: false,
        actor: 'a@b',
        reason: null,
        ticket: null,
      },
      ...{ startedAt: '2026-12-01T12:00:00Z', finishedAt: '2026-12-01T12:01:00Z' },
    },
    hosts,
    totals: { 'rolled-back': hosts.length },
    exitCode: 5,
  };
}
