/**
 * The id of a run: when it began by the clock of its controller, to the millisecond, in UTC, and six random digits. It sorts by that
 * time, which is for people: clocks of controllers differ, so no order of runs is taken from it.
 */
const FORM = /^(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})(\d{3})-[0-9a-f]{6}$/;

/** `startedAt`: RFC 3339, UTC. `random`: three bytes, which tell runs of one millisecond apart. */
export function runIdOf(startedAt: string, random: Uint8Array): string {
  const time = startedAt.slice(0, 23).replace(/[-:.]/g, '').replace('T', '-');
  return `${time}-${Buffer.from(random).toString('hex')}`;
}

/** Whether fleetmask itself could have given this id: nothing else from a host becomes the name of a run. */
export function isRunId(text: string): boolean {
  return !Number.isNaN(beganAt(text));
}

/** In milliseconds since 1970, by the clock of the controller that began it; NaN for what is no run id. */
export function beganAt(id: string): number {
  const [, year, month, day, hour, minute, second, ms] = FORM.exec(id) ?? [];
  if (year === undefined) return Number.NaN;
  const text = `${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`;
  const time = Date.parse(text);
  // the 31st of February is read as a day of March
  return !Number.isNaN(time) && new Date(time).toISOString() === text ? time : Number.NaN;
}
