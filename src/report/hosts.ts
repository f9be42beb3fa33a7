/** How many names stand for a longer list. */
const NAMED = 2;

/** `all` names every host, however many they are; `some` names two of more than three. */
export type Naming = 'all' | 'some';

/** `web1`, `web1, web2, web3`, `web1, web2 (+38 more)`. */
export function nameHosts(hosts: readonly string[], naming: Naming): string {
  if (naming === 'all' || hosts.length <= NAMED + 1) return hosts.join(', ');
  return `${hosts.slice(0, NAMED).join(', ')} (+${hosts.length - NAMED} more)`;
}

/** In a table, where there is less room: `web1`, `web1 (+399 more)`. */
export function labelHosts(hosts: readonly string[]): string {
  const [first = ''] = hosts;
  return hosts.length === 1 ? first : `${first} (+${hosts.length - 1} more)`;
}

export function countHosts(count: number): string {
  return count === 1 ? '1 host' : `${count} hosts`;
}

/** Items with an equal key, together, in the order in which each key was first met. */
export function group<T>(items: Iterable<T>, keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const known = groups.get(key);
    if (known) known.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
}
