import type { Uses } from './use.ts';

/** What a host tells before a mask, so that nothing is masked that this session, or the next boot, needs. */
export interface Dependence {
  /** The units asked for, who stops with them or can start them, and so on upwards. */
  readonly units: readonly UnitDependence[];
  readonly session: SessionFacts;
  readonly uses: Uses;
}

/** By which property another unit names this one, so that it cannot do without it. */
export type Need = 'Requires' | 'Requisite' | 'BindsTo' | 'PartOf' | 'StopPropagatedFrom' | 'StopWhenUnneeded';

export interface UnitDependence {
  readonly id: string;
  /** The id included. */
  readonly names: readonly string[];
  readonly active: string;
  /** 0 where there is none. */
  readonly mainPid: number;
  /** TCP ports of a socket unit. */
  readonly listens: readonly Endpoint[];
  /** Who stops with it. */
  readonly dependents: readonly { readonly unit: string; readonly by: Need }[];
  readonly triggeredBy: readonly string[];
  readonly triggers: readonly string[];
}

/** `address`: null for every address. */
export interface Endpoint {
  readonly address: string | null;
  readonly port: number;
}

/** This session, as far as the host could find out; empty and null for what it could not. */
export interface SessionFacts {
  /** From the remote program up to where the session comes from. */
  readonly processes: readonly { readonly pid: number; readonly unit: string | null; readonly name: string }[];
  /** The host's end of the connection. */
  readonly server: { readonly address: string; readonly port: number } | null;
  /** Main processes of units that listen there; looked for only where the processes do not lead to one. */
  readonly listeners: readonly number[];
  /**
   * The interface that has the server's address, the one by which answers leave, and the units that set them up; looked for only
   * when such a unit may be hit.
   */
  readonly networks: readonly { readonly interface: string; readonly owners: readonly string[] }[];
  /** Where the account that logged in has its home, and its keys; looked for only when a mount may be hit. */
  readonly home: string | null;
  /** Of nsswitch.conf, only when a directory's daemon may be hit: `passwd` → `files`, `sss`. */
  readonly logins: readonly { readonly database: string; readonly sources: readonly string[] }[];
}
