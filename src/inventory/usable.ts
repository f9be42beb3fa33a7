/** The hosts of a selection that can be connected to, and one answer about all that cannot. */
import { type Host, printable, UsageError } from '../model/index.ts';
import type { Unusable } from './connection.ts';
import type { Inventory } from './inventory.ts';
import { quoted } from './mistake.ts';
import { patternFor } from './pattern.ts';

export interface Usable {
  readonly hosts: readonly Host[];
  /** Hosts that are left out because they are not reached by SSH, or through a template that is not evaluated. */
  readonly unsupported: ReadonlyMap<string, Unusable>;
}

export interface UsableOptions {
  /** The pattern that selected the hosts; undefined: all. */
  readonly limit: string | undefined;
  /** Whether hosts that are no SSH hosts, or have templates, are left out instead of refused. */
  readonly skipUnsupported?: boolean;
}

/**
 * Throws one UsageError for every selected host that cannot be connected to, with their places, and with the limit that
 * leaves them out. Mistakes are never left out silently.
 */
export function usableHosts(inventory: Inventory, names: readonly string[], options: UsableOptions): Usable {
  const hosts: Host[] = [];
  const unsupported = new Map<string, Unusable>();
  const refused = new Map<string, Unusable>();
  for (const name of names) {
    const unusable = inventory.unusable.get(name);
    if (unusable === undefined) hosts.push(inventory.hosts.get(name)!);
    else if (options.skipUnsupported && unusable.why !== 'mistake') unsupported.set(name, unusable);
    else refused.set(name, unusable);
  }
  // a run over nobody must not look like one that went well
  if (hosts.length === 0) for (const [name, unusable] of unsupported) refused.set(name, unusable);
  if (refused.size > 0) throw refusal(inventory, names, refused, options.limit);
  return { hosts, unsupported };
}

const SHOWN_KINDS = 10;
const SHOWN_NAMES = 3;

function refusal(
  inventory: Inventory,
  names: readonly string[],
  refused: ReadonlyMap<string, Unusable>,
  limit: string | undefined,
): UsageError {
  const byMessage = new Map<string, { names: string[]; hint: string | undefined }>();
  for (const [name, { error }] of refused) {
    const entry = byMessage.get(error.message) ?? { names: [], hint: error.hint };
    entry.names.push(name);
    byMessage.set(error.message, entry);
  }
  const lines = [...byMessage]
    .slice(0, SHOWN_KINDS)
    .map(([message, { names: hosts }]) =>
      hosts.some((host) => message.includes(quoted(host))) ? message : `${message} (${folded(hosts)})`,
    );
  if (byMessage.size > SHOWN_KINDS) lines.push(`and ${byMessage.size - SHOWN_KINDS} more reasons`);
  const rest = names.filter((name) => !refused.has(name));
  const leaveOut =
    rest.length === 0
      ? undefined
      : `Leave ${refused.size === 1 ? 'it' : 'them'} out: -l ${forShell(without(inventory, names, refused, limit))}`;
  const skippable = [...refused.values()].every(({ why }) => why !== 'mistake') && rest.length > 0;
  const [only] = byMessage.size === 1 ? byMessage.values() : [];
  const hint = [only?.hint, leaveOut, skippable ? 'or use --skip-unsupported' : undefined].filter(
    (each) => each !== undefined,
  );
  return new UsageError(
    lines.length === 1
      ? lines[0]!
      : `${refused.size} of ${names.length} selected hosts cannot be connected to:\n${lines.map((line) => `  ${line}`).join('\n')}`,
    hint.length === 0 ? undefined : hint.join(hint.length > 1 && skippable ? ', ' : ' '),
  );
}

function folded(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES).map((name) => printable(name, 80));
  const more = names.length - shown.length;
  return `${names.length === 1 ? 'host ' : 'hosts '}${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The limit, without these: by the groups that select none of the others, then one by one. */
function without(
  inventory: Inventory,
  names: readonly string[],
  refused: ReadonlyMap<string, Unusable>,
  limit = 'all',
): string {
  const selected = new Set(names);
  const left = new Set(refused.keys());
  const excluded: string[] = [];
  const groups = [...inventory.groups.values()]
    .map(({ name, allHosts }) => ({ name, hosts: allHosts.filter((host) => selected.has(host)) }))
    .filter(({ hosts }) => hosts.length > 1 && hosts.every((host) => refused.has(host)))
    .sort((a, b) => b.hosts.length - a.hosts.length);
  for (const { name, hosts } of groups) {
    if (hosts.filter((host) => left.has(host)).length < 2) continue;
    excluded.push(name);
    for (const host of hosts) left.delete(host);
  }
  const separator = limit.includes(',') ? ',' : ':';
  return [limit, ...[...excluded, ...left].map((name) => `!${patternFor(name)}`)].join(separator);
}

function forShell(text: string): string {
  return `'${printable(text).replaceAll("'", "'\\''")}'`;
}
