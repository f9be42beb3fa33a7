import { execFile } from 'node:child_process';
import { printable, type UsageError } from '../model/index.ts';
import type { MapNode, Node } from './document.ts';
import type { Graph } from './graph.ts';
import { readJson } from './json.ts';
import { readListing, setHostVariables } from './listing.ts';
import { mistake } from './mistake.ts';
import { decode } from './text.ts';

export interface ExecutableOptions {
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

function run(
  path: string,
  args: readonly string[],
  shown: string,
  graph: Graph,
  options: ExecutableOptions,
): Promise<Buffer> {
  const { cwd, env = {}, timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options;
  const origin = { file: shown, line: undefined };
  const call = `${shown} ${args.join(' ')}`;
  return new Promise((resolve, reject) => {
    const child = execFile(
      path,
      args,
      {
        cwd,
        env: { ...env },
        timeout: timeoutMs,
        maxBuffer: MAX_BYTES,
        killSignal: 'SIGKILL',
        encoding: 'buffer',
        ...(signal && { signal }),
      },
      (error, stdout, stderr) => {
        const said = printable(stderr.toString('utf8', 0, 2000).trim(), 400);
        if (error !== null) reject(failure(error as Failure, call, said, timeoutMs));
        else {
          if (said !== '') graph.note(origin, said);
          resolve(stdout);
        }
      },
    );
    // A program that reads its standard input finds it empty rather than waiting for ever.
    child.stdin?.on('error', () => {}).end();
  });
}

type Failure = Error & { code?: string | number; killed?: boolean; signal?: string };

function failure(error: Failure, call: string, said: string, timeoutMs: number): UsageError {
  const origin = { file: call, line: undefined };
  const hint = 'Run it by hand and look at its output.';
  if (error.name === 'AbortError') return mistake(origin, 'the inventory program was interrupted');
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
    return mistake(origin, `the inventory program printed more than ${MAX_BYTES / 1024 / 1024} MiB`, hint);
  if (error.killed === true)
    return mistake(origin, `the inventory program took longer than ${timeoutMs / 1000} s`, hint);
  if (typeof error.code === 'number')
    return mistake(origin, `the inventory program failed with exit status ${error.code}${said && `: ${said}`}`, hint);
  if (error.signal) return mistake(origin, `the inventory program was ended by ${error.signal}`, hint);
  return mistake(
    origin,
    `the inventory program cannot be run: ${error.code ?? error.message}`,
    'Check its first line and its permissions.',
  );
}
