/** What can stand next on a command line, from the same table as everything else; and the scripts by which shells ask for it. */

import type { Options } from 'yargs';
import { printable } from '../model/index.ts';
import { runsHere } from '../operations/context/state-directory.ts';
import type { Io } from '../operations/io.ts';
import { entries } from '../plan/catalog.ts';
import type { Command } from './command.ts';

/** A word that fits, and what it is for. */
export interface Candidate {
  readonly word: string;
  readonly meaning: string;
}

const HELP: Readonly<Record<string, Options>> = { help: { type: 'boolean', describe: 'show help' } };

/**
 * `words`: all after the program's name up to the cursor, the last one being typed, perhaps empty. None where nothing is known
 * to fit, as for a file: then it is the shell's own turn. `runs`: ids of earlier runs.
 */
export function complete(
  words: readonly string[],
  commands: readonly Command[],
  runs: () => readonly string[],
): Candidate[] {
  const [first = '', ...rest] = words;
  if (rest.length === 0) {
    const named = commands.map(({ name, describe }) => ({ word: name, meaning: describe }));
    return fitting(first, [...named, ...flagsOf({ ...HELP, version: { describe: 'show the version' } })]);
  }
  const command = commands.find(({ name }) => name === first);
  if (command === undefined) return [];
  const options = { ...command.options, ...HELP };
  const { flag, arguments: before, typed } = read(rest, options);
  if (flag !== null) return fitting(typed, valuesOf(flag, options[flag], runs));
  const [, name, value] = /^--([\w-]+)=(.*)$/s.exec(typed) ?? [];
  if (name !== undefined && value !== undefined) {
    return fitting(value, valuesOf(name, options[name], runs)).map((each) => ({
      ...each,
      word: `--${name}=${each.word}`,
    }));
  }
  if (typed.startsWith('-') && !before.ended) return fitting(typed, flagsOf(options));
  const expected = argumentsOf(command, before.count, runs);
  return fitting(typed, expected === null ? flagsOf(options) : expected);
}

interface Line {
  /** Whose value is being typed. */
  readonly flag: string | null;
  /** What came before, after `--` or not. */
  readonly arguments: { readonly count: number; readonly ended: boolean };
  readonly typed: string;
}

function read(words: readonly string[], options: Command['options']): Line {
  let flag: string | null = null;
  let count = 0;
  let ended = false;
  for (const [i, word] of words.entries()) {
    // bash hands over `--output=csv` in three words
    const assigned = word === '=' && flag !== null;
    if (i === words.length - 1) return { flag, arguments: { count, ended }, typed: assigned ? '' : word };
    if (assigned) continue;
    if (flag !== null) flag = null;
    else if (!ended && word === '--') ended = true;
    else if (!ended && /^-./.test(word)) flag = awaiting(word, options);
    else count++;
  }
  return { flag: null, arguments: { count, ended }, typed: '' };
}

/** The flag whose value comes in the next word; null where it has none, or has it already. */
function awaiting(word: string, options: Command['options']): string | null {
  if (word.startsWith('--')) {
    const name = word.slice(2);
    return takesValue(options[name]) ? name : null;
  }
  for (const [i, letter] of [...word.slice(1)].entries()) {
    const name = Object.keys(options).find((each) => options[each]!.alias === letter);
    if (name !== undefined && takesValue(options[name])) return i === word.length - 2 ? name : null;
  }
  return null;
}

function takesValue(option: Options | undefined): boolean {
  return option !== undefined && option.type !== 'boolean';
}

function flagsOf(options: Command['options']): Candidate[] {
  return Object.entries(options)
    .filter(([, { hidden }]) => !hidden)
    .map(([name, { describe }]) => ({ word: `--${name}`, meaning: typeof describe === 'string' ? describe : '' }));
}

function valuesOf(name: string, option: Options | undefined, runs: () => readonly string[]): Candidate[] {
  if (name === 'run') return runsFor(runs);
  return (option?.choices ?? []).map((choice) => ({ word: String(choice), meaning: '' }));
}

/** Null where no further argument is expected. What they are is told by the usage line: `<units..>`, `[run]`. */
function argumentsOf({ usage, words }: Command, index: number, runs: () => readonly string[]): Candidate[] | null {
  const places = usage.split(' ').slice(1);
  const place = places[index] ?? (places.at(-1)?.includes('..') ? places.at(-1) : undefined);
  if (place === undefined) return null;
  const name = place.replace(/[<>[\].]/g, '');
  if (name === 'run') return runsFor(runs);
  if (name === 'units') {
    return entries().flatMap((entry) =>
      [entry.name, ...entry.synonyms].map((word) => ({ word, meaning: 'by the name of each distribution' })),
    );
  }
  return (words?.[name] ?? []).map((word) => ({ word, meaning: '' }));
}

function runsFor(runs: () => readonly string[]): Candidate[] {
  const known = runs().map((word) => ({ word, meaning: '' }));
  return [{ word: 'last', meaning: 'the newest run' }, ...known.toReversed()];
}

function fitting(typed: string, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(typed) && /^[\w@.,:=+-]+$/.test(word));
}

/** How each shell takes a candidate, a line each. */
const LINES = {
  bash: ({ word }: Candidate) => word,
  zsh: ({ word, meaning }: Candidate) => `${word.replaceAll(':', '\\:')}${meaning === '' ? '' : `:${meaning}`}`,
  fish: ({ word, meaning }: Candidate) => (meaning === '' ? word : `${word}\t${meaning}`),
};

export type Shell = keyof typeof LINES;

export const SHELLS = Object.keys(LINES) as readonly Shell[];

/** `fleetmask completion SHELL -- WORD…`, as the scripts ask; null where the arguments are something else. */
export function answer(io: Io, commands: readonly Command[]): string | null {
  const [word, asking, dashes, ...words] = io.args;
  const shell = SHELLS.find((each) => each === asking);
  if (word !== 'completion' || shell === undefined || dashes !== '--') return null;
  return complete(words, commands, () => runsHere(io))
    .map((each) => `${LINES[shell]({ ...each, meaning: printable(each.meaning) })}\n`)
    .join('');
}

/** To be read by the shell; each asks the program at every TAB, so that it never speaks of another version. */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for fleetmask
_fleetmask() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    COMPREPLY+=("$word")
  done < <(fleetmask completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _fleetmask fleetmask
`,
  zsh: `#compdef fleetmask
# zsh completion for fleetmask
_fleetmask() {
  local -a found
  found=("\${(@f)$(fleetmask completion zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then
    _describe fleetmask found
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _fleetmask ]]; then
  _fleetmask "$@"
else
  compdef _fleetmask fleetmask
fi
`,
  fish: `# fish completion for fleetmask
function __fleetmask_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -e before[1]
    set -l found (fleetmask completion fish -- $before "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c fleetmask -f -a '(__fleetmask_complete)'
`,
};
