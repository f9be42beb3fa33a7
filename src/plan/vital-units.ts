/**
 * Units whose names alone say what they are for: the safety net under what a host finds out itself.
 * Facts: what systemd ships for early boot, and the usual ways into a host, from the packages of the distributions.
 */

/** Without these a host does not boot, log, or run systemd itself: never masked. */
const BOOT =
  /^(?:init\.scope|-\.(?:mount|slice)|(?:system|user|machine)\.slice|(?:sysinit|basic|local-fs|local-fs-pre|default|multi-user|graphical|rescue|emergency|sockets|timers|paths|slices|swap|shutdown|reboot|poweroff|halt|umount|final|initrd.*)\.target|systemd-(?:udevd|journald|logind|remount-fs|modules-load|sysusers|tmpfiles-setup.*|fsck.*|udev-trigger|udev-settle|udevd-.*|journald-.*|journal-flush|user-sessions|reboot|poweroff|halt|cryptsetup.*)\.(?:service|socket)|dbus(?:-broker)?\.(?:service|socket)|user(?:-runtime-dir)?@.*\.service|(?:cryptsetup.*|initrd-.*|dracut-.*)\.(?:service|socket)|(?:usr|var|boot|boot-efi|efi|etc)\.mount)$/;

/** Whether a host may not boot or be managed any more when this unit is masked. */
export function isBootUnit(name: string): boolean {
  return BOOT.test(name);
}

/** Whether it is of our own making: what puts a host back. */
export function isOurs(name: string): boolean {
  return /^fleetmask-.*\.(?:service|timer|path)$/.test(name);
}

/** What an operator reaches a host by, and how each is spoken of: `ssh.service is …`. */
const MANAGEMENT: readonly (readonly [names: RegExp, is: string])[] = [
  [/^(?:sshd?|dropbear)(?:@.*)?\.(?:service|socket)$/, 'a way into the host'],
  [/^(?:sshd-keygen(?:@.*)?|ssh-host-keys?|dropbearkey)\.(?:service|target)$/, 'what makes the host keys of sshd'],
  [
    /^(?:tailscaled|wg-quick@.*|openvpn(?:-client|-server)?(?:@.*)?|strongswan.*|ipsec|zerotier-one|netbird|nebula(?:@.*)?|cloudflared(?:@.*)?|autossh(?:@.*)?|sslh(?:[@-].*)?|teleport)\.service$/,
    'a way into the host',
  ],
  [
    /^(?:(?:snap\.)?amazon-ssm-agent.*|google-guest-agent.*|walinuxagent|waagent|qemu-guest-agent|qemu-ga|vmtoolsd|open-vm-tools)\.service$/,
    'the cloud’s or the hypervisor’s way into the host',
  ],
  [/^serial-getty@.*\.service$/, 'the console, the last way into the host'],
  [
    /^(?:NetworkManager|systemd-networkd|networking|network|netctl(?:-auto)?@.*|connman|iwd|ifup@.*|wickedd?(?:-.*)?|dhcpcd(?:@.*)?|dhclient(?:@.*)?|wpa_supplicant(?:@.*)?)\.(?:service|socket)$/,
    'in charge of network interfaces',
  ],
  [/^(?:sssd(?:-(?:nss|pam|pam-priv|sudo))?|nslcd|winbindd?)\.(?:service|socket)$/, 'where accounts come from'],
  [
    /^(?:firewalld|nftables|ip6?tables|ufw|netfilter-persistent)\.service$/,
    'the firewall: without it the host is open',
  ],
];

/** What it is by which a host is reached; null for all other units. */
export function managementOf(name: string): string | null {
  return MANAGEMENT.find(([names]) => names.test(name))?.[1] ?? null;
}

/** Worth knowing before one agrees. */
const NOTED: readonly (readonly [names: RegExp, note: string])[] = [
  [/^auditd\.service$/, 'nothing is audited while it is masked'],
  [/^(?:rsyslog|syslog-ng(?:@.*)?)\.service$/, 'what it keeps or forwards is lost while it is masked'],
  [
    /^(?:falcon-sensor|mdatp|sentinelone|cbdaemon|ds_agent|xagt|wazuh-agent)\.service$/,
    'evidence of intrusions is lost while it is masked',
  ],
  [/^(?:cloud-init|cloud-config|cloud-final).*\.service$/, 'changes from the cloud’s metadata no longer arrive'],
  [
    /^(?:apt-daily.*|unattended-upgrades|dnf-automatic.*)\.(?:service|timer)$/,
    'security updates no longer arrive by themselves',
  ],
  [/^(?:docker|containerd)\.(?:service|socket)$/, 'containers end with it or are left without it'],
  [/^(?:postgresql.*|mysqld?|mariadb|mongod|redis.*|valkey.*)\.service$/, 'open transactions end with it'],
  [/^polkit\.service$/, 'accounts that are not root may no longer manage units and the like'],
  [/^(?:chronyd?|systemd-timesyncd|ntpd|ntpsec)\.service$/, 'once the clock is wrong, Kerberos and certificates fail'],
  [/^systemd-resolved\.service$/, 'names may no longer resolve, of directories of accounts too'],
];

export function notesOn(name: string): string[] {
  return NOTED.filter(([names]) => names.test(name)).map(([, note]) => note);
}
