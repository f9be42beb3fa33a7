/** Settings that stand behind the flags: FLEETMASK_*, then ./fleetmask.yaml, then the user's config.yaml, then the machine's. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { Options } from 'yargs';
import { at, UsageError } from '../model/index.ts';
import { assertOurs } from '../operations/context/strict-modes.ts';
import type { Audit, Io } from '../operations/io.ts';
import type { SiteCatalogue } from '../plan/catalog.ts';
import { type Guardrails, NO_GUARDRAILS } from '../plan/guardrails.ts';
import { IN_DIRECTORY, mayBeSet } from './directory-settings.ts';
import { guardrailsFrom } from './guardrails-settings.ts';
import type { SettingName } from './options.ts';
import { siteCatalogueFrom } from './site-catalogue.ts';

/** FLEETMASK_ names that are no flags. */
const NO_FLAGS = new Set(['STATE_DIR', 'ROOT', 'LAB_DIR']);

type Known = ReadonlyMap<string, Options>;

/** Stands before a value that the current directory gave, and that must not name a program. No argument has a NUL in it. */
export const FROM_DIRECTORY = '\0\0';

export interface Settings {
  /** Of /etc/fleetmask/config.yaml alone: no other source can loosen them. */
  readonly guardrails: Guardrails;
  /** Of the user's and the machine's settings; the user's wins. */
  readonly catalogue: SiteCatalogue;
  /** `syslog` where the machine's or the user's settings say so: neither turns off what the other wants. */
  readonly audit: Audit;
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
  const configHome = io.env.XDG_CONFIG_HOME || join(io.home, '.config');
  const system = fromFile(io, io.systemConfig, known, 'machine');
  const user = fromFile(io, join(configHome, 'fleetmask', 'config.yaml'), known, 'user');
  const directory = fromFile(io, join(io.cwd, 'fleetmask.yaml'), known, 'directory');
  const env = fromEnv(io.env, known);
  const split = (changes: boolean) => {
    const [followed, ignored]: [[string, unknown][], [string, number | undefined][]] = [[], []];
    for (const [name, { value, line }] of directory.settings) {
      if (!mayBeSet(name as SettingName, value, changes)) ignored.push([name, line]);
      else followed.push([name, IN_DIRECTORY[name as SettingName] === 'data' ? marked(value) : value]);
    }
    return { followed: Object.fromEntries(followed), ignored };
  };
  const plain = ({ settings }: FileSettings) =>
    Object.fromEntries([...settings].map(([name, { value }]) => [name, value]));
  return {
    guardrails: system.guardrails,
    catalogue: new Map([...system.catalogue, ...user.catalogue]),
    audit: [system.audit, user.audit].includes('syslog') ? 'syslog' : 'none',
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

interface FileSettings {
  readonly settings: ReadonlyMap<string, { readonly value: unknown; readonly line: number | undefined }>;
  readonly guardrails: Guardrails;
  readonly catalogue: SiteCatalogue;
  readonly audit: Audit;
}

function fromFile(io: Io, file: string, known: Known, layer: 'machine' | 'user' | 'directory'): FileSettings {
  const text = textOf(file);
  if (text === null) return { settings: new Map(), guardrails: NO_GUARDRAILS, catalogue: new Map(), audit: 'none' };
  const instead = layer === 'directory' ? 'or run the command in another directory' : undefined;
  assertOurs(io, file, 'these settings', instead);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error) throw new UsageError(at(file, error.linePos?.[0].line, error.message.split('\n')[0] ?? 'not YAML'));
  const found = (document.toJS() ?? {}) as unknown;
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    throw new UsageError(at(file, 1, 'settings are a map of flag names to values'), 'For example: forks: 20');
  }
  const settings = new Map<string, { value: unknown; line: number | undefined }>();
  let guardrails = NO_GUARDRAILS;
  let catalogue: SiteCatalogue = new Map();
  let audit: Audit = 'none';
  for (const [key, value] of Object.entries(found)) {
    const line = text.split('\n').findIndex((candidate) => candidate.startsWith(`${key}:`)) + 1 || undefined;
    if (key === 'guardrails') {
      if (layer !== 'machine') {
        throw new UsageError(
          at(file, line, 'guardrails are not for these settings'),
          `They belong in ${io.systemConfig}.`,
        );
      }
      guardrails = guardrailsFrom(document.get(key, true), file, lines);
    } else if (key === 'catalogue') {
      if (layer === 'directory') {
        // who can say what a name means decides what is masked
        const hint = `It belongs in ~/.config/fleetmask/config.yaml or in ${io.systemConfig}.`;
        throw new UsageError(at(file, line, 'a catalogue is not for these settings'), hint);
      }
      catalogue = siteCatalogueFrom(document.get(key, true), file, lines);
    } else if (key === 'audit' && layer !== 'directory') {
      if (value !== 'syslog' && value !== 'none') {
        throw new UsageError(at(file, line, `audit: no such choice: ${JSON.stringify(value)}`), 'Use syslog or none.');
      }
      audit = value;
    } else if (known.has(key)) {
      settings.set(key, { value: known.get(key)?.type === 'string' ? textFrom(value) : value, line });
    } else {
      throw new UsageError(
        at(file, line, `unknown setting ${JSON.stringify(key)}`),
        'Settings have the names of the long flags.',
      );
    }
  }
  return { settings, guardrails, catalogue, audit };
}

/** Null where there is none. One that cannot be read is not passed over: it may hold guardrails. */
function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new UsageError(`${file}: these settings cannot be read: ${code ?? message}`, 'Check its permissions.');
  }
}

/** `max-fail: 0` and `waves: 5` are numbers in YAML, and texts on a command line. */
function textFrom(value: unknown): unknown {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
}
