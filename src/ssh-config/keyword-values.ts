import { type Line, mistake, quoted, splitWords } from './line.ts';
import { portOf } from './ports.ts';
import { normalizeJumps } from './proxy-jump.ts';

/** Reads the value of a line as `ssh -G` prints it. `undefined`: the line changes nothing. Throws a UsageError. */
export type ReadValue = (line: Line) => readonly string[] | undefined;

const INT_MAX = 2 ** 31 - 1;
const UNIT_SECONDS = new Map(Object.entries({ '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }));

export function wrong(line: Line, value: string, expected: string): never {
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

/** As many words at most, and the first is not empty. */
export function words(line: Line, most: 1 | 2): readonly string[] {
  const all = someWords(line);
  const extra = all[most];
  if (extra !== undefined) {
    const hint = 'Enclose a value that holds spaces in double quotes.';
    const takes = most === 1 ? 'one value, but' : 'two values, but';
    throw mistake(line.place, `${line.keyword} takes ${takes} ${quoted(extra)} follows it.`, hint);
  }
  if (all[0] === '') {
    throw mistake(line.place, `${line.keyword} has an empty value.`, 'Give it one, or remove the line.');
  }
  return all;
}

/** Exactly one word. */
function oneWord(line: Line): string {
  return words(line, 1)[0]!;
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
  // as ssh, no further than the digits go
  return /^\s*\+?0*[0-7]{1,3}(?![0-7])/.test(word) ? [word] : wrong(line, word, 'an octal mask from 0 to 0777');
};

export const port: ReadValue = (line) => {
  const word = oneWord(line);
  return [String(portOf(word) || wrong(line, word, 'a port (1 to 65535)'))];
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

/** DSCP and the older TOS, by name or as a number. `va` came with later versions. */
const SERVICE_CLASSES = new Set(
  (
    'af11 af12 af13 af21 af22 af23 af31 af32 af33 af41 af42 af43 cs0 cs1 cs2 cs3 cs4 cs5 cs6 cs7 ' +
    'ef le va lowdelay throughput reliability none'
  ).split(' '),
);

/** One for interactive sessions and another for the rest, or one for both. */
export const serviceClasses: ReadValue = (line) => {
  const found = words(line, 2);
  for (const word of found) {
    const isNumber = /^\s*([+-]?)(0x[\da-f]+|0[0-7]*|[1-9]\d*)$/i.exec(word);
    const number = isNumber?.[2]?.replace(/^0(?=[0-7])/, '0o');
    const value = number === undefined ? -1 : Number(number) * (isNumber?.[1] === '-' ? -1 : 1);
    if (value >= 0 && value <= 255) continue;
    if (!SERVICE_CLASSES.has(word.toLowerCase())) wrong(line, word, 'a class such as ef or cs1, or a number up to 255');
  }
  return found;
};

/** How much, in bytes or with a unit, then how long. */
export const rekeyLimit: ReadValue = (line) => {
  const found = words(line, 2);
  const [size = '', time = 'none'] = found;
  const bytes = size === 'default' ? 0n : bytesOf(size);
  if (bytes === undefined || (bytes !== 0n && bytes < 16n)) wrong(line, size, 'default, or a size from 16, such as 1G');
  if (time !== 'none' && seconds(time) === undefined) wrong(line, time, 'a time such as 90 or 1m30s');
  return found;
};

function bytesOf(text: string): bigint | undefined {
  const found = /^\s*([+-]?)(\d*)(?:\.(\d*))?([bkmgtpe]?)$/i.exec(text);
  if (found === null) return undefined;
  const [, sign, whole, fraction, unit = ''] = found;
  const scale = 1024n ** BigInt(Math.max(0, 'bkmgtpe'.indexOf(unit.toLowerCase())));
  const bytes = BigInt(whole || 0) * scale + BigInt(Math.floor(Number(`0.${fraction || 0}`) * Number(scale)));
  if (bytes >= 2n ** 63n) return undefined;
  return sign === '-' ? -bytes : bytes;
}

/** `confirm` may have a time behind it; else it is one of the words, or a time. */
export const keysForAgent: ReadValue = (line) => {
  const found = words(line, 2);
  const [word = '', time] = found;
  const isChoice = /^(yes|true|no|false|ask|confirm)$/i.test(word);
  if (!isChoice && seconds(word) === undefined) wrong(line, word, 'yes, no, ask, confirm or a time');
  if (time === undefined) return found;
  if (!/^confirm$/i.test(word)) wrong(line, found.join(' '), 'one value: only confirm takes a time');
  return seconds(time) === undefined ? wrong(line, time, 'a time such as 90 or 1m30s') : found;
};
