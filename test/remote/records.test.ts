import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostRecord } from '../../src/remote/blocks.ts';
import { evidenceFrom, factsFrom, osFrom } from '../../src/remote/records.ts';

function records(text: string): HostRecord[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [kind = '', ...rest] = line.trim().split(' ');
      return { kind, text: rest.join(' ') };
    });
}

const PROBE = `
os ID=debian
os VERSION_ID="12"
os PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
host privilege=root
host boot=7668fa30-a93a-4844-b395-b03d4d709757
host machine=96ca52564c034435a8552824c58ddb9f
manager Version=252.39-1~deb12u1
manager SystemState=running
unit Id=ssh.service
unit Names=ssh.service sshd.service
unit LoadState=loaded
unit ActiveState=active
unit CanStart=yes
unit ControlGroup=/system.slice/ssh.service
unit TriggeredBy=ssh.socket
unit
unit Id=ssh.service
unit LoadState=loaded
unit
unit Id=cron.service
unit LoadState=not-found
unit
path file /lib/systemd/system/ssh.service
path link /etc/systemd/system/sshd.service /lib/systemd/system/ssh.service
related Id=ssh.socket
related ActiveState=inactive
related
`;

describe('facts', () => {
  const facts = factsFrom(records(PROBE));

  it('tell the distribution, systemd, boot and machine', () => {
    expect(facts.os).toEqual({ id: 'debian', idLike: [], version: '12', name: 'Debian GNU/Linux 12 (bookworm)' });
    expect(facts.systemd).toEqual({ kind: 'running', version: 252, state: 'running' });
    expect(facts.machineId).toBe('96ca52564c034435a8552824c58ddb9f');
    expect(facts.privilege).toEqual({ kind: 'root' });
  });

  it('hold a unit once, whatever names it was asked for by', () => {
    expect(facts.units.map(({ id }) => id)).toEqual(['ssh.service', 'cron.service']);
    expect(facts.units[0]).toMatchObject({
      names: ['ssh.service', 'sshd.service'],
      canStart: true,
      triggeredBy: ['ssh.socket'],
    });
  });

  it.each([
    ['TimeoutStopUSec=1min 30s', 90_000],
    ['TimeoutStopUSec=500ms', 500],
    ['TimeoutStopUSec=1h 2min 5.25s', 3_725_250],
    ['TimeoutUSec=3min', 180_000],
    ['TimeoutStopUSec=infinity', undefined],
    ['TimeoutStopUSec=-1s', undefined],
    [`TimeoutStopUSec=${'9s '.repeat(9000)}`, undefined],
  ])('tell how long the stop of a unit may take: %.60s', (line, ms) => {
    const { units } = factsFrom(records(`unit Id=slow.service\nunit ${line}\nunit`));
    expect(units[0]?.stopLimit).toBe(ms);
  });

  it('hold what lies on disk and who is related', () => {
    expect(facts.paths).toContainEqual({
      kind: 'link',
      path: '/etc/systemd/system/sshd.service',
      target: '/lib/systemd/system/ssh.service',
    });
    expect(facts.related).toEqual([
      {
        id: 'ssh.socket',
        load: '',
        active: 'inactive',
        triggeredBy: [],
        queued: null,
        needsReload: false,
        takesDown: [],
        gone: false,
      },
    ]);
  });

  it('know systemd by versions old and new', () => {
    for (const [text, version] of [
      ['v257.8', 257],
      ['219', 219],
      ['systemd 239 (239-82.el8)', 239],
    ] as const) {
      expect(factsFrom(records(`manager Version=${text}`)).systemd).toMatchObject({ kind: 'running', version });
    }
  });

  it('tell of a mask whose state systemd does not know what the disk has', () => {
    const lines = (file: string) => `manager Version=232
      unit Id=a.service
      unit LoadState=masked
      unit UnitFileState=${file}
      unit CanStart=yes
      unit
      unit Id=b@1.service
      unit LoadState=masked
      unit UnitFileState=${file}
      unit
      path null /etc/systemd/system/a.service
      path file /usr/lib/systemd/system/a.service
      path null /run/systemd/system/b@.service`;
    for (const file of ['bad', '']) {
      expect(factsFrom(records(lines(file))).units).toMatchObject([
        { file: 'masked', canStart: false },
        { file: 'masked-runtime' },
      ]);
    }
  });

  it('know a host without systemd, one that does not answer, and one without privilege', () => {
    expect(factsFrom(records('host systemd=none')).systemd).toEqual({ kind: 'absent' });
    expect(factsFrom(records('trouble manager 124')).systemd.kind).toBe('silent');
    expect(factsFrom(records('manager Version=252.so\ntrouble unit 124')).systemd.kind).toBe('silent');
    expect(factsFrom(records('manager Version=252.so\nunit Failed to connect to bus\ntrouble unit 1')).systemd).toEqual(
      {
        kind: 'silent',
        why: 'Failed to connect to bus',
      },
    );
    expect(factsFrom(records('host privilege=none\nsudo sudo: a password is required')).privilege).toEqual({
      kind: 'none',
      why: 'sudo: a password is required',
      hint: expect.stringContaining('-K'),
    });
  });

  it('know a sudo that does not find the shell from one that is not installed', () => {
    const hintOf = (said: string) => factsFrom(records(`host privilege=none\nsudo ${said}`)).privilege;
    for (const said of ['sudo: sh: command not found', "sudo: 'sh': command not found"]) {
      expect(hintOf(said)).toMatchObject({ hint: expect.stringContaining('secure_path') });
    }
    for (const said of ['bash: line 1: sudo: command not found', 'sh: 1: sudo: not found']) {
      expect(hintOf(said)).toMatchObject({ hint: expect.stringContaining('--become-method') });
    }
  });

  it('take no unit or path whose name would lead elsewhere', () => {
    const hostile = factsFrom(
      records(`
        unit Id=../../etc/passwd
        unit
        unit Id=x.service\u001b[31m
        unit
        unit Id=ok.service
        unit ControlGroup=/system.slice/a b
        unit Names=ok.service $(id).service -rf.service
        unit
        path null /etc/../../x
        path null relative
        path null /etc/a;b
      `),
    );
    expect(hostile.units.map(({ id, names, controlGroup }) => ({ id, names, controlGroup }))).toEqual([
      { id: 'ok.service', names: ['ok.service'], controlGroup: '' },
    ]);
    expect(hostile.paths).toEqual([]);
  });

  it('and evidence never hold a control character, and parsing never throws, whatever the host says', () => {
    const kinds = fc.constantFrom(
      'os',
      'host',
      'unit',
      'related',
      'path',
      'step',
      'said',
      'left',
      'refused',
      'manager',
      'sudo',
      'foreign',
    );
    const keys = fc.constantFrom(
      '',
      'Id=',
      'ID=',
      'LoadState=',
      'privilege=',
      'Version=',
      'null ',
      'link /etc/x ',
      'stop ',
      'locked ',
      'PRETTY_NAME=',
    );
    const record = fc.record({
      kind: kinds,
      text: fc.tuple(keys, fc.string({ unit: 'binary' })).map((parts) => parts.join('')),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 30 }), (list) => {
        const all = JSON.stringify([factsFrom(list), evidenceFrom(list)]);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        expect(all).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e\u200b]|\\u00[01]/);
      }),
    );
  });
});

