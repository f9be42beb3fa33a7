# shellcheck shell=sh
# starts.sh: what was started while units were stopped. What systemd itself starts at the end of a unit (OnSuccess=, OnFailure=) is told
# by when it was last started, and a rollback stops it. What else came to run meanwhile, by an ExecStopPost= or by chance, is
# named and left: nobody can tell whose it is.

# Before the first change.
watch_starts() {
  see_services
  served=$services acts=
  [ -n "$stops$links$displaces" ] || handlers=
  [ -n "$handlers" ] || return 0
  watch=
  for name in $handlers; do watch="$watch ${name##*/}"; done
  see_acts $watch || rec "trouble unit $status"
  read_boot
  note "handlers ${value:--}$acts"
}

# Into $acts: `ID=SINCE=running` or `ID=SINCE=ended`, where SINCE says when it was last started; 0 where systemd does not know. Fails
# where it does not answer.
see_acts() {
  patience=30 acts='' id='' load='' began=0 now=ended
  query ctl show -pId -pLoadState -pActiveState -pInactiveExitTimestampMonotonic -- "$@"
  rest=$said$nl$nl
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    case $line in
      Id=*) id=${line#*=} ;;
      LoadState=*) load=${line#*=} ;;
      *=inactive | *=failed) ;;
      ActiveState=*) now=running ;;
      *Monotonic=*) began=${line#*=} ;;
      '')
        if [ "$load" = loaded ] && is_unit_name "$id"; then acts="$acts $id=$began=$now"; fi
        id='' load='' began=0 now=ended
        ;;
    esac
  done
  [ "$status" = 0 ]
}

# Into $services: those that have a control group, which costs no process. Those of a user's own manager, and those that a socket
# starts for a connection, such as ours, come and go.
see_services() {
  services=' '
  set +f
  place=$root/sys/fs/cgroup
  for place in "$place"/*.slice/*.service "$place"/systemd/*.slice/*.service; do
    name=${place##*/}
    case $place in */user.slice/* | *@*-*:*-*:*) continue ;; esac
    if [ -d "$place" ] && is_unit_name "$name"; then services="$services$name "; fi
  done
  set -f
}

# After the stop: `started running ID` or `started ended ID`, by the stop itself; `started beside ID`.
tell_starts() {
  acted=' '
  if [ -n "$handlers" ]; then
    was=$acts
    see_acts $watch || rec "trouble unit $status"
    each_started note_started
    tell_lost
    note handled
  fi
  [ -n "$stops" ] || return 0
  see_services
  for name in $services; do
    case "$served$names $acted" in *" $name "*) continue ;; esac
    rec "started beside $name"
    note "beside $name"
  done
}

# each_started COMMAND: calls it with ID, SINCE and STATE of what did not run by what it $was, and was started since, as last seen.
each_started() {
  for act in $acts; do
    id=${act%%=*} began=${act%=*}
    began=${began#*=} earlier=
    case $was in *" $id="*)
      earlier=${was#*" $id="}
      earlier=${earlier%% *}
      ;;
    esac
    case $earlier in "$began="* | *=running) ;; *) "$1" "$id" "$began" "${act##*=}" ;; esac
  done
}

note_started() {
  acted="$acted$1 "
  rec "started $3 $1"
  note "started $1 $2"
}

# Systemd forgets a unit that nothing refers to any more when it ends. What stopped well or badly has started its handlers all the same.
tell_lost() {
  for act in $handlers; do
    name=${act##*/}
    case $acted in *" $name "*) continue ;; esac
    case "$acts " in *" $name=0=ended "*) ;; *) continue ;; esac
    ended=${act%/*}
    ended=${ended#*/}
    case " $stops " in *" $ended "*) ;; *) continue ;; esac
    how=well
    case $fallen in *" $ended "*) how=badly ;; esac
    case $act$running in "$how"/*" $ended "*) continue ;; "$how"/*) ;; *) continue ;; esac
    acted="$acted$name "
    rec "started ended $name"
    note "ended $name"
  done
}

# To roll back: stops ($ends) what the run started and still runs, not what somebody has started anew. A change that was cut off has
# not come to note what it started.
end_started() {
  ends='' noted=' ' maybe='' was='' beside=''
  handled=no
  while read -r key first text; do
    case $key in
      handlers)
        read_boot
        [ "$first" != "${value:--}" ] || was=" $text"
        ;;
      handled) handled=yes ;;
      started) noted="$noted$first=$text " maybe="$maybe $first" ;;
      ended) rec "started ended $first" ;;
      beside) beside="$beside $first" ;;
    esac
  done <"$receipt/log"
  if [ "$handled" = no ]; then
    for act in $was; do maybe="$maybe ${act%%=*}"; done
  fi
  [ -n "$maybe" ] || return 0
  # nobody knows whether they run
  see_acts $maybe || for act in $maybe; do lack "$act"; done
  [ "$handled" = no ] || was=
  each_started suspect
  [ -n "$ends" ] || return 0
  patience=$stop_timeout
  step stop-started ctl stop -- $ends || for act in $ends; do lack "$act"; done
}

suspect() {
  # systemd may have forgotten one that has ended
  case $handled$noted$2$3 in no* | *" $1=$2 "* | *" 0ended") ;; *) return 0 ;; esac
  case $3 in
    running) ends="$ends $1" ;;
    *) rec "started ended $1" ;;
  esac
}

tell_beside() {
  see_services
  for name in $beside; do
    case $services in *" $name "*) rec "started beside $name" ;; esac
  done
}
