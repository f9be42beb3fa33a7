/** Medians and ranges, and how they are printed. */

export interface Figures {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function figures(samples: readonly number[]): Figures {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}

/** `5.1 (4.9–5.4)` */
export function ranged({ median, min, max }: Figures, digits: number): string {
  const [mid, low, high] = [median, min, max].map((value) => value.toFixed(digits));
  return low === high ? mid! : `${mid} (${low}–${high})`;
}

/** A Markdown table that also reads well on a terminal. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length), 3));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |\n`;
  return line(head) + line(widths.map((width) => '-'.repeat(width))) + rows.map(line).join('');
}
