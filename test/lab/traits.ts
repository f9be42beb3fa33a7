/**
 * What sets a host apart from the Debian host that it is otherwise, one parameter for each trait; traits.sh makes them.
 * Any of them can be combined, but for what `areTogether` rules out.
 */
import type { Kind } from './kinds.ts';

export const TRAITS = {
  /** `/bin/sh`; with another than dash there is no dash. */
  sh: ['dash', 'bash', 'busybox', 'mksh'],
  /** Who is `ls`, `stat`, `timeout` and the like; with busybox also `find`, `grep`, `awk`, `sed` and `ps`. */
  coreutils: ['gnu', 'busybox', 'uutils'],
  usr: ['merged', 'split'],
  /** /etc/systemd/system: writable, read-only, or a link into a read-only store. */
  etc: ['writable', 'readonly', 'store'],
  /** Where the unit under test, traited.service, comes from. */
  units: ['vendor', 'etc', 'sysv'],
  state: ['running', 'starting', 'degraded', 'maintenance'],
  bus: ['daemon', 'broker', 'none'],
  /** How who logs in comes to be root: as root, or as `op` by one of these. */
  root: ['login', 'sudo', 'sudo-rs', 'doas', 'run0'],
  server: ['openssh', 'dropbear', 'tinyssh'],
} as const;

export type Trait = keyof typeof TRAITS;
export type Traits = { readonly [name in Trait]?: (typeof TRAITS)[name][number] };

/** As traits.sh takes them. */
export const words = (traits: Traits): string[] => Object.entries(traits).map(([name, value]) => `${name}=${value}`);

/** The inverse, for what a person types. */
export function traitsFrom(typed: readonly string[]): Traits {
  return Object.fromEntries(
    typed.map((word) => {
      const [name = '', value = ''] = word.split('=');
      const values: readonly string[] = TRAITS[name as Trait] ?? [];
      if (!values.includes(value))
        throw new Error(`no trait ${word}; ${name} is one of ${values.join(', ') || 'none'}`);
      return [name, value];
    }),
  );
}

/** What its systemd says when its boot is over, and whether that can be waited for. */
export function settledAs(traits: Traits): { readonly states: readonly string[]; readonly waits: boolean } {
  const { state = 'running' } = traits;
  if (state === 'running') return { states: ['running', 'degraded'], waits: true };
  return { states: [state], waits: state === 'degraded' };
}

/** Whether hosts of this kind can have it: what its suite has packages for. */
export function canHave(kind: Kind, trait: Trait, value: string): boolean {
  const only: Record<string, readonly Kind['suite'][]> = {
    // the last that was installed without the merge
    'usr=split': ['bullseye'],
    'coreutils=uutils': ['bookworm', 'trixie'],
    'root=sudo-rs': ['trixie'],
    'root=run0': ['trixie'],
  };
  return only[`${trait}=${value}`]?.includes(kind.suite) ?? true;
}
