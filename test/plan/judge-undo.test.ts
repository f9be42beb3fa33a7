/** When a host counts as put back. */
import { describe, expect, it } from 'vitest';
import type { Ask, Change, Evidence, Prior, UnitFacts, UnitPlan, UnitReport } from '../../src/model/index.ts';
import { judge, readLater } from '../../src/plan/judge.ts';
import { judgeUndo } from '../../src/plan/judge-undo.ts';
import { withUndoNotes } from '../../src/plan/leftovers.ts';

const CHANGE: Change = {
  where: 'etc',
  links: ['/etc/systemd/system/slow.service'],
  removes: [],
  displaces: [],
  stops: ['slow.service'],
  attempts: ['slow.service'],
  groups: [],
  killLeftovers: false,
  reads: ['slow.service'],
  looks: [],
};

const prior = (active: string): Prior => ({
  bootId: null,
  machineId: null,
  states: [{ id: 'slow.service', load: 'loaded', file: 'enabled', active }],
  masks: [],
});

function evidence(active: string): Evidence {
  const known = { id: 'slow.service', names: ['slow.service'], load: 'loaded', sub: '', file: 'enabled' };
  const unit = { ...known, active, triggeredBy: ['slow.socket'], busName: '' };
  return {
    refused: null,
    steps: [],
    units: [unit as unknown as UnitFacts],
    paths: [],
    left: [],
    foreign: [],
    lacking: [],
    receipt: true,
  };
}

describe('a host is not put back', () => {
  it('while a unit that ran is still on its way down', () => {
    expect(judgeUndo(CHANGE, prior('active'), evidence('deactivating'))).toMatchObject({
      kind: 'not-restored',
      message: 'slow.service was active and is deactivating',
      hint: expect.stringContaining('started when its stop has ended'),
    });
  });

  it('when what ran does not, or what did not run does', () => {
    expect(judgeUndo(CHANGE, prior('active'), evidence('failed'))?.kind).toBe('not-restored');
    expect(judgeUndo(CHANGE, prior('inactive'), evidence('active'))?.kind).toBe('not-restored');
  });

  it('when somebody else has masked it elsewhere, and says where', () => {
    const { units, ...rest } = evidence('inactive');
    const paths: Evidence['paths'] = [{ kind: 'null', path: '/run/systemd/system/slow.service' }];
    const seen = { ...rest, units: [{ ...units[0]!, load: 'masked', file: 'masked-runtime' }], paths };
    expect(judgeUndo(CHANGE, prior('active'), seen)?.message).toBe(
      'slow.service was loaded and is masked (/run/systemd/system/slow.service)',
    );
  });

  it('while systemd has not read that the mask is gone, though it never read the mask either', () => {
    const steps: Evidence['steps'] = [{ name: 'reload', status: 1, said: ['Access denied'], refusal: null }];
    const unread = { ...evidence('active'), steps };
    expect(judgeUndo(CHANGE, prior('active'), unread)?.message).toBe('systemd could not reload: Access denied');
  });

  it('when somebody put a unit file in the place of the mask, unless the mask had gone before', () => {
    const [path = ''] = CHANGE.links;
    const lying: Evidence = { ...evidence('active'), paths: [{ kind: 'file', path }] };
    expect(judgeUndo(CHANGE, prior('active'), lying)?.message).toBe(
      `${path} was put there by somebody else and was left alone`,
    );
    expect(judgeUndo(CHANGE, prior('active'), { ...lying, receipt: false })).toBeNull();
  });

  it('when the mask could not be taken away, which recover does once it can be', () => {
    const [path = ''] = CHANGE.links;
    const kept: Evidence = { ...evidence('inactive'), paths: [{ kind: 'null', path } as Evidence['paths'][number]] };
    expect(judgeUndo(CHANGE, prior('active'), kept)).toMatchObject({
      message: `${path} is still there`,
      hint: expect.stringMatching(/read-only.*fleetmask recover/),
    });
    expect(judgeUndo(CHANGE, prior('active'), { ...kept, receipt: false })?.hint).toMatch(/by hand/);
    // somebody has emptied the log of the receipt
    expect(judgeUndo(CHANGE, prior('active'), { ...kept, lacking: [path] })).toMatchObject({
      message: `${path} is still there, and the receipt on the host does not name it any more`,
      hint: expect.stringMatching(/by hand/),
    });
  });
});

