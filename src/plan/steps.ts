/** What is to be done for one unit, and how an operator reads it. */
import { type Ask, baseOf, dirOf } from '../model/index.ts';
import { RUN } from './lying.ts';
import type { Meant } from './resolve.ts';

/** What is to be done for one unit; empty lists mean that it is as asked. */
export interface UnitSteps {
  readonly meant: Meant;
  readonly links: readonly string[];
  readonly removes: readonly string[];
  readonly displaces: readonly string[];
  /** Names that are masked with it. */
  readonly aliases: readonly string[];
  readonly stops: readonly string[];
  readonly downs: readonly string[];
  readonly groups: readonly string[];
  /** Right on disk, but systemd has not read it yet. */
  readonly reload: boolean;
}

/** The steps as an operator reads them; the reload is the host's, and stands with each unit that needs it. */
export function wordsFor(step: UnitSteps, ask: Ask): string[] {
  if (isDone(step)) return [];
  const { meant, links, removes, displaces, stops, groups } = step;
  const ofAlias = (path: string) => (baseOf(path) === meant.unit ? '' : ` for its alias ${baseOf(path)}`);
  return [
    ...links.map((path) => `link in ${dirOf(path) === RUN ? '/run' : '/etc'}${ofAlias(path)}`),
    ...displaces.map((path) => `put a link in the place of ${path}`),
    ...removes.map((path) => `unlink in ${dirOf(path) === RUN ? '/run' : '/etc'}${ofAlias(path)}`),
    ...stops.map((stop) => (stop === meant.unit ? 'stop' : `stop ${stop}`)),
    'reload',
    ...(ask.killLeftovers && groups.length > 0 ? ['end leftovers'] : []),
    ...(ask.verb === 'mask' && ask.startProbe ? ['try start'] : []),
  ];
}

export function isDone({ links, removes, displaces, stops, groups, reload }: UnitSteps): boolean {
  return links.length + removes.length + displaces.length + stops.length + groups.length === 0 && !reload;
}
