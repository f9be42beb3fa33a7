/** What the steps of a change or its undo came to, and what the host's journal says about those that failed. */
import { type Logged, printable, type StepResult } from '../model/index.ts';
import { firstWord, type HostRecord, texts } from './blocks.ts';

/** `step NAME STATUS`, `said NAME LINE` */
export function stepsFrom(records: readonly HostRecord[]): StepResult[] {
  const steps: { name: string; status: number | 'untried'; said: string[]; refusal: StepResult['refusal'] }[] = [];
  for (const { kind, text } of records) {
    const [name, rest] = firstWord(text);
    if (kind === 'step') {
      const [status] = firstWord(rest);
      steps.push({
        name: printable(name),
        status: /^\d{1,3}$/.test(status) ? Number(status) : 'untried',
        said: [],
        refusal: null,
      });
    } else if (kind === 'said') {
      const step = steps.at(-1);
      if (step === undefined) continue;
      const said = text.slice(name.length + 1);
      step.refusal ??= refusalIn(said);
      if (step.said.length < MAX_SAID) step.said.push(printable(said));
    }
  }
  return steps;
}

/** Of what a step said, so many lines are shown. */
const MAX_SAID = 20;

/**
 * `Failed to start X.service: Unit X.service is masked.`, `Unit is masked.` (219); `Operation refused, unit X.service may be …`;
 * `Job for X.service canceled.` where another job took the place of ours.
 * The blanks matter: no name of a unit has any, so none can be called by these words.
 */
function refusalIn(line: string): StepResult['refusal'] {
  if (line.includes(' is masked')) return 'masked';
  if (line.includes(' canceled.')) return 'cancelled';
  return line.includes('Operation refused') ? 'refuses-manual' : null;
}

/** Of what a host quotes from its journal, so many lines are looked at, and so much is kept of each. */
const MAX_LOGGED = 60;
const MAX_LOGGED_LINE = 400;

/** `logged UNIT LINE` */
export function loggedFrom(records: readonly HostRecord[]): Logged[] {
  return texts(records, 'logged')
    .slice(0, MAX_LOGGED)
    .map((text) => {
      const [unit, line] = firstWord(text);
      return { unit: printable(unit), line: printable(line, MAX_LOGGED_LINE) };
    });
}
