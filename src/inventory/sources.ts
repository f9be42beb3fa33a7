import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname, extname, isAbsolute, join } from 'node:path';
import { isDirectory } from './adjacent.ts';
import { isNull, type Node } from './document.ts';
import { type ExecutableOptions, readExecutable } from './executable.ts';
import type { Graph } from './graph.ts';
import { readGroups } from './groups-document.ts';
import { readIni } from './ini.ts';
import { isListing, readListing } from './listing.ts';
import { mistake, type Origin, quoted } from './mistake.ts';
import { parseHostPattern } from './range.ts';
import { decode, readDocument } from './text.ts';

export interface SourceOptions extends ExecutableOptions {
  readonly stdin?: (() => Promise<string>) | undefined;
}

/** Names in a directory that are not inventories; `.ini` is one, as in Ansible since 2.18. */
const IGNORED =
  /^\.|^(?:host_vars|group_vars|vars_plugins)$|(?:\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$/;
/** The first line that is no comment is a YAML or JSON one. */
const LOOKS_LIKE_DOCUMENT = /^(?:\s*(?:#[^\n]*)?\n)*\s*(?:---|\{|[\w.-]+:(?:\s|$))/;
const DOCUMENT_EXTENSIONS = new Set(['.yaml', '.yml', '.json']);

/**
 * Reads one source (`-i`) into the graph: a file, a directory, an executable, `h1,h2,`, or `-` for stdin.
 * Returns the directory whose group_vars and host_vars count for it, if it has one.
 * Throws a UsageError for a source that is not there, cannot be read, or says nothing, and PluginConfigured.
 */
export async function readSource(source: string, graph: Graph, options: SourceOptions): Promise<string | undefined> {
  const origin = { file: source, line: undefined };
  if (source === '-') {
    graph.file = undefined;
    if (options.stdin === undefined)
      throw mistake({ file: 'stdin', line: undefined }, 'there is no standard input here');
    readText(await options.stdin(), 'stdin', '', graph);
    return undefined;
  }
  if (source === '')
    throw mistake(
      { file: '-i', line: undefined },
      'the inventory has an empty name',
      'Name a file, a directory or a list: -i web1,web2,',
    );
  const path = isAbsolute(source) ? source : join(options.cwd, source);
  const stats = statsOf(path);
  graph.file = undefined;
  if (stats === undefined) {
    if (!source.includes(','))
      throw mistake(
        origin,
        'there is no such file or directory',
        `One host alone is written with a comma: -i ${source},`,
      );
    readHostList(source, graph);
    return undefined;
  }
  if (stats.isDirectory()) {
    readDirectory(path, source, graph);
    return path;
  }
  graph.file = path;
  if (isProgram(path, source)) await readExecutable(path, source, graph, options);
  else readFile(path, source, graph);
  return dirname(path);
}

/** What is at this path; nothing where there is nothing, or where a list of hosts is too long to be a path. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}

function readHostList(source: string, graph: Graph): void {
  const origin: Origin = { file: '-i', line: undefined };
  const ungrouped = graph.addGroup('ungrouped', origin);
  const entries = source
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  if (entries.length === 0) throw mistake(origin, `the list ${quoted(source)} names no host`, 'Write -i web1,web2,');
  for (const entry of entries) {
    const { names, port } = parseHostPattern(entry, origin);
    for (const name of names) if (!graph.hosts.has(name)) graph.addHost(name, ungrouped, origin, port);
  }
}

function readDirectory(path: string, shown: string, graph: Graph): void {
  const origin = { file: shown, line: undefined };
  const names = list(path, origin)
    .filter((name) => !IGNORED.test(name))
    .sort();
  if (names.length === 0)
    throw mistake(
      origin,
      'this directory has no inventory in it',
      'Hidden files, .txt, .md, .cfg, .bak and the like do not count.',
    );
  for (const name of names) {
    const [inner, innerShown] = [join(path, name), join(shown, name)];
    if (isDirectory(inner)) readDirectory(inner, innerShown, graph);
    else if (isProgram(inner, innerShown))
      throw mistake(
        { file: innerShown, line: undefined },
        'this is a program, and is not run from a directory',
        `Name it: -i ${innerShown} (or make it not executable, if it is data).`,
      );
    else {
      graph.file = inner;
      readWithin(inner, innerShown, graph);
    }
  }
}

/** A file that configures an inventory plugin of Ansible: only Ansible can read it, together with all other sources. */
export class PluginConfigured extends Error {
  readonly origin: Origin;
  constructor(origin: Origin) {
    super('an inventory plugin');
    this.origin = origin;
  }
}

/** A file of a directory, which runs nothing. */
function readWithin(path: string, shown: string, graph: Graph): void {
  try {
    readFile(path, shown, graph);
  } catch (error) {
    if (!(error instanceof PluginConfigured)) throw error;
    throw mistake(
      error.origin,
      'this configures an inventory plugin, and is not run from a directory',
      'Name each file of the directory with -i: then ansible-inventory reads all of them.',
    );
  }
}

function readFile(path: string, shown: string, graph: Graph): void {
  const origin = { file: shown, line: undefined };
  const extension = extname(path);
  if (extension === '.toml')
    throw mistake(
      origin,
      'TOML inventories are not read',
      `Convert it: ansible-inventory -i ${shown} --list > inventory.json`,
    );
  readText(decode(bytes(path, origin), shown), shown, extension, graph);
}

/** Reads the text of a source as what its extension says; without one, as YAML if it is a YAML mapping, else as INI. */
function readText(text: string, file: string, extension: string, graph: Graph): void {
  const origin = { file, line: 1 };
  if (text.startsWith('$ANSIBLE_VAULT'))
    throw mistake(origin, 'this inventory is encrypted with ansible-vault', 'Decrypt it first: ansible-vault decrypt.');
  const root = document(text, file, extension);
  if (root === undefined) {
    readIni(text, file, graph);
    return;
  }
  if (isNull(root)) throw mistake(origin, 'this inventory is empty', 'Name at least one host.');
  if (root.kind !== 'map')
    throw mistake(
      root.origin,
      'this inventory is not a mapping of groups',
      'Begin with "all:", then "hosts:" and "children:".',
    );
  const plugin = root.entries.find((entry) => entry.key === 'plugin');
  if (plugin !== undefined) throw new PluginConfigured(plugin.origin);
  if (isListing(root)) readListing(root, graph);
  else readGroups(root, graph);
}

function document(text: string, file: string, extension: string): Node | undefined {
  if (DOCUMENT_EXTENSIONS.has(extension)) return readDocument(text, file);
  if (extension !== '') return undefined;
  try {
    const root = readDocument(text, file);
    return root.kind === 'map' ? root : undefined;
  } catch (error) {
    // A file that begins as YAML or JSON does is told what is wrong with it as such.
    if (LOOKS_LIKE_DOCUMENT.test(text)) throw error;
    return undefined;
  }
}

/**
 * A program is executable and begins as programs do (`#!`, or the magic of a binary): a data file on a
 * file system without permission bits is executable as well. Throws for a script that is not executable.
 */
function isProgram(path: string, shown: string): boolean {
  const origin = { file: shown, line: undefined };
  const head = beginning(path, origin);
  const script = head.startsWith('#!');
  if (!script && !head.startsWith('\x7fELF')) return false;
  if (canExecute(path)) return true;
  if (script && !DOCUMENT_EXTENSIONS.has(extname(path)) && extname(path) !== '.ini')
    throw mistake(
      { file: shown, line: 1 },
      'this is a script that is not executable',
      `Run chmod +x ${shown}, or remove its first line if it is data.`,
    );
  return false;
}

function canExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function beginning(path: string, origin: Origin): string {
  return reading(origin, () => {
    if (!statSync(path).isFile()) return '';
    const file = openSync(path, 'r');
    const head = Buffer.alloc(4);
    const length = readSync(file, head, 0, 4, 0);
    closeSync(file);
    return head.toString('latin1', 0, length);
  });
}

function bytes(path: string, origin: Origin): Buffer {
  return reading(origin, () => readFileSync(path));
}

function list(path: string, origin: Origin): string[] {
  return reading(origin, () => readdirSync(path));
}

function reading<T>(origin: Origin, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw mistake(
      origin,
      `cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      'Check its permissions.',
    );
  }
}
