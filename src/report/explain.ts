import type { Fault, HostReport, Outcome, Report, UnitReport } from '../model/index.ts';
import type { Failure } from './failure.ts';
import { countHosts, group, type Naming, nameHosts } from './hosts.ts';
import type { Screen } from './output.ts';
import { outcomeStyle, type Style } from './paint.ts';
import { prose, type Span } from './prose.ts';
import { asNow, runsOn } from './state.ts';
import { duration, secondsBetween } from './time.ts';
import { unknownKeys } from './unknown-keys.ts';

interface Note {
  readonly host: string;
  readonly text: string;
}

/** A line for each note, equal ones of several hosts together: `web3 sshd.service: 3 processes left in …`. */
export function notes(hosts: readonly HostReport[], screen: Screen, naming: Naming): string {
  const all = hosts.flatMap((each) =>
    each.units.flatMap((unit) =>
      notesOf(asNow(each, unit), naming === 'all').map(
        (note): Note => ({ host: each.host, text: `${unit.unit}: ${note}` }),
      ),
    ),
  );
  return group(all, ({ text }) => text)
    .map((equal) => {
      const names = [...new Set(equal.map(({ host }) => host))];
      const who = names.length === hosts.length && names.length > 3 ? 'every host' : nameHosts(names, naming);
      return prose([{ text: `${who} ${equal[0]!.text}`, style: 'quiet' }], screen);
    })
    .join('');
}

function notesOf(unit: UnitReport, verbose: boolean): string[] {
  const { leftovers, after } = unit;
  // whoever judged the unit may have said it in better words
  const told = unit.notes.some((note) => note.includes('still running'));
  // of a unit that is not masked it is no news
  const triggers = after === null || after.load === 'masked' ? unit.triggers : [];
  return [
    ...(runsOn(unit) && !told ? [`still running (${after?.active})`] : []),
    ...(leftovers > 0 ? [`${leftovers === 1 ? '1 process' : `${leftovers} processes`} left in its control group`] : []),
    ...(triggers.length > 0 ? [`can still be triggered by ${triggers.join(', ')}`] : []),
    ...(unit.startProbe === 'not-blocked' ? ['an attempt to start it was not refused'] : []),
    ...unit.notes,
    ...((unit.stopsToo ?? []).length > 0 ? [`stops too: ${unit.stopsToo?.join(', ')}`] : []),
    ...((unit.notCovered ?? []).length > 0 ? [`not covered: ${unit.notCovered?.join(', ')}; ${TAKE_ALONG}`] : []),
    ...(unit.ways ?? []).map((way) => `not covered: ${way}`),
    ...(verbose && unit.covers && unit.covers.length > 0 ? [`covered too: ${unit.covers.join(', ')}`] : []),
  ];
}

const TAKE_ALONG = '--with-members masks them too';

export function failuresOf(hosts: readonly HostReport[]): Failure[] {
  return hosts.flatMap(({ host, address, outcome, fault }) =>
    fault === null ? [] : [{ host, address, fault, style: styleOf(fault, outcomeStyle(outcome)) }],
  );
}

/** A host key that is not what it was is never just one more failure. */
export function styleOf({ kind, hostKey }: Fault, otherwise: Style): Style {
  return kind === 'host-key' && hostKey === undefined ? 'alarm' : otherwise;
}

/**
 * Two lines for each fault, equal ones of several hosts together: `web1, web2 (+38 more): …` and `  hint: …`. Host keys that
 * are merely unknown come last, all of them at once.
 */
export function explain(failures: readonly Failure[], screen: Screen, naming: Naming): string {
  const others = failures.filter(({ fault }) => fault.hostKey === undefined);
  const parts = [eachOnce(others, screen, naming), unknownKeys(failures, screen, naming)];
  return parts.filter((part) => part !== '').join('\n');
}

function eachOnce(failures: readonly Failure[], screen: Screen, naming: Naming): string {
  return alike(failures)
    .map(({ hosts, message, first }) =>
      [
        prose([{ text: nameHosts(hosts, naming), style: first.style }, { text: `: ${message}` }], screen),
        prose([{ text: `hint: ${first.fault.hint}`, style: 'quiet' }], screen, '  '),
      ].join(''),
    )
    .join('');
}

/** Hosts with the same trouble together, and a message that is true of each. */
export function alike(failures: readonly Failure[]): { hosts: string[]; message: string; first: Failure }[] {
  return group(failures, (each) => JSON.stringify([each.fault.kind, anonymous(each), each.fault.hint])).map((equal) => {
    const first = equal[0]!;
    const message = equal.length === 1 ? first.fault.message : anonymous(first);
    return { hosts: equal.map(({ host }) => host), message, first };
  });
}

/** A message that would read the same on another host. */
function anonymous({ host, address, fault }: Failure): string {
  return replaceWord(replaceWord(fault.message, host, 'the host'), address, 'its address');
}

/** Only whole names: a host called `a` is not in every word. */
function replaceWord(text: string, word: string, by: string): string {
  if (word === '' || !text.includes(word)) return text;
  const pieces = text.split(word);
  const isWord = (char: string | undefined) => char !== undefined && /[\w-]/.test(char);
  return pieces
    .map((piece, i) => {
      if (i === 0) return piece;
      // between two occurrences there may be nothing, and what stood there was the word itself
      const inside = isWord((pieces[i - 1] || (i > 1 ? word : '')).at(-1)) || isWord(piece[0]);
      return `${inside ? word : by}${piece}`;
    })
    .join('');
}

/** The order in which outcomes are counted. */
const COUNTED: readonly Outcome[] = [
  'masked',
  'unmasked',
  'restored',
  'planned',
  'unchanged',
  'absent',
  'mixed',
  'not-masked',
  'forgotten',
  'refused',
  'not-started',
  'unreachable',
  'rolled-back',
  'stranded',
];

/** `8 masked, 2 unchanged, 1 rolled-back`, each in its colour. */
export function countOutcomes(counts: Report['totals']): Span[] {
  return COUNTED.filter((outcome) => (counts[outcome] ?? 0) > 0).flatMap((outcome, i) => [
    ...(i > 0 ? [{ text: ', ' }] : []),
    { text: `${counts[outcome]} ${outcome}`, style: outcomeStyle(outcome), whole: true as const },
  ]);
}

/** The last line: `12 hosts: 8 masked, 2 unchanged, 1 rolled-back, 1 unreachable in 3.2 s`. */
export function totals(report: Report, screen: Screen, folded: boolean): string {
  const { run, hosts } = report;
  const counted = countOutcomes(report.totals);
  return prose(
    [
      { text: countHosts(hosts.length) },
      ...(counted.length > 0 ? [{ text: ': ' }, ...counted] : []),
      { text: ' in ' },
      { text: duration(secondsBetween(run.startedAt, run.finishedAt)), whole: true },
      ...(folded ? [{ text: ' (-v shows each host)', style: 'quiet' as const }] : []),
    ],
    screen,
  );
}
