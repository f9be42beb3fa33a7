/** Who and why, as receipts and locks have it. */
import { printable } from '../model/index.ts';

/** `key=value&…`, percent-encoded; `-` for nothing. */
export function metaText(meta: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(meta).map(([key, value]) => `${key}=${encoded(value)}`);
  return pairs.join('&') || '-';
}

/** One word for the shell. encodeURIComponent leaves some of the shell's own characters alone. */
export function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
}

/** The inverse of `metaText`; what is not in its form is left out, or taken as it stands. */
export function metaFrom(text: string): Record<string, string> {
  const meta: Record<string, string> = {};
  for (const pair of text.split('&')) {
    const [key = '', value] = pair.split('=');
    if (!/^[a-z]{1,20}$/.test(key) || value === undefined) continue;
    // what was asked for is acted upon, and so is never cut: a record is bounded
    const length = key === 'units' ? value.length : 1000;
    meta[key] = decoded(value, length);
  }
  return meta;
}

/** The inverse of `encoded`, safe to print. */
export function decoded(word: string, length = 1000): string {
  try {
    return printable(decodeURIComponent(word), length);
  } catch {
    return printable(word, length);
  }
}
