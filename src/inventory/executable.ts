import { printable, type UsageError } from '../model/index.ts';
import type { MapNode, Node } from './document.ts';
import type { Graph } from './graph.ts';
import { readJson } from './json.ts';
import { readListing, setHostVariables } from './listing.ts';
import { mistake, type Origin } from './mistake.ts';
import { decode } from './text.ts';

/** How a program ended, and what it printed. */
export type ProgramEnd =
  | { readonly is: 'ended'; readonly code: number; readonly stdout: Buffer; readonly stderr: Buffer }
  | { readonly is: 'killed'; readonly signal: string }
  | { readonly is: 'late' | 'too-long' | 'interrupted' }
  | { readonly is: 'not-run'; readonly error: NodeJS.ErrnoException };

/** Runs a program within limits, and leaves nothing behind that it started when it exceeds them. Never rejects. */
export type RunProgram = (
  path: string,
  args: readonly string[],
  limits: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly timeoutMs: number;
    readonly maxBytes: number;
    readonly signal: AbortSignal | undefined;
  },
) => Promise<ProgramEnd>;

export interface ExecutableOptions {
  /** What runs inventory programs; absent: they are refused. */
  readonly run?: RunProgram | undefined;
  /** Relative sources are relative to this; programs run in it. */
  readonly cwd: string;
  /** The environment of inventory programs; nothing of this process’s own is added. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** How long one run of an inventory program may take. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Runs an inventory program with `--list`, and with `--host NAME` for every host when it does not give the
 * variables of all in `_meta`. Its output is JSON, and its exit status 0; what it writes on stderr becomes notes.
 * Throws a UsageError when it fails, takes too long, prints too much or no JSON mapping.
 */
export async function readExecutable(
  path: string,
  shown: string,
  graph: Graph,
  options: ExecutableOptions,
): Promise<void> {
  const listed = await run(path, ['--list'], shown, graph, options);
  const { hosts, complete } = readListing(mapping(listed, `${shown} --list`), graph);
  if (complete) return;
  for (const name of hosts) {
    const printed = await run(path, ['--host', name], shown, graph, options);
    if (printed.toString().trim() === '') continue;
    setHostVariables(name, mapping(printed, `${shown} --host ${name}`), graph);
  }
}

/** Clouds answer slowly. */
const PLUGIN_TIMEOUT_MS = 120_000;

/**
 * Reads all sources through an installed ansible-inventory, because one of them (at `plugin`) configures an inventory plugin.
 * Throws a UsageError where it is not installed, fails, or leaves a source out.
 */
export async function readThroughAnsible(
  sources: readonly string[],
  plugin: Origin,
  graph: Graph,
  options: ExecutableOptions,
): Promise<void> {
  const { run, cwd, env = {}, timeoutMs = PLUGIN_TIMEOUT_MS, signal } = options;
  const args = [...sources.flatMap((source) => ['-i', source]), '--list'];
  const call = `ansible-inventory ${args.join(' ')}`;
  const hint = `Run it where Ansible and the plugin are: ${call} > inventory.json`;
  if (sources.includes('-')) {
    throw mistake(
      plugin,
      'this configures an inventory plugin, which cannot be read together with standard input',
      hint,
    );
  }
  // otherwise a source that a plugin cannot read is a warning, and its hosts are missing
  const strict = { ...env, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: '1' };
  const limits = { cwd, env: strict, timeoutMs, maxBytes: MAX_BYTES, signal };
  const ended = run === undefined ? undefined : await run('ansible-inventory', args, limits);
  if (ended === undefined || ended.is === 'not-run') {
    throw mistake(
      plugin,
      'this configures an inventory plugin, and there is no ansible-inventory here to read it',
      hint,
    );
  }
  if (ended.is !== 'ended' || ended.code !== 0) throw failure(ended, call, timeoutMs);
  readListing(mapping(ended.stdout, call), graph);
  graph.note(plugin, 'configures an inventory plugin: all sources were read through ansible-inventory');
}

function mapping(printed: Buffer, file: string): MapNode {
  const result = readJson(decode(printed, file), file);
  if (result.kind === 'not-json')
    throw mistake(
      result.origin,
      `the program printed no JSON: ${result.why}`,
      'Run it by hand and look at its output.',
    );
  const root: Node = result.root;
  if (root.kind !== 'map')
    throw mistake(
      root.origin,
      'the program printed JSON that is not an object',
      'Run it by hand and look at its output.',
    );
  return root;
}

async function run(
  path: string,
  args: readonly string[],
  shown: string,
  graph: Graph,
  options: ExecutableOptions,
): Promise<Buffer> {
  const { cwd, env = {}, timeoutMs = DEFAULT_TIMEOUT_MS, signal, run } = options;
  const origin = { file: shown, line: undefined };
  if (run === undefined)
    throw mistake(origin, 'this is a program, and it is run only where -i names it', `Name it: -i ${shown}`);
  const call = `${shown} ${args.join(' ')}`;
  const ended = await run(path, args, { cwd, env, timeoutMs, maxBytes: MAX_BYTES, signal });
  if (ended.is !== 'ended' || ended.code !== 0) throw failure(ended, call, timeoutMs);
  const said = wordsOf(ended.stderr);
  if (said !== '') graph.note(origin, said);
  return ended.stdout;
}

function wordsOf(stderr: Buffer): string {
  return printable(stderr.toString('utf8', 0, 2000).trim(), 400);
}

function failure(ended: ProgramEnd, call: string, timeoutMs: number): UsageError {
  const origin = { file: call, line: undefined };
  const hint = 'Run it by hand and look at its output.';
  switch (ended.is) {
    case 'interrupted':
      return mistake(origin, 'the inventory program was interrupted');
    case 'too-long':
      return mistake(origin, `the inventory program printed more than ${MAX_BYTES / 1024 / 1024} MiB`, hint);
    case 'late':
      return mistake(origin, `the inventory program took longer than ${timeoutMs / 1000} s`, hint);
    case 'ended': {
      const said = wordsOf(ended.stderr);
      const how = `failed with exit status ${ended.code}${said && `: ${said}`}`;
      return mistake(origin, `the inventory program ${how}`, hint);
    }
    case 'killed':
      return mistake(origin, `the inventory program was ended by ${ended.signal}`, hint);
    case 'not-run':
      return mistake(
        origin,
        `the inventory program cannot be run: ${ended.error.code ?? ended.error.message}`,
        'Check its first line and its permissions.',
      );
  }
}
