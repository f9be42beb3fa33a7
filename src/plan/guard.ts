/**
 * Units without which a host does not boot, log, or run systemd itself: never masked. Facts: what systemd ships for early
 * boot, and the storage and bus services that it waits for. What a session or a network depends on is told by the host.
 */
const NEVER =
  /^(?:init\.scope|-\.(?:mount|slice)|(?:system|user|machine)\.slice|(?:sysinit|basic|local-fs|local-fs-pre|default|multi-user|graphical|rescue|emergency|sockets|timers|paths|slices|swap|shutdown|reboot|poweroff|halt|umount|final|initrd.*)\.target|systemd-(?:udevd|journald|logind|remount-fs|modules-load|sysusers|tmpfiles-setup.*|fsck.*|udev-trigger|udev-settle|udevd-.*|journald-.*|journal-flush|cryptsetup.*)\.(?:service|socket)|dbus(?:-broker)?\.(?:service|socket)|user(?:-runtime-dir)?@.*\.service|(?:lvm2-.*|multipathd|iscsi.*|mdmonitor.*|cryptsetup.*|initrd-.*|dracut-.*)\.(?:service|socket)|(?:usr|var|boot|boot-efi|efi|etc)\.mount)$/;

/** Whether a host may not boot or be managed any more when this unit is masked. */
export function isBootUnit(name: string): boolean {
  return NEVER.test(name);
}
