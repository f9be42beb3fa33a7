/** Settings that stand behind the flags: FLEETMASK_*, then ./fleetmask.yaml, then the user's config.yaml. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { Options } from 'yargs';
import { at, UsageError } from '../model/index.ts';
import type { Io } from './io.ts';

/** FLEETMASK_ names that are no flags. */
const NO_FLAGS = new Set(['STATE_DIR', 'ROOT', 'LAB_DIR']);

type Known = ReadonlyMap<string, Options>;

/**
 * One object of option name → value, the strongest source winning. Names are those of the long flags.
 * Throws UsageError, with file:line, for a setting that no command knows.
 */
export function settingsOf(io: Io, known: Known): Record<string, unknown> {
  const configHome = io.env.XDG_CONFIG_HOME || join(io.home, '.config');
  return {
    ...fromFile(join(configHome, 'fleetmask', 'config.yaml'), known),
    ...fromFile(join(io.cwd, 'fleetmask.yaml'), known),
    ...fromEnv(io.env, known),
  };
}

function fromEnv(env: Io['env'], known: Known): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(env)) {
    const key = /^FLEETMASK_([A-Z_]+)$/.exec(name)?.[1];
    if (key === undefined || value === undefined || NO_FLAGS.has(key)) continue;
    const option = key.toLowerCase().replaceAll('_', '-');
    const flag = known.get(option);
    if (flag) settings[option] = flag.type === 'boolean' ? truthFrom(value) : value;
  }
  return settings;
}

function truthFrom(text: string): unknown {
  if (/^(?:true|yes|on|1)$/i.test(text)) return true;
  if (/^(?:false|no|off|0)$/i.test(text)) return false;
  return text;
}

function fromFile(file: string, known: Known): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error) throw new UsageError(at(file, error.linePos?.[0].line, error.message.split('\n')[0] ?? 'not YAML'));
  const settings = (document.toJS() ?? {}) as unknown;
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new UsageError(at(file, 1, 'settings are a map of flag names to values'), 'For example: forks: 20');
  }
  for (const key of Object.keys(settings)) {
    if (known.has(key)) continue;
    const line = text.split('\n').findIndex((candidate) => candidate.startsWith(`${key}:`)) + 1;
    throw new UsageError(
      at(file, line || undefined, `unknown setting ${JSON.stringify(key)}`),
      'Settings have the names of the long flags.',
    );
  }
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, known.get(key)?.type === 'string' ? textFrom(value) : value]),
  );
}

/** `max-fail: 0` and `waves: 5` are numbers in YAML, and texts on a command line. */
function textFrom(value: unknown): unknown {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
}
