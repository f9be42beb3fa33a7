#!/bin/sh
# Makes a host unlike a Debian host, before its first boot. Every trait stands for itself, so any of them can be combined;
# traits.ts is their table.
#
#   traits.sh ROOT NAME=VALUE…
set -eu

shape() {
  root=$1
  shift
  vendor=$root/lib/systemd/system etc=$root/etc/systemd/system
  read -r _ address <"$root/etc/ssh/sshd_config.d/address.conf"
  # what makes /etc/systemd/system read-only comes last: the others write there
  for trait in "$@"; do case $trait in etc=*) ;; *) "trait_${trait%%=*}" "${trait#*=}" ;; esac; done
  for trait in "$@"; do case $trait in etc=*) trait_etc "${trait#*=}" ;; esac; done
}

# unit NAME TARGET, with its text on stdin: the vendor's, and enabled.
unit() {
  cat >"$vendor/$1"
  wanted "$1" "$2"
}

wanted() {
  mkdir -p "$etc/$2.wants"
  ln -sf "/lib/systemd/system/$1" "$etc/$2.wants/$1"
}

trait_sh() {
  [ "$1" != dash ] || return 0
  ln -sf "$(command_path "$1")" "$root/bin/sh"
  rm "$root/bin/dash"
}

coreutils() {
  sed -n 's,^\(/usr\)\?/s\?bin/,,p' "$root/var/lib/dpkg/info/coreutils.list"
}

trait_coreutils() {
  case $1 in
    busybox)
      applets=" $(chroot "$root" busybox --list | tr '\n' ' ') "
      for tool in "$root"/usr/lib/lab-witness/*; do
        name=${tool##*/}
        # cksum other builds of busybox have
        case $name in sh | cksum) continue ;; esac
        path=$root$(command_path "$name")
        rm -f "$path"
        case $applets in *" $name "*) ln -s /bin/busybox "$path" ;; esac
      done
      ;;
    uutils)
      for name in $(coreutils); do
        path=$root$(command_path "$name")
        rm -f "$path"
        [ ! -L "$root/usr/lib/cargo/bin/coreutils/$name" ] || ln -s "/usr/lib/cargo/bin/coreutils/$name" "$path"
      done
      ;;
  esac
}

# A layer of its own.
trait_usr() {
  :
}

# Where the unit under test comes from.
trait_units() {
  case $1 in
    vendor) daemon | unit traited.service multi-user.target ;;
    etc)
      daemon >"$etc/traited.service"
      mkdir -p "$etc/multi-user.target.wants"
      ln -s ../traited.service "$etc/multi-user.target.wants/traited.service"
      ;;
    sysv)
      cat >"$root/etc/init.d/traited" <<'INIT'
#!/bin/sh
### BEGIN INIT INFO
# Provides: traited
# Required-Start: $local_fs
# Required-Stop: $local_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: a daemon of old
### END INIT INFO
case $1 in
  start)
    setsid sleep 1000000 </dev/null >/dev/null 2>&1 &
    echo $! >/run/traited.pid
    ;;
  stop) kill "$(cat /run/traited.pid)" ;;
  *) exit 3 ;;
esac
INIT
      chmod 755 "$root/etc/init.d/traited"
      for level in 2 3 4 5; do mkdir -p "$root/etc/rc$level.d" && ln -s ../init.d/traited "$root/etc/rc$level.d/S01traited"; done
      ;;
  esac
}

daemon() {
  cat <<'UNIT'
[Unit]
Description=a daemon
[Service]
ExecStart=/bin/sh -c 'sleep 1000000 & wait'
[Install]
WantedBy=multi-user.target
UNIT
}

trait_state() {
  case $1 in
    starting)
      unit endless.service multi-user.target <<'UNIT'
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/sleep 1000000
UNIT
      ;;
    degraded)
      unit doomed.service multi-user.target <<'UNIT'
