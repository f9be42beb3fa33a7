import type { HostReport } from '../model/index.ts';
import { group, type Naming, nameHosts } from './hosts.ts';
import type { Screen } from './output.ts';
import { prose } from './prose.ts';
import { secondsBetween, span } from './time.ts';

/**
 * The automatic rollbacks that are to come, or were to come, equal ones together: `web1, web2: automatic rollback at
 * 2026-11-22T14:03:20Z (in 4 min 50 s) unless confirmed: fleetmask confirm RUN`. `now`: UTC, RFC 3339.
 */
export function pending(
  hosts: readonly HostReport[],
  run: string,
  now: string,
  screen: Screen,
  naming: Naming,
): string {
  const awaiting = hosts.flatMap((host) => lines(host, run, now).map((text) => ({ host: host.host, text })));
  return group(awaiting, ({ text }) => text)
    .map((equal) => {
      const names = equal.map(({ host }) => host);
      return prose([{ text: nameHosts(names, naming), style: 'caution' }, { text: `: ${equal[0]!.text}` }], screen);
    })
    .join('');
}

function lines({ outcome, confirmBy, expiresAt, switchOf }: HostReport, reported: string, now: string): string[] {
  const run = switchOf ?? reported;
  if (outcome === 'rolled-back' || outcome === 'restored') return [];
  const unconfirmed = confirmBy === undefined ? [] : [unlessConfirmed(confirmBy, run, now)];
  return expiresAt === undefined ? unconfirmed : [...unconfirmed, expiry(expiresAt, now)];
}

/** What nobody has read since its time was up is not known here. */
function unlessConfirmed(by: string, run: string, now: string): string {
  const left = secondsBetween(now, by);
  return left > 0
    ? `automatic rollback at ${by} (in ${span(left)}) unless confirmed: fleetmask confirm ${run}`
    : `not confirmed by ${by}, when the automatic rollback was due: fleetmask confirm ${run} reads how it ended`;
}

function expiry(at: string, now: string): string {
  const left = secondsBetween(now, at);
  return left > 0
    ? `expires in ${span(left)}, at ${at}`
    : `expired at ${at}, when the automatic rollback was due: fleetmask status reads how it ended`;
}
