import { float, integer } from './number.ts';

/**
 * What an unquoted YAML scalar means, by the rules of YAML 1.1 as PyYAML applies them: `yes` and `on` are booleans
 * (but not `y`), `010` is 8, `1:30` is 90, `1e3` is text (no point), a date is a date.
 * Dates come out as ISO text, which is what they are in JSON.
 */
export function plainScalar(text: string): unknown {
  if (NULL.test(text)) return null;
  if (TRUE.test(text)) return true;
  if (FALSE.test(text)) return false;
  const head = text.charCodeAt(0);
  // Nothing else begins with a letter: the common case, a host or a word, ends here.
  if (head > 0x39) return text;
  if (INTEGER.test(text)) return integerScalar(text);
  if (FLOAT.test(text)) return floatScalar(text);
  return TIMESTAMP.test(text) ? timestampScalar(text) : text;
}

const NULL = /^(?:~|null|Null|NULL|)$/;
const TRUE = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const FALSE = /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const INTEGER =
  /^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const TIMESTAMP =
  /^(?:\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)$/;

/** The integer of a text that is one in YAML 1.1, or of a text tagged `!!int`; undefined when it is none. */
export function integerScalar(text: string): unknown {
  const negative = text.startsWith('-');
  const digits = text.replace(/^[-+]/, '').replaceAll('_', '');
  const value = unsignedInteger(digits);
  return value === undefined ? undefined : integer(negative ? -value : value);
}

function unsignedInteger(digits: string): bigint | undefined {
  if (/^0(?:b[01]+|x[0-9a-f]+)$/i.test(digits)) return BigInt(digits.toLowerCase());
  if (/^0[0-7]+$/.test(digits)) return BigInt(`0o${digits}`);
  if (/^\d+$/.test(digits)) return BigInt(digits);
  if (/^\d+(?::\d+)+$/.test(digits)) return digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  return undefined;
}

/** The float of a text that is one in YAML 1.1, or of a text tagged `!!float`; undefined when it is none. */
export function floatScalar(text: string): unknown {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[-+]/, '').replaceAll('_', '').toLowerCase();
  if (digits === '.inf') return float(sign * Number.POSITIVE_INFINITY);
  if (digits === '.nan') return float(Number.NaN);
  const value = digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return digits === '' || Number.isNaN(value) ? undefined : float(sign * value);
}

function timestampScalar(text: string): string {
  const match =
    /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(Z|[-+].*))?)?$/.exec(text);
  const [, year = '', month = '', day = '', hour, minute, second, fraction, zone] = match ?? [];
  const date = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  if (hour === undefined) return date;
  const micros = (fraction ?? '').slice(0, 6).padEnd(6, '0');
  const time = `${hour.padStart(2, '0')}:${minute}:${second}${Number(micros) === 0 ? '' : `.${micros}`}`;
  return `${date}T${time}${zone === undefined ? '' : zoneText(zone)}`;
}

function zoneText(zone: string): string {
  if (zone === 'Z') return '+00:00';
  const [hours = '', minutes = '00'] = zone.slice(1).split(':');
  return `${zone.charAt(0)}${hours.padStart(2, '0')}:${minutes.padStart(2, '0')}`;
}
