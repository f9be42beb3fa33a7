/**
 * How much may go wrong before a run stops: when more hosts than the limit have failed, so that 0 means the first. Percentages are
 * of all hosts of the run, rounded down.
 *
 *     --max-fail 0    stops on the first failed host     --max-fail 10%  of 50 hosts: is 5, stops on the sixth
 *     --max-fail 3    stops on the fourth                --max-fail 10%  of 9 hosts: is 0, stops on the first
 *
 * Failed are hosts on which the change failed (rolled-back, stranded; a host that was lost after its change began is one of the
 * two) and hosts that refused it. Hosts that could not be reached count for --max-unreachable alone.
 *
 * A wave proves the change on at least one host, or it was no canary: then no other wave begins. Failures are for --max-fail to
 * judge, and --max-unreachable says that hosts may be out of reach.
 */
import type { HostReport, Outcome } from '../model/index.ts';
import { hostsIn, type Share, shown } from './host-count.ts';

export interface Limits {
  /** Absent: no limit. `no-failed-change`: none on which the change failed; refusals do not count. */
  readonly maxFail?: Share | 'no-failed-change' | undefined;
  readonly maxUnreachable?: Share | undefined;
}

/** Why the run goes no further, in a few words; null as long as it may. The reports are those so far, in any order. */
export type Budget = (reports: readonly HostReport[]) => string | null;

export const UNLIMITED: Budget = () => null;

const CHANGE_FAILED: ReadonlySet<Outcome> = new Set(['rolled-back', 'stranded']);
const FAILED: ReadonlySet<Outcome> = new Set([...CHANGE_FAILED, 'refused']);
const UNREACHABLE: ReadonlySet<Outcome> = new Set(['unreachable']);

/** `total`: all hosts of the run. */
export function budget({ maxFail, maxUnreachable }: Limits, total: number): Budget {
  const failed =
    maxFail === 'no-failed-change'
      ? exceeding(0, CHANGE_FAILED, (names) => `${names} failed`)
      : within('--max-fail', maxFail, FAILED, 'failed', total);
  const unreachable = within('--max-unreachable', maxUnreachable, UNREACHABLE, 'could not be reached', total);
  return (reports) => failed(reports) ?? unreachable(reports);
}

/** Why no wave comes after this one, in a few words; null where one may. `reports`: those of the whole wave, whose number is `wave`. */
export type WaveProof = (reports: readonly HostReport[], wave: number) => string | null;

const PROVED: ReadonlySet<Outcome> = new Set(['masked', 'unmasked', 'unchanged']);

/** Absent where the operator said how many hosts may be out of reach. */
export function waveProof({ maxUnreachable }: Limits): WaveProof | undefined {
  if (maxUnreachable !== undefined) return undefined;
  return (reports, wave) => {
    const untold = reports.filter(({ outcome }) => !FAILED.has(outcome));
    if (untold.length === 0 || reports.some(({ outcome }) => PROVED.has(outcome))) return null;
    const names = named(untold.map(({ host, outcome }) => `${host} (${outcome})`));
    return `the change was proved on no host of wave ${wave}: ${names}; --max-unreachable is not set`;
  };
}

function within(
  flag: string,
  limit: Share | undefined,
  counted: ReadonlySet<Outcome>,
  verb: string,
  total: number,
): Budget {
  if (limit === undefined) return UNLIMITED;
  const max = hostsIn(limit, total);
  const rule = `${flag} is ${shown(limit)}${limit.kind === 'percent' ? ` of ${total} hosts, ${max}` : ''}`;
  return exceeding(max, counted, (names) => `${names} ${verb}, and ${rule}`);
}

function exceeding(max: number, counted: ReadonlySet<Outcome>, why: (names: string) => string): Budget {
  return (reports) => {
    const names = reports.filter(({ outcome }) => counted.has(outcome)).map(({ host }) => host);
    return names.length > max ? why(named(names)) : null;
  };
}

/** `web1`, `web1 and web2`, `web1, web2 and 3 more`. */
function named(names: readonly string[]): string {
  return names.length < 3 ? names.join(' and ') : `${names[0]}, ${names[1]} and ${names.length - 2} more`;
}
