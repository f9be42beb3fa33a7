/** What a host's own receipt says of a run: for this host alone. Two that differ are two stories, and a person must choose. */
import { type Account, type Ask, type Change, printable, type Receipt } from '../model/index.ts';

/** A unit as somebody may have named it; anything else in a receipt is left out. */
const NAMED = /^[A-Za-z0-9:_.\\@-]{1,255}$/;

export function accountOf({ meta, change, as }: Pick<Receipt, 'meta' | 'change' | 'as'>): Account {
  return {
    ask: askFrom({ meta, change }),
    as,
    actor: meta.actor ?? null,
    startedAt: meta.started ?? null,
    reason: meta.reason ?? null,
    ticket: meta.ticket ?? null,
  };
}

/** What the run asked of this host. */
function askFrom({ meta, change }: Pick<Receipt, 'meta' | 'change'>): Ask {
  const masks = change.links.length + change.displaces.length > 0 || change.attempts.length > 0;
  return {
    verb:
      meta.command === 'unmask' || (meta.command !== 'mask' && !masks && change.removes.length > 0) ? 'unmask' : 'mask',
    units: (meta.units ?? '').split(' ').filter((unit) => NAMED.test(unit)),
    now: meta.now === 'yes' || change.stops.length + change.groups.length > 0,
    runtime: change.where === 'run',
    allowAbsent: true,
    killLeftovers: change.killLeftovers,
    startProbe: change.attempts.length > 0,
    withTriggers: false,
    allowLockout: false,
    localUnits: change.displaces.length > 0 ? 'displace' : 'refuse',
  };
}

export interface Told<Host> {
  readonly host: Host;
  readonly account: Account;
}

/** Hosts that say the same, together; the largest group first. What differs by nature, as the unit's own name does, is left out. */
export function byAccount<Host>(told: readonly Told<Host>[]): { account: Account; hosts: Host[] }[] {
  const groups = new Map<string, { account: Account; hosts: Host[] }>();
  for (const { host, account } of told) {
    const key = storyOf(account);
    const group = groups.get(key) ?? { account, hosts: [] };
    groups.set(key, group);
    group.hosts.push(host);
  }
  return [...groups.values()].sort((a, b) => b.hosts.length - a.hosts.length);
}

function storyOf({ ask: { verb, units, now, runtime }, actor, startedAt, reason, ticket }: Account): string {
  return JSON.stringify([verb, units, now, runtime, actor, startedAt, reason, ticket]);
}

/** `mask cron --now by alice@bastion, begun 2026-12-01T11:00:00.000Z (OPS-7: CVE-2025-1)`: safe to print, and short. */
export function sayAccount({ ask, actor, startedAt, reason, ticket }: Account): string {
  const why = [ticket, reason].filter(Boolean).join(': ');
  const flags = [...(ask.now ? ['--now'] : []), ...(ask.runtime ? ['--runtime'] : [])];
  const asked = [ask.verb, printable(ask.units.join(' '), 120), ...flags].join(' ');
  const who = actor === null ? '' : ` by ${printable(actor, 60)}`;
  const when = startedAt === null ? '' : `, begun ${printable(startedAt, 30)}`;
  return `${asked}${who}${when}${why === '' ? '' : ` (${printable(why, 120)})`}`;
}

/** How a receipt differs from what was asked of its host; null where it does not. */
export function contradiction(asked: Change, { change }: Pick<Receipt, 'change'>): string | null {
  if (wordsOf(asked).join(' ') === wordsOf(change).join(' ')) return null;
  const say = (words: readonly string[]) => printable(words.join(' ') || 'nothing', 200);
  return `its receipt tells of another change than this run asked for: ${say(wordsOf(change))}, not ${say(wordsOf(asked))}`;
}

function wordsOf({ where, links, removes, displaces, stops }: Change): string[] {
  return [
    ...(where === 'run' ? ['until the next boot'] : []),
    ...links.map((path) => `link ${path}`),
    ...removes.map((path) => `remove ${path}`),
    ...displaces.map((path) => `displace ${path}`),
    ...stops.map((unit) => `stop ${unit}`),
  ];
}
