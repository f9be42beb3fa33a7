import { type Line, mistake, quoted, splitWords } from './line.ts';
import { normalizeJumps } from './proxy-jump.ts';

/** Reads the value of a line as `ssh -G` prints it. `undefined`: the line changes nothing. Throws a UsageError. */
export type ReadValue = (line: Line) => readonly string[] | undefined;

const INT_MAX = 2 ** 31 - 1;
const UNIT_SECONDS = new Map(Object.entries({ '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }));

function wrong(line: Line, value: string, expected: string): never {
  throw mistake(
    line.place,
    `${line.keyword} ${quoted(value)} is not ${expected}.`,
    'Correct the line; see ssh_config(5).',
  );
}

/** The words of a line: none, where it holds but a comment. ssh lets such a line pass where it takes several values. */
export function anyWords(line: Line): readonly string[] {
  const words = splitWords(line.rest);
  if (words !== undefined) return words;
  throw mistake(line.place, `${line.keyword}: a quote is not closed.`, 'Close it, or escape it with a backslash.');
}

/** The words of a line, at least one. */
export function someWords(line: Line): readonly string[] {
  const words = anyWords(line);
  if (words.length > 0) return words;
  throw mistake(line.place, `${line.keyword} has no value.`, 'Give it one, or remove the line.');
}

/** Exactly one word. */
function oneWord(line: Line): string {
  const [word, extra] = someWords(line);
  if (extra !== undefined) {
    const hint = 'Enclose a value that holds spaces in double quotes.';
    throw mistake(line.place, `${line.keyword} takes one value, but ${quoted(extra)} follows it.`, hint);
  }
  if (word === undefined || word === '') {
    throw mistake(line.place, `${line.keyword} has an empty value.`, 'Give it one, or remove the line.');
  }
  return word;
}

export const text: ReadValue = (line) => [oneWord(line)];
export const lowerCaseText: ReadValue = (line) => [lowerCase(oneWord(line))];

/** ASCII only, as ssh does. */
export function lowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, (upper) => upper.toLowerCase());
}

/** One of several names, whatever their case; what is printed may differ from what was written. */
export function choice(table: Readonly<Record<string, string>>): ReadValue {
  const printed = new Map(Object.entries(table));
  const names = [...printed.keys()].join(', ');
  return (line) => {
    const word = oneWord(line);
    return [printed.get(word.toLowerCase()) ?? wrong(line, word, `one of ${names}`)];
  };
}

export const count: ReadValue = (line) => {
  const word = oneWord(line);
  const number = /^\s*[+-]?\d+$/.test(word) ? Number(word) : Number.NaN;
  return [number >= 0 && number <= INT_MAX ? String(number) : wrong(line, word, `a whole number from 0 to ${INT_MAX}`)];
};

/** Seconds, also as `1m30s`. `none` leaves the setting open for a later line. */
export const duration: ReadValue = (line) => {
  const word = oneWord(line);
  return word === 'none' ? undefined : [String(seconds(word) ?? wrong(line, word, 'a time such as 90 or 1m30s'))];
};

function seconds(word: string): number | undefined {
  if (!/^\s*\+?\d+[smhdw]?(\d+[smhdw]?)*$/i.test(word)) return undefined;
  let total = 0;
  for (const [, digits, unit] of word.matchAll(/(\d+)([smhdw]?)/gi)) {
    total += Number(digits) * (UNIT_SECONDS.get((unit ?? '').toLowerCase()) ?? 1);
  }
  return total <= INT_MAX ? total : undefined;
}

/** Yes, no, or for how long. */
export const flagOrDuration: ReadValue = (line) => {
  const word = oneWord(line);
  if (/^(yes|true|no|false)$/i.test(word)) return [word.toLowerCase()];
  return duration(line) ?? wrong(line, word, 'yes, no or a time');
};

/** One character, also as `^x`, or `none`. */
export const escapeCharacter: ReadValue = (line) => {
  const word = oneWord(line);
  return /^([\x21-\x7e]|\^[\x40-\x7f]|none)$/.test(word) ? [word] : wrong(line, word, 'a character, ^x or none');
};

export const octal: ReadValue = (line) => {
  const word = oneWord(line);
  return /^0*[0-7]{1,3}$/.test(word) ? [word] : wrong(line, word, 'an octal mask from 0 to 0777');
};

export const port: ReadValue = (line) => {
  const word = oneWord(line);
  const number = /^\s*\+?\d+$/.test(word) ? Number(word) : word === 'ssh' ? 22 : 0;
  return [number >= 1 && number <= 65_535 ? String(number) : wrong(line, word, 'a port (1 to 65535)')];
};

/** A socket's path, or `$NAME` for the variable that holds it. */
export const socket: ReadValue = (line) => {
  const word = oneWord(line);
  if (word.startsWith('$') && word[1] !== '{' && !/^\$\w+$/.test(word)) wrong(line, word, 'a path or a $VARIABLE');
  return [word];
};

export const agentForwarding: ReadValue = (line) => {
  const known = new Map(Object.entries({ yes: 'yes', true: 'yes', no: 'no', false: 'no' }));
  const [word = ''] = socket(line) ?? [];
  return [known.get(word.toLowerCase()) ?? word];
};

/** Several file names, or `none` alone. */
export const files: ReadValue = (line) => {
  const words = anyWords(line);
  if (words.length === 0) return undefined;
  if (words.includes('')) throw mistake(line.place, `${line.keyword} has an empty value.`, 'Remove the empty quotes.');
  if (words.length > 32) throw mistake(line.place, `${line.keyword} has over 32 values.`, 'ssh takes no more.');
  if (!words.some((word) => word.toLowerCase() === 'none')) return words;
  if (words.length === 1) return ['none'];
  throw mistake(line.place, `${line.keyword}: "none" must stand alone.`, 'Remove it, or the other files.');
};

/** A path that `none` switches off. */
export const optionalText: ReadValue = (line) => {
  const word = oneWord(line);
  return [word.toLowerCase() === 'none' ? 'none' : word];
};

/** The rest of the line as it stands, comment signs and quotes included. */
export const command: ReadValue = (line) => {
  someWordsOrComment(line);
  const rest = line.rest.replace(/^[ \t=]+/, '');
  return [rest.toLowerCase() === 'none' ? 'none' : rest];
};

/**
 * The first word is a list of bastions. An empty value stands for `none`, which has to be the whole line: ssh takes
 * `none # as a rule` for a bastion of that name.
 */
export const jumps: ReadValue = (line) => {
  someWordsOrComment(line);
  const rest = line.rest.replace(/^[ \t=]+/, '');
  if (rest.toLowerCase() === 'none') return [''];
  const value = rest.split(/[ \t\r#]/, 1)[0] ?? '';
  return [normalizeJumps(value) ?? wrong(line, rest, 'a list of [user@]host[:port]')];
};

/** Quotes must be balanced even where they have no meaning; a comment sign counts as a value here. */
function someWordsOrComment(line: Line): void {
  if (line.rest === '' || !line.rest.startsWith('#')) someWords(line);
}

export const variableNames: ReadValue = (line) => {
  const words = anyWords(line);
  for (const word of words) if (word === '' || word.includes('=')) wrong(line, word, 'the name of a variable');
  return words;
};

/** `NAME=value …`; of equal names the first counts. */
export const assignments: ReadValue = (line) => {
  const values = new Map<string, string>();
  for (const word of anyWords(line)) {
    const name = /^([^=]*)=/.exec(word)?.[1] ?? wrong(line, word, 'NAME=value');
    if (!values.has(name)) values.set(name, word);
  }
  return values.size === 0 ? undefined : [...values.values()];
};
