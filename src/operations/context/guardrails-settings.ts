/** `guardrails:` of /etc/fleetmask/config.yaml, as a table of what is forbidden. */
import { isMap, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml';
import { at, UsageError } from '../../model/index.ts';
import type { Guardrails, NamePattern } from '../../plan/guardrails.ts';

const KEYS = ['never-mask', 'only-mask', 'require', 'max-hosts-without-waves'] as const;
const REQUIRED = ['reason', 'ticket'] as const;

/** Throws UsageError with the line for anything that is not understood: a guardrail that is not read guards nothing. */
export function guardrailsFrom(node: unknown, file: string, lines: LineCounter): Guardrails {
  const place = (of: unknown): string => {
    const offset = (of as Node | undefined)?.range?.[0];
    return offset === undefined ? file : `${file}:${lines.linePos(offset).line}`;
  };
  const wrong = (of: unknown, message: string) =>
    new UsageError(at(place(of), undefined, `guardrails: ${message}`), `They are: ${KEYS.join(', ')}.`);
  if (!isMap(node)) throw wrong(node, 'expected a map');
  const entry = (key: (typeof KEYS)[number]) =>
    (node.items as Pair<Node, Node>[]).find((pair) => isScalar(pair.key) && pair.key.value === key)?.value;
  for (const { key } of node.items as Pair<Node, Node>[]) {
    const name = isScalar(key) ? key.value : undefined;
    if (!KEYS.some((each) => each === name)) throw wrong(key, `unknown key ${JSON.stringify(name ?? null)}`);
  }
  const list = (key: 'never-mask' | 'only-mask' | 'require'): { text: string; at: string }[] => {
    const value = entry(key);
    if (value === undefined) return [];
    if (!isSeq(value) || value.items.length === 0) throw wrong(value, `${key} is a list: [a, b]`);
    return value.items.map((item) => {
      if (!isScalar(item) || typeof item.value !== 'string') throw wrong(item, `${key} is a list of names`);
      return { text: item.value, at: place(item) };
    });
  };
  const patterns = (key: 'never-mask' | 'only-mask'): NamePattern[] =>
    list(key).map(({ text, at: where }) => {
      if (/^[\w:.\\@*?-]+$/.test(text)) return { pattern: text, at: where };
      throw new UsageError(
        `${where}: guardrails: not a pattern of unit names: ${JSON.stringify(text)}`,
        'It takes * and ?.',
      );
    });
  const count = entry('max-hosts-without-waves');
  const most = isScalar(count) ? count.value : undefined;
  if (count !== undefined && !(typeof most === 'number' && Number.isInteger(most) && most > 0)) {
    throw wrong(count, 'max-hosts-without-waves is a whole number from 1');
  }
  return {
    neverMask: patterns('never-mask'),
    onlyMask: patterns('only-mask'),
    require: list('require').map(({ text, at: where }) => {
      const flag = REQUIRED.find((each) => each === text);
      if (flag === undefined) throw new UsageError(`${where}: guardrails: require takes ${REQUIRED.join(' and ')}`);
      return { flag, at: where };
    }),
    maxHostsWithoutWaves: typeof most === 'number' ? { count: most, at: place(count) } : null,
  };
}
