# shellcheck shell=sh
# uses.sh: what this host makes use of, for units that are vital on some hosts and idle on others. Sent where one of
# those is to be masked. Tells of the
# units in $known alone; costs no process but for nftables (three).
#
# `use TOPIC`: whether it is used could be read; `use TOPIC by WHAT`: a use; `use TOPIC boots MOUNT`: what the host boots from needs it.
tell_uses() {
  case $known in *multipath* | *iscsi* | *' mdmon'* | *' lvm2-'* | *' dm-event.'*) tell_storage ;; esac
  case $known in *' wpa_supplicant.'* | *' iwd.'*) tell_wireless ;; esac
  case $known in *' ufw.'*) tell_ufw ;; esac
  case $known in *' nftables.'*) tell_ruleset ;; esac
  case $known in *'NetworkManager'* | *'networkd'* | *' networking.'*) tell_managed ;; esac
  case $known in *' openvpn'*) tell_tunnel ;; esac
  case $known in *' systemd-resolved.'*) tell_resolver ;; esac
}

# One of each is enough.
use() {
  case $used in *" $* "*) ;; *) used="$used $* " && rec "use $*" ;; esac
}

matching() {
  set +f
  # shellcheck disable=SC2086 # a pattern
  set -- $1
  set -f
  matched=$*
}

tell_storage() {
  { [ -d "$root/sys/block" ] && [ -d "$root/sys/class" ] && [ -r "$root/proc/self/mountinfo" ]; } || return 0
  used=''
  for topic in lvm multipath md iscsi; do use "$topic"; done
  matching "$root/sys/block/*"
  for path in $matched; do
    if storage_topic "$path"; then use "$topic by ${path##*/}"; fi
  done
  matching "$root/sys/class/iscsi_session/*"
  for path in $matched; do [ ! -e "$path" ] || use "iscsi by ${path##*/}"; done
  while read -r _ _ device _ place rest; do
    case $place in / | /usr | /boot | /boot/efi | /efi | /var | /etc) ;; *) continue ;; esac
    set -- ${rest#*- }
    matched=$root/sys/dev/block/$device
    [ "${1-}" != btrfs ] || matching "$root/sys/fs/btrfs/*/devices/*"
    tell_beneath $matched
  done <"$root/proc/self/mountinfo"
}

# Into $topic: what a block device is made by.
storage_topic() {
  if [ -d "$1/md" ]; then topic=md && return 0; fi
  first_line "$1/dm/uuid"
  case $value in LVM-*) topic=lvm ;; mpath-* | part*-mpath-*) topic=multipath ;; *) return 1 ;; esac
}

