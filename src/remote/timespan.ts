/** Time spans as systemd prints them, after systemd.time(7): `1min 30s`, `500ms`, `infinity`. */

const UNITS: Readonly<Record<string, number>> = {
  us: 0.001,
  μs: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  month: 2_629_800_000,
  y: 31_557_600_000,
};

/** Milliseconds; null for `infinity`, and for what is no time span. */
export function millisecondsFrom(text: string): number | null {
  let sum = 0;
  for (const word of text.slice(0, 100).split(' ')) {
    const [, number, unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?)([a-zμ]{1,5})$/.exec(word) ?? [];
    const ms = UNITS[unit];
    if (number === undefined || ms === undefined) return null;
    sum += Number(number) * ms;
  }
  return sum;
}
