/**
 * Evidence in, verdict out: every file in verdicts/ is a story of one host. It tells how the host was, what was planned there, what
 * the host said after that, and the verdict, with the reason why that is right.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Ask, Fault, Outcome, Plan, Refusal, UnitReport, UnitState } from '../../src/model/index.ts';
import { type Aftermath, aftermath } from '../../src/plan/aftermath.ts';
import { assemble } from '../../src/plan/assemble.ts';
import { refusalOf } from '../../src/plan/host-refusal.ts';
import { judge, readAgain, unread } from '../../src/plan/judge.ts';
import { judgeUndo } from '../../src/plan/judge-undo.ts';
import { withUndoNotes } from '../../src/plan/leftovers.ts';
import { type Observation, observe } from '../../src/plan/observe.ts';
import { type Finding, find, wayBack } from '../../src/plan/recall.ts';
import { parseQuery } from '../../src/plan/resolve.ts';
import { MASK } from '../ask.ts';
import { type EvidenceWords, evidenceOf } from './evidence.ts';
import { Room, type Saying } from './sentences.ts';
import { factsOf, type Situation } from './situation.ts';

const DIR = fileURLToPath(new URL('./verdicts/', import.meta.url));
const NOW = '2026-12-01T12:00:00Z';

interface Story {
  readonly story: string;
  readonly ask: Partial<Ask> & Pick<Ask, 'units'>;
  /** How the host was, and what of the plan for it the verdict hangs on. */
  readonly before: Situation;
  readonly plan?: Readonly<Record<string, unknown>>;
  /** What the host answered: of `recall/` what its receipt keeps of that answer, if there is one. */
  readonly after?: EvidenceWords | 'no receipt' | 'no answer';
  /** Of `recall/` and `aftermath/`: how the host is now, and whether that is another boot; what its receipt says it was to do, where that is something else. */
  readonly now?: Situation;
  readonly rebooted?: true;
  readonly receiptOf?: readonly string[];
  readonly wanting?: true;
  readonly expect: Readonly<Record<string, unknown>>;
}

type ChangePlan = Extract<Plan, { kind: 'change' }>;
type Verdict = Readonly<Record<string, unknown>>;

const said = (fault: Fault | null) =>
  fault === null ? { fault: null } : { fault: fault.kind, message: fault.message, hint: fault.hint };
const sayState = (state: UnitState | null) => state && [state.load, state.file, state.active].filter(Boolean).join(' ');

function sayUnits(units: readonly UnitReport[]) {
  return {
    units: Object.fromEntries(units.map(({ unit, before, after }) => [unit, [sayState(before), sayState(after)]])),
    startProbe: units[0]?.startProbe,
    leftovers: units.map(({ leftovers }) => leftovers),
    triggers: units.flatMap(({ triggers }) => triggers),
    notCovered: units.flatMap(({ notCovered }) => notCovered ?? []),
    covers: units.flatMap(({ covers }) => covers ?? []),
    ways: units.flatMap(({ ways }) => ways ?? []),
    stopsToo: units.flatMap(({ stopsToo }) => stopsToo ?? []),
    steps: units.flatMap(({ steps }) => steps),
    notes: units.flatMap(({ notes }) => notes),
    holders: units.flatMap(({ receipt }) => (receipt ? [receipt.run] : [])),
  };
}

function askOf({ ask }: Story): Ask {
  return { ...MASK, now: false, ...ask };
}

function planOf(story: Story): ChangePlan {
  const ask = askOf(story);
  const plan = assemble(ask, ask.units.map(parseQuery), factsOf(story.before));
  if (plan.kind !== 'change') throw new Error(`nothing would be changed there: ${JSON.stringify(plan)}`);
  return plan;
}

function answerOf({ after }: Story) {
  if (typeof after !== 'object') throw new Error('the host has said nothing');
  return evidenceOf(after);
}

/** `roll back`: the host did something, and it is not as asked. */
function afterApply(story: Story): Verdict {
  const evidence = answerOf(story);
  const { units, fault } = judge(askOf(story), planOf(story), evidence);
  const verdict =
    fault === null
      ? askOf(story).verb === 'mask'
        ? 'masked'
        : 'unmasked'
      : refusalOf(evidence)
        ? 'refused'
        : 'roll back';
  return { verdict, ...said(fault), ...sayUnits(units) };
}

