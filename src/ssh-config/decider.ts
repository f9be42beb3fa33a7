import { printedAlike } from './ask-ssh.ts';
import type { Question, Settings } from './evaluate.ts';
import type { Values } from './resolved.ts';

/** More open conditions than this, and every host is asked about on its own. */
const MAX_CASES = 32;

interface Case {
  readonly answers: ReadonlyMap<string, boolean>;
  readonly settings: Settings;
}

interface Decided {
  readonly settings: Settings;
  readonly values: Values;
}

/**
 * Settles conditions that only ssh can judge, with as few runs of ssh as are safe. Every way in which the open
 * conditions may turn out is worked out; ssh's output then shows which one is true. Hosts for which all of that is
 * equal, down to the settings written in the files, have the same answer, so that ssh is asked for the first only.
 */
export class Decider {
  /** Which case is true, by signature; `undefined` where one host's output does not tell. */
  readonly #known = new Map<string, Promise<number | undefined>>();

  /** `conclude` goes through the configuration with given answers; `print` says what ssh would print; `ask` asks ssh. */
  async decide(
    conclude: (holds: Question['holds']) => Settings,
    print: (settings: Settings) => Values,
    ask: () => Promise<Values>,
  ): Promise<Decided> {
    const cases = allCases(conclude);
    const first = cases[0]!;
    const signature = JSON.stringify(cases.map(({ answers, settings }) => [[...answers], written(settings)]));
    const pending = this.#known.get(signature);
    // Without a pause where nobody has asked yet: hosts that come at the same time must find the question asked.
    const index = pending && (await pending);
    if (index !== undefined) return { settings: cases[index]!.settings, values: print(cases[index]!.settings) };

    const answer = ask();
    const fitting = answer.then((values) => fittingCases(cases, print, values));
    if (pending === undefined) {
      const shareable = cases.length <= MAX_CASES && !cases.some(({ settings }) => asksTheNetwork(settings));
      this.#known.set(
        signature,
        fitting.then(
          (found) =>
            shareable && new Set(found.map((at) => written(cases[at]!.settings))).size === 1 ? found[0] : undefined,
          () => undefined,
        ),
      );
    }
    const [values, found] = await Promise.all([answer, fitting]);
    const settings = (found[0] === undefined ? first : cases[found[0]]!).settings;
    return { settings: { ...settings, hostname: values.get('hostname')?.[0] ?? settings.hostname }, values };
  }
}

/** One case for each combination of answers that makes a difference to which conditions are met. */
function allCases(conclude: (holds: Question['holds']) => Settings): readonly Case[] {
  const cases: Case[] = [];
  const open: ReadonlyMap<string, boolean>[] = [new Map()];
  while (open.length > 0 && cases.length <= MAX_CASES) {
    const answers = open.pop()!;
    let unanswered: string | undefined;
    const settings = conclude((condition) => {
      const answer = answers.get(condition);
      if (answer === undefined) unanswered ??= condition;
      return answer ?? false;
    });
    if (unanswered === undefined) cases.push({ answers, settings });
    else for (const answer of [true, false]) open.push(new Map([...answers, [unanswered, answer]]));
  }
  return cases;
}

/** The cases in which ssh would have printed what it has printed. */
function fittingCases(
  cases: readonly Case[],
  print: (settings: Settings) => Values,
  values: Values,
): readonly number[] {
  return cases.flatMap(({ settings }, index) => {
    try {
      return printedAlike(print(settings), values) ? [index] : [];
    } catch {
      return []; // ssh would have failed
    }
  });
}

/** The settings before anything in them is replaced: equal for two hosts means equal up to their names. */
function written({ values, unsupported }: Settings): string {
  return JSON.stringify([[...values], [...unsupported]]);
}

/** With canonicalization on, the name servers decide, for each host anew. */
function asksTheNetwork({ values }: Settings): boolean {
  return (values.get('canonicalizehostname')?.values[0] ?? 'false') !== 'false';
}
