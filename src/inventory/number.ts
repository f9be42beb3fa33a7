/**
 * A number that JavaScript would print otherwise than Ansible does: `1.0`, `1e+16`, an integer beyond 2^53, NaN.
 * It keeps its text for printing; as JSON it is the nearest number.
 */
export class ExactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toJSON(): number {
    return Number(this.text);
  }
}

export function integer(digits: bigint): number | ExactNumber {
  const near = Number(digits);
  return Number.isSafeInteger(near) ? near + 0 : new ExactNumber(digits.toString());
}

/** A floating-point number, which prints with a point or an exponent even when it is whole. */
export function float(value: number): number | ExactNumber {
  const text = floatText(value);
  return text === String(value) ? value : new ExactNumber(text);
}

/** Shortest round-trip text, in the notation Python's repr uses: an exponent below 1e-4 and from 1e16. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    const digits = String(Math.abs(power)).padStart(2, '0');
    return `${mantissa}e${power < 0 ? '-' : '+'}${digits}`;
  }
  if (power >= 0) return Number.isInteger(value) ? `${BigInt(value)}.0` : String(value);
  return value.toFixed(Math.max(0, -power + mantissa.replace(/^-?\d\.?/, '').length));
}
