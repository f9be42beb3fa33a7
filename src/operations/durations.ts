/** Times and durations as operators write them. */
import { UsageError } from '../model/index.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const LONGEST = 90 * 86_400;
/** Less would be over before anybody could use it. */
const SHORTEST = 5;

/** `90`, `5m`, `1.5h` → whole seconds, from 5 s to a day. */
export function confirmWithin(text: string): number {
  const seconds = secondsOf(text);
  if (seconds !== undefined && seconds >= SHORTEST && seconds <= 86_400) return Math.ceil(seconds);
  throw new UsageError(
    `--confirm-within: not a duration from ${SHORTEST}s to 24h: ${JSON.stringify(text)}`,
    'Use the time that you need to look: 5m, 1h.',
  );
}

/**
 * `4h`, `90d`; `2026-12-01T06:00Z`, with another offset, or without one in local time; `06:00`, the next such local time →
 * milliseconds since 1970, at most 90 days from `now`.
 */
export function expiry(text: string, now: Date): number {
  const seconds = secondsOf(text);
  const at = seconds === undefined ? timeOf(text, now) : now.getTime() + Math.ceil(seconds) * 1000;
  if (at === undefined || Number.isNaN(at)) {
    throw new UsageError(
      `--expires: neither a duration nor a time: ${JSON.stringify(text)}`,
      'Durations are 30m, 4h or 90d; times are 06:00 (the next), 2026-12-01T06:00 (both local) or 2026-12-01T06:00Z.',
    );
  }
  const ahead = (at - now.getTime()) / 1000;
  if (ahead >= SHORTEST && ahead <= LONGEST) return at;
  throw new UsageError(
    `--expires: ${JSON.stringify(text)} is ${ahead < SHORTEST ? 'not in the future' : 'more than 90 days ahead'}`,
  );
}

function secondsOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([smhd])?$/.exec(text);
  return match ? Number(match[1]) * SECONDS[match[2] ?? 's']! : undefined;
}

function timeOf(text: string, now: Date): number | undefined {
  const clock = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (clock) {
    const at = new Date(now);
    at.setHours(Number(clock[1]), Number(clock[2]), 0, 0);
    // by the calendar, for a day with a change of summer time has not 24 hours
    if (at.getTime() <= now.getTime()) at.setDate(at.getDate() + 1);
    return at.getTime();
  }
  const date = /^(\d{4}-\d\d-(\d\d))[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?$/.exec(text);
  // Date takes the 31st of any month for the first of the next
  if (!date || new Date(`${date[1]}T00:00Z`).getUTCDate() !== Number(date[2])) return undefined;
  return Date.parse(text.replace(' ', 'T'));
}

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `90`, `90s`, `1.5m`, `500ms` → milliseconds. Throws UsageError for anything else, zero included. */
export function duration(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const ms = match ? Number(match[1]) * (MILLISECONDS[match[2] ?? 's'] ?? 0) : 0;
  if (ms > 0 && ms <= 24 * 3_600_000) return ms;
  throw new UsageError(
    `--${flag}: not a duration: ${JSON.stringify(text)}`,
    'Durations are 30, 30s, 5m or 1h; a day at most.',
  );
}

export function wholeNumber(flag: string, value: number, from: number, to: number): number {
  if (Number.isInteger(value) && value >= from && value <= to) return value;
  throw new UsageError(`--${flag}: expected a whole number from ${from} to ${to}`);
}