function afterUndo(story: Story): Verdict {
  const plan = planOf(story);
  const evidence = answerOf(story);
  const fault = judgeUndo(plan.change, plan.prior, evidence);
  const units = withUndoNotes(readAgain(unread(plan.units), evidence.units), evidence, plan);
  return { verdict: fault === null ? 'rolled-back' : 'stranded', ...said(fault), ...sayUnits(units) };
}

function afterRecall(story: Story): Verdict {
  const { after, now, rebooted, receiptOf, wanting = false } = story;
  const { change, prior, units } = planOf(story);
  const facts = { ...factsOf(now ?? {}), ...(rebooted && { bootId: '99999999-2222-3333-4444-555555555555' }) };
  const receipt = {
    ...{ run: '20261201-100000000-aaaaaa', seq: 1, order: 1, as: null, meta: {}, prior, holds: [] },
    change: receiptOf === undefined ? change : { ...change, links: receiptOf },
    result: typeof after === 'object' ? evidenceOf(after) : null,
  };
  const left = after === 'no receipt' ? undefined : receipt;
  const deed = { ask: askOf(story), change, prior, units };
  const finding = find(deed, left, facts);
  const back = wayBack(deed, left, wanting, facts);
  return {
    verdict: finding.kind,
    ...said(finding.kind === 'confirmed' ? null : finding.why),
    ...sayUnits(finding.units),
    halts: back.halts,
    // what a rollback has to bring back, by what is known now
    backTo: Object.fromEntries(back.prior.states.map((state) => [state.id, sayState(state)])),
  };
}

function afterLoss(story: Story): Verdict {
  const { units, paths } = factsOf(story.now ?? {});
  const found = aftermath(planOf(story), { units, paths });
  return { verdict: found.kind, message: found.kind === 'rolled-back' ? null : found.lacking, notes: [] };
}

function ofStatus(story: Story): Verdict {
  const ask = askOf(story);
  const facts = factsOf(story.before);
  const { outcome, fault, units } = observe(ask.units.map(parseQuery), facts, NOW, () => '', ask);
  return { verdict: outcome, ...said(fault), ...sayUnits(units) };
}

const BENCHES: Readonly<Record<string, (story: Story) => Verdict>> = {
  apply: afterApply,
  undo: afterUndo,
  recall: afterRecall,
  aftermath: afterLoss,
  status: ofStatus,
};

const stories = Object.keys(BENCHES).flatMap((room) =>
  readdirSync(`${DIR}${room}`)
    .sort()
    .map((file) => {
      const story = parse(readFileSync(`${DIR}${room}/${file}`, 'utf8')) as Story;
      return { room, name: file.replace(/\.yaml$/, '').replaceAll('-', ' '), story };
    }),
);

describe.each(Object.keys(BENCHES))('%s:', (room) => {
  for (const { name, story } of stories.filter((each) => each.room === room)) {
    it(name, () => {
      expect(story.story?.length ?? 0, 'a story says why its verdict is right').toBeGreaterThan(60);
      if (story.plan) {
        const { kind, change, prior } = planOf(story);
        const planned: Record<string, unknown> = { kind, ...change, masks: prior.masks };
        expect(Object.fromEntries(Object.keys(story.plan).map((key) => [key, planned[key]]))).toEqual(story.plan);
      }
      const found = BENCHES[room]!(story);
      expect(Object.fromEntries(Object.keys(story.expect).map((key) => [key, found[key]]))).toEqual(story.expect);
    });
  }
});

const told = stories.map((each) => ({ ...each, verdict: BENCHES[each.room]!(each.story) }));
const verdictsOf = (room: string) =>
  new Set(told.filter((each) => each.room === room).map(({ verdict }) => verdict.verdict));

