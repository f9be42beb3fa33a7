/** The kinds of hosts that the lab can boot. What makes each of them is in base.sh. */

export interface Kind {
  readonly name: string;
  readonly family: 'debian' | 'rhel' | 'arch';
  /** The Debian suite under it. */
  readonly suite: 'bullseye' | 'bookworm' | 'trixie';
  /** The layer over that suite's root that disguises it. */
  readonly layer?: string;
  readonly systemd: number;
  /** The unit that runs cron jobs there. */
  readonly cron: string;
  /** What its /etc/os-release says. */
  readonly osRelease: { readonly ID: string; readonly VERSION_ID?: string };
}

export const KINDS: readonly Kind[] = [
  {
    name: 'debian11',
    family: 'debian',
    suite: 'bullseye',
    systemd: 247,
    cron: 'cron.service',
    osRelease: { ID: 'debian', VERSION_ID: '11' },
  },
  {
    name: 'debian12',
    family: 'debian',
    suite: 'bookworm',
    systemd: 252,
    cron: 'cron.service',
    osRelease: { ID: 'debian', VERSION_ID: '12' },
  },
  {
    name: 'debian13',
    family: 'debian',
    suite: 'trixie',
    systemd: 257,
    cron: 'cron.service',
    osRelease: { ID: 'debian', VERSION_ID: '13' },
  },
  {
    name: 'rhel-like',
    family: 'rhel',
    suite: 'trixie',
    layer: 'rhel-like',
    systemd: 257,
    cron: 'crond.service',
    osRelease: { ID: 'rocky', VERSION_ID: '9.4' },
  },
  {
    name: 'arch-like',
    family: 'arch',
    suite: 'trixie',
    layer: 'arch-like',
    systemd: 257,
    cron: 'cronie.service',
    osRelease: { ID: 'arch' },
  },
];

/** Kinds by their own name or by their suite's; all of them when none is asked for. */
export function kindsNamed(names: readonly string[] = []): readonly Kind[] {
  if (names.length === 0) return KINDS;
  const unknown = names.filter((name) => !KINDS.some((kind) => kind.name === name || kind.suite === name));
  if (unknown.length > 0) throw new Error(`no such kind or suite: ${unknown.join(', ')}`);
  return KINDS.filter((kind) => names.includes(kind.name) || names.includes(kind.suite));
}
