/** `catalogue:` of the settings: a site's own logical names, which win over those that fleetmask knows. */
import { isMap, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml';
import { at, hasUnitSuffix, isTemplate, isUnitName, UsageError } from '../../model/index.ts';
import { type Entry, entryOf } from '../../plan/catalog.ts';

const FORMS = 'Write NAME: [a, b] for parts that are all meant, or NAME: { one-of: [a, b] } for alternatives.';

/** Throws UsageError with the line for anything that is not understood. */
export function siteCatalogueFrom(node: unknown, file: string, lines: LineCounter): Map<string, Entry> {
  const wrong = (of: unknown, message: string) => {
    const offset = (of as Node | undefined)?.range?.[0];
    const line = offset === undefined ? undefined : lines.linePos(offset).line;
    return new UsageError(at(file, line, `catalogue: ${message}`), FORMS);
  };
  if (!isMap(node)) throw wrong(node, 'expected a map of names to units');
  const units = (value: unknown): string[] => {
    if (!isSeq(value) || value.items.length === 0) throw wrong(value, 'expected a list of units');
    return value.items.map((item) => {
      const text = isScalar(item) && typeof item.value === 'string' ? item.value : '';
      const name = hasUnitSuffix(text) ? text : `${text}.service`;
      if (!isUnitName(name.replaceAll('*', '1')) || (name.includes('*') && isTemplate(name))) {
        throw wrong(item, `not a unit name: ${JSON.stringify(text)}`);
      }
      return name;
    });
  };
  const entries = (node.items as Pair<Node, Node>[]).map(({ key, value }): [string, Entry] => {
    const name = isScalar(key) && typeof key.value === 'string' ? key.value : '';
    if (!/^[\w-]+$/.test(name)) {
      throw wrong(key, `${JSON.stringify(name)} is no logical name: letters, digits, - and _, without a suffix`);
    }
    if (!isMap(value)) return [name, entryOf(name, 'all', units(value))];
    const [only, ...others] = value.items as Pair<Node, Node>[];
    if (others.length > 0 || !isScalar(only?.key) || only.key.value !== 'one-of') {
      throw wrong(value, `${name} has neither a list of units nor one-of:`);
    }
    return [name, entryOf(name, 'one', units(only.value))];
  });
  return new Map(entries);
}
