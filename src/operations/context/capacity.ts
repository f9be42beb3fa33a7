/** What this process may use, and what so many hosts at once need; as measured, with room to spare. */
import { readFileSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import { UsageError } from '../../model/index.ts';

export interface Load {
  readonly hosts: number;
  readonly forks: number;
  /** Hosts that a program of this machine connects to: ssh, a ProxyCommand. */
  readonly byProgram: number;
}

export interface Capacity {
  /** Open files; null where the system does not tell. */
  readonly files: number | null;
  /** MiB for what lives long (V8's old space). */
  readonly memory: number;
}

/** Beside those of hosts. With the same numbers in bin/fleetmask.js. */
const FILES = 40;
const MEMORY_MIB = 32;
const YOUNG_MIB = 48;
/** A connection, and what looks up its name. */
const FILES_PER_HOST = 2;
/** The pipes of a program, and those that exist while it is started. */
const FILES_PER_PROGRAM = 5;
const MIB_AT_ONCE = 1;
const MIB_PER_HOST = 0.02;

export function capacity(): Capacity {
  const { heap_size_limit: limit } = getHeapStatistics();
  return { files: fileLimit(), memory: Math.round(limit / 1024 / 1024) - YOUNG_MIB };
}

/** Node.js raises the soft limit to the hard one as it starts. */
function fileLimit(): number | null {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/** Throws UsageError, with the number that is needed, where a run would be cut off in the middle. */
export function assertCapacity({ hosts, forks, byProgram }: Load, { files, memory }: Capacity): void {
  const atOnce = Math.min(hosts, forks);
  const perHost = (count: number) => {
    const programs = Math.min(count, byProgram);
    return FILES + programs * FILES_PER_PROGRAM + (count - programs) * FILES_PER_HOST;
  };
  if (files !== null && files < perHost(atOnce)) {
    const needed = perHost(atOnce);
    const fits = largest(atOnce, (count) => perHost(count) <= files);
    throw new UsageError(
      `${counted(atOnce)} at once need ${needed} open files, and ${files} are allowed`,
      fits > 0 ? `Use -f ${fits}, or raise the limit: ulimit -n ${needed}.` : `Raise the limit: ulimit -n ${needed}.`,
    );
  }
  const mib = (count: number) => Math.ceil(MEMORY_MIB + count * MIB_AT_ONCE + hosts * MIB_PER_HOST);
  if (memory < mib(atOnce)) {
    const fits = largest(atOnce, (count) => mib(count) <= memory);
    const raise = `raise the limit: NODE_OPTIONS=--max-old-space-size=${mib(atOnce)}.`;
    throw new UsageError(
      `${counted(atOnce)} at once, of ${hosts}, need ${mib(atOnce)} MiB of memory, and Node.js may use ${memory}`,
      fits > 0 ? `Use -f ${fits}, or ${raise}` : `Use fewer hosts, or ${raise}`,
    );
  }
}

function largest(most: number, fits: (count: number) => boolean): number {
  for (let count = most; count > 0; count -= 1) if (fits(count)) return count;
  return 0;
}

function counted(hosts: number): string {
  return hosts === 1 ? '1 host' : `${hosts} hosts`;
}
