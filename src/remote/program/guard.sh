# shellcheck shell=sh
# guard.sh: what this session, and the way to this host, depend on. The part of the remote program that only a mask needs:
# it is sent to nobody else.

# As far as it bears on the units in $known. Costs no process unless one of those might be the listener, the network or the
# directory of accounts.
tell_guard() {
  related beyond "$known" "$triggered"
  tell_session
  tell_pinned
  [ -z "$address" ] || rec "session server $address $port"
  case $known in *'NetworkManager'* | *'networkd'* | *' networking.'* | *' ifup@'* | *' openvpn'*) tell_network ;; esac
  case $known in *mount' '*) tell_home ;; esac
  case $known in *' sssd'* | *' nslcd'* | *' winbind'*) tell_logins ;; esac
  [ "$uses" != yes ] || tell_uses
}

# A unit of this session that one of the units needs may stop with the last one that does (StopWhenUnneeded=).
tell_pinned() {
  pinned=
  for name in $holders; do
    case "$known " in *" $name "*) continue ;; esac
    case "$needs " in *" $name "*) pinned="$pinned $name" ;; esac
  done
  [ -z "$pinned" ] || show beyond $related_properties $guarded -- $pinned
}

# The processes from this program up to where the session comes from, each with its unit; and the server's end of the
# connection. sudo takes SSH_CONNECTION away from us, but has it itself. A session that comes from the host itself was
# handed on by a program there, which it hangs on just as much.
tell_session() {
  served=no holders='' connection=${SSH_CONNECTION-}
  tell_processes $$
  set -- $connection
  client=${1-} client_port=${2-} address=${3-} port=${4-}
  client_port=${client_port%%[!0-9]*} port=${port%%[!0-9]*}
  [ -n "$port" ] || return 0
  [ "$served" = yes ] || find_listener
  case $client in 127.* | ::1 | "$address") find_relay ;; esac
}

# From a process upwards.
tell_processes() {
  up=$1
  while [ "$up" -gt 1 ] && [ -r "$root/proc/$up/status" ]; do
    process='' parent=0
    while read -r key text; do
      case $key in
        Name:) process=$text ;;
        PPid:) parent=$text && break ;;
      esac
    done <"$root/proc/$up/status"
    unit_of "$up"
    case $holder in user@*) ;; *.service) served=yes ;; esac
    holders="$holders $holder"
    rec "session process $up ${holder:--} $process"
    if [ -z "$connection" ] && [ -r "$root/proc/$up/environ" ]; then
      # the shells drop the NULs between the variables
      while IFS= read -r line || [ -n "$line" ]; do
        case $line in *SSH_CONNECTION=*) connection=${line##*SSH_CONNECTION=} && break ;; esac
      done <"$root/proc/$up/environ"
    fi
    up=$parent
  done
}

# Who has the other end of the connection.
find_relay() {
  [ -n "$main_pids" ] && [ -n "$client_port" ] || return 0
  ends=$(printf ':%04X [0-9A-F]+:%04X 01 ' "$client_port" "$port")
  # shellcheck disable=SC2046 # words
  set -- $(exec grep -hE "$ends" "$root/proc/net/tcp" "$root/proc/net/tcp6" 2>/dev/null)
  case ${10-} in '' | 0 | *[!0-9]*) return 0 ;; esac
  end="socket:[${10}]"
  set +f
  # shellcheck disable=SC2010 # the names are numbers
  descriptors=$nl$(ls -l "$root"/proc/[0-9]*/fd 2>/dev/null | grep -F -e /fd: -e "$end")
  set -f
  case $descriptors in *" -> $end"*) ;; *) return 0 ;; esac
  descriptors=${descriptors%%" -> $end"*}
  descriptors=${descriptors##*"$nl$root/proc/"}
  tell_processes "${descriptors%%/*}"
}

