/** What a piece of work costs: CPU time of this process, the least of several, so that a busy machine changes little. */

/** Milliseconds; of what takes less than `enough`, the first that was measured. `prepare` makes the input anew each time, and is not counted: what was computed for one input is kept with it. */
export function costOf<T>(prepare: () => T, work: (input: T) => unknown, enough: number, most = 4): number {
  let least = Number.POSITIVE_INFINITY;
  let spent = 0;
  for (let i = 0; i < most && (i === 0 || (least >= enough && spent < 600)); i++) {
    const input = prepare();
    const before = process.cpuUsage();
    work(input);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
    spent += (user + system) / 1000;
  }
  return least;
}
