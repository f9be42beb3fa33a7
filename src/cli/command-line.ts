/**
 * The words that an operator types, read by the table of options as getopt_long reads them: `-lweb`, `-yb`, `-f20`, `--name=value`,
 * `--`. yargs takes an attached short option for something else, and then does nothing and exits 0; so it gets only words
 * that cannot be misread.
 */
import type { Options } from 'yargs';
import { didYouMean, UsageError } from '../model/index.ts';
import type { Command } from './command.ts';

/** What operators of other tools type, and the command of ours that it is. */
const SAME: Readonly<Record<string, readonly string[]>> = {
  undo: ['rollback'],
  history: ['runs', 'list'],
  export: ['runs', 'export'],
};

/** What is no command of ours, and what to use instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  stop: 'Use fleetmask mask UNIT --now: it stops the unit, and nothing can start it again until a rollback or unmask.',
  start:
    'Use fleetmask rollback RUN, which starts again what a run stopped. unmask only allows a start, and starts nothing.',
  restart: 'fleetmask masks and unmasks units; it restarts none.',
  disable:
    'disable only keeps a unit from being started at boot; a mask keeps everything from starting it: fleetmask mask UNIT.',
  enable: 'unmask removes a mask, and enablement was never changed by it: fleetmask unmask UNIT.',
  'is-enabled': 'Use fleetmask status UNIT.',
  'is-active': 'Use fleetmask status UNIT.',
  list: 'Use fleetmask runs list, or fleetmask inventory list.',
  ls: 'Use fleetmask runs list, or fleetmask inventory list.',
  get: 'Use fleetmask status UNIT, fleetmask runs list, or fleetmask inventory list.',
  ping: 'Use fleetmask doctor.',
  config: 'Settings are in fleetmask.yaml here, in ~/.config/fleetmask/config.yaml and in /etc/fleetmask/config.yaml.',
};

/** Options of other tools that mean one of ours. */
const OPTIONS_INSTEAD: Readonly<Record<string, string>> = {
  serial: 'Use --waves, which also takes one size for all: --waves 1.',
  diff: 'Use --check: it shows what would be done, host by host.',
  json: 'Use -o json.',
  yaml: 'Use -o json.',
  'extra-vars': 'Variables belong in the inventory.',
  e: 'Variables belong in the inventory.',
  interval: 'Use --every.',
  all: 'Use -l all.',
  list: 'Use fleetmask inventory list.',
  host: 'Use -l HOST.',
  force: 'Nothing is forced here; the message of a refusal names the option that allows it.',
};

/** Long options of other tools that are exactly one of ours. */
const OPTIONS_SAME: Readonly<Record<string, string>> = { 'dry-run': 'check' };

const HELP: Readonly<Record<string, Options>> = {
  help: { type: 'boolean', alias: 'h' },
  version: { type: 'boolean', alias: 'V' },
};

/** Stands before an argument that begins with `-` and is no option. No argument has a NUL in it. */
export const VEIL = '\0';

/**
 * The same words for yargs: command, arguments, then `--name=value` for each option. Throws UsageError for a command or an option that
 * does not exist, for an option without its value, and for a value where none is taken.
 */
export function plainWords(args: readonly string[], commands: readonly Command[]): string[] {
  const everywhere = Object.assign({}, ...commands.map(({ options }) => options), HELP) as Record<string, Options>;
  // which word is the command cannot depend on that command's options
  const [word] = split(args, everywhere, 'lenient').words;
  if (word === undefined) return split(args, everywhere, 'strict').options;
  if (word === 'help') return helpWords(args, everywhere, commands);
  if (word === 'version') return ['--version'];
  const renamed = Object.hasOwn(SAME, word) ? replaced(args, word, SAME[word]!) : args;
  const name = renamed === args ? word : SAME[word]![0]!;
  const command = commands.find((each) => each.name === name);
  if (command === undefined) throw unknownCommand(word, commands);
  const { words, options } = split(renamed, { ...command.options, ...HELP }, 'strict', command);
  const [first = name, ...rest] = words;
  return [first, ...rest.map((each, at) => action(command, each, at)), ...options];
}

function helpWords(
  args: readonly string[],
  options: Readonly<Record<string, Options>>,
  commands: readonly Command[],
): string[] {
  const [, topic] = split(args, options, 'lenient').words;
  if (topic === undefined) return ['--help'];
  const name = Object.hasOwn(SAME, topic) ? SAME[topic]![0] : topic;
  if (!commands.some((each) => each.name === name)) throw unknownCommand(topic, commands);
  return [name!, '--help'];
}