it.each([
  ['active', 'active'],
  ['active', 'activating'],
  ['deactivating', 'inactive'],
  ['inactive', 'failed'],
])('a unit that was %s and is %s is as it was', (before, after) => {
  expect(judgeUndo(CHANGE, prior(before), evidence(after))).toBeNull();
});

describe('what was not there, or not read, when the run began', () => {
  const seen = (words: Partial<UnitFacts>): Evidence => {
    const { units, ...rest } = evidence('inactive');
    return { ...rest, units: [{ ...units[0]!, ...words }] };
  };
  const was = (words: Partial<Prior['states'][number]>): Prior => ({
    ...prior('inactive'),
    states: [{ ...prior('inactive').states[0]!, ...words }],
  });

  it.each<[string, Partial<UnitFacts>]>([
    ['enabled', { file: 'enabled' }],
    ['enabled, and runs', { file: 'enabled', active: 'active' }],
    ['an alias of another', { id: 'fast.service', names: ['fast.service', 'slow.service'] }],
    ['still not there', { load: 'not-found', file: '' }],
  ])('a package may have brought since: %s', (_, now) => {
    expect(judgeUndo(CHANGE, was({ load: 'not-found', file: '' }), seen(now))).toBeNull();
  });

  it('is not put back while it is masked', () => {
    const absent = was({ load: 'not-found', file: '' });
    expect(judgeUndo(CHANGE, absent, seen({ load: 'masked' }))?.kind).toBe('not-restored');
  });

  it('is what a reload makes of it, but not masked', () => {
    const unread = was({ load: 'masked', unread: true });
    expect(judgeUndo(CHANGE, unread, seen({}))).toBeNull();
    const edited = was({ unread: true });
    expect(judgeUndo(CHANGE, edited, seen({ load: 'bad-setting' }))).toBeNull();
    expect(judgeUndo(CHANGE, edited, seen({ load: 'masked' }))?.kind).toBe('not-restored');
    expect(judgeUndo(CHANGE, was({}), seen({ load: 'bad-setting' }))?.kind).toBe('not-restored');
  });
});

it('what the host itself could not verify is not restored, whatever else it tells', () => {
  expect(judgeUndo(CHANGE, prior('active'), { ...evidence('active'), lacking: ['slow.service'] })).toMatchObject({
    kind: 'not-restored',
    message: 'the host could not verify slow.service',
  });
});

describe('what was about to change', () => {
  const queued = (active: string, job: 'start' | 'stop'): Prior => ({
    ...prior(active),
    states: [{ ...prior(active).states[0]!, queued: job }],
  });
  const steps: Evidence['steps'] = [{ name: 'queue', status: 0, said: [], refusal: null }];
  const waiting = (): Evidence => {
    const { units, ...rest } = evidence('inactive');
    return { ...rest, units: [{ ...units[0]!, queued: 'start' }] };
  };

  it.each<[string, Prior, Evidence]>([
    ['a start is queued again', queued('inactive', 'start'), waiting()],
    ['its time has come', queued('inactive', 'start'), evidence('active')],
    ['it was queued again, and is over', queued('inactive', 'start'), { ...evidence('inactive'), steps }],
    ['what was being restarted runs', queued('deactivating', 'start'), evidence('active')],
    ['what was to stop has stopped', queued('active', 'stop'), evidence('inactive')],
    ['what was to stop runs still', queued('active', 'stop'), evidence('active')],
  ])('is as it was: %s', (_, before, after) => {
    expect(judgeUndo(CHANGE, before, after)).toBeNull();
  });

  it('is not as it was while nothing waits and nothing runs', () => {
    expect(judgeUndo(CHANGE, queued('inactive', 'start'), evidence('inactive'))?.message).toBe(
      'slow.service was to be started and is inactive',
    );
    const failed = { ...evidence('inactive'), steps: [{ name: 'queue', status: 1, said: [], refusal: null }] };
    expect(judgeUndo(CHANGE, queued('inactive', 'start'), failed)?.kind).toBe('not-restored');
  });
});

it('a job that was starting may be done', () => {
  expect(judgeUndo(CHANGE, prior('activating'), evidence('inactive'))).toBeNull();
  expect(judgeUndo(CHANGE, prior('activating'), evidence('failed'))?.kind).toBe('not-restored');
});