# The devices, and those that they are on.
tell_beneath() {
  hops=0
  while [ $# -gt 0 ] && [ "$hops" -lt 16 ]; do
    hops=$((hops + 1)) deeper=''
    for path in "$@"; do
      cd -P "$path" 2>/dev/null || continue
      path=$PWD
      [ ! -e partition ] || path=${path%/*}
      case $path in */session[0-9]*/target*) use "iscsi boots $place" ;; esac
      if storage_topic "$path"; then use "$topic boots $place"; fi
      matching "$path/slaves/*"
      deeper="$deeper $matched"
    done
    set -- $deeper
  done
  cd /
}

# Interfaces without a cable, and 802.1X on those with one.
tell_wireless() {
  [ -d "$root/sys/class/net" ] || return 0
  used=''
  use wireless
  matching "$root/sys/class/net/*/wireless $root/sys/class/net/*/phy80211"
  for path in $matched; do
    path=${path%/*}
    { [ ! -e "$path/wireless" ] && [ ! -e "$path/phy80211" ]; } || use "wireless by ${path##*/}"
  done
  matching "$root/run/wpa_supplicant/*"
  [ ! -e "${matched%% *}" ] || use 'wireless by /run/wpa_supplicant'
  set +f
  set -- "$root"/etc/NetworkManager/system-connections/* "$root"/run/NetworkManager/system-connections/* \
    "$root"/etc/sysconfig/network-scripts/ifcfg-*
  set -f
  for path in "$@"; do
    [ -f "$path" ] || continue
    [ -r "$path" ] || use 'wireless by 802.1X?'
    while read -r line || [ -n "$line" ]; do
      case $line in '[802-1x]'* | *8021X*) use 'wireless by 802.1X' ;; esac
    done <"$path"
  done
  for pid in $main_pids; do
    first_line "$root/proc/$pid/cmdline"
    case $value in *wpa_supplicant*-[iD]*) use 'wireless by -i' ;; esac
  done
}

tell_ufw() {
  [ -r "$root/etc/ufw/ufw.conf" ] || return 0
  used='' value=
  while read -r line || [ -n "$line" ]; do
    case $line in ENABLED=*) value=${line#*=} ;; esac
  done <"$root/etc/ufw/ufw.conf"
  use ufw
  case $value in no | NO | [\"\']no[\"\']) ;; *) use 'ufw by ufw.conf' ;; esac
}

# What the kernel has counts, and what the next start would load: a stop removes every table, whoever made it.
tell_ruleset() {
  used=''
  rest=$({ $within_time 10 nft list ruleset </dev/null 2>/dev/null || echo unread; } | head -c 65536)$nl
  for path in "$root/etc/nftables.conf" "$root/etc/sysconfig/nftables.conf"; do
    [ ! -e "$path" ] || rest=$rest$(head -c 65536 "$path" 2>/dev/null || echo unread)$nl
  done
  use nftables
  while [ -n "$rest" ]; do
    set -- ${rest%%"$nl"*}
    rest=${rest#*"$nl"} line=$*
    case $line in
      '' | '#'* | 'flush ruleset' | 'flush ruleset;' | '}' | 'table '*' {' | 'chain '*' {') ;;
      'type '*' hook '*' priority '*'; policy accept;' | 'type '*' hook '*' priority '*[!\;]\;)
        case ${line%'; policy accept;'} in *\;*\;*) use 'nftables by rules' ;; esac
        ;;
      *) use 'nftables by rules' ;;
    esac
  done
}

tell_managed() {
  used=''
  matching "$root/run/NetworkManager/devices/*"
  for path in $matched; do
    { [ -r "$path" ] && [ "${path##*/}" != 1 ]; } || continue
    use NetworkManager
    state=unknown
    while read -r line || [ -n "$line" ]; do
      case $line in managed=*) state=${line#*=} ;; esac
    done <"$path"
    case $state in false | 0) ;; *) use "NetworkManager by ${path##*/}" ;; esac
  done
  matching "$root/run/systemd/netif/links/*"
  for path in $matched; do
    { [ -r "$path" ] && [ "${path##*/}" != 1 ]; } || continue
    use networkd
    state=unknown
    while read -r line || [ -n "$line" ]; do
      case $line in ADMIN_STATE=*) state=${line#*=} ;; esac
    done <"$path"
    [ "$state" = unmanaged ] || use "networkd by ${path##*/}"
  done
  [ -r "$root/run/network/ifstate" ] || return 0
  use ifupdown
  while read -r line || [ -n "$line" ]; do
    case $line in lo=* | '') ;; *) use "ifupdown by ${line%%=*}" ;; esac
  done <"$root/run/network/ifstate"
}

# Whether this session comes through a tunnel, or a bridge with one in it. Where the host has tunnels, both ends of the session must
# be known for that.
tell_tunnel() {
  [ -d "$root/sys/class/net" ] || return 0
  used='' tunnels=''
  matching "$root/sys/class/net/*"
  for path in $matched; do if is_tunnel "$path"; then tunnels="$tunnels $path"; fi; done
  if [ -n "$tunnels" ]; then
    [ "$known_ends" = 2 ] || return 0
    case $interfaces in *' lo '*) return 0 ;; esac
  fi
  use openvpn
  [ -n "$tunnels" ] || return 0
  hops=0
  set -- $interfaces
  while [ $# -gt 0 ] && [ "$hops" -lt 8 ]; do
    hops=$((hops + 1)) deeper=''
    for name in "$@"; do
      path=$root/sys/class/net/$name
      if [ ! -e "$path" ] || is_tunnel "$path"; then use "openvpn by $name"; fi
      matching "$path/lower_* $path/brif/*"
      for path in $matched; do
        path=${path##*/}
        case $path in *\**) ;; *) deeper="$deeper ${path#lower_}" ;; esac
      done
    done
    set -- $deeper
  done
}

# tun, tap, and what has no link layer (65534: wireguard, ovpn)
is_tunnel() {
  first_line "$1/type"
  [ -e "$1/tun_flags" ] || [ "$value" = 65534 ]
}

tell_resolver() {
  [ -r "$root/etc/resolv.conf" ] || return 0
  used=''
  use resolved
  if [ "$root/etc/resolv.conf" -ef "$root/run/systemd/resolve/resolv.conf" ]; then use 'resolved by resolv.conf'; fi
  while read -r key text || [ -n "$key" ]; do
    case $key:$text in nameserver:127.0.0.5[34]*) use 'resolved by resolv.conf' ;; esac
  done <"$root/etc/resolv.conf"
  [ -r "$root/etc/nsswitch.conf" ] || return 0
  while read -r key text || [ -n "$key" ]; do
    case $key:${text%%#*} in hosts:*resolve*) use 'resolved by nsswitch.conf' ;; esac
  done <"$root/etc/nsswitch.conf"
}
