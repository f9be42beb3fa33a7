/** Settings that stand behind the flags: FLEETMASK_*, then ./fleetmask.yaml, then the user's config.yaml, then the machine's. */
import { join } from 'node:path';
import type { Options } from 'yargs';
import { at, UsageError } from '../model/index.ts';
import { joined, type Layer, type Policy, readSettingsFile, userConfig } from '../operations/context/policy.ts';
import type { Io } from '../operations/io.ts';
import { IN_DIRECTORY, mayBeSet } from './directory-settings.ts';
import type { SettingName } from './options.ts';

/** FLEETMASK_ names that are no flags. */
const NO_FLAGS = new Set(['STATE_DIR', 'ROOT', 'LAB_DIR']);

type Known = ReadonlyMap<string, Options>;

/** Stands before a value that the current directory gave, and that must not name a program. No argument has a NUL in it. */
export const FROM_DIRECTORY = '\0\0';

export interface Settings extends Policy {
  /** Option name → value, the strongest source winning; `changes`: for a command that can change hosts. */
  values(changes: boolean): Record<string, unknown>;
  /** What ./fleetmask.yaml says and is not followed, in one line; null where all is. */
  ignored(changes: boolean): string | null;
}

/**
 * Names are those of the long flags. Throws UsageError, with file:line, for a setting that no command knows, and for a file that others
 * could have written.
 */
export function settingsOf(io: Io, known: Known): Settings {
  const system = flagsOf(io, io.systemConfig, known, 'machine');
  const user = flagsOf(io, userConfig(io), known, 'user');
  const directory = flagsOf(io, join(io.cwd, 'fleetmask.yaml'), known, 'directory');
  const env = fromEnv(io.env, known);
  const split = (changes: boolean) => {
    const [followed, ignored]: [[string, unknown][], [string, number | undefined][]] = [[], []];
    for (const [name, { value, line }] of directory.settings) {
      if (!mayBeSet(name as SettingName, value, changes)) ignored.push([name, line]);
      else followed.push([name, IN_DIRECTORY[name as SettingName] === 'data' ? marked(value) : value]);
    }
    return { followed: Object.fromEntries(followed), ignored };
  };
  const plain = ({ settings }: { readonly settings: Flags }) =>
    Object.fromEntries([...settings].map(([name, { value }]) => [name, value]));
  return {
    ...joined(system, user),
    values: (changes) => ({ ...plain(system), ...plain(user), ...split(changes).followed, ...env }),
    ignored: (changes) => {
      const { ignored } = split(changes);
      if (ignored.length === 0) return null;
      const names = ignored.map(([name, line]) => `${name}${line === undefined ? '' : ` (line ${line})`}`).join(', ');
      const where = `note: ${join(io.cwd, 'fleetmask.yaml')}: not followed: ${names}`;
      return `${where}; the settings of a directory may not weaken checks or name programs\n`;
    },
  };
}

function marked(value: unknown): unknown {
  return Array.isArray(value) ? value.map(marked) : typeof value === 'string' ? `${FROM_DIRECTORY}${value}` : value;
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

/** The flags of a file, by name. Throws UsageError for one that no command has. */
function flagsOf(io: Io, file: string, known: Known, layer: Layer): Policy & { readonly settings: Flags } {
  const settings = new Map<string, { value: unknown; line: number | undefined }>();
  const policy = readSettingsFile(io, file, layer, (key, value, line) => {
    if (!known.has(key)) {
      throw new UsageError(
        at(file, line, `unknown setting ${JSON.stringify(key)}`),
        'Settings have the names of the long flags.',
      );
    }
    settings.set(key, { value: known.get(key)?.type === 'string' ? textFrom(value) : value, line });
  });
  return { ...policy, settings };
}

type Flags = ReadonlyMap<string, { readonly value: unknown; readonly line: number | undefined }>;

/** `max-fail: 0` and `waves: 5` are numbers in YAML, and texts on a command line. */
function textFrom(value: unknown): unknown {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
}