describe('os-release', () => {
  const cases: [lines: string[], expected: object][] = [
    [['ID=arch', 'PRETTY_NAME="Arch Linux"'], { id: 'arch', version: null, name: 'Arch Linux' }],
    [
      ["ID='rocky'", 'ID_LIKE="rhel centos fedora"', 'VERSION_ID="9.4"'],
      { id: 'rocky', idLike: ['rhel', 'centos', 'fedora'], version: '9.4' },
    ],
    [['NAME="A \\"quoted\\" \\$name \\\\ \\`x\\`"'], { id: 'linux', name: 'A "quoted" $name \\ `x`' }],
    [['ID=one', 'ID=two'], { id: 'two' }],
    [[], { id: 'linux', version: null, name: 'linux' }],
    [['ID=$(id)', 'not a line', 'id=lower'], { id: '$(id)' }],
    [['ID=debian\r'], { id: 'debian' }],
    [['PRETTY_NAME="\u001b]0;x\u0007"'], { name: '\\x1b]0;x\\x07' }],
  ];
  for (const [lines, expected] of cases) {
    it(`${JSON.stringify(lines)} is read, never run`, () => {
      expect(osFrom(lines)).toMatchObject(expected);
    });
  }
});

describe('evidence', () => {
  it('keeps each step with what it said', () => {
    const { steps } = evidenceFrom(
      records(
        'step stop 0\nstep try:a.service 1\nsaid try:a.service Unit a.service is masked.\nstep try:b.service untried',
      ),
    );
    expect(steps).toEqual([
      { name: 'stop', status: 0, said: [], refusal: null },
      { name: 'try:a.service', status: 1, said: ['Unit a.service is masked.'], refusal: 'masked' },
      { name: 'try:b.service', status: 'untried', said: [], refusal: null },
    ]);
  });

  const refusals = (said: string) => evidenceFrom(records(`step try:x 1\n${said}`)).steps.map(({ refusal }) => refusal);

  it('reads why systemd refused from all that was said, however long the name and whatever came before', () => {
    for (const length of [10, 240, 255]) {
      const unit = `${'u'.repeat(length - '.service'.length)}.service`;
      expect(refusals(`said try:x Failed to start ${unit}: Unit ${unit} is masked.`)).toEqual(['masked']);
      expect(refusals(`said try:x Failed to stop ${unit}: Operation refused, unit ${unit} may be requested`)).toEqual([
        'refuses-manual',
      ]);
    }
    const warnings = 'said try:x ERROR: ld.so: object from /etc/ld.so.preload cannot be preloaded: ignored.\n'.repeat(
      50,
    );
    expect(refusals(`${warnings}said try:x Failed to start a.service: Unit a.service is masked.`)).toEqual(['masked']);
  });

  it('takes no unit for masked because of its name', () => {
    expect(refusals('said try:x Failed to start masked.service: Unit masked.service not found.')).toEqual([null]);
    expect(refusals('said try:x Failed to stop refused.service: Unit refused.service not loaded.')).toEqual([null]);
  });

  it('tells a refusal, leftovers, foreign links and a missing receipt', () => {
    expect(
      evidenceFrom(records('refused locked 20261122-031500123-a1b2c3 actor=al%20ice 1700000000 61')).refused,
    ).toEqual({
      kind: 'locked',
      text: '20261122-031500123-a1b2c3 actor=al%20ice 1700000000 61',
      holder: { run: '20261122-031500123-a1b2c3', meta: { actor: 'al ice' }, since: 1_700_000_000, seconds: 61 },
    });
    expect(evidenceFrom(records('refused locked zzzzzz;rm - 1 1')).refused).toMatchObject({ holder: { run: null } });
    expect(evidenceFrom(records('left 3 1 /system.slice/a.service')).left).toEqual([
      { all: 3, own: 1, group: '/system.slice/a.service' },
    ]);
    expect(evidenceFrom(records('foreign /etc/systemd/system/a.service')).foreign).toEqual([
      '/etc/systemd/system/a.service',
    ]);
    expect(evidenceFrom(records('receipt none')).receipt).toBe(false);
  });
});