describe('there is a story', () => {
  it('for each outcome of status, each finding of a recovery, and each way a host can decline', () => {
    const status: Record<Observation['outcome'], true> = {
      ...{ masked: true, 'not-masked': true, mixed: true, refused: true, absent: true },
    };
    const findings: Record<Finding['kind'], true> = { confirmed: true, refuted: true, undone: true };
    const refusals: Record<Refusal['kind'], true> = {
      ...{ twin: true, fenced: true, moved: true, write: true, unarmed: true, malformed: true, locked: true },
    };
    const aftermaths: Record<Aftermath['kind'], true> = { 'rolled-back': true, differs: true, 'in-effect': true };
    expect(verdictsOf('aftermath')).toEqual(new Set(Object.keys(aftermaths)));
    expect(verdictsOf('status')).toEqual(new Set(Object.keys(status)));
    expect(verdictsOf('recall')).toEqual(new Set(Object.keys(findings)));
    expect(verdictsOf('apply')).toEqual(new Set(['masked', 'unmasked', 'refused', 'roll back']));
    expect(verdictsOf('undo')).toEqual(new Set(['rolled-back', 'stranded']));
    const declined = stories.flatMap(({ room, story: { after } }) =>
      room === 'apply' && typeof after === 'object' && after.refused ? [after.refused.split(' ')[0]] : [],
    );
    expect(new Set(declined)).toEqual(new Set(Object.keys(refusals)));
  });

  it('for each outcome of a host, or the room that decides on it is named', () => {
    const where: Record<Outcome, string> = {
      masked: 'apply',
      unmasked: 'apply',
      refused: 'apply',
      'rolled-back': 'undo',
      stranded: 'undo',
      absent: 'status',
      'not-masked': 'status',
      mixed: 'status',
      // a plan alone decides on these: cases/
      unchanged: 'no plan for a change',
      planned: 'no apply',
      // of hosts that nobody spoke to, and of people: test/run
      unreachable: 'run',
      'not-started': 'run',
      // a rollback is judged as an undo is
      restored: 'run',
      forgotten: 'run',
    };
    for (const [outcome, room] of Object.entries(where)) {
      if (room in BENCHES) expect([...verdictsOf(room)]).toContain(outcome);
    }
  });

  const plan = new Room(fileURLToPath(new URL('../../src/plan/', import.meta.url)), ['catalog.ts']);
  const speakers: Readonly<Record<string, readonly Saying[]>> = {
    apply: plan.saidBy(judge),
    undo: plan.saidBy(judgeUndo, withUndoNotes),
    recall: plan.saidBy(find, wayBack),
    status: plan.saidBy(observe),
  };

  it.each(Object.entries(speakers))(
    'in %s for each fault and each sentence that can be said there',
    (room, sayings) => {
      // a recovery judges as an apply does: what that can say is shown there
      const rooms = room === 'recall' ? ['recall', 'apply'] : [room];
      const verdicts = told.filter((each) => rooms.includes(each.room)).map(({ verdict }) => verdict);
      const texts = verdicts.map(({ message, hint, notes }) => [message, hint, ...(notes as string[])].join('\n'));
      const unsaid = sayings.filter(({ kind, pattern }) =>
        kind === null
          ? !texts.some((text) => pattern.test(text))
          : !verdicts.some(({ fault, message }) => fault === kind && pattern.test(String(message))),
      );
      expect(sayings.length).toBeGreaterThan(10);
      expect(unsaid.map(({ text }) => text).filter((text) => !(text in ELSEWHERE[room]!))).toEqual([]);
    },
  );

  it.each(Object.entries(speakers))('and nothing is excused in %s that nobody can say there', (room, sayings) => {
    const sayable = new Set(sayings.map(({ text }) => text));
    expect(Object.keys(ELSEWHERE[room]!).filter((text) => !sayable.has(text))).toEqual([]);
  });
});

/** What is reached in the source and never said there, or said where another test looks; by room. */
const ELSEWHERE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  apply: {},
  // whatever a host declines to undo is not restored
  undo: {
    'fault stale-plan: the host has seen a newer request of this run (…)': 'told as not-restored',
    'fault stale-plan: the host was changed by somebody else while it was planned': 'told as not-restored',
    'Run the command again.': 'the hint of that fault',
    'fault write-failed: …': 'told as not-restored',
    'fault not-armed: the host cannot be made to put itself back: …': 'told as not-restored',
    'fault bug: the host did not understand the request …': 'told as not-restored',
    '… days': 'a lock is told as in apply',
    '… and … more': 'names are listed as in apply',
  },
  recall: {},
  status: {},
};
