/** What lies on disk under a unit's name, and what of it is in the way of a mask. */
import { type Ask, dirOf, type Facts, type Fault, fault, type PathFact } from '../model/index.ts';
import { pathsByUnit } from './by-name.ts';

export const ETC = '/etc/systemd/system';
export const RUN = '/run/systemd/system';
/** Directories that outrank /etc/systemd/system: a mask below them has no effect, exit 0 all the same. */
export const ABOVE_ETC = [
  '/etc/systemd/system.control',
  '/run/systemd/system.control',
  '/run/systemd/transient',
  '/run/systemd/generator.early',
];

/** A unit file where the link would have to be can be moved aside; one that outranks that place cannot. */
export function localFault(ask: Ask, lying: readonly PathFact[]): Fault | null {
  const inPlace = inTheWay(ask, lying);
  const local = lying.find((path) => !isMask(path) && (dirOf(path.path) === ETC || path.path === inPlace));
  if (local === undefined) return null;
  const what = local.kind === 'link' ? `a link to ${local.target}` : 'a unit file of the administrator';
  if (ask.runtime && dirOf(local.path) === ETC) {
    const hint =
      'Mask it without --runtime; with --local-units displace that unit file is moved aside, and undo brings it back.';
    return fault('local-unit', `${local.path} is ${what} and outranks a mask in /run`, hint);
  }
  return ask.localUnits === 'displace' && local.kind !== 'other'
    ? null
    : fault('local-unit', `${local.path} is ${what}`);
}

/** The unit file in whose place the link would have to be. */
export function inTheWay(ask: Ask, lying: readonly PathFact[]): string | undefined {
  // a mask in /etc does for /run
  if (ask.runtime && lying.some((path) => isMask(path) && dirOf(path.path) === ETC)) return undefined;
  const dir = ask.runtime ? RUN : ETC;
  return lying.find((path) => !isMask(path) && dirOf(path.path) === dir)?.path;
}

/** What lies on disk under the unit's own name. */
export function pathsOf(unit: string, { paths }: Facts): readonly PathFact[] {
  return pathsByUnit(paths).get(unit) ?? [];
}

export function isMask(path: PathFact): boolean {
  return path.kind === 'null' || path.kind === 'empty';
}
