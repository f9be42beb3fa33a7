import type { Command, HostReport, Outcome } from '../model/index.ts';

/** The only table of exit codes, in the order of their precedence: a run takes the first that applies. */
export const EXIT = {
  bug: 1,
  stranded: 6,
  interrupted: 130,
  rolledBack: 5,
  untouched: 4,
  notAsAsked: 3,
  /** All is as the other codes would say, but a result could not be written: to the journal, or to where it was asked for. */
  unwritten: 7,
  usage: 2,
  ok: 0,
} as const;

const PRECEDENCE: readonly number[] = Object.values(EXIT);

/** What a host's outcome means for the exit code; `expected` is what `status` was asked for. */
function codeOf(outcome: Outcome, command: Command, expected: 'masked' | 'unmasked'): number {
  switch (outcome) {
    case 'stranded':
      return EXIT.stranded;
    case 'rolled-back':
      return EXIT.rolledBack;
    case 'refused':
    case 'unreachable':
    case 'not-started':
      return EXIT.untouched;
    case 'planned':
    case 'mixed':
      return EXIT.notAsAsked;
    case 'not-masked':
      return expected === 'unmasked' ? EXIT.ok : EXIT.notAsAsked;
    case 'masked':
      return command === 'status' && expected === 'unmasked' ? EXIT.notAsAsked : EXIT.ok;
    case 'unmasked':
    case 'restored':
    case 'unchanged':
    case 'forgotten':
    case 'absent':
      return EXIT.ok;
  }
}

/** Of two codes the one that says more. */
export function graver(a: number, b: number): number {
  return PRECEDENCE.find((code) => code === a || code === b) ?? EXIT.ok;
}

/** The exit code of a run: the gravest of its hosts'. */
export function exitCodeOf(
  command: Command,
  reports: readonly HostReport[],
  interrupted: boolean,
  expected: 'masked' | 'unmasked' = 'masked',
): number {
  const codes = new Set<number>(reports.map(({ outcome }) => codeOf(outcome, command, expected)));
  if (interrupted) codes.add(EXIT.interrupted);
  return PRECEDENCE.find((code) => codes.has(code)) ?? EXIT.ok;
}
