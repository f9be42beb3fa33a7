import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The files that an absolute glob(7) pattern names, in byte order; none is no error. */
export function globFiles(pattern: string): readonly string[] {
  let found = ['/'];
  for (const segment of pattern.split('/').filter((part) => part !== '')) {
    const expression = segmentExpression(segment);
    found = found.flatMap((directory) =>
      expression === undefined
        ? [join(directory, segment.replace(/\\(.)/g, '$1'))]
        : entries(directory)
            .filter((name) => expression.test(name) && (segment.startsWith('.') || !name.startsWith('.')))
            .map((name) => join(directory, name)),
    );
  }
  return found.filter((file) => existsSync(file));
}

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch {
    return [];
  }
}

/** `undefined` for a segment without wildcards. */
function segmentExpression(segment: string): RegExp | undefined {
  if (!/[*?[]/.test(segment.replace(/\\./g, ''))) return undefined;
  const source = segment.replace(/\\(.)|\[([!^]?)(\]?[^\]]*)\]|[\s\S]/g, (char, escaped, not, set) => {
    if (escaped !== undefined) return literal(escaped);
    if (set !== undefined) return `[${not === '' ? '' : '^'}${set.replace(/[\\\]^[]/g, '\\$&')}]`;
    return char === '*' ? '.*' : char === '?' ? '.' : literal(char);
  });
  return new RegExp(`^${source}$`, 's');
}

function literal(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|]/, '\\$&');
}
