/** One keyboard-interactive login (RFC 4256): who answers which question, and when that is enough. */
import type { KeyboardInteractiveAuthMethod } from 'ssh2';
import { printable } from '../../model/index.ts';
import type { Loan, LoginPassword } from '../password.ts';
import { asksForPassword, type Questions, type Round } from '../questions.ts';

export interface Dialogue {
  readonly prompt: KeyboardInteractiveAuthMethod['prompt'];
  /** What has been answered so far. */
  answered(): { readonly password: boolean; readonly questions: number };
  /** Why it was given up; undefined: it was not. */
  stuck(): Stuck | undefined;
  /** The question that was asked last, safe to print. */
  latest(): string | undefined;
  /** True while the question waits until that of another host is answered. */
  waits(): boolean;
}

export interface Stuck {
  readonly why: 'withheld' | 'other prompt' | 'asked again' | 'nobody' | 'broken off' | 'too many';
  /** The question, safe to print. */
  readonly asked: string;
}

export interface DialogueOptions {
  /** Names the host for the person, safe to print. */
  readonly asker: string;
  readonly password: LoginPassword | undefined;
  /** Lends the password, for its only question; absent: it was used already, or there is none. */
  readonly lend: (() => Promise<Loan>) | undefined;
  /** Absent: nobody is asked, and only the question for the password is answered. */
  readonly questions: Questions | undefined;
  /** Questions that were answered before in this login, as they came. */
  readonly asked: Set<string>;
  readonly given: AbortSignal;
  readonly hold: () => () => void;
  readonly giveUp: () => void;
}

/** Duo asks twice or thrice, a changed password four times. */
const MAX_QUESTIONS = 8;
/** After a person has answered: a push has to be approved on a telephone, and sshd waits for 120 s in all. */
const PATIENCE_MS = 60_000;

export function startDialogue(options: DialogueOptions): Dialogue {
  const { asker, password, lend, questions, asked, given, hold, giveUp } = options;
  let byPassword = false;
  let byPerson = 0;
  let stuck: Stuck | undefined;
  let latest: string | undefined;
  let waiting = false;

  const shown = (text: string): string => printable(password?.hideIn(text) ?? text, 100);
  const stop = (why: Stuck['why'], prompt: string): undefined => {
    stuck = { why, asked: shown(prompt) };
    giveUp();
    return undefined;
  };
  const fromPerson = async (round: Round, index: number): Promise<string | undefined> => {
    const { prompt } = round.prompts[index]!;
    const resume = hold();
    waiting = true;
    const answer = await questions!.ask(asker, hiding(round, password), index, given, () => {
      waiting = false;
    });
    setTimeout(resume, answer.is === 'answer' ? PATIENCE_MS : 0).unref();
    if (answer.is === 'answer') return answer.text;
    return answer.is === 'over' ? undefined : stop(answer.is, prompt);
  };
  const answersTo = async (round: Round): Promise<string[] | undefined> => {
    const { prompts } = round;
    // an answer that was not good enough is not given again, and no other one in its place: accounts are locked for that
    const again = prompts.find(({ prompt }) => asked.has(prompt));
    if (again !== undefined) return stop('asked again', again.prompt);
    if (asked.size + prompts.length > MAX_QUESTIONS) return stop('too many', prompts[0]!.prompt);
    const own = lend === undefined || byPassword ? -1 : prompts.findIndex(asksForPassword);
    const strange = prompts.find((_, index) => index !== own);
    if (strange !== undefined && questions === undefined) return stop('other prompt', prompts.map(textOf).join(' '));
    for (const { prompt } of prompts) asked.add(prompt);
    const answers: string[] = [];
    for (const index of prompts.keys()) {
      if (index === own) continue;
      const answer = await fromPerson(round, index);
      if (answer === undefined) return undefined;
      byPerson++;
      answers[index] = answer;
    }
    // last: where nobody answers the others, it is not sent at all
    if (own >= 0) {
      const loan = await lend!();
      if (given.aborted) return undefined;
      if (loan.is === 'withheld') return stop('withheld', prompts[own]!.prompt);
      byPassword = true;
      answers[own] = loan.reveal();
    }
    return answers;
  };

  return {
    prompt(name, instructions, _lang, prompts, finish) {
      if (stuck !== undefined) return;
      const round = {
        name,
        instructions,
        prompts: prompts.map(({ prompt, echo }) => ({ prompt, echo: echo === true })),
      };
      latest = shown(round.prompts.map(textOf).join(' '));
      void answersTo(round).then((answers) => {
        if (answers !== undefined && !given.aborted) finish(answers);
      });
    },
    answered: () => ({ password: byPassword, questions: byPerson }),
    stuck: () => stuck,
    latest: () => latest,
    waits: () => waiting,
  };
}

const textOf = ({ prompt }: Round['prompts'][number]): string => prompt;

/** What the host repeats of the password is not shown to whoever looks over the shoulder. */
function hiding(round: Round, password: LoginPassword | undefined): Round {
  if (password === undefined) return round;
  const hide = (text: string): string => password.hideIn(text);
  const prompts = round.prompts.map(({ prompt, echo }) => ({ prompt: hide(prompt), echo }));
  return { name: hide(round.name), instructions: hide(round.instructions), prompts };
}

/** What kept the questions from being answered to the host's liking, and what to do about it; undefined: nothing, or it was the password alone. */
export function whyUnanswered(name: string, dialogue: Dialogue): [what: string, hint?: string] | undefined {
  const stuck = dialogue.stuck();
  const { password, questions } = dialogue.answered();
  if (stuck === undefined) {
    if (dialogue.waits()) {
      const waited = `${name} was asked “${dialogue.latest()}”, and the server hung up before that had its turn`;
      return [waited, 'Questions of several hosts wait for each other: say --forks 1.'];
    }
    return questions > 0 && !password
      ? [`The answer of ${name} to “${dialogue.latest()}” was refused`, ANSWER_HINT]
      : undefined;
  }
  const { why, asked } = stuck;
  switch (why) {
    case 'nobody':
      return [`${name} was asked “${asked}”, and there is no terminal to answer at`, TERMINAL_HINT];
    case 'broken off':
      return [`${name} was asked “${asked}”, and nobody answered`, 'Run it again for the hosts that are left.'];
    case 'too many':
      return [`${name} was asked too many questions, “${asked}” the last of them`, 'Treat this host with suspicion.'];
    case 'other prompt':
      return [`${name} was asked for something else than a password`];
    case 'asked again':
      return questions > 0 ? [`The answer of ${name} to “${asked}” was refused`, ANSWER_HINT] : undefined;
    case 'withheld':
      return undefined;
  }
}

const TERMINAL_HINT =
  'Run this at a terminal; or log in with ssh first (ControlMaster and ControlPath in ssh_config) and say --transport openssh.';
const ANSWER_HINT = 'It was not tried again. Most codes are good for one login: wait for the next one, then run again.';