# Into $holder: the innermost unit of a process. The units of a user's own manager are not the system's.
unit_of() {
  holder='' within=''
  [ -r "$root/proc/$1/cgroup" ] || return 0
  while IFS= read -r line; do
    case $line in
      0::/?*) within=${line#0::} ;;
      *:name=systemd:/?*) within=${within:-${line#*:name=systemd:}} ;;
    esac
  done <"$root/proc/$1/cgroup"
  case $within in
    */user@*.service/*)
      before=${within%%/user@*}
      within=${within#"$before"/}
      within=/${within%%/*}
      ;;
  esac
  while [ -n "$within" ]; do
    part=${within##*/}
    within=${within%/*}
    case $part in
      *.service | *.scope | *.socket)
        if is_unit_name "$part"; then holder=$part; fi
        return 0
        ;;
    esac
  done
}

# The session came by a socket, or its listener was started anew since. Which of the units' main processes listens there?
find_listener() {
  [ -n "$main_pids" ] || return 0
  listening=$(exec grep -hE ":$(printf %04X "$port") 0+:0000 0A " "$root/proc/net/tcp" "$root/proc/net/tcp6" 2>/dev/null)
  [ -n "$listening" ] || return 0
  descriptors=
  set +f
  for pid in $main_pids; do
    for path in "$root/proc/$pid/fd"/*; do descriptors="$descriptors $path"; done
  done
  set -f
  descriptors=$(exec ls -l $descriptors 2>/dev/null)
  rest=$listening$nl
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    set -- $line
    target=" -> socket:[${10-}]"
    case $descriptors in
      *"$target"*)
        before=${descriptors%%"$target"*}
        before=${before##*/proc/}
        rec "session listener ${before%%/*}"
        ;;
    esac
  done
}

# The interface that has the server's address, the one by which answers leave, and who set them up.
tell_network() {
  interfaces=' ' known_ends=0
  [ -n "$address" ] || return 0
  # shellcheck disable=SC2046 # words
  set -- $(exec ip -o address show to "${address%%"%"*}" 2>/dev/null)
  [ -z "${2-}" ] || known_ends=1
  tell_interface "${2-}"
  # shellcheck disable=SC2046 # words
  set -- $(exec ip -o route get "${client%%"%"*}" 2>/dev/null)
  while [ $# -gt 1 ]; do
    if [ "$1" = dev ]; then
      known_ends=$((known_ends + 1))
      tell_interface "$2"
    fi
    shift
  done
}

tell_interface() {
  case $1 in '' | . | .. | *[!A-Za-z0-9:._-]*) return 0 ;; esac
  case $interfaces in *" $1 "*) return 0 ;; esac
  interfaces="$interfaces$1 "
  rec "session interface $1"
  first_line "$root/sys/class/net/$1/ifindex"
  if [ -r "$root/run/systemd/netif/links/$value" ]; then
    while read -r line; do
      case $line in ADMIN_STATE=conf* | ADMIN_STATE=failed) rec "session owner $1 systemd-networkd.service" ;; esac
    done <"$root/run/systemd/netif/links/$value"
  fi
  if [ -r "$root/run/NetworkManager/devices/$value" ]; then
    while read -r line; do
      case $line in managed=true | managed=1) rec "session owner $1 NetworkManager.service" ;; esac
    done <"$root/run/NetworkManager/devices/$value"
  fi
  if [ -r "$root/run/network/ifstate" ]; then
    while read -r line; do
      case $line in "$1="*) rec "session owner $1 networking.service" && rec "session owner $1 ifup@$1.service" ;; esac
    done <"$root/run/network/ifstate"
  fi
}

# Of the account that logged in, which need not be root.
tell_home() {
  home=${HOME-}
  login=${SUDO_USER:-${DOAS_USER-}}
  case $login in
    '' | *[!A-Za-z0-9_.-]*) ;;
    *) eval "home=~$login" ;;
  esac
  rec_lines 'session home' "$home"
}

# Where accounts and the rules of sudo come from.
tell_logins() {
  [ -r "$root/etc/nsswitch.conf" ] || return 0
  while read -r key text; do
    case $key in passwd: | group: | shadow: | sudoers:) rec "session login ${key%:} ${text%%#*}" ;; esac
  done <"$root/etc/nsswitch.conf"
}
