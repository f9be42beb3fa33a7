import { readFileSync } from 'node:fs';

const parts = new Map<string, string>();

/**
 * A part of the remote program as it is sent: without comments and indentation, which the host would read one byte at a time
 * (bash does, from a pipe).
 */
export function part(file: `${string}.sh`): string {
  const text =
    parts.get(file) ??
    readFileSync(new URL(`./program/${file}`, import.meta.url), 'utf8')
      .split('\n')
      .map((line) => line.trimStart())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .join('\n');
  parts.set(file, text);
  return text;
}