it('a unit that what triggers it has started again is as it was, unless that had not been waiting', () => {
  const socket = (active: string) => ({ id: 'slow.socket', load: '', file: '', active });
  const withSocket = (active: string): Prior => ({
    ...prior('inactive'),
    states: [...prior('inactive').states, socket(active)],
  });
  const seen = (active: string): Evidence => {
    const { units, ...rest } = evidence(active);
    const waiting = { ...units[0]!, id: 'slow.socket', names: ['slow.socket'], active: 'active', triggeredBy: [] };
    return { ...rest, units: [...units, waiting] };
  };
  expect(judgeUndo(CHANGE, withSocket('active'), seen('active'))).toBeNull();
  expect(judgeUndo(CHANGE, withSocket('inactive'), seen('active'))?.kind).toBe('not-restored');
});

describe('a unit file that was moved aside', () => {
  const path = '/etc/systemd/system/slow.service';
  const change: Change = { ...CHANGE, links: [], displaces: [path] };
  const lying = (kind: 'null' | 'file' | undefined): Evidence => ({
    ...evidence('active'),
    paths: kind === undefined ? [] : [{ kind, path }],
  });

  it('is back when a file lies there, and not when nothing does, or the link still', () => {
    expect(judgeUndo(change, prior('active'), lying('file'))).toBeNull();
    expect(judgeUndo(change, prior('active'), lying('null'))?.message).toBe(`the unit file ${path} is not back`);
    expect(judgeUndo(change, prior('active'), lying(undefined))?.kind).toBe('not-restored');
  });

  it('is left where it lies when somebody put another in its place, and the fault says so', () => {
    const { message } = judgeUndo(change, prior('active'), { ...lying('file'), foreign: [path] })!;
    expect(message).toMatch(/made anew by somebody else and was left alone; what was there before lies beside it/);
  });
});

describe('a mask of another run', () => {
  const masked = { id: 'slow.service', load: 'masked', file: 'masked', active: 'inactive' };
  const theirs: Prior = { ...prior('inactive'), states: [masked], masks: ['/etc/systemd/system/slow.service'] };
  const NOTHING: Change = { ...CHANGE, links: [], stops: [] };

  it.each(['active', 'inactive'])('that has been removed since is not for this run to bring back (%s)', (active) => {
    expect(judgeUndo(NOTHING, theirs, evidence(active))).toBeNull();
  });

  it('that has been removed since excuses no unit that ran under it and is down', () => {
    const ran = { ...theirs, states: [{ ...masked, active: 'active' }] };
    expect(judgeUndo(NOTHING, ran, evidence('inactive'))?.message).toBe('slow.service was active and is inactive');
  });

  it('that had closed a socket, and has been removed since, leaves the socket closed', () => {
    const shut = { ...masked, id: 'slow.socket', active: 'active' };
    const deaf = { ...theirs, states: [shut], masks: ['/etc/systemd/system/slow.socket'] };
    const { units, ...rest } = evidence('inactive');
    const seen = { ...rest, units: [{ ...units[0]!, id: 'slow.socket', names: ['slow.socket'] }] };
    expect(judgeUndo(NOTHING, deaf, seen)).toBeNull();
  });

  it.each(['lift', 'relink'])('that this undo took away must be back (%s)', (step) => {
    const name = `${step}:/etc/systemd/system/slow.service`;
    const read = { ...evidence('active'), steps: [{ name, status: 0, said: [], refusal: null }] };
    expect(judgeUndo(NOTHING, theirs, read)?.message).toBe('slow.service was masked and is loaded');
  });

  it('that lies there still, and that systemd does not show, is a difference', () => {
    const path = { kind: 'null', path: '/etc/systemd/system/slow.service' } as const;
    expect(judgeUndo(NOTHING, theirs, { ...evidence('active'), paths: [path] })?.kind).toBe('not-restored');
  });

  it('that this run removed must be back', () => {
    const removing = { ...NOTHING, removes: ['/etc/systemd/system/slow.service'] };
    const problem = judgeUndo(removing, theirs, evidence('active'));
    expect(problem?.kind).toBe('not-restored');
  });
});

it('a template that is put back is read through an instance, as it was before', () => {
  const loaded = { load: 'loaded', file: 'static', active: 'inactive' };
  const masked = { load: 'masked', file: 'masked', active: 'inactive' };
  const unit = { unit: 'getty@.service', before: loaded, after: masked, notes: ['masked'] } as unknown as UnitReport;
  const witness = { id: 'getty@fleetmask-witness.service', names: ['getty@fleetmask-witness.service'], ...loaded };
  const read = readLater([unit], [witness as unknown as UnitFacts]);
  expect(read).toMatchObject([{ before: masked, after: loaded, notes: [] }]);
});

