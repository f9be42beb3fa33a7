/**
 * What older versions of systemd do otherwise: every trait with the version that ended it. 219, 232 and 239 were built from the
 * branches of systemd-stable and read from inside; docs/systemd-versions.md says what was run, and when.
 */
const ENDED = {
  /** CanStart of a masked unit stays `yes`; its start is refused all the same. */
  'masked-reads-startable': 226,
  /** Instances that a `.wants` directory enables are loaded from the link there: the mask of their template does not hold them. */
  'enabled-instances-outlive-their-template': 226,
  /** `OnCalendar=… UTC` does not parse. */
  'no-utc-in-calendar': 228,
  /** `show` of several units stops at the first that lacks a property that was asked for. */
  'show-stops-at-a-missing-property': 233,
  /** UnitFileState of a mask is `bad`, or empty. */
  'mask-has-no-file-state': 235,
  /** NextElapseUSecRealtime is printed as a span. */
  'next-elapse-is-a-span': 237,
  /** Names has only those that were loaded so far; an alias of a masked unit that nothing references loads the vendor's file. */
  'aliases-load-past-a-mask': 243,
} as const;

export type SystemdTrait = keyof typeof ENDED;

/** Older ones were never seen: nothing is known of what they do. */
export const OLDEST_SYSTEMD = 219;

export function hasTrait(version: number, trait: SystemdTrait): boolean {
  return version < ENDED[trait];
}
