import type { Screen } from './output.ts';
import { paint, type Style } from './paint.ts';
import { safe, widthOf } from './text.ts';

/** A stretch of text in one style. */
export interface Span {
  readonly text: string;
  readonly style?: Style | undefined;
  /** Not to be broken, as a number and its noun. */
  readonly whole?: true;
}

/** How far the second and later lines of a sentence are set in. */
const HANGING = '    ';

/**
 * One sentence, a newline at its end: broken between words where the width of the screen is known, for terminals break
 * within them; one line where it is not. `indent` stands before the first line. The spans may hold anything: they are made safe here.
 */
export function prose(spans: readonly Span[], screen: Screen, indent = ''): string {
  const limit = screen.columns ?? Number.POSITIVE_INFINITY;
  const lines: Span[][] = [];
  let line: Span[] = [];
  let used = indent.length;
  for (const word of wordsOf(spans)) {
    const width = word.reduce((sum, { text }) => sum + widthOf(text), 0);
    if (used > HANGING.length && used + 1 + width > limit) {
      lines.push(line);
      line = [{ text: HANGING }, ...word];
      used = HANGING.length + width;
    } else {
      const before = line.at(-1);
      const space = before ? [{ text: ' ', style: before.style === word[0]?.style ? before.style : undefined }] : [];
      line.push(...space, ...word);
      used += space.length + width;
    }
  }
  return indent + [...lines, line].map((each) => `${painted(each, screen)}\n`).join('');
}

/** Words, each of one span or more: a style may end within a word (`web1` and its colon). */
function wordsOf(spans: readonly Span[]): Span[][] {
  const words: Span[][] = [[]];
  for (const { text, style, whole } of spans) {
    const pieces = whole ? [safe(text)] : safe(text).split(' ');
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) words.push([]);
      if (piece !== '') words.at(-1)!.push({ text: piece, style });
    }
  }
  return words;
}

function painted(line: readonly Span[], screen: Screen): string {
  let text = '';
  for (let from = 0; from < line.length; ) {
    const { style } = line[from]!;
    let to = from;
    while (to < line.length && line[to]!.style === style) to++;
    const run = line.slice(from, to).map((span) => span.text);
    text += style === undefined ? run.join('') : paint(screen, style, run.join(''));
    from = to;
  }
  return text;
}
