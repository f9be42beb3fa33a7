/** A number of hosts, as operators say it: `5`, or `10%` of all hosts of the run. */
import { UsageError } from '../model/index.ts';

export type Share =
  | { readonly kind: 'hosts'; readonly count: number }
  /** A whole number from 0 to 100. */
  | { readonly kind: 'percent'; readonly percent: number };

/** More hosts than any run has. */
const MAX_COUNT = 1_000_000;

/** `what` is the flag, for the message. Throws UsageError for what is neither N nor P%. */
export function parseShare(what: string, text: string): Share {
  const match = /^(\d{1,9})(%?)$/.exec(text);
  const value = match ? Number(match[1]) : Number.NaN;
  if (match?.[2] === '%' && value <= 100) return { kind: 'percent', percent: value };
  if (match?.[2] === '' && value <= MAX_COUNT) return { kind: 'hosts', count: value };
  throw new UsageError(
    `${what}: not a number of hosts: ${JSON.stringify(text)}`,
    'A number of hosts is 5, or 10% of all hosts of the run; whole numbers, 100% at most.',
  );
}

/** How many of `total` hosts that is. Percentages are rounded down. */
export function hostsIn(share: Share, total: number): number {
  return share.kind === 'hosts' ? share.count : Math.floor((total * share.percent) / 100);
}

/** As it was said. */
export function shown(share: Share): string {
  return share.kind === 'hosts' ? String(share.count) : `${share.percent}%`;
}
