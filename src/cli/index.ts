/** The command line: words and flags → a command → an exit code. */
import yargs, { type Argv, type Options } from 'yargs';
import { UsageError } from '../model/index.ts';
import { secureState } from '../operations/context/state-directory.ts';
import { EXIT } from '../operations/exit.ts';
import { BrokenOff, type Io } from '../operations/io.ts';
import { colored } from '../operations/output.ts';
import type { SelectionFlags } from '../operations/targets/from-inventory.ts';
import { tellUnsettled } from '../operations/uncertain-notice.ts';
import { printError } from '../report/index.ts';
import type { Command } from './command.ts';
import { plainWords, VEIL } from './command-line.ts';
import { apply } from './commands/apply.ts';
import { completion } from './commands/completion.ts';
import { confirm } from './commands/confirm.ts';
import { demo } from './commands/demo.ts';
import { doctor } from './commands/doctor.ts';
import { extend } from './commands/extend.ts';
import { inventory } from './commands/inventory.ts';
import { mask } from './commands/mask.ts';
import { plan } from './commands/plan.ts';
import { recover } from './commands/recover.ts';
import { release } from './commands/release.ts';
import { rollback } from './commands/rollback.ts';
import { runs } from './commands/runs.ts';
import { status } from './commands/status.ts';
import { unmask } from './commands/unmask.ts';
import { watch } from './commands/watch.ts';
import { answer } from './completion.ts';
import { afterOutput } from './lost-output.ts';
import { KNOWN } from './options.ts';
import { FROM_DIRECTORY, settingsOf } from './settings.ts';

const COMMANDS: readonly Command[] = [
  mask,
  unmask,
  status,
  plan,
  apply,
  rollback,
  recover,
  confirm,
  extend,
  release,
  watch,
  runs,
  inventory,
  doctor,
  demo((io) => fleetmask(io, 'demo')),
  completion,
];

/** Runs the command that `io.args` names and returns the exit code; never throws. */
export async function fleetmask(io: Io, version: string): Promise<number> {
  let run: string | null = null;
  const recorded = (id: string): void => {
    run = id;
    io.recorded(id);
  };
  const exitCode = await codeOf({ ...io, recorded }, version, () => run);
  return afterOutput(io, exitCode, run);
}

