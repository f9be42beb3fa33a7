/**
 * A run in waves, as with Ansible's `serial`: each entry of `1,10%,100%` is the size of the next wave, and the last is repeated
 * until every host had its turn. Percentages are of all hosts of the run, rounded down, and a wave has at least one host.
 *
 *     1,10%,100%  of 50 hosts   1, 5, 44
 *     5,50        of 200 hosts  5, 50, 50, 50, 45
 *     25%         of 10 hosts   2, 2, 2, 2, 2
 */
import { UsageError } from '../model/index.ts';
import { hostsIn, parseShare, type Share } from './host-count.ts';

/** Throws UsageError for what is no list of sizes. */
export function parseWaves(text: string): readonly Share[] {
  const sizes = text.split(',').map((entry) => {
    if (entry.trim() === '') {
      throw new UsageError(`--waves: a size is missing in ${JSON.stringify(text)}`, HINT);
    }
    return parseShare('--waves', entry.trim());
  });
  const nothing = sizes.some((size) => (size.kind === 'hosts' ? size.count : size.percent) === 0);
  if (nothing) throw new UsageError(`--waves: a wave of no hosts in ${JSON.stringify(text)}`, HINT);
  return sizes;
}

const HINT = 'Say the sizes of successive waves, the last of which is repeated: 1,10%,100%.';

/** How many hosts each wave has, in order; together they are `total`. */
export function waveSizes(total: number, sizes: readonly Share[]): number[] {
  const waves: number[] = [];
  for (let left = total; left > 0; left -= waves.at(-1)!) {
    const share = sizes[Math.min(waves.length, sizes.length - 1)]!;
    waves.push(Math.min(left, Math.max(1, hostsIn(share, total))));
  }
  return waves;
}

/** The hosts, cut into waves of these sizes. Order is kept. */
export function inWaves<T>(hosts: readonly T[], sizes: readonly number[]): T[][] {
  let from = 0;
  return sizes.map((size) => {
    from += size;
    return hosts.slice(from - size, from);
  });
}
