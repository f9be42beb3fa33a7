/** Whether a host makes use of a unit, by what it read; the unit's name says only what to look for. Pure. */
import { type Topic, topicOf, type Use, type Uses } from '../model/index.ts';

/** `why`: in words. `unread`: nobody knows, so it is taken as used. */
export type Usage =
  | { readonly kind: 'boot'; readonly why: string }
  | { readonly kind: 'used' | 'unused' | 'unread'; readonly why: string };

interface Words {
  readonly used: (by: string) => string;
  readonly unused: string;
}

const STORAGE: Readonly<Partial<Record<Topic, string>>> = {
  lvm: 'LVM',
  multipath: 'multipath',
  md: 'MD RAID',
  iscsi: 'iSCSI',
};

const WORDS: Readonly<Partial<Record<Topic, Words>>> = {
  wireless: {
    used: (by) => `${by} may need it`,
    unused: 'no interface of this host is wireless, and none uses 802.1X',
  },
  ufw: { used: () => 'ufw.conf enables it', unused: 'ufw.conf does not enable it' },
  nftables: { used: () => 'there are rules', unused: 'neither the kernel nor nftables.conf has a rule' },
  openvpn: {
    used: (by) => `this session comes through ${by}`,
    unused: 'this session does not come through a tunnel',
  },
  NetworkManager: { used: (by) => `it manages interface ${by}`, unused: 'it manages no interface' },
  networkd: { used: (by) => `it manages interface ${by}`, unused: 'it manages no interface' },
  ifupdown: { used: (by) => `it manages interface ${by}`, unused: 'it manages no interface' },
  resolved: { used: (by) => `${by} names it`, unused: 'neither resolv.conf nor nsswitch.conf names it' },
};

/** Of the units that a host may do without: null for all others. Storage decides on the boot, the rest does not. */
export function usageOf(unit: string, uses: Uses | null): Usage | null {
  const topic = topicOf(unit);
  if (topic === null) return null;
  const use = uses?.get(topic);
  const storage = STORAGE[topic];
  if (storage !== undefined) return storageUsage(storage, use);
  const words = WORDS[topic]!;
  if (use === undefined) return { kind: 'unread', why: 'its use could not be read' };
  const [by] = [...use.boots, ...use.by];
  return by === undefined ? { kind: 'unused', why: words.unused } : { kind: 'used', why: words.used(by) };
}

/** Whether its name alone made it one that the boot needs. */
export function isStorage(unit: string): boolean {
  const topic = topicOf(unit);
  return topic !== null && STORAGE[topic] !== undefined;
}

function storageUsage(storage: string, use: Use | undefined): Usage {
  if (use === undefined) {
    return { kind: 'unread', why: `which the host may need to boot: whether it uses ${storage} could not be read` };
  }
  if (use.boots.length > 0) return { kind: 'boot', why: `${use.boots.join(' and ')} on ${storage}` };
  if (use.by.length > 0) return { kind: 'used', why: `which serves ${storage} in use (${use.by[0]})` };
  return { kind: 'unused', why: `${storage} is not in use on this host` };
}