async function codeOf(io: Io, version: string, recorded: () => string | null): Promise<number> {
  const err = colored(io.stderr, io, {});
  try {
    return await dispatch(io, version);
  } catch (error) {
    if (error instanceof UsageError) {
      printError(err, error);
      return error instanceof BrokenOff ? EXIT.interrupted : EXIT.usage;
    }
    if (recorded() === null && isSystemError(error)) {
      printError(err, {
        message: `${error.message}; nothing was touched`,
        ...((error.code === 'EMFILE' || error.code === 'ENFILE') && {
          hint: 'Raise the limit of open files: ulimit -n 1024.',
        }),
      });
      return EXIT.usage;
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    printError(err, {
      message: `a bug, sorry: ${text}`,
      hint: 'Please report it; `fleetmask runs show last` tells what was done.',
    });
    return EXIT.bug;
  }
}

/** Something that this machine refused (a file, a descriptor, a directory), not a mistake in the program. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'errno' in error;
}

async function dispatch(io: Io, version: string): Promise<number> {
  const completed = answer(io, COMMANDS);
  if (completed !== null) {
    io.stdout.write(completed);
    return EXIT.ok;
  }
  const words = plainWords(io.args, COMMANDS);
  let exitCode: number | undefined;
  const parser = yargs([])
    .scriptName('fleetmask')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'duplicate-arguments-array': true,
    })
    .version(version)
    .help()
    .alias('h', 'help')
    .strict()
    .demandCommand(1, 'Which command? fleetmask --help lists them.')
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? usageError(message, words[0]);
    });
  const settings = settingsOf(io, KNOWN);
  // yargs lays out the help of whatever it runs, asked or not, at the cost of a host or two; what is hidden costs nothing
  const helpAsked = words.length === 0 || words.includes('--help');
  if (helpAsked) {
    parser
      .usage('$0: take a systemd service out of action on every host of a fleet, prove it, and put it back.')
      .wrap(Math.min(io.stdout.columns ?? 100, 120))
      .epilogue(
        'Exit codes: 0 as asked · 2 usage · 3 not as asked · 4 untouched · 5 rolled back · 6 stranded · 7 results not written · 130 interrupted · 1 a bug',
      );
  } else {
    parser.hide('help').hide('version').wrap(null);
  }
  for (const each of COMMANDS) {
    parser.command(
      each.usage,
      (helpAsked ? each.describe : false) as string, // false hides it; the types know that only as a constant
      (argv) => build(argv, each, settings.values(changesHosts(each)), helpAsked),
      async (flags) => {
        const meant: Record<string, unknown> = { ...unveiled(flags), ...inventorySource(flags) };
        refuseRepeats(meant, each);
        const ignored = settings.ignored(changesHosts(each));
        if (ignored !== null) io.stderr.write(ignored);
        secureState(io, each.name);
        tellUnsettled(io, each.name, meant.run);
        exitCode = await each.run(
          { ...io, guardrails: settings.guardrails, catalogue: settings.catalogue, audit: settings.audit },
          meant as never,
        );
      },
    );
  }
  let shown = '';
  await parser.parseAsync(words, {}, (_error: unknown, _argv: unknown, output: string) => {
    shown = output;
  });
  if (shown !== '') io.stdout.write(`${shown}\n`);
  return exitCode ?? EXIT.ok;
}

function unveiled<F extends Record<string, unknown>>(flags: F): F {
  const bare = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(bare) : typeof value === 'string' ? value.replaceAll(VEIL, '') : value;
  return Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, bare(value)])) as F;
}

/** Whether the inventory is the one that ./fleetmask.yaml names. */
function inventorySource({ inventory }: Record<string, unknown>): Pick<SelectionFlags, 'inventoryFrom'> {
  const sources = [inventory].flat();
  const given = sources.some((each) => typeof each === 'string' && each.startsWith(FROM_DIRECTORY));
  return given ? { inventoryFrom: 'directory' } : {};
}

/** Commands that ask before they go on, and those that decide about an earlier change. */
function changesHosts({ options }: Command): boolean {
  return 'yes' in options;
}

/** yargs' own words, where they are for programmers, in an operator's. */
function usageError(message: string, word: string | undefined): UsageError {
  const known = COMMANDS.find(({ name }) => name === word);
  const [first = message, choice] = message.replaceAll(VEIL, '').split('\n');
  const text =
    first.startsWith('Not enough non-option') && known
      ? `an argument is missing: fleetmask ${known.usage}`
      : first === 'Invalid values:' && choice !== undefined
        ? choice.trim().replace(/^Argument: ([\w-]+), Given: /, '--$1: no such choice: ')
        : first;
  return new UsageError(text, `See fleetmask ${known ? `${known.name} ` : ''}--help.`);
}

function build(argv: Argv, each: Command, settings: Record<string, unknown>, helpAsked: boolean): Argv {
  const options = helpAsked ? each.options : hidden(each.options);
  const relevant = Object.fromEntries(Object.entries(settings).filter(([name, value]) => isFor(each, name, value)));
  const examples = helpAsked ? each.examples : [];
  const built = examples.reduce((args, [line, meaning]) => args.example(line, meaning), argv.options(options));
  return (each.positional?.(built) ?? built).config(relevant);
}

/** `output: csv` in a settings file is for commands that have such results; only what none could take is a mistake. */
function isFor({ options }: Command, name: string, value: unknown): boolean {
  const own: Options['choices'] = options[name]?.choices;
  const all: Options['choices'] = KNOWN.get(name)?.choices;
  return name in options && !(own && all?.includes(value as string) && !own.includes(value as string));
}

function hidden(options: Command['options']): Record<string, Options> {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, { ...option, hidden: true }]));
}

/** A flag that takes one value and was given two is a mistake; the last one does not silently win. */
function refuseRepeats(flags: Record<string, unknown>, { options }: Command): void {
  for (const [name, { array }] of Object.entries(options)) {
    if (!array && Array.isArray(flags[name])) throw new UsageError(`--${name} was given more than once`);
  }
}
