/** What the remote program finds out about who uses a unit, from /sys, /proc, /run and /etc of hosts of every make. */
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { converse } from '../contract/systemd-under-test.ts';
import { sleeper, VENDOR } from '../contract/units.ts';
import { SHELLS } from './shells.ts';
import { SimulatedHost } from './simulated-host.ts';

const UNITS = [
  ...['fm-a', 'iscsid', 'multipathd', 'wpa_supplicant', 'ufw', 'nftables', 'NetworkManager', 'networking'],
  ...['systemd-networkd', 'systemd-resolved', 'openvpn'],
];

type Files = Readonly<Record<string, string>>;

/** A disk, what lies on it, and what is mounted from that; `-> TARGET` is a link. */
const SYS: Files = {
  '/sys/class/net/eth0/type': '1\n',
  '/sys/devices/pci0/ata1/block/sda/size': '1\n',
  '/sys/devices/pci0/ata1/block/sda/sda2/partition': '2\n',
  '/sys/block/sda': '-> ../devices/pci0/ata1/block/sda',
  '/sys/dev/block/8:2': '-> ../../devices/pci0/ata1/block/sda/sda2',
};
const mountinfo = (...lines: string[]): Files => ({
  '/proc/self/mountinfo': `22 1 0:22 / /sys rw - sysfs sysfs rw\n${lines.map((line) => `${line}\n`).join('')}`,
});
const ROOT = '30 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw';
const dm = (number: number, uuid: string, ...slaves: string[]): Files => ({
  [`/sys/devices/virtual/block/dm-${number}/dm/uuid`]: `${uuid}\n`,
  [`/sys/devices/virtual/block/dm-${number}/slaves/none`]: '',
  [`/sys/block/dm-${number}`]: `-> ../devices/virtual/block/dm-${number}`,
  [`/sys/dev/block/254:${number}`]: `-> ../../devices/virtual/block/dm-${number}`,
  ...Object.fromEntries(
    slaves.map((slave) => [
      `/sys/devices/virtual/block/dm-${number}/slaves/${slave.replace(/.*\//, '')}`,
      `-> ../../../../${slave}`,
    ]),
  ),
});
const NONE = ['lvm', 'multipath', 'md', 'iscsi'];
const session: Files = {
  '/sys/class/iscsi_session/session1/state': 'LOGGED_IN\n',
  '/sys/devices/platform/host3/session1/target3:0:0/3:0:0:0/block/sdb/sdb1/partition': '1\n',
  '/sys/dev/block/8:17': '-> ../../devices/platform/host3/session1/target3:0:0/3:0:0:0/block/sdb/sdb1',
};

const MARK = '/run/wpa_supplicant/wlan0';
const NFT = (text: string): Files => ({ '/shim/nft': `#!/bin/sh\ncat <<'END'\n${text}\nEND\n` });
const EMPTY_TABLE =
  'table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n}';
const IP: Files = {
  '/shim/ip':
    '#!/bin/sh\ncase "$*" in *address*) echo "2: eth0 inet 10.0.0.2/24" ;; *) echo "10.0.0.1 dev eth0 src 10.0.0.2" ;; esac\n',
};

