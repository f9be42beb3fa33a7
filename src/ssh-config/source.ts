import { existsSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { UsageError } from '../model/index.ts';
import { onlySshCanJudge } from './algorithm-names.ts';
import { expandTilde, type Homes } from './expand.ts';
import { globFiles } from './glob.ts';
import { KEYWORDS, type Keyword, NEWER_KEYWORDS } from './keywords.ts';
import { type Line, mistake, type Place, quoted, readLine, splitWords } from './line.ts';
import { type Criterion, readCriteria } from './match.ts';
import { compilePatterns, type Matcher } from './pattern.ts';

/** One step of a configuration file. Includes stay nested: what is inside ends at their end, and counts only if they do. */
export type Item =
  | { readonly is: 'host'; readonly matches: Matcher }
  | { readonly is: 'match'; readonly criteria: readonly Criterion[] }
  | { readonly is: 'include'; readonly items: readonly Item[] }
  | { readonly is: 'set'; readonly keyword: Keyword; readonly values: readonly string[]; readonly place: Place }
  | { readonly is: 'unknown'; readonly keyword: string; readonly place: Place };

/** Everything that was read, before any host is looked at. */
export interface Source {
  readonly items: Item[];
  /** Somewhere a Match asks for `final`: everything is gone through a second time. */
  asksForFinalPass: boolean;
  /** Something whose meaning depends on the version of ssh. */
  dependsOnVersion: boolean;
  /** A value that changes nothing here, and that ssh may refuse the file for. */
  onlySshCanJudge: boolean;
}

export interface ReadOptions extends Homes {
  /** Where relative Includes are looked for. */
  readonly includeDirectory: string;
  /** Refuse files that somebody else may write. Includes of such a file are checked in any case. */
  readonly trust: 'checked' | 'includes checked' | 'unchecked';
  readonly uid: number;
  readonly mayBeMissing?: boolean;
}

/** Deeper nesting is taken for a loop. */
const MAX_INCLUDE_DEPTH = 16;

export function emptySource(): Source {
  return { items: [], asksForFinalPass: false, dependsOnVersion: false, onlySshCanJudge: false };
}

/** Reads a file with all it includes and adds it to the source. Throws a UsageError at the first mistake, `file:line`. */
export function readInto(source: Source, file: string, options: ReadOptions): void {
  if (options.mayBeMissing && !existsSync(file)) return;
  source.items.push({ is: 'include', items: readFile(source, file, options, 0) });
}

/** Reads one line: of a file, or what follows `-o`. */
export function readSetting(line: Line, source: Source): Item | undefined {
  const name = line.keyword.toLowerCase();
  if (line.rest === '')
    throw mistake(line.place, `${quoted(line.keyword)} has no value.`, 'Give it one, or remove the line.');
  const keyword = KEYWORDS.get(name);
  if (keyword === undefined) {
    fullWords(line, 'empty words allowed');
    if (!NEWER_KEYWORDS.has(name)) return { is: 'unknown', keyword: line.keyword, place: line.place };
    source.dependsOnVersion = true;
    return undefined;
  }
  if (line.rest.includes('%j')) source.dependsOnVersion = true;
  const values = keyword.read(line);
  source.onlySshCanJudge ||= onlySshCanJudge(keyword.key, values?.[0] ?? '');
  return values && { is: 'set', keyword, values, place: line.place };
}

function readFile(source: Source, file: string, options: ReadOptions, depth: number): readonly Item[] {
  const items: Item[] = [];
  if (options.trust === 'checked' || (options.trust === 'includes checked' && depth > 0)) checkTrust(file, options.uid);
  const text = readText(file);
  text.split('\n').forEach((raw, index) => {
    const line = readLine(raw.replace(/\0.*/s, ''), { file, line: index + 1 });
    const item = line && readItem(source, line, options, depth);
    if (item !== undefined) items.push(item);
  });
  return items;
}

function readText(file: string): string {
  try {
    return statSync(file).isDirectory() ? '' : readFileSync(file, 'utf8');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message;
    throw new UsageError(
      `Cannot read the ssh configuration ${quoted(file)}: ${why}.`,
      'Check -F and the Include lines.',
    );
  }
}

function checkTrust(file: string, uid: number): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined || ((stat.uid === 0 || stat.uid === uid) && (stat.mode & 0o022) === 0)) return;
  const why = (stat.mode & 0o022) === 0 ? 'belongs to another user' : 'may be written by others';
  throw new UsageError(
    `The ssh configuration ${quoted(file)} ${why}, and could make this program run commands.`,
    'Make it your own, and `chmod go-w` it.',
  );
}

function readItem(source: Source, line: Line, options: ReadOptions, depth: number): Item | undefined {
  switch (line.keyword.toLowerCase()) {
    case 'host':
      return { is: 'host', matches: compilePatterns(fullWords(line)) };
    case 'match': {
      fullWords(line, 'empty words allowed');
      const criteria = readCriteria(line);
      // other conditions are as old as our oldest ssh; whether it knows these, it has to say, be they reached or not
      source.dependsOnVersion ||= criteria.some((it) => it.attribute === 'opaque' && it.name !== 'exec');
      source.asksForFinalPass ||= criteria.some((criterion) => criterion.attribute === 'final');
      return { is: 'match', criteria };
    }
    case 'include':
      return { is: 'include', items: includedItems(source, line, options, depth) };
    default:
      return readSetting(line, source);
  }
}

function includedItems(source: Source, line: Line, options: ReadOptions, depth: number): readonly Item[] {
  const items: Item[] = [];
  for (const word of fullWords(line)) {
    if (/%|\$\{/.test(word)) source.dependsOnVersion = true;
    const path = expandTilde(word, options);
    if (path === undefined) continue;
    for (const file of globFiles(isAbsolute(path) ? path : join(options.includeDirectory, path))) {
      if (depth === MAX_INCLUDE_DEPTH) {
        const hint = 'Look for a file that includes itself.';
        throw mistake(line.place, `Include is nested deeper than ${MAX_INCLUDE_DEPTH} files.`, hint);
      }
      items.push({ is: 'include', items: readFile(source, file, options, depth + 1) });
    }
  }
  return items;
}

function fullWords(line: Line, empty?: 'empty words allowed'): readonly string[] {
  const words = splitWords(line.rest);
  if (words === undefined) {
    throw mistake(line.place, `${line.keyword}: a quote is not closed.`, 'Close it, or escape it with a backslash.');
  }
  if (line.rest === '') throw mistake(line.place, `${line.keyword} has no value.`, 'Say what it applies to.');
  if (empty === undefined && words.includes('')) {
    throw mistake(line.place, `${line.keyword} has an empty value.`, 'Remove the empty quotes.');
  }
  return words;
}
