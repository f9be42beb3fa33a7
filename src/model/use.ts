/**
 * Units that are vital on some hosts and idle on others, by what it is that uses them. Facts: the units of the distributions'
 * packages; src/remote/program/uses.sh reads who uses what.
 */

/** What of a host may be in use. */
export type Topic =
  | 'lvm'
  | 'multipath'
  | 'md'
  | 'iscsi'
  | 'wireless'
  | 'ufw'
  | 'nftables'
  | 'openvpn'
  | 'NetworkManager'
  | 'networkd'
  | 'ifupdown'
  | 'resolved';

const TOPICS: readonly (readonly [names: RegExp, topic: Topic])[] = [
  [/^(?:lvm2-.*|dm-event)\.(?:service|socket)$/, 'lvm'],
  [/^(?:multipathd|multipath-tools)\.(?:service|socket)$/, 'multipath'],
  [/^(?:mdmonitor.*|mdmon@.*)\.(?:service|socket)$/, 'md'],
  [/^(?:iscsi.*|open-iscsi)\.(?:service|socket)$/, 'iscsi'],
  [/^(?:wpa_supplicant|iwd)\.service$/, 'wireless'],
  [/^ufw\.service$/, 'ufw'],
  [/^nftables\.service$/, 'nftables'],
  [/^openvpn(?:-client|-server)?(?:@.*)?\.service$/, 'openvpn'],
  [/^NetworkManager\.service$/, 'NetworkManager'],
  [/^systemd-networkd\.(?:service|socket)$/, 'networkd'],
  [/^networking\.service$/, 'ifupdown'],
  [/^systemd-resolved\.service$/, 'resolved'],
];

/** What a unit is there for, where that decides whether it may be masked. */
export function topicOf(unit: string): Topic | null {
  return TOPICS.find(([names]) => names.test(unit))?.[1] ?? null;
}

/** Who uses it on a host; both empty: nobody does. */
export interface Use {
  /** Devices, sessions, interfaces or files: one or some of them. */
  readonly by: readonly string[];
  /** Mounts that the host boots from and that are on it. */
  readonly boots: readonly string[];
}

/** A topic that is missing could not be read, or was not asked for. */
export type Uses = ReadonlyMap<string, Use>;
