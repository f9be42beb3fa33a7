import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { isNothing } from './document.ts';
import type { Graph, Settings } from './graph.ts';
import { readVariables } from './groups-document.ts';
import { mistake } from './mistake.ts';
import { decode, readDocument } from './text.ts';

const EXTENSIONS = ['', '.yml', '.yaml', '.json'];

export type Kind = 'group_vars' | 'host_vars';

/**
 * The variables in `group_vars/` and `host_vars/` of one directory.
 * For a name there is one file or directory, the first of NAME, NAME.yml, NAME.yaml, NAME.json; of a directory all
 * files below it, sorted, the later winning.
 */
export class AdjacentVariables {
  private readonly directory: string;
  private readonly graph: Graph;
  private readonly names = new Map<Kind, ReadonlySet<string>>();
  private readonly known = new Map<string, Settings>();

  constructor(directory: string, graph: Graph) {
    this.directory = directory;
    this.graph = graph;
  }

  /** The variables of a group or host. Throws a UsageError for a file that cannot be read or holds no mapping. */
  of(kind: Kind, name: string): Settings {
    const key = `${kind}/${name}`;
    const known = this.known.get(key) ?? this.read(kind, name);
    this.known.set(key, known);
    return known;
  }

  private read(kind: Kind, name: string): Settings {
    const settings: Settings = new Map();
    if (name.includes('/') || name === '.' || name === '..') return settings;
    const names = this.listing(kind);
    const [first, ...others] = EXTENSIONS.map((extension) => `${name}${extension}`).filter((each) => names.has(each));
    if (first === undefined) return settings;
    const path = join(this.directory, kind, first);
    for (const other of others)
      this.graph.note(
        { file: join(this.directory, kind, other), line: undefined },
        `not read, because ${first} is there`,
      );
    for (const file of isDirectory(path) ? filesBelow(path) : [path])
      for (const [variable, setting] of this.file(file)) settings.set(variable, setting);
    return settings;
  }

  private listing(kind: Kind): ReadonlySet<string> {
    const known = this.names.get(kind);
    if (known !== undefined) return known;
    const path = join(this.directory, kind);
    const names = new Set(isDirectory(path) ? readdirSync(path) : []);
    this.names.set(kind, names);
    return names;
  }

  private file(file: string): Settings {
    const origin = { file, line: undefined };
    const text = decode(readBytes(file), file);
    if (text.startsWith('$ANSIBLE_VAULT')) {
      this.graph.note(origin, 'encrypted with ansible-vault, left out');
      return new Map();
    }
    const document = readDocument(text, file);
    return isNothing(document) ? new Map() : readVariables(document, 'this file', document.origin);
  }
}

/** Opens each directory once, however many names it has. */
export function openAdjacent(directories: readonly string[], graph: Graph): AdjacentVariables[] {
  const opened = new Map<string, AdjacentVariables>();
  return directories.map((directory) => {
    const path = realpathSync(directory);
    const variables = opened.get(path) ?? new AdjacentVariables(directory, graph);
    opened.set(path, variables);
    return variables;
  });
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => !name.startsWith('.') && !name.endsWith('~'))
    .sort()
    .flatMap((name) => {
      const path = join(directory, name);
      const extension = extname(name);
      if (isDirectory(path)) return extension === '' ? filesBelow(path) : [];
      return EXTENSIONS.includes(extension) ? [path] : [];
    });
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw mistake({ file, line: undefined }, `cannot be read: ${(error as Error).message}`);
  }
}

export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
