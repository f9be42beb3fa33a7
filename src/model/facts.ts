import type { Dependence } from './dependence.ts';
import type { Receipt } from './receipt.ts';
import type { ServedFacts } from './super-server.ts';
import type { PathFact, Queued, UnitFacts } from './unit-facts.ts';

/** What a probe found on one host. Already parsed and bounded; text may still hold anything printable. */
export interface Facts {
  readonly os: Os;
  readonly privilege: Privilege;
  /** A limit of this session (`ulimit`) that is too low for a change, in words; absent: there is none. */
  readonly limit?: string;
  /** Seconds since 1970 by the host's own clock; null where that was not asked. */
  readonly time: number | null;
  /** Of this boot; null where the host does not tell. */
  readonly bootId: string | null;
  readonly machineId: string | null;
  readonly systemd: Systemd;
  /** Every unit that the host showed for the names asked, in the order asked, aliases collapsed. */
  readonly units: readonly UnitFacts[];
  /** Units that stop with those, or can start them. */
  readonly related: readonly RelatedFacts[];
  /** Names of units that run nothing themselves (a oneshot that remains, a target), masked or not; empty where that was not asked. */
  readonly wrappers: readonly string[];
  /** What unit files say of wrappers: true of units that systemd does not tell about, because they are masked. */
  readonly claims: readonly Claim[];
  /** Null where that was not asked. */
  readonly dependence: Dependence | null;
  /** Everything on disk under the units' names, highest rank first. */
  readonly paths: readonly PathFact[];
  /** Other names on disk under which a unit file can be loaded, whatever systemd knows of them. */
  readonly aliases: readonly AliasFact[];
  /** Instances of the templates asked that are enabled by a link; absent where there are none. */
  readonly wanted?: readonly string[];
  /** Executable scripts in /etc/init.d of the units' names; empty where that was not asked. */
  readonly scripts: readonly string[];
  /** Lines that speak of the units, in unit files, D-Bus services and those scripts; empty where that was not asked. */
  readonly hits: readonly Hit[];
  /** What earlier runs left on the host to be undone by; empty where that was not asked, or is not ours to read. */
  readonly receipts: readonly Receipt[];
  /** Absent where no super-server was among the names asked. */
  readonly served?: ServedFacts;
  /** Running services of the units' names in users' own managers; absent: none was seen. */
  readonly userUnits?: readonly UserUnit[];
}

/** From os-release(5). */
export interface Os {
  readonly id: string;
  readonly idLike: readonly string[];
  /** Absent on rolling distributions (Arch, Debian sid). */
  readonly version: string | null;
  readonly name: string;
}

export type Privilege =
  | { readonly kind: 'root' | 'sudo' | 'doas' | 'su' }
  /** `hint`: what can be done about it, where that is known. */
  | { readonly kind: 'none'; readonly why: string; readonly hint?: string };

export type Systemd =
  | { readonly kind: 'running'; readonly version: number; readonly state: string }
  /** Not booted with systemd. */
  | { readonly kind: 'absent' }
  /** Booted with it, but it does not answer. */
  | { readonly kind: 'silent'; readonly why: string };

/** A service that a user runs by a manager of their own (`systemctl --user`). */
export interface UserUnit {
  readonly uid: number;
  readonly name: string;
}

/** A line of a unit file: PartOf= or StopPropagatedFrom=. */
export interface Claim {
  readonly unit: string;
  readonly partOf: readonly string[];
}

export interface RelatedFacts {
  readonly id: string;
  readonly load: string;
  readonly active: string;
  readonly triggeredBy: readonly string[];
  readonly queued: Queued | null;
  readonly needsReload: boolean;
  readonly gone: boolean;
  readonly takesDown: readonly string[];
}

/** A link in a directory of units, also one that a run moved aside, that leads to a file of a unit. */
export interface AliasFact {
  readonly name: string;
  /** The name of that file: the unit's, or another alias of it. */
  readonly unit: string;
}

/** `ExecStart=/usr/sbin/crond` in /etc/systemd/system/copy.service, up to the first blank; `functions`: a script that asks systemd. */
export interface Hit {
  readonly path: string;
  readonly key: 'SystemdService' | 'Name' | 'Exec' | 'ExecStart' | 'functions';
  readonly value: string;
}
