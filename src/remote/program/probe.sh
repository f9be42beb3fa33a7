# shellcheck shell=sh
# probe.sh: what this host is and has, before anything changes. guard.sh is the part of it that only a mask needs.

bus_dirs='/etc/dbus-1/system-services /run/dbus-1/system-services /usr/local/share/dbus-1/system-services
/usr/share/dbus-1/system-services /lib/dbus-1/system-services'

related_properties='-pId -pLoadState -pActiveState -pSubState -pFragmentPath -pNeedDaemonReload -pJob -pTriggeredBy -pRequiredBy -pRequisiteOf -pBoundBy -pConsistsOf
-pPropagatesStopTo -pOnSuccess -pOnFailure'

guard_properties='-pNames -pMainPID -pTriggers -pListen -pRequires -pRequisite -pWants -pBindsTo -pWantedBy -pStopWhenUnneeded'

# probe name=NAME… look=NAME…: what this host is, and what it has under these names. `look` is for templates, which have
# files but are never loaded. `clock=yes` asks for the time as well, `receipts=all` or `receipts=RUN` for receipts, `result=RUN` for
# what this run's change answered,
# `triggers=yes` for all about what can start the units, `ways=yes` for what could run the same past a mask, `guard=yes`
# (with guard.sh) for what a mask must not cut, `superservers=yes` (with superservers.sh) for what inetd and its like serve,
# `members=yes` (with members.sh) for what runs beside the units. Changes nothing.
probe() {
  probed='' seen_lying='' handlers=''
  os=$root/etc/os-release
  [ -r "$os" ] || os=$root/usr/lib/os-release
  if [ -r "$os" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in ID=* | ID_LIKE=* | VERSION_ID=* | NAME=* | PRETTY_NAME=*) rec "os $line" ;; esac
    done <"$os"
  fi
  rec "host privilege=$privilege"
  [ -z "$refusal" ] || rec_lines sudo "$refusal"
  tell_limits
  [ "$clock" != yes ] || rec "host time=$(date +%s)"
  read_boot
  rec "host boot=$value"
  first_line "$root/etc/machine-id"
  rec "host machine=$value"
  if [ ! -d "$root/run/systemd/system" ] || ! command -v systemctl >/dev/null; then
    rec 'host systemd=none'
    return
  fi
  if [ -z "$wanted" ] || ! library_version; then ask_manager; fi
  note_seen
  [ -z "$receipts_of" ] || tell_receipts
  expand $wanted
  follow
  [ -n "$expanded" ] || return 0
  guarded='' triggered='' main_pids='' needs='' wrappers='' parts='' of_members='' shape_properties=''
  [ "$guard" != yes ] || guarded=$guard_properties
  programs='' bus_names='' way_properties=''
  [ "$ways" != yes ] || way_properties='-pExecStart'
  [ "$members" != yes ] || shape_properties='-pType -pRemainAfterExit'
  show unit $unit_properties $shape_properties $guarded $way_properties -- $expanded
  todo=$relations shown=$names
  if [ "$members" = yes ]; then
    find_members
    find_user_units
  fi
  [ "$triggers" != yes ] || show_triggers
  unique $shown $looks
  probed=$uniq
  find_aliases
  find_wanted
  probed="$probed$aliases$enabled "
  [ "$ways" != yes ] || tell_ways
  see_lying
  seen_lying=$lying
  out=$out$lying records=$((records + lying_records))
  related related "$probed" "$todo"
  [ "$superservers" != yes ] || tell_served
  [ "$guard" != yes ] || tell_guard
}

# What this session may use, where that is too little for a change: `host limit=WHAT: N UNIT (ulimit -X)`. Costs no process.
tell_limits() {
  [ -r "$root/proc/self/limits" ] || return 0
  while read -r line; do
    case $line in
      'Max file size '*) enough 1048576 'file size' 'bytes (ulimit -f)' "${line#Max file size}" ;;
      'Max cpu time '*) enough 60 'CPU time' 'seconds (ulimit -t)' "${line#Max cpu time}" ;;
      'Max open files '*) enough 32 'open files' '(ulimit -n)' "${line#Max open files}" ;;
      'Max address space '*) enough 67108864 'address space' 'bytes (ulimit -v)' "${line#Max address space}" ;;
    esac
  done <"$root/proc/self/limits"
}

enough() {
  least=$1 what=$2 measure=$3
  set -- $4
  case ${1-} in '' | *[!0-9]* | ?????????????*) ;; *) [ "$1" -ge "$least" ] || rec "host limit=$what: $1 $measure" ;; esac
}

# systemd's programs share a library that has the version in its name (231 and later). To ask the manager would cost as much
# as all units together; who asks for no unit wants to know the manager.
library_version() {
  set +f
  for path in "$root"/usr/lib/systemd/lib* "$root"/lib/systemd/lib* "$root"/usr/lib*/systemd/lib* "$root"/usr/lib/*/systemd/lib*; do
    case $path in
      */libsystemd-shared-[0-9]*.so)
        set -f
        rec "manager Version=${path##*-shared-}"
        return 0
        ;;
    esac
  done
  set -f
  return 1
}