describe.each(SHELLS)('under $name', (sh) => {
  let host: SimulatedHost;
  beforeAll(async () => {
    host = await SimulatedHost.boot(sh, {
      files: Object.fromEntries(UNITS.map((unit) => [`${VENDOR}/${unit}.service`, sleeper()])),
    });
  });
  beforeEach(() => host.reset());
  afterAll(() => host.dispose());

  async function uses(unit: string, files: Files, env = ''): Promise<string[]> {
    for (const [path, text] of Object.entries(files)) {
      const place = join(host.dir, path);
      await mkdir(dirname(place), { recursive: true });
      await rm(place, { force: true });
      if (text.startsWith('-> ')) await symlink(text.slice(3), place);
      else await writeFile(place, text, { mode: 0o755 });
    }
    const asked = {
      version: host.version,
      reset: () => host.reset(),
      shell: (script: string) => host.shell(`${env}\n${script}`),
    };
    const [, told] = await converse(asked, [], ['probe', 'guard=yes', 'uses=yes', `name=${unit}.service`]);
    return told!.rest.filter((record) => record.startsWith('use ')).map((record) => record.slice('use '.length));
  }

  it('nobody else pays for it', async () => {
    expect(await uses('fm-a', { ...SYS, ...mountinfo(ROOT), ...session })).toEqual([]);
  });

  it('where it cannot be read nothing is told', async () => {
    for (const unit of UNITS.filter((name) => name !== 'nftables')) expect(await uses(unit, {}), unit).toEqual([]);
  });

  it('storage: a host with plain disks has none of it', async () => {
    expect(await uses('multipathd', { ...SYS, ...mountinfo(ROOT) })).toEqual(NONE);
  });

  it('storage: a session beside the boot is not one that the host boots from', async () => {
    expect(
      await uses('iscsid', { ...SYS, ...session, ...mountinfo(ROOT, '31 30 8:17 / /data rw - ext4 /dev/sdb1 rw') }),
    ).toEqual([...NONE, 'iscsi by session1']);
  });

  it('storage: the root on LVM on RAID on multipath on iSCSI is on all of them', async () => {
    const files = {
      ...SYS,
      ...session,
      ...dm(0, 'mpath-3600', 'platform/host3/session1/target3:0:0/3:0:0:0/block/sdb'),
      '/sys/devices/virtual/block/md0/md/level': 'raid1\n',
      '/sys/devices/virtual/block/md0/slaves/dm-0': '-> ../../dm-0',
      '/sys/block/md0': '-> ../devices/virtual/block/md0',
      ...dm(1, 'LVM-abc', 'virtual/block/md0'),
      ...dm(2, 'CRYPT-LUKS2-x', 'virtual/block/dm-1'),
      ...mountinfo('30 1 254:2 / / rw - ext4 /dev/mapper/x rw', '31 30 8:2 / /boot rw - ext4 /dev/sda2 rw'),
    };
    const told = await uses('iscsid', files);
    expect(told.filter((record) => record.includes('boots'))).toEqual([
      'lvm boots /',
      'md boots /',
      'multipath boots /',
      'iscsi boots /',
    ]);
    expect(told.filter((record) => record.includes(' by ')).sort()).toEqual([
      'iscsi by session1',
      'lvm by dm-1',
      'md by md0',
      'multipath by dm-0',
    ]);
  });

  it('storage: a file system of several devices is on each of them', async () => {
    const files = {
      ...SYS,
      ...dm(0, 'LVM-abc'),
      '/sys/fs/btrfs/1-2/devices/dm-0': '-> ../../../../devices/virtual/block/dm-0',
      ...mountinfo('30 1 0:30 /@ / rw - btrfs /dev/mapper/x rw'),
    };
    expect(await uses('multipathd', files)).toContain('lvm boots /');
  });

  it('devices that stand on each other do not keep it busy', async () => {
    const files = {
      ...SYS,
      ...dm(0, 'LVM-a', 'virtual/block/dm-1'),
      ...dm(1, 'LVM-b', 'virtual/block/dm-0'),
      ...mountinfo('30 1 254:0 / / rw - ext4 /x rw'),
    };
    expect(await uses('multipathd', files)).toContain('lvm boots /');
  });

  it.each<[string, Files, string[]]>([
    ['a cable alone', {}, []],
    ['a wireless interface', { '/sys/class/net/wlp1s0/phy80211/name': 'phy0\n' }, ['wireless by wlp1s0']],
    ['an interface that wpa_supplicant has', { [MARK]: '' }, ['wireless by /run/wpa_supplicant']],
    [
      '802.1X by a cable',
      { '/etc/NetworkManager/system-connections/my lan.nmconnection': '[802-1x]\neap=tls\n' },
      ['wireless by 802.1X'],
    ],
    ['a connection without', { '/etc/NetworkManager/system-connections/my lan.nmconnection': '[ethernet]\n' }, []],
  ])('wpa_supplicant: %s', async (_, files, more) => {
    expect(await uses('wpa_supplicant', { ...SYS, ...files })).toEqual(['wireless', ...more]);
  });

  it.each([
    ['ENABLED=no\n', []],
    ['# x\nENABLED=yes\nLOGLEVEL=low\n', ['ufw by ufw.conf']],
    ['ENABLED=no\nENABLED="yes"', ['ufw by ufw.conf']],
    ['LOGLEVEL=low\n', ['ufw by ufw.conf']],
  ])('ufw: %j', async (text, more) => {
    expect(await uses('ufw', { '/etc/ufw/ufw.conf': text })).toEqual(['ufw', ...more]);
  });

  it.each<[string, string, string, boolean]>([
    ['empty', '', '#!/usr/sbin/nft -f\nflush ruleset\n', false],
    [
      'chains that take everything',
      EMPTY_TABLE,
      `flush ruleset\n\n${EMPTY_TABLE.replace(' policy accept;', '')}`,
      false,
    ],
    ['a policy', EMPTY_TABLE.replace('accept', 'drop'), '', true],
    ['a rule of somebody else', EMPTY_TABLE.replace('\n\t}', '\n\t\ttcp dport 22 drop\n\t}'), '', true],
    ['a rule on the line of the hook', EMPTY_TABLE.replace('policy accept;', 'tcp dport 22 drop;'), '', true],
    ['a rule that is not loaded', '', EMPTY_TABLE.replace('\n\t}', '\n\t\tdrop\n\t}'), true],
    ['another file', '', 'include "/etc/nftables/main.nft"\n', true],
  ])('nftables: %s', async (_, kernel, file, used) => {
    const told = await uses('nftables', { ...NFT(kernel), '/etc/nftables.conf': file });
    expect(told).toEqual(['nftables', ...(used ? ['nftables by rules'] : [])]);
  });

  it('nftables: what cannot be listed counts as rules', async () => {
    expect(await uses('nftables', { '/shim/nft': '#!/bin/sh\nexit 1\n' })).toEqual(['nftables', 'nftables by rules']);
  });

  it('the network: who manages nothing but the loopback', async () => {
    const files = {
      '/run/NetworkManager/devices/1': '[device]\nmanaged=true\n',
      '/run/NetworkManager/devices/2': '[device]\nmanaged=false\n',
      '/run/systemd/netif/links/2': 'ADMIN_STATE=unmanaged\n',
      '/run/network/ifstate': 'lo=lo\n',
    };
    expect(await uses('NetworkManager', files)).toEqual(['NetworkManager', 'networkd', 'ifupdown']);
    const more = {
      '/run/NetworkManager/devices/3': '[device]\n',
      '/run/systemd/netif/links/3': 'ADMIN_STATE=configuring\n',
      '/run/network/ifstate': 'lo=lo\neth0=eth0\n',
    };
    expect((await uses('systemd-networkd', more)).filter((record) => record.includes(' by '))).toEqual([
      'NetworkManager by 3',
      'networkd by 3',
      'ifupdown by eth0',
    ]);
  });

  it('openvpn: whether this session comes through a tunnel, also below a bridge', async () => {
    const from = 'export SSH_CONNECTION="10.0.0.1 5 10.0.0.2 22"';
    const files = { ...SYS, ...IP, '/sys/class/net/tap0/tun_flags': '0x1002\n', '/sys/class/net/tap0/type': '1\n' };
    expect(await uses('openvpn', SYS), 'a host without a tunnel').toEqual(['openvpn']);
    expect(await uses('openvpn', files), 'of a session that nobody knows').toEqual([]);
    // its own ip(8) comes before any other
    if (sh.name === 'busybox') return;
    expect(await uses('openvpn', files, from)).toEqual(['openvpn']);
    expect(await uses('openvpn', { '/sys/class/net/eth0/brif/tap0': '-> ../../tap0' }, from)).toEqual([
      'openvpn',
      'openvpn by tap0',
    ]);
    expect(await uses('openvpn', { '/sys/class/net/eth0/type': '65534\n' }, from)).toContain('openvpn by eth0');
  });

  it('systemd-resolved: whether anybody asks it', async () => {
    const files = {
      '/etc/resolv.conf': '# 127.0.0.53\nnameserver 10.0.0.53\n',
      '/etc/nsswitch.conf': 'hosts: files dns # resolve\n',
    };
    expect(await uses('systemd-resolved', files)).toEqual(['resolved']);
    expect(await uses('systemd-resolved', { '/etc/resolv.conf': 'nameserver 127.0.0.53\n' })).toEqual([
      'resolved',
      'resolved by resolv.conf',
    ]);
    const uplink = {
      '/run/systemd/resolve/resolv.conf': 'nameserver 10.0.0.1\n',
      '/etc/resolv.conf': '-> ../run/systemd/resolve/resolv.conf',
    };
    expect(await uses('systemd-resolved', uplink)).toEqual(['resolved', 'resolved by resolv.conf']);
    const nss = { ...files, '/etc/nsswitch.conf': 'hosts: files resolve [!UNAVAIL=return] dns\n' };
    expect(await uses('systemd-resolved', nss)).toEqual(['resolved', 'resolved by nsswitch.conf']);
  });
});
