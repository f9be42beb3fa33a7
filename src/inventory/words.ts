/** What went wrong while splitting a line, or its words. */
export type Words =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'broken'; readonly why: 'a quotation is not closed' | 'a backslash has nothing after it' };

const SPACE = /[ \t\r\n]/;

/**
 * Splits a line as a POSIX shell would, without expansions, as the host lines of an INI inventory and the SSH
 * argument variables are split: quotes group, a backslash takes the next character literally.
 * With `comments`, an unquoted `#` ends the line, in the middle of a word too.
 */
export function splitWords(line: string, comments: 'comments' | 'no-comments'): Words {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const char = line.charAt(i);
    const next = line.charAt(i + 1);
    if (quote === "'" || (quote === '"' && !(char === '\\' && (next === '"' || next === '\\')))) {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '\\') {
      if (next === '') return { kind: 'broken', why: 'a backslash has nothing after it' };
      word = (word ?? '') + next;
      i++;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= '';
    } else if (char === '#' && comments === 'comments') {
      break;
    } else if (SPACE.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== '') return { kind: 'broken', why: 'a quotation is not closed' };
  if (word !== undefined) words.push(word);
  return { kind: 'words', words };
}
