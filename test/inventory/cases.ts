import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, parse } from 'node:path';

/** One inventory of the corpus, named by its situation. */
export interface Case {
  readonly name: string;
  readonly sources: readonly string[];
  readonly cwd: string;
}

const HERE = import.meta.dirname;

/**
 * A file is an inventory by itself. A directory is one with several files; its file SOURCES, one `-i` a line,
 * says which (without it, the directory itself is the source).
 */
export function casesIn(directory: 'corpus' | 'stricter'): Case[] {
  const root = join(HERE, directory);
  return readdirSync(root)
    .sort()
    .map((entry) => {
      const path = join(root, entry);
      if (!statSync(path).isDirectory()) return { name: parse(entry).name, sources: [entry], cwd: root };
      const list = join(path, 'SOURCES');
      if (!existsSync(list)) return { name: entry, sources: [entry], cwd: root };
      const sources = readFileSync(list, 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      return { name: entry, sources, cwd: path };
    });
}

export function expectedFile(directory: 'corpus' | 'stricter', name: string): string {
  return join(HERE, 'expected', directory, `${name}.json`);
}

export const PATTERN_FLEET = 'fleet.ini';
export const PATTERN_DIRECTORY = join(HERE, 'patterns');

/** The patterns of the corpus, one a line. */
export function patterns(file: 'patterns.txt' | 'stricter.txt'): string[] {
  return readFileSync(join(PATTERN_DIRECTORY, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

export const PATTERN_EXPECTED = join(HERE, 'expected', 'patterns.json');
