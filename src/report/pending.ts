import type { HostReport } from '../model/index.ts';
import { group, type Naming, nameHosts } from './hosts.ts';
import type { Screen } from './output.ts';
import { prose } from './prose.ts';
import { secondsBetween, span } from './time.ts';

/**
 * What hosts will do by themselves, equal ones together: `web1, web2: put themselves back at 2026-11-22T14:03:20Z (in 4 min 50 s)
 * unless confirmed: fleetmask confirm RUN`. `now`: UTC, RFC 3339.
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
  if (confirmBy !== undefined) {
    const left = secondsBetween(now, confirmBy);
    return [
      left > 0
        ? `back as before at ${confirmBy} (in ${span(left)}) unless confirmed: fleetmask confirm ${run}`
        : `was to be confirmed by ${confirmBy}, so presumably back as before: fleetmask confirm ${run} tells`,
      ...(expiresAt === undefined ? [] : [`confirmed or not, back as before at ${expiresAt}`]),
    ];
  }
  if (expiresAt === undefined) return [];
  const left = secondsBetween(now, expiresAt);
  return [left > 0 ? `expires in ${span(left)}, at ${expiresAt}` : `expired at ${expiresAt}`];
}
