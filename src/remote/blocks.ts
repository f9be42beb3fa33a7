/** The forms that records share: words, `KIND key=value` lines, blocks of them, names and paths of units, identifiers. */
import { isUnitName } from '../model/index.ts';

/** One line of an answer, without its frame. */
export interface HostRecord {
  readonly kind: string;
  readonly text: string;
}

export function texts(records: readonly HostRecord[], kind: string): string[] {
  return records.filter((record) => record.kind === kind).map((record) => record.text);
}

export function firstWord(text: string): [word: string, rest: string] {
  const blank = text.indexOf(' ');
  return blank < 0 ? [text, ''] : [text.slice(0, blank), text.slice(blank + 1)];
}

export function keyValue(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

/**
 * Blocks of key=value, each closed by a bare record; a key may come several times. The same unit under two names is one unit, with
 * all the names that it was shown with: before 243 a name is known only once it was asked for.
 */
export function blocks(records: readonly HostRecord[], kind: string): Map<string, string>[] {
  const found: Map<string, string>[] = [];
  let block = new Map<string, string>();
  for (const { text } of records.filter((record) => record.kind === kind)) {
    if (text === '') {
      if (block.size > 0) found.push(block);
      block = new Map();
    } else {
      const [key, value] = keyValue(text);
      const before = block.get(key);
      block.set(key, before === undefined ? value : `${before} ${value}`);
    }
  }
  const units = new Map<string, Map<string, string>>();
  const names = new Map<string, string[]>();
  for (const fields of found) {
    const id = fields.get('Id');
    if (id === undefined || !isUnitName(id)) continue;
    const known = fields.get('Names') ?? '';
    if (!units.has(id)) units.set(id, fields);
    names.set(id, names.get(id) ?? []);
    names.get(id)?.push(known);
  }
  for (const [id, lists] of names) if (lists.length > 1) units.get(id)?.set('Names', lists.join(' '));
  return [...units.values()];
}

export function unitNames(text: string | undefined): string[] {
  return (text ?? '').split(' ').filter(isUnitName);
}

/** PATH_MAX of Linux. */
export const MAX_PATH = 4096;

/** Of what lies in a directory of units. */
export function isPath(text: string): boolean {
  return text.length <= MAX_PATH && /^\/[A-Za-z0-9:_.\\@/-]+$/.test(text) && !text.includes('/../');
}

/** Of a machine or a boot. */
export function identifier(text: string | undefined): string | null {
  return text !== undefined && /^[0-9a-f-]{32,36}$/.test(text) ? text : null;
}
