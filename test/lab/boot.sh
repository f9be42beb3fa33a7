#!/bin/sh
# Becomes one host. Runs under `unshare --mount`, so that what it mounts goes when the host's last
# process goes, however that died: there is nothing to unmount, and nothing to forget.
#
#   boot.sh DIR LOWER CGROUP NAME MACHINE [TRAIT…]
#
# DIR holds upper/ (what this host changed), work/ and root/ (where it is put together). LOWER is the
# shared part. CGROUP must be this host's alone: in a shared one every systemd moves the others' processes.
set -eu

dir=$1 lower=$2 cgroup=$3 name=$4 machine=$5
shift 5

echo $$ >"$cgroup/cgroup.procs"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
if [ $# -gt 0 ] && [ ! -e "$dir/shaped" ]; then
  sh "${0%/*}/traits.sh" "$dir/root" "$@"
  touch "$dir/shaped"
fi

# systemd 256 and later boot only where /sys/fs/cgroup is a clean cgroup2
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup

exec systemd-nspawn --quiet --boot --directory="$dir/root" --machine="$machine" --hostname="$name" \
  --register=no --keep-unit --settings=no --resolv-conf=off --timezone=off --link-journal=no
