/**
 * What older versions of systemd do otherwise: every trait with the version that ended it. docs/systemd-versions.md says which
 * versions were run, and when.
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

/** Those that did not begin before the first version that is known. */
const BEGAN: Partial<Record<SystemdTrait, number>> = { 'show-stops-at-a-missing-property': 231 };

export function hasTrait(version: number, trait: SystemdTrait): boolean {
  return version >= (BEGAN[trait] ?? 0) && version < ENDED[trait];
}

/** Why no mask can be proved on a version, in words; null where one can. */
export function unprovable(version: number): string | null {
  if (hasTrait(version, 'masked-reads-startable')) {
    return `systemd ${version} reports a masked unit as startable, so a mask cannot be verified`;
  }
  return hasTrait(version, 'show-stops-at-a-missing-property')
    ? `systemd ${version} stops its answer at the first unit without a property, so units cannot be read`
    : null;
}

/** What else does not work on a version, in words. */
export function limitsOf(version: number): readonly string[] {
  return hasTrait(version, 'no-utc-in-calendar')
    ? [`systemd ${version} refuses --expires (it takes no UTC times)`]
    : [];
}
