import { safe } from './text.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Text for XML or HTML, between tags or in a quoted attribute. Characters that XML 1.0 forbids, or that would deceive whoever reads
 * the page, are visible escapes, as everywhere.
 */
export function escaped(text: string): string {
  return safe(text).replace(/[&<>"']/g, (char) => ENTITIES[char]!);
}

/** ` name="value"` for each that has one. */
export function attributes(values: Readonly<Record<string, string | number | null | undefined>>): string {
  return Object.entries(values)
    .map(([name, value]) => (value === null || value === undefined ? '' : ` ${name}="${escaped(String(value))}"`))
    .join('');
}
