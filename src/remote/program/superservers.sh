# shellcheck shell=sh
# superservers.sh: what inetd, xinetd and rlinetd serve by their configuration. Sent only where one of them is among the names asked.
# It costs no process, and reads so many lines at most:
most_lines=4000

# `served inetd SERVICE PROGRAM…`, `served xinetd SERVICE ID DISABLE PROGRAM…`, `served rlinetd SERVICE ENABLED PROGRAM…`;
# `served disabled|enabled ID…` of xinetd's defaults; `served compat`: xinetd reads the configuration of inetd too; and how it
# ends: `served whole`, or `served more` where not all could be read.
tell_served() {
  lines=0 more=no
  set +f
  set -- "$root/etc/inetd.conf" "$root"/etc/inetd.d/*
  set -f
  each_line tell_inetd "$@"
  includes='' section='' named=''
  each_line tell_xinetd "$root/etc/xinetd.conf"
  for include in $includes; do
    path=${include#*:}
    case $path in [!/]* | *[!A-Za-z0-9_./@-]*) continue ;; esac
    set -- "$root$path"
    if [ -d "$root$path" ]; then
      set +f
      set -- "$root$path"/*
      set -f
    fi
    # xinetd leaves out what packages and editors leave behind
    for file in "$@"; do
      case ${include%%:*}:${file##*/} in includedir:*.* | *'~') ;; *) each_line tell_xinetd "$file" ;; esac
    done
  done
  each_line tell_compat "$root/etc/default/xinetd" "$root/etc/sysconfig/xinetd"
  set +f
  set -- "$root/etc/rlinetd.conf" "$root"/etc/rlinetd.d/*
  set -f
  section='' named=''
  each_line tell_rlinetd "$@"
  if [ "$more" = yes ]; then rec 'served more'; else rec 'served whole'; fi
}

# each_line TELLER FILE…
each_line() {
  teller=$1
  shift
  for file in "$@"; do
    [ -f "$file" ] || continue
    if ! [ -r "$file" ]; then
      more=yes
      continue
    fi
    while read -r line || [ -n "$line" ]; do
      lines=$((lines + 1))
      if [ "$lines" -gt "$most_lines" ]; then
        more=yes
        break
      fi
      case $line in '' | '#'*) ;; *) "$teller" ;; esac
    done <"$file"
  done
}

# `telnet stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.telnetd`
tell_inetd() {
  set -- $line
  [ $# -lt 6 ] || rec "served inetd $1 $6 ${7-}"
}

tell_compat() {
  case $line in INETD_COMPAT=[Yy]* | INETD_COMPAT=[\"\'][Yy]* | *-inetd_compat*) rec 'served compat' ;; esac
}

# `service NAME`, `{`, `ATTRIBUTE = VALUE…`, `}`; `defaults` alike; `includedir DIRECTORY`
tell_xinetd() {
  case $line in
    *=*)
      set -- ${line%%=*} ''
      attribute=${1%[+-]}
      set -- ${line#*=}
      case $section:$attribute in
        service:id) id=${1-} ;;
        service:disable) disable=${1-} ;;
        service:server | service:server_args) programs="$programs ${1-}" ;;
        defaults:disabled | defaults:enabled) rec "served $attribute $*" ;;
      esac
      return 0
      ;;
  esac
  set -- $line
  case $1 in
    include | includedir) includes="$includes $1:${2-}" ;;
    defaults) section=defaults ;;
    service) section=service named=${2-} id='' disable=no programs='' ;;
    '}'*)
      [ "$section" != service ] || [ -z "$named" ] || rec "served xinetd $named ${id:-$named} $disable $programs"
      section=
      ;;
  esac
}

# `service "telnet" {`, `port "telnet";`, `exec "/usr/sbin/in.telnetd";`, `enabled no;`, `}`
tell_rlinetd() {
  rest=$line line=
  while :; do
    case $rest in *[\"\;,]*) line="$line${rest%%[\";,]*} " rest=${rest#*[\";,]} ;; *) break ;; esac
  done
  set -- $line$rest
  case ${1-} in
    service) section=service named=${2-} enabled=yes programs='' ;;
    port) named=${2:-$named} ;;
    exec | server) programs="$programs ${2-}" ;;
    enabled) enabled=${2-} ;;
    '}'*)
      [ -z "$section" ] || [ -z "$named" ] || rec "served rlinetd $named $enabled $programs"
      section=
      ;;
  esac
}