function replaced(args: readonly string[], word: string, by: readonly string[]): string[] {
  const at = args.indexOf(word);
  return [...args.slice(0, at), ...by, ...args.slice(at + 1)];
}

/** `ls` for `list`, where a command has that as an action. */
function action({ words = {} }: Command, word: string, at: number): string {
  return at === 0 && word === 'ls' && words.action?.includes('list') ? 'list' : word.replace(/^-/, `${VEIL}-`);
}

interface Split {
  readonly words: readonly string[];
  readonly options: string[];
}

/** `lenient` tells words from options, and judges nothing. */
function split(
  args: readonly string[],
  table: Readonly<Record<string, Options>>,
  mode: 'lenient' | 'strict',
  command?: Command,
): Split {
  const short = new Map<string, string>();
  for (const [name, { alias }] of Object.entries(table)) {
    for (const each of [alias ?? []].flat()) short.set(each, name);
  }
  const words: string[] = [];
  const options: string[] = [];
  const fail = (error: UsageError) => {
    if (mode === 'strict') throw error;
  };
  const queue = [...args];
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (arg === '--') {
      words.push(...queue);
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      words.push(arg);
      continue;
    }
    /** Takes the value of an option: what is attached, or else the next word. */
    const valued = (name: string, shown: string, attached: string | undefined) => {
      const next = queue[0];
      const value =
        attached ?? (next === undefined || (next.startsWith('-') && next !== '-') ? undefined : queue.shift());
      if (value === undefined) fail(noValue(shown, name, table[name]!, next));
      options.push(`--${name}=${value ?? ''}`);
    };
    if (arg.startsWith('--')) {
      const [, typed = '', attached] = /^--([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
      const name = OPTIONS_SAME[typed] ?? typed;
      const option = Object.hasOwn(table, name) ? table[name] : undefined;
      if (option === undefined) fail(unknownOption(`--${typed}`, typed, table, command));
      else if (option.type !== 'boolean') valued(name, `--${name}`, attached);
      else options.push(flag(name, `--${typed}`, attached, fail));
      continue;
    }
    const [long = ''] = arg.slice(1).split('=');
    if (long.length > 1 && Object.hasOwn(table, long)) {
      fail(new UsageError(`${JSON.stringify(arg)} has one dash and the name of a long option`, `Use -${arg}.`));
    }
    for (let at = 1; at < arg.length; at += 1) {
      const letter = arg.charAt(at);
      const name = short.get(letter);
      const shown = `-${letter}`;
      if (name === undefined) {
        fail(unknownOption(at === 1 ? arg : shown, at === 1 ? arg.slice(1) : letter, table, command));
        break;
      }
      if (table[name]!.type === 'boolean') {
        options.push(flag(name, shown, undefined, fail));
        continue;
      }
      const rest = arg.slice(at + 1).replace(/^=/, '');
      valued(name, shown, at + 1 < arg.length ? rest : undefined);
      break;
    }
  }
  return { words, options };
}

function flag(name: string, shown: string, value: string | undefined, fail: (error: UsageError) => void): string {
  if (value !== undefined && value !== 'true' && value !== 'false') {
    fail(new UsageError(`${shown} takes no value, and was given ${JSON.stringify(value)}`, `Use ${shown} alone.`));
  }
  return value === undefined ? `--${name}` : `--${name}=${value}`;
}

function noValue(shown: string, name: string, { choices }: Options, next: string | undefined): UsageError {
  const what = choices ? `one of ${choices.join(', ')}` : 'a value';
  const attach = next === undefined ? undefined : `A value that begins with - is attached: --${name}=${next}`;
  return new UsageError(`${shown} needs ${what}, and has none`, attach);
}

function unknownCommand(word: string, commands: readonly Command[]): UsageError {
  const near = didYouMean(word, [...commands.map(({ name }) => name), 'help', 'version']);
  const hint = Object.hasOwn(INSTEAD, word) ? INSTEAD[word] : near;
  return new UsageError(`there is no command ${JSON.stringify(word)}`, hint ?? 'fleetmask --help lists the commands.');
}

function unknownOption(
  shown: string,
  typed: string,
  table: Readonly<Record<string, Options>>,
  command: Command | undefined,
): UsageError {
  const names = Object.entries(table).filter(([, { hidden }]) => hidden !== true);
  const near = didYouMean(
    typed,
    names.map(([name]) => name),
    (name) => `--${name}`,
  );
  const instead = Object.hasOwn(OPTIONS_INSTEAD, typed) ? OPTIONS_INSTEAD[typed] : near;
  const where = command === undefined ? 'fleetmask' : `fleetmask ${command.name}`;
  return new UsageError(`${where} has no option ${JSON.stringify(shown)}`, instead ?? `See ${where} --help.`);
}