it('processes that are left count to the unit whose control group they are in', () => {
  const plan = (unit: string) => ({ asked: unit, unit, shownAs: unit, notes: [], steps: [], triggers: [] });
  const units = ['a.service', 'b@.service', '_c.service'].map(plan) as unknown as UnitPlan[];
  const left = [
    ['/system.slice/_c.service', 1],
    ['/system.slice/__c.service', 2],
    ['/system.slice/system-b.slice/b@1.service', 4],
    ['/system.slice/system-b.slice/b@2.service', 8],
    ['/user.slice/a.service', 16],
  ].map(([group, all]) => ({ group: group as string, all: all as number, own: 0 }));
  const judged = judge({ verb: 'mask' } as Ask, { units, change: CHANGE }, { ...evidence('inactive'), left });
  expect(judged.units.map(({ leftovers }) => leftovers)).toEqual([16, 12, 3]);
});

describe('where a directory takes no link', () => {
  const hint = (change: Partial<Change>, text: string) => {
    const seen: Evidence = { ...evidence('active'), refused: { kind: 'write', text } };
    return judge({ verb: 'mask' } as Ask, { units: [], change: { ...CHANGE, ...change } }, seen).fault?.hint;
  };
  const text = "ln: failed to create symbolic link '/etc/systemd/system/slow.service': Read-only file system";

  it('a mask in /run is offered', () => {
    expect(hint({}, text)).toMatch('--runtime');
  });

  it.each<[string, Partial<Change>, string]>([
    ['that is the one in /run', { where: 'run', links: ['/run/systemd/system/slow.service'] }, text],
    ['a unit file there would outrank it', { displaces: ['/etc/systemd/system/slow.service'] }, text],
    ['it is the receipt that cannot be written', {}, 'no receipt in /var/lib/fleetmask: Read-only file system'],
  ])('none is where %s', (_, change, said) => {
    expect(hint(change, said)).not.toMatch('--runtime');
  });
});

it('what a client has D-Bus start again is as it was', () => {
  const { units, ...rest } = evidence('active');
  const activated = { ...rest, units: units.map((unit) => ({ ...unit, busName: 'org.example.Slow' })) };
  expect(judgeUndo(CHANGE, prior('inactive'), activated)).toBeNull();
});

describe('a unit that does not run again', () => {
  const failed = (...lines: string[]): Evidence => {
    const { units, ...rest } = evidence('failed');
    return {
      ...rest,
      units: units.map((unit) => ({ ...unit, result: 'exit-code' })),
      logged: lines.map((line) => ({ unit: 'slow.service', line: `Dec  1 12:00:00 web1 ${line}` })),
    };
  };
  const message = (...lines: string[]) => judgeUndo(CHANGE, prior('active'), failed(...lines))?.message;

  it('shows its result and the last three lines that it wrote itself', () => {
    const own = ['one', 'two', 'three', 'bind: address in use'].map((text) => `slow[81]: ${text}`);
    expect(message(own[0]!, own[1]!, own[2]!, own[3]!, 'systemd[1]: slow.service: Main process exited')).toBe(
      'slow.service was active and is failed (Result=exit-code; journal: slow[81]: two | slow[81]: three | slow[81]: bind: address in use)',
    );
  });

  it('shows what systemd wrote where it wrote nothing itself', () => {
    expect(message('systemd[1]: slow.service: Failed at step EXEC')).toContain(
      'journal: systemd[1]: slow.service: Failed',
    );
  });

  it('shows no more than 200 characters of a line, and no line of another unit', () => {
    expect(message(`slow[81]: ${'x'.repeat(5_000)}`)!.length).toBeLessThan(300);
    const other = { ...failed(), logged: [{ unit: 'other.service', line: 'Dec  1 12:00:00 web1 other[1]: no' }] };
    expect(judgeUndo(CHANGE, prior('active'), other)?.message).toBe(
      'slow.service was active and is failed (Result=exit-code)',
    );
  });
});

it('a host that never answered its undo has nothing told of it', () => {
  const units = [{ unit: 'slow.service', notes: ['masked'] }] as unknown as UnitReport[];
  expect(withUndoNotes(units, null, { change: CHANGE, prior: prior('active') })).toEqual(units);
});
