/**
 * What older versions of systemd do otherwise: every trait with the version that ended it, and the commit of systemd that did.
 * docs/systemd-versions.md says which versions were run, and when; src/demo/shim has the same traits.
 */
const ENDED = {
  /** CanStart of a masked unit stays `yes`; its start is refused all the same. (8ff4d2ab0d, src/core/unit.c) */
  'masked-reads-startable': 226,
  /** `OnCalendar=… UTC` does not parse. (51ffa239e8, src/basic/calendarspec.c) */
  'no-utc-in-calendar': 228,
  /**
   * `show` of several units stops behind the first whose type lacks a property that was asked for, status 1. (e33a06a1eb to
   * f1669917f5, src/systemctl/systemctl.c)
   */
  'show-stops-at-a-missing-property': 233,
  /** `show` writes the backslash of a value out, as `\\x5c`. (3dfbc968e8, src/shared/bus-util.c) */
  'backslash-is-written-out': 234,
  /** NextElapseUSecRealtime is printed as a span. (68a4b89ca3, src/shared/bus-util.c) */
  'next-elapse-is-a-span': 237,
  /**
   * UnitFileState is that of a unit called `null`: `bad`, and before 228 empty. Stable branches from 234 on may have it mended.
   * (9ea3a0e702, src/core/unit.c)
   */
  'mask-has-no-file-state': 238,
  /**
   * An instance that a .wants or .requires directory names is loaded from the link there: the mask of its template does not hold it.
   * (0c062fd3eb, src/core/load-dropin.c)
   */
  'enabled-instances-outlive-their-template': 240,
  /** Names has only those that were loaded so far; an alias of a masked unit that nothing references loads the vendor's file. (e8630e6952, src/core/load-fragment.c) */
  'aliases-load-past-a-mask': 243,
} as const;

export type SystemdTrait = keyof typeof ENDED;

/** Those that did not begin before the first version that is known. */
const BEGAN: Partial<Record<SystemdTrait, number>> = { 'show-stops-at-a-missing-property': 231 };

/** Of older ones nothing is known. */
const OLDEST_KNOWN = 219;

export function hasTrait(version: number, trait: SystemdTrait): boolean {
  return version >= (BEGAN[trait] ?? 0) && version < ENDED[trait];
}

/** Why no mask can be proved on a version, in words; null where one can. */
export function unprovable(version: number): string | null {
  return version < OLDEST_KNOWN
    ? `systemd ${version} is older than any that is known (${OLDEST_KNOWN}), so a mask cannot be verified`
    : null;
}

/** Why a version cannot roll a mask back at a set time; null where it can. */
export function cannotExpire(version: number): string | null {
  return hasTrait(version, 'no-utc-in-calendar')
    ? `systemd ${version} takes no UTC times, so --expires does not work`
    : null;
}
