import { type Line, mistake, nextMatchWord, quoted } from './line.ts';
import { compilePatterns, type Matcher } from './pattern.ts';

/** One condition of a Match line. */
export type Criterion = { readonly negated: boolean } & (
  | { readonly attribute: 'all' | 'canonical' | 'final' }
  | { readonly attribute: Subject; readonly matches: Matcher }
  /** Only ssh itself can tell: it runs a command, or depends on the network or on ssh's version. */
  | { readonly attribute: 'opaque'; readonly name: string; readonly argument: string }
);
export type Subject = 'host' | 'originalhost' | 'user' | 'localuser';

const OPAQUE = new Set(['exec', 'localnetwork', 'tagged', 'version', 'sessiontype', 'command']);

/** The conditions of a Match line; all must hold. */
export function readCriteria(line: Line): readonly Criterion[] {
  const criteria: Criterion[] = [];
  let next = nextMatchWord(line.rest);
  while (next !== undefined && next[0] !== '' && !next[0].startsWith('#')) {
    const [word, rest] = next;
    const negated = word.startsWith('!');
    const attribute = word.slice(negated ? 1 : 0).toLowerCase();
    if (attribute === 'all') {
      checkAlone(line, criteria, rest);
      return [...criteria, { attribute, negated }];
    }
    if (attribute === 'canonical' || attribute === 'final') {
      criteria.push({ attribute, negated });
      next = nextMatchWord(rest);
      continue;
    }
    const argument = nextMatchWord(rest);
    if (argument === undefined || argument[0] === '' || argument[0].startsWith('#')) {
      throw mistake(line.place, `Match ${quoted(word)} has no argument.`, 'Say what it must match.');
    }
    criteria.push({ negated, ...condition(line, attribute, argument[0]) });
    next = nextMatchWord(argument[1]);
  }
  if (criteria.length === 0) throw mistake(line.place, 'Match has no condition.', 'Use `Match all` for every host.');
  return criteria;
}

/** ssh takes `all` alone, or as the last of two. */
function checkAlone(line: Line, before: readonly Criterion[], rest: string): void {
  const after = nextMatchWord(rest)?.[0] ?? '';
  if (before.length <= 1 && (after === '' || after.startsWith('#'))) return;
  throw mistake(line.place, 'Match all cannot be combined with other conditions.', 'Remove it, or the others.');
}

type Condition = { attribute: Subject; matches: Matcher } | { attribute: 'opaque'; name: string; argument: string };

function condition(line: Line, attribute: string, argument: string): Condition {
  switch (attribute) {
    case 'host':
    case 'originalhost':
      return { attribute, matches: compilePatterns(argument.toLowerCase().split(',')) };
    case 'user':
    case 'localuser':
      return { attribute, matches: compilePatterns(argument.split(',')) };
  }
  if (OPAQUE.has(attribute)) return { attribute: 'opaque', name: attribute, argument };
  const known = 'all, canonical, final, exec, host, originalhost, user, localuser';
  throw mistake(line.place, `Match ${quoted(attribute)} is not a condition that ssh knows.`, `Use one of ${known}.`);
}
