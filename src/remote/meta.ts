/** Who and why, as receipts and locks have it. */
import { printable } from '../model/index.ts';

/** `key=value&…`, percent-encoded; see `encoded` in protocol.ts. */
export function metaFrom(text: string): Record<string, string> {
  const meta: Record<string, string> = {};
  for (const pair of text.split('&')) {
    const [key = '', value] = pair.split('=');
    if (!/^[a-z]{1,20}$/.test(key) || value === undefined) continue;
    try {
      meta[key] = printable(decodeURIComponent(value), 1000);
    } catch {
      meta[key] = printable(value, 1000);
    }
  }
  return meta;
}
