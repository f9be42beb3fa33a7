/**
 * Rows in which each value of a parameter meets each value of every other one at least once, but for pairs that cannot be: far
 * fewer rows than combinations. Greedy, and always the same for the same parameters.
 */
export type Parameters = Readonly<Record<string, readonly string[]>>;
export type Row = Readonly<Record<string, string>>;
/** Two values of different parameters, each `name=value`. */
export type Pair = readonly [one: string, other: string];

/** `possible` must leave each parameter a value that goes with everything; it is asked in the order of the parameters. */
export function pairwise(parameters: Parameters, possible: (pair: Pair) => boolean): Row[] {
  const open = new Map(pairsOf(parameters).flatMap((pair) => (possible(pair) ? [[pair.join(), pair] as const] : [])));
  const rows: Row[] = [];
  for (let [seed] = open.values(); seed !== undefined; [seed] = open.values()) {
    const row = Object.fromEntries(seed.map((word) => word.split('=') as [string, string]));
    for (const [name, values] of Object.entries(parameters)) {
      if (row[name] !== undefined) continue;
      const pairsWith = (value: string) => pairsIn(parameters, { ...row, [name]: value });
      const gain = (value: string) => pairsWith(value).filter((pair) => open.has(pair.join())).length;
      const able = values.filter((value) => pairsWith(value).every(possible));
      row[name] = able.reduce((best, value) => (gain(value) > gain(best) ? value : best));
    }
    for (const pair of pairsIn(parameters, row)) open.delete(pair.join());
    rows.push(row);
  }
  return rows;
}

/** Every pair of values of two parameters. */
export function pairsOf(parameters: Parameters): Pair[] {
  const all = Object.entries(parameters).map(([name, values]) => values.map((value) => `${name}=${value}`));
  return all.flatMap((ones, i) =>
    all.slice(i + 1).flatMap((others) => ones.flatMap((one) => others.map((other): Pair => [one, other]))),
  );
}

/** The pairs that a row, whole or not, brings together. */
export function pairsIn(parameters: Parameters, row: Row): Pair[] {
  const given = Object.keys(parameters).flatMap((name) =>
    row[name] === undefined ? [] : [[name, [row[name]]] as const],
  );
  return pairsOf(Object.fromEntries(given));
}
