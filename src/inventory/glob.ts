import { mistake, type Origin, quoted } from './mistake.ts';

export type Matcher = (name: string) => boolean;

/**
 * A matcher for a shell glob over a whole name: `*`, `?`, `[abc]`, `[a-c]`, `[!abc]`; case counts, and a `[` without
 * a `]` is itself. Takes time proportional to pattern times name, whatever the pattern.
 */
export function glob(pattern: string): Matcher {
  const tokens = tokenize(pattern);
  return (name) => {
    const chars = [...name];
    let [token, char, star, resume] = [0, 0, -1, 0];
    while (char < chars.length) {
      const current = tokens[token];
      if (current === 'any') {
        star = token++;
        resume = char;
      } else if (current?.(chars[char] ?? '')) {
        token++;
        char++;
      } else if (star >= 0) {
        // Let the last star take one character more, and go on from there.
        token = star + 1;
        char = ++resume;
      } else return false;
    }
    while (tokens[token] === 'any') token++;
    return token === tokens.length;
  };
}

type Token = 'any' | ((char: string) => boolean);

function tokenize(pattern: string): Token[] {
  const tokens: Token[] = [];
  const chars = [...pattern];
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i] ?? '';
    if (char === '*') tokens.push('any');
    else if (char === '?') tokens.push(() => true);
    else {
      const close = char === '[' ? closing(chars, i) : -1;
      if (close < 0) tokens.push((other) => other === char);
      else {
        tokens.push(oneOf(chars.slice(i + 1, close)));
        i = close;
      }
    }
  }
  return tokens;
}

/** The index of the bracket that closes the class; a `]` right after the opening (or its `!`) is a member. */
function closing(chars: readonly string[], open: number): number {
  let from = open + 1;
  if (chars[from] === '!') from++;
  if (chars[from] === ']') from++;
  return chars.indexOf(']', from);
}

function oneOf(members: readonly string[]): (char: string) => boolean {
  const negated = members[0] === '!';
  const list = negated ? members.slice(1) : members;
  return (char) => {
    for (let i = 0; i < list.length; i++) {
      const [low = '', dash, high] = list.slice(i, i + 3);
      const isRange = dash === '-' && high !== undefined;
      if (isRange ? low <= char && char <= high : char === low) return !negated;
      if (isRange) i += 2;
    }
    return negated;
  };
}

const MAX_REGEX = 200;
const MAX_UNBOUNDED = 5;

/**
 * A matcher for a regular expression that must match from the beginning of a name, as `~` patterns do.
 * Throws a UsageError for one that is none, or that could take for ever: one with a repeated group that itself
 * repeats or chooses, with a back reference, with many unbounded repetitions, or a very long one.
 */
export function regex(source: string, origin: Origin): Matcher {
  const hint = 'Write a simpler regular expression, or several patterns with ":" between.';
  const slow = slowness(source);
  if (slow !== undefined) throw mistake(origin, `the regular expression ${quoted(source)} ${slow}`, hint);
  const flags = source.startsWith('(?i)') ? 'iu' : 'u';
  const translated = source
    .replace(/^\(\?i\)/, '')
    .replaceAll('(?P<', '(?<')
    .replaceAll('\\A', '^')
    .replaceAll('\\Z', '$');
  // In Unicode mode JavaScript refuses escapes that Python takes for the character itself.
  const escaped = translated.replace(/\\([-_@:,#%&=<>~`"' !])/g, (_, char: string) => (char === '-' ? '\\x2d' : char));
  try {
    const compiled = new RegExp(`^(?:${escaped})`, flags);
    return (name) => compiled.test(name);
  } catch (error) {
    throw mistake(origin, `${quoted(source)} is not a regular expression: ${(error as Error).message}`, hint);
  }
}

function slowness(source: string): string | undefined {
  if (source.length > MAX_REGEX) return `is longer than ${MAX_REGEX} characters`;
  // Escapes and classes are single characters here; then only structure is left.
  const bare = source
    .replace(/\\./gs, 'x')
    .replace(/\[\^?\]?[^\]]*\]/g, 'x')
    .replace(/\(\?(?:[:=!i)]|<[=!]|P?<\w+>)/g, '(');
  if (/\\[1-9]|\(\?P=/.test(source)) return 'refers back to a group';
  const repeats = /[*+]|\{\d+,\}|\{(?:\d{3,}|\d*,\d{3,})\}/g;
  if ([...bare.matchAll(repeats)].length > MAX_UNBOUNDED)
    return `repeats without bound more than ${MAX_UNBOUNDED} times`;
  const opened: boolean[] = [];
  for (let i = 0; i < bare.length; i++) {
    const char = bare.charAt(i);
    if (char === '(') opened.push(false);
    else if (char === ')') {
      const variable = opened.pop() ?? false;
      const repeated = /^(?:[*+]|\{\d*,?\d*\})/.test(bare.slice(i + 1));
      if (variable && repeated) return 'repeats a group that itself repeats or chooses';
      if (variable && opened.length > 0) opened[opened.length - 1] = true;
    } else if (/[*+?{|]/.test(char) && opened.length > 0) opened[opened.length - 1] = true;
  }
  return undefined;
}
