#!/bin/sh
# Builds what the hosts of one Debian suite share: DIR/root, and for trixie a thin layer over it for
# each look-alike of another distribution. This file is the recipe: its checksum versions the cache.
#
#   base.sh SUITE DIR [MIRROR]
set -eu

build() {
  suite=$1 dir=$2 mirror=${3-}
  mkdir -p "$(dirname "$dir")"
  # two labs starting at once share one build
  exec 9>"$dir.lock"
  flock 9
  [ ! -d "$dir" ] || return 0

  rm -rf "$dir.partial"
  mkdir "$dir.partial"
  # these two are installed with a merged /usr everywhere, but the packages do not bring it yet
  case $suite in
    bullseye | bookworm) merge=--setup-hook=/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh ;;
    *) merge= ;;
  esac
  case $suite in bullseye) doas=doas ;; *) doas=opendoas ;; esac
  # without fsync and manual pages it takes half the time; nobody reads or keeps this root
  mmdebstrap --quiet --variant=minbase --format=directory ${merge:+"$merge"} \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,sudo,procps,busybox-static,rsync,cron,dropbear-bin,$doas \
    --customize-hook="sh '$0' customise '$suite' \"\$1\"" \
    "$suite" "$dir.partial/root" ${mirror:+"$mirror"}
  if [ "$suite" = trixie ]; then
    (layer rhel-like "$dir.partial")
    (layer arch-like "$dir.partial")
  fi
  mv "$dir.partial" "$dir"
}

# Runs while the package lists are still there.
customise() {
  suite=$1 root=$2
  if [ "$suite" = trixie ]; then
    chroot "$root" sh -c 'cd /tmp && apt-get -qq -o APT::Sandbox::User=root download cronie'
    mv "$root"/tmp/cronie_*.deb "$root/../cronie.deb"
  fi

  chroot "$root" useradd --create-home --shell /bin/bash op
  chroot "$root" useradd --create-home --shell /bin/bash nopriv
  echo 'op ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/op"
  chmod 440 "$root/etc/sudoers.d/op"

  # every account takes the lab's key; 100 logins at once must not be dropped
  mkdir -p "$root/etc/ssh/sshd_config.d"
  cat >"$root/etc/ssh/sshd_config.d/fleet.conf" <<'CONF'
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys
MaxStartups 100:30:200
UseDNS no
CONF

  # or from trixie on the first boot of each host would rebuild caches that are fresh
  if [ -x "$root/usr/lib/systemd/systemd-update-done" ]; then chroot "$root" /usr/lib/systemd/systemd-update-done; fi

  # each host brings its own identity
  rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/resolv.conf"
  : >"$root/etc/machine-id"

  # nothing may start by itself in the middle of a test or a measurement, nor make more host keys
  for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer sshd-keygen.service; do
    chroot "$root" systemctl disable "$unit" >/dev/null 2>&1 || true
  done
}

# A look-alike has the unit names, the os-release and the /bin/sh of the other distribution.
layer() {
  name=$1 dir=$2
  mkdir "$dir/$name" "$dir/work" "$dir/merged"
  mount -t overlay overlay -o "lowerdir=$dir/root,upperdir=$dir/$name,workdir=$dir/work" "$dir/merged"
  root=$dir/merged units=$dir/merged/usr/lib/systemd/system

  mount -t proc proc "$root/proc"
  cp "$dir/cronie.deb" "$root/tmp"
  chroot "$root" sh -c 'dpkg --purge --force-depends cron && dpkg --install /tmp/cronie.deb' >"$dir/dpkg.log" 2>&1 || {
    cat "$dir/dpkg.log" >&2
    return 1
  }
  rm "$root/tmp/cronie.deb"
  umount "$root/proc"

  ln -sf bash "$root/usr/bin/sh"
  rename_unit ssh sshd
  # a SysV script whose unit was renamed would come back as a second, generated unit
  rm -rf "$root"/etc/init.d "$root"/etc/rc?.d

  case $name in
    rhel-like)
      rename_unit cronie crond
      cat >"$root/usr/lib/os-release" <<'OS'
NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
ANSI_COLOR="0;32"
OS
      ;;
    arch-like)
      cat >"$root/usr/lib/os-release" <<'OS'
NAME="Arch Linux"
PRETTY_NAME="Arch Linux"
ID=arch
BUILD_ID=rolling
ANSI_COLOR="38;2;23;147;209"
OS
      ;;
  esac
  rm -f "$root/etc/debian_version"

  umount "$dir/merged"
  rm -rf "$dir/work" "$dir/merged"
}

# The unit under its name there, enabled, with no alias left from here.
rename_unit() {
  rm -f "$root/etc/systemd/system/$2.service" "$root/etc/systemd/system/multi-user.target.wants/$1.service"
  mv "$units/$1.service" "$units/$2.service"
  sed -i '/^Alias=/d' "$units/$2.service"
  ln -s "/usr/lib/systemd/system/$2.service" "$root/etc/systemd/system/multi-user.target.wants/$2.service"
}

case $1 in
  customise | build) "$@" ;;
  # in a mount namespace of its own: a build that is killed leaves no mounts that its clean-up could follow
  *) exec unshare --mount sh "$0" build "$@" ;;
esac
