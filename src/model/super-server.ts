/**
 * Daemons that start others for each connection: what they serve is in their configuration, not in their names. Facts: the packages
 * of Debian 11 to 13 (openbsd-inetd, inetutils-inetd, xinetd, rlinetd) and of the RHEL family (xinetd).
 */

/** Whose configuration it is. */
export type SuperServer = 'inetd' | 'xinetd' | 'rlinetd';

const CONFIGURED_AS: Readonly<Record<string, SuperServer>> = {
  'inetd.service': 'inetd',
  'openbsd-inetd.service': 'inetd',
  'inetutils-inetd.service': 'inetd',
  'xinetd.service': 'xinetd',
  'rlinetd.service': 'rlinetd',
};

export const SUPER_SERVERS: readonly string[] = Object.keys(CONFIGURED_AS);

/** Whose configuration a unit reads; null for what is no super-server. */
export function superServerOf(unit: string): SuperServer | null {
  return Object.hasOwn(CONFIGURED_AS, unit) ? CONFIGURED_AS[unit]! : null;
}

/** What the super-servers of a host serve by their configuration. */
export interface ServedFacts {
  readonly services: readonly Served[];
  /** False where a file was too long or could not be read: there may be more. */
  readonly whole: boolean;
}

/** A service that is configured, and not disabled. */
export interface Served {
  readonly by: SuperServer;
  /** As in services(5), or a number of a port. */
  readonly service: string;
  /** Names of what is run for it, without directories; with tcpd(8) the daemon behind it too. */
  readonly programs: readonly string[];
}
