/** Records of what lies on disk: entries under the units' names, aliases, lines that speak of the units. */
import { type AliasFact, type Hit, isUnitName, type PathFact, printable } from '../model/index.ts';
import { type HostRecord, isPath, MAX_PATH, texts } from './blocks.ts';

/** `path null PATH`, `path link PATH TARGET` … */
export function pathsFrom(records: readonly HostRecord[]): PathFact[] {
  const displaced = new Map(texts(records, 'displaced').map((text) => text.split(' ', 2) as [string, string]));
  return texts(records, 'path').flatMap((text): PathFact[] => {
    const [kind = '', path = '', ...target] = text.split(' ');
    if (!isPath(path)) return [];
    if (kind === 'link') return [{ kind, path, target: printable(target.join(' '), 4096) }];
    const original = displaced.get(path);
    if (kind === 'null') return [{ kind, path, ...(original && { displaced: printable(original, 4096) }) }];
    return kind === 'file' || kind === 'empty' || kind === 'other' ? [{ kind, path }] : [];
  });
}

/** `alias NAME UNIT` */
export function aliasFrom(text: string): AliasFact[] {
  const [name = '', unit = ''] = text.split(' ');
  return isUnitName(name) && isUnitName(unit) && name !== unit ? [{ name, unit }] : [];
}

export function hitFrom(text: string): Hit[] {
  const match = /^(\/[\x21-\x7e]+) (?:(SystemdService|Name|Exec|ExecStart)=(\S*)|functions)$/.exec(text);
  if (match?.[1] === undefined || match[1].length > MAX_PATH) return [];
  const key = (match[2] ?? 'functions') as Hit['key'];
  return [{ path: match[1], key, value: printable(match[3] ?? '', 4096) }];
}
