/** The forms that records share: `KIND key=value` lines, blocks of them, and lists of unit names. */
import { isUnitName } from '../model/index.ts';
import type { HostRecord } from './protocol.ts';

export function texts(records: readonly HostRecord[], kind: string): string[] {
  return records.filter((record) => record.kind === kind).map((record) => record.text);
}

export function keyValue(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** Blocks of key=value, each closed by a bare record; a key may come several times. The same unit under two names is one unit. */
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
  const ids = new Set<string>();
  return found.filter((fields) => {
    const id = fields.get('Id');
    if (id === undefined || !isUnitName(id) || ids.has(id)) return false;
    ids.add(id);
    return true;
  });
}

export function unitNames(text: string | undefined): string[] {
  return (text ?? '').split(' ').filter(isUnitName);
}
