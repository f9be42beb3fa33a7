import { printable } from './printable.ts';

/**
 * Up to three of `names` that someone who wrote `wanted` may have meant, best first, as a sentence; or undefined.
 * `written`: how a name has to be typed.
 */
export function didYouMean(
  wanted: string,
  names: Iterable<string>,
  written: (name: string) => string = (name) => name,
): string | undefined {
  const scored: { name: string; distance: number }[] = [];
  const limit = Math.max(1, Math.min(3, Math.floor(wanted.length / 3)));
  for (const name of names) {
    if (Math.abs(name.length - wanted.length) > limit && !name.startsWith(wanted)) continue;
    const distance = name.startsWith(wanted) ? 1 : editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (distance <= limit) scored.push({ name, distance });
  }
  scored.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  const best = scored.slice(0, 3).map(({ name }) => printable(written(name), 80));
  return best.length === 0 ? undefined : `Did you mean ${best.join(' or ')}?`;
}

/** How many characters to insert, remove, replace or swap with their neighbour to make one text of the other. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a.charAt(i - 1) === b.charAt(j - 1) ? 0 : 1;
      let best = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + same);
      const swapped = i > 1 && j > 1 && a.charAt(i - 1) === b.charAt(j - 2) && a.charAt(i - 2) === b.charAt(j - 1);
      if (swapped) best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row.push(best);
    }
    [before, previous] = [previous, row];
  }
  return previous[b.length] ?? 0;
}
