/**
 * What data from outside must look like, said once: a shape for each type, which the compiler holds to that type. A shape looks and
 * copies nothing, so that ten thousand records cost milliseconds.
 */

/** Null when the value has the form of a T; else where it has not: `.hosts[0].port: not a whole number from 0 to 65535`. */
export interface Shape<T> {
  (value: unknown): string | null;
  /** For the compiler alone. */
  readonly of?: T;
}

/** Of a field that may be absent. */
export interface Optional<T> {
  readonly optional: Shape<T>;
}

/** A field for each of the type, no more and no less: one that is forgotten does not compile. */
export type Fields<T> = {
  readonly [K in keyof T & string]-?: Record<never, never> extends Pick<T, K>
    ? Optional<Exclude<T[K], undefined>>
    : Shape<T[K]>;
};

/** Deeper than anything of ours, and no danger to whoever walks through it. */
const DEEPEST = 32;
const LONGEST = 1 << 18;

export const optional = <T>(shape: Shape<T>): Optional<T> => ({ optional: shape });

/** Fields that are not known here may come from a later version: they are let through, if they are not endlessly deep. */
export function object<T extends object>(fields: Fields<T>): Shape<T> {
  const shapes = new Map<string, Shape<unknown>>();
  const required: string[] = [];
  for (const [name, field] of Object.entries<Shape<unknown> | Optional<unknown>>(fields)) {
    shapes.set(name, typeof field === 'function' ? field : field.optional);
    if (typeof field === 'function') required.push(name);
  }
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return ': not an object';
    for (const name of required) if (!Object.hasOwn(value, name)) return `.${name}: missing`;
    const entries = value as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(value)) {
      const wrong = (shapes.get(name) ?? shallow)(entries[name]);
      if (wrong !== null) return `.${name}${wrong}`;
    }
    return null;
  };
}

/** One of several objects, told apart by their `tag`. */
export function tagged<T extends object, K extends keyof T & string>(
  tag: K,
  shapes: { readonly [V in T[K] & string]: Shape<Extract<T, Record<K, V>>> },
): Shape<T> {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return ': not an object';
    const word = Object.hasOwn(value, tag) ? (value as Readonly<Record<string, unknown>>)[tag] : undefined;
    if (typeof word !== 'string' || !Object.hasOwn(shapes, word)) return `.${tag}: unknown here`;
    return shapes[word as T[K] & string](value);
  };
}

export function list<T>(shape: Shape<T>): Shape<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value)) return ': not a list';
    for (let at = 0; at < value.length; at += 1) {
      const wrong = shape(value[at]);
      if (wrong !== null) return `[${at}]${wrong}`;
    }
    return null;
  };
}

/** Any key, and values of one shape. */
export function record<T>(shape: Shape<T>): Shape<Partial<Record<string, T>>> {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return ': not an object';
    for (const [key, each] of Object.entries(value)) {
      const wrong = shape(each);
      if (wrong !== null) return `.${key}${wrong}`;
    }
    return null;
  };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value) => (value === null ? null : shape(value));
}

export function either<A, B>(one: Shape<A>, other: Shape<B>): Shape<A | B> {
  return (value) => (one(value) === null ? null : other(value));
}

/** Every word of the type; one that is forgotten does not compile. */
export function words<T extends string>(known: Readonly<Record<T, true>>): Shape<T> {
  return (value) => (typeof value === 'string' && Object.hasOwn(known, value) ? null : ': unknown here');
}

export const text: Shape<string> = (value) =>
  typeof value === 'string' && value.length <= LONGEST ? null : `: not a text of at most ${LONGEST} characters`;

/** RFC 3339 in UTC; empty where nobody told. */
export const time: Shape<string> = (value) =>
  value === '' ||
  (typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]{5,15}Z$/.test(value) && !Number.isNaN(Date.parse(value)))
    ? null
    : ': not a time';

export const flag: Shape<boolean> = (value) => (typeof value === 'boolean' ? null : ': neither true nor false');

export const number: Shape<number> = (value) => (Number.isFinite(value) ? null : ': not a number');

export function whole(least: number, most: number): Shape<number> {
  return (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? null
      : `: not a whole number from ${least} to ${most}`;
}

/** Anything that can be walked through. */
export const shallow: Shape<unknown> = (value) => (isShallow(value, DEEPEST) ? null : ': nested too deeply');

function isShallow(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return left > 0 && Object.values(value).every((each) => isShallow(each, left - 1));
}
