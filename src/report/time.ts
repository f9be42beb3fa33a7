/** `0.4 s`, `12 s`, `2m05s`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '—';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 100 ? `${whole} s` : `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
}

/** A time to come: `45 s`, `4 min 50 s`, `3 h 59 min`, `12 days 4 h`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const pair = (big: number, bigs: string, small: number, smalls: string) =>
    `${big} ${bigs}${small === 0 ? '' : ` ${small} ${smalls}`}`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86_400) return pair(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
  const days = Math.floor(whole / 86_400);
  return pair(days, days === 1 ? 'day' : 'days', Math.floor((whole % 86_400) / 3600), 'h');
}

/** Seconds between two RFC 3339 times; not a number where one is none. */
export function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1000;
}
