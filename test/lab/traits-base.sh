#!/bin/sh
# Builds what hosts with traits have over their suite's root, as layers: DIR/packages, and for Debian 11 also DIR/split, in which
# /usr is not merged. This file is the recipe: its checksum versions the cache.
#
#   traits-base.sh LOWER DIR
set -eu

WITNESS=usr/lib/lab-witness

build() {
  lower=$1 dir=$2
  mkdir -p "$(dirname "$dir")"
  exec 9>"$dir.lock"
  flock 9
  [ ! -d "$dir" ] || return 0
  rm -rf "$dir.partial"
  mkdir -p "$dir.partial/packages"
  over "$lower" "$dir.partial" packages
  bring_packages
  keep_witness
  umount "$root"
  case $lower in
    */bullseye/root)
      mkdir "$dir.partial/split"
      over "$dir.partial/packages:$lower" "$dir.partial" split
      split_usr
      umount "$root"
      ;;
  esac
  rm -rf "$dir.partial/work" "$dir.partial/merged"
  mv "$dir.partial" "$dir"
}

over() {
  rm -rf "$2/work" "$2/merged"
  mkdir "$2/work" "$2/merged"
  root=$2/merged
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/$3,workdir=$2/work" "$root"
}

# Of the suite's own mirror. What they enable by themselves is undone: a trait enables what it needs.
bring_packages() {
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  mount -t proc proc "$root/proc"
  # shellcheck disable=SC2016 # for the shell in there
  DEBIAN_FRONTEND=noninteractive chroot "$root" sh -ec '
    apt-get -qq -o APT::Sandbox::User=root update
    for name in rust-coreutils sudo-rs; do
      ! apt-cache show "$name" >/dev/null 2>&1 || set -- "$@" "$name"
    done
    apt-get -qq -o APT::Sandbox::User=root -o Dpkg::Options::=--force-unsafe-io install --yes --no-install-recommends "$@"
    apt-get clean
    systemctl disable dbus-broker.service tinysshd.socket
    ' sh mksh tinysshd dbus-broker >"$dir.log" 2>&1 </dev/null || {
    tail -n 5 "$dir.log" >&2
    return 1
  }
  umount "$root/proc"
  rm -rf "$root"/var/lib/apt/lists/* "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf"
}

# Tools that no trait changes, for those who look into a host past fleetmask.
keep_witness() {
  mkdir -p "$root/$WITNESS"
  for name in $(tools) awk; do
    [ ! -f "$root$(command_path "$name")" ] || cp -L "$root$(command_path "$name")" "$root/$WITNESS/$name"
  done
  cp "$root/bin/dash" "$root/$WITNESS/sh"
}

TOOLS='coreutils findutils grep sed mawk procps diffutils'

# The names of the commands of these packages.
tools() {
  for package in $TOOLS; do cat "$root"/var/lib/dpkg/info/"$package".list; done | sed -n 's,^\(/usr\)\?/s\?bin/,,p'
}

command_path() {
  for bin in /bin /usr/bin /sbin /usr/sbin; do
    if [ -e "$root$bin/$1" ] || [ -L "$root$bin/$1" ]; then echo "$bin/$1" && return 0; fi
  done
  echo /none
}

# Each file where its package has it, as on a host that has been upgraded since before the merge.
split_usr() {
  for top in bin sbin lib lib64; do rm "$root/$top" && mkdir "$root/$top"; done
  sed -n '/^\/\(s\?bin\|lib\|lib64\)\//p' "$root"/var/lib/dpkg/info/*.list | sort -u | while IFS= read -r path; do
    if [ -d "$root/usr$path" ] && [ ! -L "$root/usr$path" ]; then
      mkdir -p "$root$path"
    elif [ -e "$root/usr$path" ] || [ -L "$root/usr$path" ]; then
      mv "$root/usr$path" "$root$path"
    fi
  done
  ln -sf dash "$root/bin/sh"
  chroot "$root" ldconfig
}

case $1 in
  build) "$@" ;;
  # in a mount namespace of its own, as base.sh
  *) exec unshare --mount sh "$0" build "$@" ;;
esac