[Service]
ExecStart=/bin/false
UNIT
      ;;
    maintenance)
      ln -sf /lib/systemd/system/rescue.target "$etc/default.target"
      # there is no console at which anybody could log in
      mkdir -p "$etc/rescue.service.d"
      printf '[Service]\nExecStart=\nExecStart=/bin/sleep 1000000\nStandardInput=null\n' >"$etc/rescue.service.d/lab.conf"
      ;;
  esac
}

trait_bus() {
  case $1 in
    broker) ln -sf /lib/systemd/system/dbus-broker.service "$etc/dbus.service" ;;
    # who cannot be without it goes, too
    none)
      for name in dbus.service dbus.socket dbus-broker.service systemd-logind.service; do
        rm -f "$vendor/$name" "$vendor"/*/"$name" "$root/usr/lib/systemd/user/$name" "$root/usr/lib/systemd/user"/*/"$name"
      done
      rm -f "$root/usr/bin/dbus-daemon" "$root/etc/init.d/dbus" "$root"/etc/rc?.d/*dbus
      ;;
  esac
}

# How op, or root itself, has root's rights.
trait_root() {
  case $1 in
    sudo-rs) ln -sf sudo-rs "$root/usr/bin/sudo" ;;
    doas)
      rm "$root/usr/bin/sudo"
      echo 'permit nopass op' >"$root/etc/doas.conf"
      chmod 600 "$root/etc/doas.conf"
      ;;
    run0) rm "$root/usr/bin/sudo" ;;
  esac
}

# Also where nothing but a rescue is asked for.
trait_server() {
  wanted ssh.service rescue.target
  [ "$1" != openssh ] || return 0
  for home in root home/op; do
    mkdir -p "$root/$home/.ssh"
    cp "$root/etc/ssh/authorized_keys" "$root/$home/.ssh"
    chmod 700 "$root/$home/.ssh"
    chown -R --reference="$root/$home" "$root/$home/.ssh"
  done
  rm -f "$etc"/*/ssh.service "$etc"/sshd.service "$vendor"/ssh.service
  case $1 in
    dropbear)
      chroot "$root" dropbearconvert openssh dropbear /etc/ssh/ssh_host_ed25519_key /etc/dropbear.key 2>/dev/null
      unit ssh.service multi-user.target <<UNIT
[Service]
ExecStart=/usr/sbin/dropbear -F -E -p $address -r /etc/dropbear.key
KillMode=process
UNIT
      wanted ssh.service rescue.target
      ;;
    tinyssh)
      cp -r "$root/etc/ssh/tinyssh" "$root/etc/tinyssh/sshkeydir"
      mkdir -p "$etc/tinysshd.socket.d"
      printf '[Socket]\nListenStream=\nListenStream=%s\n' "$address" >"$etc/tinysshd.socket.d/lab.conf"
      wanted tinysshd.socket sockets.target
      wanted tinysshd.socket rescue.target
      ;;
  esac
}

trait_etc() {
  case $1 in
    readonly) echo '/etc/systemd/system /etc/systemd/system none bind,ro' >>"$root/etc/fstab" ;;
    store)
      store=/nix/store/0lab-system-units
      mkdir -p "$root/nix/store"
      mv "$etc" "$root$store"
      ln -s "$store" "$etc"
      if [ -f "$root$store/traited.service" ]; then
        mkdir "$root/nix/store/0lab-unit-traited.service"
        mv "$root$store/traited.service" "$root/nix/store/0lab-unit-traited.service"
        ln -s /nix/store/0lab-unit-traited.service/traited.service "$root$store/traited.service"
      fi
      echo '/nix/store /nix/store none bind,ro' >>"$root/etc/fstab"
      ;;
  esac
}

command_path() {
  for bin in /bin /usr/bin /sbin /usr/sbin; do
    if [ -e "$root$bin/$1" ] || [ -L "$root$bin/$1" ]; then echo "$bin/$1" && return 0; fi
  done
  echo /none
}

shape "$@"
