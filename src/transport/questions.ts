/** Questions that servers ask while they let somebody in: one-time codes, approvals, passwords. They are put to the person at the terminal. */
import pLimit from 'p-limit';
import { printable } from '../model/index.ts';

/** The terminal. Gives undefined where there is none, null where the person breaks it off or `given` aborts. */
export type Prompt = (
  question: string,
  answer: 'shown' | 'hidden',
  given: AbortSignal,
) => Promise<string | null | undefined>;

/** What one server asks at once (RFC 4256 §3.2). Raw: the host chooses every word of it. */
export interface Round {
  readonly name: string;
  readonly instructions: string;
  readonly prompts: readonly { readonly prompt: string; readonly echo: boolean }[];
}

export interface Questions {
  /**
   * Asks one of the prompts of a round. Questions of several hosts wait for each other; `begun` is called when the turn has come, and `given`
   * ends the waiting and the question. `asker` names the host, safe to print. Never rejects.
   */
  ask(asker: string, round: Round, index: number, given: AbortSignal, begun: () => void): Promise<Answer>;
}

export type Answer =
  | { readonly is: 'answer'; readonly text: string }
  /** No terminal; the person broke off, now or before; or nobody waits for the answer any more. */
  | { readonly is: 'nobody' | 'broken off' | 'over' };

const MAX_LINES = 15;
const MAX_LINE = 200;
const MAX_TEXT = 4096;

/** `brokenOff` is called once, when the person breaks off a question: no other is asked after that. */
export function openQuestions(prompt: Prompt, brokenOff: () => void = () => undefined): Questions {
  const oneAtATime = pLimit(1);
  let broken = false;
  return {
    ask: (asker, round, index, given, begun) =>
      oneAtATime(async (): Promise<Answer> => {
        if (given.aborted) return { is: 'over' };
        if (broken) return { is: 'broken off' };
        begun();
        const { echo = false } = round.prompts[index] ?? {};
        const typed = await prompt(shown(asker, round, index), echo ? 'shown' : 'hidden', given);
        if (given.aborted) return { is: 'over' };
        if (typed === undefined) return { is: 'nobody' };
        if (typed !== null) return { is: 'answer', text: typed };
        if (!broken) brokenOff();
        broken = true;
        return { is: 'broken off' };
      }),
  };
}

/** Every line that the host has chosen has its name before it, so that none can pass for one of ours. */
function shown(asker: string, { name, instructions, prompts }: Round, index: number): string {
  const before = index === 0 ? [...linesOf(name), ...linesOf(instructions)] : [];
  const own = linesOf(prompts[index]?.prompt ?? '');
  const all = [...before, ...own].slice(-MAX_LINES);
  const last = all.pop() ?? '(it asks without a word)';
  const margin = `  ${asker} | `;
  return `${asker} asks, to let us in:\n${all.map((line) => `${margin}${line}\n`).join('')}${margin}${last} `;
}

function linesOf(text: string): string[] {
  const lines = text.slice(0, MAX_TEXT).split(/[\r\n]+/);
  return lines.filter((line) => line.trim() !== '').map((line) => printable(line.trim(), MAX_LINE));
}

const PASSWORD =
  /passw|passphrase|first factor|mot de passe|kennwort|contraseña|senha|wachtwoord|lösenord|adgangskode|salasana|hasło|heslo|parola|jelszó|пароль|密码|密碼|パスワード|암호/i;
/** What else is asked for in such words: one-time passwords, a new one, both together. */
const OTHER =
  /code|token|otp\b|one[- ]?time|pin\b|passcode|second|2fa|factor auth|duo|yubi|verification|response|challenge|new|re-?(?:enter|type)|again|current|old|change|neues|nouveau|nueva|nova/i;

/** Whether a question is the one for the account's password, and for nothing besides. */
export function asksForPassword({ prompt, echo }: Round['prompts'][number]): boolean {
  const text = prompt.slice(-MAX_TEXT);
  return !echo && PASSWORD.test(text) && !OTHER.test(text);
}
