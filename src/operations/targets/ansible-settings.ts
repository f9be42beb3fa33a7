/** What Ansible's own settings say of inventories and logins: ANSIBLE_INVENTORY, and the first ansible.cfg that Ansible would read. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { printable, UsageError } from '../../model/index.ts';
import { assertOurs } from '../context/strict-modes.ts';
import type { Io } from '../io.ts';

export interface AnsibleInventory {
  readonly sources: readonly string[];
  /** `directory`: the ansible.cfg of the current directory names it, which may not name programs. */
  readonly from: 'operator' | 'directory';
  /** Where it comes from, for the operator. */
  readonly note: string;
}

/** What is used where neither inventory, flags nor ssh_config name one. */
export interface AnsibleLogin {
  readonly user?: string | undefined;
  readonly privateKey?: string | undefined;
  /** What is used, and what is not followed, one line each. */
  readonly notes: readonly string[];
}

const SYSTEM_FILE = '/etc/ansible/ansible.cfg';

/** The inventory that Ansible would use; null where it names none. Throws UsageError for an ansible.cfg that is named and cannot be read. */
export function ansibleInventory(io: Io): AnsibleInventory | null {
  const named = io.env.ANSIBLE_INVENTORY;
  if (named) return inventoryFrom(listOf(named), 'operator', 'ANSIBLE_INVENTORY');
  const config = readConfig(io);
  const written = config?.defaults.get('inventory');
  if (config === null || !written) return null;
  const sources = listOf(written).map((source) => pathIn(io, dirname(config.file), source));
  return inventoryFrom(sources, config.from, config.file);
}

function inventoryFrom(sources: readonly string[], from: AnsibleInventory['from'], where: string): AnsibleInventory {
  return { sources, from, note: printable(`the inventory is the one of ${where}: ${sources.join(', ')}`) };
}

/** How Ansible would log in. Throws UsageError as `ansibleInventory` does. */
export function ansibleLogin(io: Io): AnsibleLogin {
  const config = readConfig(io);
  if (config === null) return { notes: [] };
  const { defaults, file } = config;
  const user = defaults.get('remote_user') || undefined;
  const key = defaults.get('private_key_file') || undefined;
  const lax = /^(?:n|no|off|0|false|f)$/i.test(defaults.get('host_key_checking') ?? '');
  const notes = [
    ...(user ? [`the user ${user} is used where nothing else names one`] : []),
    ...(key ? [`the key ${key} is used where nothing else names one`] : []),
    ...(lax ? ['host_key_checking is not followed, host keys are checked; use --host-key-checking off'] : []),
  ];
  return {
    user,
    privateKey: key && pathIn(io, dirname(file), key),
    notes: notes.map((note) => printable(`${file}: ${note}`)),
  };
}

interface Config {
  readonly file: string;
  readonly from: AnsibleInventory['from'];
  /** Of the section [defaults]. */
  readonly defaults: ReadonlyMap<string, string>;
}

/** The first that is there counts, alone. One of a directory that others can write is no settings of ours: Ansible passes it over, too. */
function readConfig(io: Io): Config | null {
  const named = io.env.ANSIBLE_CONFIG;
  if (named) {
    const path = pathIn(io, io.cwd, named);
    const file = isDirectory(path) ? join(path, 'ansible.cfg') : path;
    const text = textOf(file);
    if (text === null)
      throw new UsageError(`ANSIBLE_CONFIG: ${printable(file)} cannot be read`, 'Correct it, or unset it.');
    return { file, from: 'operator', defaults: defaultsOf(text) };
  }
  const here = join(io.cwd, 'ansible.cfg');
  for (const file of [here, join(io.home, '.ansible.cfg'), SYSTEM_FILE]) {
    const text = textOf(file);
    if (text === null || !isOurs(io, file)) continue;
    return { file, from: file === here ? 'directory' : 'operator', defaults: defaultsOf(text) };
  }
  return null;
}

function isOurs(io: Io, file: string): boolean {
  try {
    assertOurs(io, file, 'these settings');
    return true;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** As Python's configparser reads it, as Ansible sets it up: whole-line comments, and ` ;` within a line. */
function defaultsOf(text: string): Map<string, string> {
  const defaults = new Map<string, string>();
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const header = /^\[([^\]]+)\]/.exec(line);
    if (header !== null) section = header[1]!;
    if (header !== null || section !== 'defaults' || /^\s*(?:[#;]|$)/.test(line)) continue;
    const [, key = '', value = ''] = /^([\w.-]+)\s*[=:]\s*(.*)$/.exec(line) ?? [];
    if (key !== '') defaults.set(key.toLowerCase(), value.replace(/\s;.*$/, '').trim());
  }
  return defaults;
}

function listOf(text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  // as with -i, a comma makes a list of hosts where nothing else is there
  return /,\s*$/.test(text) ? [text.trim()] : items.filter((item) => item !== '');
}

function pathIn(io: Io, directory: string, path: string): string {
  if (path.endsWith(',') || isAbsolute(path)) return path;
  return path.startsWith('~/') ? join(io.home, path.slice(2)) : join(directory, path);
}
