import { readFileSync } from 'node:fs';

const parts = new Map<string, string>();

/**
 * A part of the remote program as it is sent: without comments, indentation and blanks that mean nothing (no text of it has any
 * around `||`, `&&` or `|`, or a semicolon, none two quotes after a name), which the host would read one byte at a time
 * (bash does, from a pipe).
 */
export function part(file: `${string}.sh`): string {
  const text =
    parts.get(file) ??
    readFileSync(new URL(`./program/${file}`, import.meta.url), 'utf8')
      .split('\n')
      .map((line) =>
        line
          .trimStart()
          .replaceAll(/ ?;; ?/g, ';;')
          .replaceAll('*) ', '*)')
          .replaceAll(/; (?=(?:then|do|else|fi|done|esac)\b)/g, ';')
          .replaceAll(' || ', '||')
          .replaceAll(' && ', '&&')
          .replaceAll(' | ', '|')
          .replaceAll('; }', ';}')
          .replaceAll(/(?<=^| )([a-z_]+=)''(?= |$)/g, '$1')
          .replace(/^([^()'"$]+\)) /, '$1'),
      )
      .filter((line) => line !== '' && !line.startsWith('#'))
      .join('\n');
  parts.set(file, text);
  return text;
}