ask_manager() {
  query ctl show -pVersion -pSystemState || rec "trouble manager $status"
  rec_lines manager "$said"
}

# Into $expanded: a pattern (php*-fpm.service) stands for the unit files that match it; a pattern of instances
# (postgresql@*.service) is left to systemctl, which matches it against what is loaded.
expand() {
  expanded=
  for name in "$@"; do
    case $name in
      *@*\**) expanded="$expanded $name" ;;
      *\**)
        for dir in $unit_dirs; do
          set +f
          for path in "$root$dir"/$name; do
            base=${path##*/}
            if is_unit_name "$base"; then
              case "$expanded " in *" $base "*) ;; *) expanded="$expanded $base" ;; esac
            fi
          done
          set -f
        done
        ;;
      *) expanded="$expanded $name" ;;
    esac
  done
}

# Into $expanded too: the unit that a link under one of the names stands for. While a unit is masked, systemd does not
# know its aliases.
follow() {
  for name in $expanded; do
    for dir in $unit_dirs; do
      path=$root$dir/$name
      { [ -L "$path" ] && ! [ "$path" -ef /dev/null ]; } || continue
      base=$(readlink "$path")
      base=${base##*/}
      is_unit_name "$base" || continue
      case "$expanded " in *" $base "*) ;; *) expanded="$expanded $base" ;; esac
    done
  done
}

# Into $aliases, as records `alias NAME UNIT`: names under which links lead to a file of the units, also links that a run moved
# aside. Names= has only those that were loaded so far (before 243), or were there at the last reload. Costs no process.
find_aliases() {
  files='' linked='' aliases=''
  for dir in $unit_dirs; do
    case $dir in
      /lib/*) if [ "$root$dir" -ef "$root/usr$dir" ]; then continue; fi ;;
    esac
    for name in $probed; do
      if [ -f "$root$dir/$name" ]; then files="$files $root$dir/$name"; fi
    done
    set +f
    for path in "$root$dir"/*.* "$root$dir"/.*.fleetmask-*.orig; do
      if [ -L "$path" ] && [ -f "$path" ]; then
        set -f
        called "$path"
        # what is no name of a unit could break the list
        if is_unit_name "$name"; then linked="$linked $path"; fi
        set +f
      fi
    done
    set -f
  done
  for path in $linked; do
    called "$path"
    case "$probed $aliases " in *" $name "*) continue ;; esac
    for file in $files; do
      if [ "$path" -ef "$file" ]; then
        rec "alias $name ${file##*/}"
        aliases="$aliases $name"
        break
      fi
    done
  done
}

# Into $enabled, as records `wanted NAME`: instances of the templates among the units that a link in a .wants or .requires
# directory names. Before systemd 240 such an instance is loaded from that link, past the mask of its template. Costs no process.
find_wanted() {
  enabled=
  for template in $looks; do
    set +f
    for dir in $unit_dirs; do
      for path in "$root$dir"/*.[wr]*s/"${template%%@*}@"?*".${template##*@.}"; do
        name=${path##*/}
        { [ -L "$path" ] && is_unit_name "$name"; } || continue
        case "$enabled " in *" $name "*) ;; *) rec "wanted $name" && enabled="$enabled $name" ;; esac
      done
    done
    set -f
  done
}

# Into $name: that of a unit file, also where a run moved it aside.
called() {
  name=${1##*/}
  case $name in .*.fleetmask-*.orig) name=${name#.} name=${name%.fleetmask-*} ;; esac
}

# related KIND KNOWN TODO: who stops with the units or can start them, and who stops with those, up to a bound.
related() {
  known=" $2 "
  todo=$3
  rounds=0
  while [ "$rounds" -lt 8 ]; do
    rounds=$((rounds + 1))
    fresh=
    for name in $todo; do
      case $known in *" $name "*) continue ;; esac
      is_unit_name "$name" || continue
      known="$known$name "
      fresh="$fresh $name"
    done
    [ -n "$fresh" ] || return 0
    show "$1" $related_properties $guarded -- $fresh
    todo=$relations
  done
}

# What can start the units that were shown, and what can start that.
show_triggers() {
  rounds=0
  while [ "$rounds" -lt 4 ]; do
    rounds=$((rounds + 1))
    fresh=
    for name in $wakers; do
      case " $shown $fresh " in *" $name "*) continue ;; esac
      if is_unit_name "$name"; then fresh="$fresh $name"; fi
    done
    [ -n "$fresh" ] || return 0
    show unit $unit_properties $guarded -- $fresh
    todo="$todo $relations" shown="$shown $names"
  done
}

# Into $places: the directories of unit files that there are, and of the others named, each once.
find_unit_places() {
  places=
  for dir in $unit_dirs "$@"; do
    case $dir in
      /lib/*) if [ "$root$dir" -ef "$root/usr$dir" ]; then continue; fi ;;
    esac
    [ ! -d "$root$dir" ] || places="$places $root$dir"
  done
}

each_hit() {
  rest=$hits$nl
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    path=${line%%:*}
    line=${line#"$path":}
    [ -z "$line" ] || "$1"
  done
}
