/** Whether a text fits a pattern. Compiled once, used for every host. */
export type Matcher = (text: string) => boolean;

/** A pattern of `*` and `?`. Without regular expressions: many stars must not cost exponential time. */
export function compilePattern(pattern: string): Matcher {
  if (!/[*?]/.test(pattern)) return (text) => text === pattern;
  if (pattern === '*') return () => true;
  const prefix = pattern.slice(0, -1);
  if (pattern.endsWith('*') && !/[*?]/.test(prefix)) return (text) => text.startsWith(prefix);
  return (text) => fits(pattern, text);
}

function fits(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (pattern[p] === '?' || pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Several patterns of which one must fit, and none that begins with `!`. */
export function compilePatterns(patterns: readonly string[]): Matcher {
  const wanted = patterns.filter((one) => !one.startsWith('!')).map(compilePattern);
  const unwanted = patterns.filter((one) => one.startsWith('!')).map((one) => compilePattern(one.slice(1)));
  const [only] = wanted;
  if (wanted.length === 1 && unwanted.length === 0 && only !== undefined) return only;
  return (text) => wanted.some((matches) => matches(text)) && !unwanted.some((matches) => matches(text));
}
