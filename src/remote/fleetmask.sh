#!/bin/sh
# fleetmask.sh: the whole remote program.
#
# It is sent on the stdin of `sh -s -- PRIVILEGE [WHY]`, comments and indentation stripped, followed by one line that
# calls `main NONCE` with the first request; later requests are single lines on the same stdin that begin with the
# nonce. What arrives truncated does nothing: all is in functions, and a request must end in the word `end`.
#
# It reports; it does not decide. What is to be done is in the request; what was done and what was then read goes
# back as records `@NONCE SEQ KIND TEXT`, one line each, collected and written at once.
# dash, bash and busybox sh run it. FLEETMASK_ROOT is set by the embedded fleet and by tests only.

# shellcheck disable=SC2086 # lists are words, and globbing is off
# shellcheck disable=SC3013 # dash, bash and busybox know -ef
# shellcheck disable=SC2044 # control groups have no spaces in their paths
# shellcheck disable=SC2034 # some variables are for guard.sh and switch.sh
# shellcheck disable=SC1091 # switch.sh is stored on the host, and checked by itself
# shellcheck disable=SC2030,SC2031 # a switch of another run is seen to in a process of its own

privilege=${1-none}
refusal=${2-}
root=${FLEETMASK_ROOT-}
# shellcheck disable=SC1003 # a backslash, nothing else
bs='\'
nl='
'

unit_dirs='/etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /run/systemd/generator.early
/etc/systemd/system /run/systemd/system /run/systemd/generator /usr/local/lib/systemd/system
/usr/lib/systemd/system /lib/systemd/system /run/systemd/generator.late'

bus_dirs='/etc/dbus-1/system-services /run/dbus-1/system-services /usr/local/share/dbus-1/system-services
/usr/share/dbus-1/system-services /lib/dbus-1/system-services'

unit_properties='-pId -pNames -pLoadState -pActiveState -pSubState -pResult -pUnitFileState -pFragmentPath -pSourcePath
-pCanStart -pRefuseManualStop -pMainPID -pControlGroup -pKillMode -pTransient -pPerpetual
-pTriggeredBy -pTriggers -pAccept -pTimersMonotonic -pRequiredBy -pRequisiteOf -pBoundBy -pConsistsOf -pPropagatesStopTo'

related_properties='-pId -pLoadState -pActiveState -pSubState -pTriggeredBy -pRequiredBy -pRequisiteOf -pBoundBy -pConsistsOf
-pPropagatesStopTo'

guard_properties='-pNames -pMainPID -pTriggers -pListen'

# Every systemctl is bounded in time, speaks English, asks nothing, pages nothing, and neither hears our stdin (fd 0) nor
# keeps our lock (fd 9) or our answers' way out (fd 3), for it may outlive us. Only ever called in $(…), whose process it
# takes over.
ctl() {
  exec timeout -k 5 "$patience" systemctl --no-pager --no-ask-password "$@" </dev/null 3>&- 9>&-
}

rec() {
  records=$((records + 1))
  out="$out@$nonce $seq $*$nl"
}

# A record for each line of a text, so that no value can break the frame.
rec_lines() {
  rest=$2$nl
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    rec "$1 $line"
  done
}

# ask COMMAND…: runs it; into $said what it says, into $status how it ends. While systemd executes itself anew it hangs up, and
# then does not listen for a moment: it is asked again, at most ten times in a request. A switch tries again as a whole.
ask() {
  while :; do
    said=$("$@" 2>&1)
    status=$?
    case $privilege:$status:$said in
      none:* | *:0:*) break ;;
      *'Connection refused'* | *'Connection reset'* | *'onnection terminated'* | *'not connected'* | *'recipient disconnected'*) ;;
      *) break ;;
    esac
    [ "$unheard" -lt 10 ] || break
    unheard=$((unheard + 1))
    sleep 1
  done
  return "$status"
}

# step NAME COMMAND…: runs it and records its exit status and what it said.
step() {
  step_name=$1
  shift
  ask "$@"
  rec "step $step_name $status"
  [ -z "$said" ] || rec_lines "said $step_name" "$said"
  return "$status"
}

# Into $value, without a process.
first_line() {
  value=
  if [ -r "$1" ]; then IFS= read -r value <"$1" || :; fi
}

# Names that come back from systemd go into paths and command lines: only its own alphabet passes.
is_unit_name() {
  case $1 in
    '' | -* | .* | *[!A-Za-z0-9:_.@"$bs"-]*) return 1 ;;
    *.*) return 0 ;;
    *) return 1 ;;
  esac
}

unique() {
  uniq=' '
  for name in "$@"; do
    case $uniq in *" $name "*) ;; *) uniq="$uniq$name " ;; esac
  done
}

# show KIND PROPERTIES… -- NAMES…: records `KIND key=value`, empty values left out, a bare `KIND` after each unit.
# For the caller: all $names, all $relations, all $wakers, what is $masked beyond doubt, what is $running, and what sockets
# ($woken) would start. From all calls together: what listening sockets have $triggered, and the $main_pids.
show() {
  show_kind=$1
  shift
  ask ctl show "$@" || rec "trouble $show_kind $status"
  names='' relations='' wakers='' woken='' masked=' ' running=' '
  id='' load='' can='' active='' accept='' wakes=''
  rest=$said$nl$nl
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    case $line in
      '')
        [ -z "$id" ] || rec "$show_kind"
        [ "$load $can" != 'masked no' ] || masked="$masked$id "
        case $active in inactive | failed | '') ;; *) running="$running$id " ;; esac
        # a socket listens beside nothing that it starts: to open it anew stops that, and all that stops with it
        [ "$accept" != no ] || woken="$woken $wakes" relations="$relations $wakes"
        case $id:$active in *.socket:active) triggered="$triggered $wakes" ;; esac
        id='' load='' can='' active='' accept='' wakes=''
        ;;
      *=) ;;
      ExecStart=*)
        line=${line#*path=}
        line=${line%% ;*}
        case $line in
          *[!A-Za-z0-9_./@:+-]* | [!/]*) ;;
          *) programs="$programs $line" && rec "$show_kind Program=$line" ;;
        esac
        ;;
      *)
        rec "$show_kind $line"
        case $line in
          Id=*) id=${line#*=} ;;
          LoadState=*) load=${line#*=} ;;
          ActiveState=*) active=${line#*=} ;;
          CanStart=*) can=${line#*=} ;;
          Names=*) names="$names ${line#*=}" ;;
          TriggeredBy=*) relations="$relations ${line#*=}" wakers="$wakers ${line#*=}" ;;
          RequiredBy=* | RequisiteOf=* | BoundBy=* | ConsistsOf=* | PropagatesStopTo=*) relations="$relations ${line#*=}" ;;
          MainPID=0 | MainPID=*[!0-9]*) ;;
          MainPID=*) main_pids="$main_pids ${line#*=}" ;;
          BusName=*) bus_names="$bus_names ${line#*=}" ;;
          Accept=*) accept=${line#*=} ;;
          Triggers=*) wakes=${line#*=} ;;
        esac
        ;;
    esac
  done
}

# What lies on disk under the names, in every directory that systemd reads, highest rank first. Absent: no record.
paths() {
  for name in "$@"; do
    is_unit_name "$name" || continue
    for dir in $unit_dirs; do
      path=$root$dir/$name
      if [ -L "$path" ]; then
        if [ "$path" -ef /dev/null ]; then
          rec "path null $dir/$name"
          tell_displaced
        else
          rec_lines "path link $dir/$name" "$(readlink "$path")"
        fi
      elif [ -f "$path" ]; then
        if [ -s "$path" ]; then rec "path file $dir/$name"; else rec "path empty $dir/$name"; fi
      elif [ -e "$path" ]; then
        rec "path other $dir/$name"
      fi
    done
  done
}

# What a run moved aside for this link.
tell_displaced() {
  set +f
  for original in "$root$dir/.$name".fleetmask-*.orig; do
    if [ -e "$original" ] || [ -L "$original" ]; then rec_lines "displaced $dir/$name" "${original#"$root"}"; fi
  done
  set -f
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

# probe name=NAME… look=NAME…: what this host is, and what it has under these names. `look` is for templates, which
# have files but are never loaded. `clock=yes` asks for the time as well, `receipts=all` or `receipts=RUN` for receipts,
# `triggers=yes` for all about what can start the units, `ways=yes` for what
# could run the same past a mask, `guard=yes` (with guard.sh) for what a mask must not cut. Changes nothing.
probe() {
  os=$root/etc/os-release
  [ -r "$os" ] || os=$root/usr/lib/os-release
  if [ -r "$os" ]; then
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in ID=* | ID_LIKE=* | VERSION_ID=* | NAME=* | PRETTY_NAME=*) rec "os $line" ;; esac
    done <"$os"
  fi
  rec "host privilege=$privilege"
  [ -z "$refusal" ] || rec_lines sudo "$refusal"
  [ "$clock" != yes ] || rec "host time=$(date +%s)"
  first_line "$root/proc/sys/kernel/random/boot_id"
  rec "host boot=$value"
  first_line "$root/etc/machine-id"
  rec "host machine=$value"
  if [ ! -d "$root/run/systemd/system" ] || ! command -v systemctl >/dev/null; then
    rec 'host systemd=none'
    return
  fi
  if [ -z "$wanted" ] || ! library_version; then ask_manager; fi
  [ -z "$receipts_of" ] || tell_receipts
  expand $wanted
  follow
  [ -n "$expanded" ] || return 0
  guarded='' triggered='' main_pids=''
  [ "$guard" != yes ] || guarded=$guard_properties
  programs='' bus_names='' way_properties=''
  [ "$ways" != yes ] || way_properties='-pBusName -pExecStart'
  show unit $unit_properties $guarded $way_properties -- $expanded
  todo=$relations shown=$names
  [ "$ways" != yes ] || tell_ways
  [ "$triggers" != yes ] || show_triggers
  unique $shown $looks
  probed=$uniq
  paths $probed
  related related "$probed" "$todo"
  [ "$guard" != yes ] || tell_guard
}

# What runs have left here to be undone by: `log RUN LINE`; `fence RUN SEQ`, the last of its requests that was taken;
# `holds RUN PATH` for a link that is still this run's own; and, when one run is asked for, what it answered: `told RUN KIND
# TEXT`. One process, however many receipts there are.
tell_receipts() {
  linked='' ours=' '
  set +f
  for receipt in "$root"/var/lib/fleetmask/* "$root"/run/fleetmask/runs/*; do
    owner=${receipt##*/}
    [ -r "$receipt/log" ] || continue
    case $receipts_of in all | "$owner") ;; *) continue ;; esac
    first_line "$root/run/fleetmask/$owner.seq"
    [ -z "$value" ] || rec "fence $owner $value"
    while read -r key named identity; do
      rec "log $owner $key $named $identity"
      if [ "$key" = linked ] && [ "$named" -ef /dev/null ]; then
        # a link that was made anew at once may have the inode that it had
        case $ours in *" $owner:$named=$identity "*) ;; *) ours="$ours$owner:$named=$identity " ;; esac
        linked="$linked $named"
      fi
    done <"$receipt/log"
    if [ "$receipts_of" != all ] && [ -r "$receipt/result" ]; then
      while read -r _ _ line; do rec "told $owner $line"; done <"$receipt/result"
    fi
    [ ! -r "$receipt/switch" ] || tell_switch_of "$owner"
  done
  for ended in "$root"/run/fleetmask/*.ended; do
    owner=${ended##*/}
    owner=${owner%.ended}
    [ -r "$ended" ] || continue
    case $receipts_of in all | "$owner") first_line "$ended" && rec "ended $owner $value" ;; esac
  done
  set -f
  unique $linked
  [ -z "$linked" ] || for named in $(stat -c %n=%i.%Z $uniq); do
    rest=$ours
    while :; do
      case $rest in *":$named "*) ;; *) break ;; esac
      owner=${rest%%":$named "*}
      rest=${rest#*":$named "}
      path=${named%=*}
      rec "holds ${owner##* } ${path#"$root"}"
    done
  done
}

tell_switch_of() {
  run=$1 where=etc
  case $receipt in "$root"/run/*) where=run ;; esac
  set -f
  . "$receipt/switch" && tell_switch
  set +f
}

# What could run the same past a mask: an init script of the unit's name; unit files and D-Bus services, which one grep looks
# for. Of a file with a line that speaks of the unit all such lines are told: `found PATH KEY=VALUE`.
tell_ways() {
  set -- -e SystemdService=
  for name in $bus_names; do set -- "$@" -e "Name=$name"; done
  for name in $programs; do
    # interpreters, and what any script may call, say nothing of a unit
    case ${name##*/} in
      sh | bash | dash | ksh | env | perl* | python* | ruby* | node | java | php* | busybox | true | false | sleep | cat | echo | rm | mkdir) ;;
      *) set -- "$@" -e "${name#/usr}" ;;
    esac
  done
  places=
  for name in $shown; do
    path=$root/etc/init.d/${name%.service}
    if [ -x "$path" ] && [ ! -d "$path" ]; then
      places="$places $path"
      rec "script ${path#"$root"}"
    fi
  done
  [ -z "$places" ] || set -- "$@" -e /init-functions -e /init.d/functions
  for dir in $unit_dirs $bus_dirs; do
    case $dir in
      /lib/*) if [ "$root$dir" -ef "$root/usr$dir" ]; then continue; fi ;;
    esac
    [ ! -d "$root$dir" ] || places="$places $root$dir"
  done
  hits=$(grep -rsHF "$@" -- $places </dev/null)
  telling=' '
  each_hit note_telling
  each_hit tell_hit
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

note_telling() {
  case $line in
    SystemdService=*) case " $shown " in *" ${line#*=} "*) ;; *) return 0 ;; esac ;;
    Name=* | Exec=* | ExecStart=* | *init*functions*) ;;
    *) return 0 ;;
  esac
  # a copy that is masked is no way
  for dir in /etc/systemd/system /run/systemd/system; do
    if [ "$root$dir/${path##*/}" -ef /dev/null ]; then return 0; fi
  done
  telling="$telling$path "
}

tell_hit() {
  case $telling in *" $path "*) ;; *) return 0 ;; esac
  case $line in
    SystemdService=* | Name=* | Exec=* | ExecStart=*) rec "found ${path#"$root"} ${line%%[[:space:]]*}" ;;
    *init*functions*) rec "found ${path#"$root"} functions" ;;
  esac
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
  ask ctl show -pVersion -pSystemState || rec "trouble manager $status"
  rec_lines manager "$said"
}

# A changing request, read into lists.
parse() {
  run='' where=etc stop_timeout=60 kill=no meta=- wanted='' links='' removes='' displaces='' stops='' reads='' looks='' attempts='' groups=''
  starts='' pending='' halts='' lifts='' clock='' receipts_of='' triggers='' guard='' ways=''
  program='' switch_text='' confirming=no new_expires=''
  for word in "$@"; do
    text=${word#*=}
    case $word in
      name=*) wanted="$wanted $text" ;;
      clock=*) clock=$text ;;
      guard=*) guard=$text ;;
      receipts=*) receipts_of=$text ;;
      triggers=*) triggers=$text ;;
      ways=*) ways=$text ;;
      run=*) run=$text ;;
      where=*) where=$text ;;
      stop-timeout=*) stop_timeout=$text ;;
      kill=*) kill=$text ;;
      meta=*) meta=$text ;;
      link=*) links="$links $text" ;;
      remove=*) removes="$removes $text" ;;
      displace=*) displaces="$displaces $text" ;;
      stop=*) stops="$stops $text" ;;
      look=*) looks="$looks $text" ;;
      read=*) reads="$reads $text" ;;
      try=*) attempts="$attempts $text" ;;
      group=*) groups="$groups $text" ;;
      start=*) starts="$starts $text" ;;
      pending=*) pending="$pending $text " ;;
      halt=*) halts="$halts $text" ;;
      lift=*) lifts="$lifts $text" ;;
      program=*) program=$text ;;
      switch=*) switch_text=$text ;;
      confirm=*) confirming=$text ;;
      expires=*) new_expires=$text ;;
    esac
  done
}

# One changing request at a time, and none that is not newer than the last of its run: then the answer is `refused …`.
begin() {
  case $run in
    '' | *[!A-Za-z0-9-]*)
      rec 'refused malformed'
      return 1
      ;;
  esac
  places
  dirs=$state
  [ "$verb" != apply ] || dirs="$state $receipt"
  if ! problem=$(mkdir -p $dirs 2>&1); then
    rec_lines 'refused write' "no receipt in $receipts: $problem"
    return 1
  fi
  # `true`, for a redirection that fails ends the shell when it is one of exec
  if ! { true >>"$state/lock"; } 2>/dev/null; then
    refuse "write $state/lock"
    return 1
  fi
  exec 9>>"$state/lock"
  if ! flock -n 9; then
    # Whoever holds the lock is alive, since no child of the program keeps it. The undo of a run need not wait for the
    # request that it undoes: that one is ended.
    holder=0 holder_run='' holder_meta=''
    read -r holder holder_run holder_meta <"$state/lock"
    if ! { [ "$holder_run" = "$run" ] && wait_or_end; }; then
      since=$(stat -c %Y "$state/lock")
      refuse "locked ${holder_run:--} ${holder_meta:--} $since $(($(date +%s) - ${since:-0}))"
      return 1
    fi
  fi
  first_line "$state/$run.seq"
  if [ "${value:-0}" -ge "$seq" ]; then
    refuse "fenced $value"
    return 1
  fi
  if ! { printf '%s\n' "$$ $run $meta" >"$state/lock" && printf '%s\n' "$seq" >"$state/$run.seq"; }; then
    refuse "write $state"
    return 1
  fi
}

# The run's switch is at work: it ends by itself, and says how.
wait_or_end() {
  case $verb:$holder_meta in
    *:actor=switch) flock -w 120 9 ;;
    undo:*)
      # it may be over since we were kept out, and its number somebody else's
      if [ "/proc/$holder/fd/9" -ef "$state/lock" ]; then end_work "$holder" || :; fi
      flock -w 10 9
      ;;
    *) return 1 ;;
  esac
}

# Ends a program that is at work, with what it has begun: a command that has not come to ask systemd yet would do so after
# the undo. Each is stopped when it is found, so that it begins nothing more meanwhile.
end_work() {
  kill -s STOP "$1" || return 1
  family=" $1 "
  set +f
  known=
  while [ "$family" != "$known" ]; do
    known=$family
    for stat in /proc/[0-9]*/stat; do
      first_line "$stat"
      pid=${value%% *}
      # the name in between may be anything
      set -- ${value##*)}
      case $family in
        *" $pid "*) ;;
        *" ${2:-none} "*) kill -s STOP "$pid" && family="$family$pid " ;;
      esac
    done 2>/dev/null
  done
  set -f
  kill -s KILL $family 2>/dev/null || :
}

places() {
  umask 077
  state=$root/run/fleetmask
  receipts=$root/var/lib/fleetmask
  [ "$where" = etc ] || receipts=$state/runs
  receipt=$receipts/$run
}

# Nothing was done; a receipt that says nothing goes.
refuse() {
  rec_lines refused "$1"
  rmdir "$receipt" "$receipts" 2>/dev/null
  exec 9>&-
}

# Receipt; links; stop, before any reload, so that the units' own stop settings hold; reload; proof; read-back.
apply() {
  parse "$@"
  begin || return 0
  if ! note "request $*"; then
    rm -f "$receipt/log"
    refuse "write no receipt in $receipts: $said"
    return 0
  fi
  if [ -n "$program" ] && ! arm_switch; then
    disarm gone
    [ "$failed" = yes ] || rm -rf "$receipt"
    refuse "unarmed $unarmed"
    return 0
  fi
  changed=no
  if change_links; then
    if stop_units; then
      patience=90
      step reload ctl daemon-reload
      look
      stop_again
      swept=no
      for group in $groups; do sweep "$group"; done
      [ "$swept" = no ] || look
      try_starts
    fi
  elif [ "$changed" = no ]; then
    rm -f "$receipt/log"
    refuse "write $said"
    return 0
  else
    look
  fi
  tell_look
  keep=$receipt/result
  exec 9>&-
}

# The host is to put itself back unless …: all that it needs for that, see switch.sh, comes after the request.
arm_switch() {
  failed=no said=''
  if receive "$receipt/program" "$program" && receive "$receipt/switch" "$switch_text"; then
    . "$receipt/switch"
    arm && return 0
  fi
  unarmed=$said
  return 1
}

# receive FILE LINES,CRC,SIZE: so many lines of our input, whole or not at all.
receive() {
  lines=${2%%,*}
  while [ "$lines" -gt 0 ] && IFS= read -r line; do
    printf '%s\n' "$line"
    lines=$((lines - 1))
  done 2>/dev/null >"$1.new"
  # shellcheck disable=SC2046 # two words
  set -- "$1" "${2#*,}" $(exec cksum <"$1.new")
  [ "$2" = "${3-},${4-}" ] && mv -f "$1.new" "$1" && return 0
  said="cannot write $1"
  return 1
}

# Every link is logged in the receipt before and after it is touched: undo touches nothing else. An inode and its
# change time tell our link from one that somebody else made later.
change_links() {
  for path in $removes; do
    { [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; } || continue
    note "removing $path $(readlink "$root$path")" && take "$path" || return 1
    step "remove:$path" rm -f "$root$path" || return 1
    changed=yes
  done
  [ -z "$removes" ] || rest_switches
  made=
  for path in $links; do
    case $path in /run/systemd/system/*) [ -d "$root/run/systemd/system" ] || (umask 022 && mkdir -p "$root/run/systemd/system") ;; esac
    note "linking $path" || return 1
    if ! step "link:$path" ln -s /dev/null "$root$path"; then
      note "not-linked $path"
      return 1
    fi
    made="$made $root$path"
    changed=yes
  done
  for path in $displaces; do
    displace || return 1
    made="$made $root$path"
    changed=yes
  done
  if [ -n "$made" ] && ! stat -c 'linked %n %i.%Z' $made >>"$receipt/log"; then
    rec "step link:$receipt/log 1"
    return 1
  fi
  # A link reaches the disk by itself within seconds, what is in a file later: after a power cut it would be nobody's.
  [ "$where" = run ] || timeout -k 5 10 sync "$receipt/log" 2>/dev/null 3>&- 9>&- || :
}

# Puts a link in the place of a unit file, at once, and keeps the file's own inode under a hidden name, which systemd takes
# for no unit. The receipt is on disk before that, for a power cut leaves no other way to know.
displace() {
  aside=${path%/*}/.${path##*/}.fleetmask-$run
  note "displacing $path $aside $(stat -c %i "$root$path")" || return 1
  sync "$receipt/log" 2>/dev/null
  step "displace:$path" swap "$root$path" "$root$aside" && return 0
  problem=$said failed=no
  replace "$path" "$aside"
  said=$problem
  [ "$failed" = no ] || changed=yes
  return 1
}

swap() {
  ! [ -d "$1" ] && ln "$1" "$2.orig" && ln -s /dev/null "$2.new" && mv -f "$2.new" "$1"
}

# What the receipt does not say is not done.
note() {
  printf '%s\n' "$*" >>"$receipt/log" && return 0
  said="cannot write $receipt/log"
  return 1
}

stop_units() {
  [ -n "$stops" ] || return 0
  patience=$stop_timeout
  step stop ctl stop -- $stops && return 0
  look
  ! is_running
}

# Whether the last look saw one of those running that are to be stopped.
is_running() {
  for name in $stops; do
    case $running in *" $name "*) return 0 ;; esac
  done
  return 1
}

# What was started between the stop and the reload: the mask holds now.
stop_again() {
  attempt=0
  while [ "$attempt" -lt 2 ] && is_running; do
    attempt=$((attempt + 1))
    patience=$stop_timeout
    step "stop-again:$attempt" ctl stop -- $stops
    look
  done
}

# Only a unit that reads masked, and that systemd says it cannot start, is tried: anything else a start could start. A
# refusal changes nothing, so what was read before it still holds; after anything else it is read again.
try_starts() {
  patience=30
  seen=$masked
  for name in $attempts; do
    case $seen in
      *" $name "*) step "try:$name" ctl start -- "$name" ;;
      *)
        rec "step try:$name untried"
        continue
        ;;
    esac
    case $status:$said in
      0:*) look ;;
      *masked*) ;;
      *) look ;;
    esac
  done
}

# Reads everything back. What an earlier look saw is dropped: only the last one is evidence.
look() {
  patience=30
  [ -n "$reads" ] || return 0
  told=$out
  told_records=$records
  out='' records=0
  show unit $unit_properties -- $reads
  unique $names $looks
  paths $uniq
  seen_by_look=$out
  seen_records=$records
  out=$told
  records=$told_records
}

tell_look() {
  out=$out$seen_by_look
  records=$((records + seen_records))
}

# Who is left in a control group that a unit had: `left ALL THIS-SESSION GROUP`. The group's whole path is used, for a
# container that runs a unit of the same name has that name at the end of a longer path.
sweep() {
  members "$1"
  if [ "$kill" = yes ] && [ -n "$others" ]; then
    swept=yes
    kill -s TERM $others
    wait_for_end "$1" 5
    if [ -n "$others" ]; then
      kill -s KILL $others
      wait_for_end "$1" 3
    fi
  fi
  count $pids
  all=$counted
  count $others
  rec "left $all $((all - counted)) $1"
}

wait_for_end() {
  waited=0
  members "$1"
  while [ -n "$others" ] && [ "$waited" -lt "$2" ]; do
    sleep 1
    waited=$((waited + 1))
    members "$1"
  done
}

count() {
  counted=$#
}

# Into $pids, and into $others those that are not this session. A group without a directory has no members, so the
# usual case costs no process.
members() {
  pids='' others=''
  for mount in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ -d "$root$mount$1" ] || continue
    for procs in $(find "$root$mount$1" -name cgroup.procs 2>/dev/null); do
      while read -r pid; do
        case "$pids " in *" $pid "*) ;; *) pids="$pids $pid" ;; esac
      done <"$procs"
    done
  done
  [ -n "$pids" ] || return 0
  [ -n "$ancestors" ] || find_ancestors
  for pid in $pids; do
    case $ancestors in *" $pid "*) ;; *) others="$others $pid" ;; esac
  done
}

# This session: the program, and the processes above it up to sshd.
find_ancestors() {
  ancestors=" $$ "
  up=$$
  while [ "$up" -gt 1 ]; do
    parent=0
    while read -r key text; do
      if [ "$key" = PPid: ]; then parent=$text; fi
    done <"$root/proc/$up/status" 2>/dev/null
    up=$parent
    ancestors="$ancestors$up "
  done
}

# From the receipt, and only what the receipt says that this run did. The receipt goes when nothing is left to undo.
undo() {
  parse "$@"
  begin || return 0
  put_back
  exec 9>&-
}

put_back() {
  failed=no
  find_closed
  if [ -r "$receipt/log" ]; then
    restore_links
    patience=90
    step reload ctl daemon-reload || failed=yes
  else
    rec 'receipt none'
  fi
  patience=$stop_timeout
  if [ -n "$halts" ]; then step halt ctl stop -- $halts || failed=yes; fi
  [ -z "$closed" ] || stop_closed
  if [ -n "$starts" ]; then start_again $starts || failed=yes; fi
  look
  tell_look
  [ "$verb" = undo ] || check_restored
  [ "$failed" = yes ] || disarm gone
  if [ "$failed" = no ]; then
    rm -rf "$receipt"
    rmdir "$receipts" 2>/dev/null
    # Fences hold as long as a request of theirs may still lie unread somewhere: a program that hangs for a week is dead.
    find "$state" -maxdepth 1 '(' -name '*.seq' -o -name '*.ended' ')' -mtime +7 -exec rm -f {} +
  fi
}

name_switch() {
  switch=fleetmask-undo-$run
  switch_dir=/etc/systemd/system
  [ "$where" = etc ] || switch_dir=/run/systemd/system
  unit_file=$root$switch_dir/$switch
}

# disarm gone: all of a switch goes: timer and service, enablement, the stamp of the timer, and what systemd remembers of
# them. `disarm resting`: it can be armed again, and the reload is the caller's. Costs nothing where there is none.
disarm() {
  name_switch
  [ -e "$unit_file.timer" ] || [ -e "$unit_file.service" ] || [ -e "$receipt/switch" ] || return 0
  patience=30
  halted=$switch.timer
  [ "$verb" = fire ] || halted="$halted $switch.service"
  step disarm ctl stop -- $halted
  case $status in 0 | 5) ;; *) failed=yes && return 0 ;; esac
  wants=$root$switch_dir/timers.target.wants
  rm -f "$wants/$switch.timer" "$unit_file.service" "$unit_file.timer" "$root/var/lib/systemd/timers/stamp-$switch.timer" || failed=yes
  [ ! -e "$receipt/made-wants" ] || rmdir "$wants" 2>/dev/null
  rm -f "$receipt/made-wants"
  said=$(ctl reset-failed -- $halted 2>&1)
  [ "$1" = gone ] || return 0
  rm -f "$receipt/program" "$receipt/switch" "$receipt/elapses"
  patience=90
  step reload ctl daemon-reload || failed=yes
}

# Links are gone that earlier runs had made. Where nothing is left for a switch to take back, it rests; when an undo hands the
# link back it is armed again.
rest_switches() {
  set +f
  for other in "$root"/var/lib/fleetmask/*/switch "$root"/run/fleetmask/runs/*/switch; do
    if [ -r "$other" ] && [ "$other" != "$receipt/switch" ]; then beside "${other%/switch}" rest; fi
  done
  set -f
}

# beside RECEIPT DEED: for the switch of another run, without a trace in our own variables.
beside() (
  receipt=$1 receipts=${1%/*} run=${1##*/} where=etc
  case $receipt in "$root"/run/*) where=run ;; esac
  set -f
  . "$receipt/switch" && "$2"
)

# keep confirm=yes expires=…: ends the wait for a confirmation, or moves the expiry (`never` takes it away). What holds
# then is told as by a probe, and read back.
keep() {
  parse "$@"
  begin || return 0
  failed=no
  if [ -r "$receipt/switch" ]; then
    . "$receipt/switch" && keep_run
  elif [ -r "$receipt/log" ]; then
    rec "switch $run none - -"
  else
    rec 'receipt none'
    if [ -r "$state/$run.ended" ]; then first_line "$state/$run.ended" && rec "ended $run $value"; fi
  fi
  look
  tell_look
  exec 9>&-
}

restore_links() {
  while read -r what path text; do
    case $what in
      linking) restore_absence ;;
      displacing) replace "$path" $text ;;
      removing) relink ;;
      lifting) ! is_lifted || relink ;;
    esac
  done <"$receipt/log"
}

relink() {
  [ ! -L "$root$path" ] || return 0
  if step "relink:$path" ln -s "$text" "$root$path"; then hand_back; else failed=yes; fi
}

# A mask that was lifted and is back is not ours to put back once more, should somebody take it away.
is_lifted() {
  off=no
  while read -r key named _; do
    [ "$named" = "$path" ] || continue
    case $key in
      lifting) off=yes ;;
      lowered) off=no ;;
    esac
  done <"$receipt/log"
  [ "$off" = yes ]
}

# take PATH: a link is about to go. It may be an earlier run's own, and that run's again when it is back: $receipt says which.
take() {
  stat -c 'taking %n %i.%Z' "$root$1" >>"$receipt/log"
}

# Link $path is back, a new one: whose receipt has the one that was taken learns of it, or could not be undone any more.
hand_back() {
  taken=
  while read -r key named identity; do
    case $key in taking) [ "$named" != "$root$path" ] || taken=$identity ;; esac
  done <"$receipt/log"
  [ -n "$taken" ] || return 0
  set +f
  for other in "$root"/var/lib/fleetmask/*/log "$root"/run/fleetmask/runs/*/log; do
    [ -w "$other" ] || continue
    held=
    while read -r key named identity; do
      case $key in linked) [ "$named" != "$root$path" ] || held=$identity ;; esac
    done <"$other"
    [ "$held" = "$taken" ] || continue
    stat -c 'linked %n %i.%Z' "$root$path" >>"$other"
    [ ! -r "${other%/log}/switch" ] || beside "${other%/log}" wake
  done
  set -f
}

restore_absence() {
  { [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; } || return 0
  find_ours
  [ "$ours" != no ] || return 0
  if is_foreign; then leave_alone; else step "unlink:$path" rm -f "$root$path" || failed=yes; fi
}

# Into $ours: what identifies the link that this run made at $path; `unknown` where it did not come to note that.
find_ours() {
  ours=unknown
  while read -r key named identity; do
    case $key in
      not-linked) [ "$named" != "$path" ] || ours=no ;;
      linked) [ "$named" != "$root$path" ] || ours=$identity ;;
    esac
  done <"$receipt/log"
}

is_foreign() {
  [ "$ours" != unknown ] && [ "$ours" != "$(stat -c %i.%Z "$root$path")" ]
}

leave_alone() {
  rec "foreign $path"
  failed=yes
}

# replace PATH ASIDE INODE: undoes as much of a displacement as was done. Wherever it was cut off, the file has its own
# name, or the hidden one, or both.
replace() {
  path=$1
  original=$root$2.orig
  [ ! -L "$root$2.new" ] || step "remove:$2.new" rm -f "$root$2.new" || failed=yes
  inode=$(stat -c %i "$original" 2>/dev/null) || return 0
  if [ "$inode" != "${3-$inode}" ]; then
    leave_alone
  elif [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; then
    find_ours
    if is_foreign; then leave_alone; else step "replace:$path" mv -f "$original" "$root$path" || failed=yes; fi
  elif [ "$inode" = "$(stat -c %i "$root$path" 2>/dev/null)" ]; then
    step "remove:$2.orig" rm -f "$original" || failed=yes
  elif [ -e "$root$path" ] || [ -L "$root$path" ]; then
    leave_alone
  else
    step "replace:$path" mv -f "$original" "$root$path" || failed=yes
  fi
}

# A socket that was active when systemd read a mask of it is closed, and active in name. It is to be started anew, like one
# that was stopped.
find_closed() {
  closed='' sockets=''
  for name in $starts; do
    case $name in *.socket) sockets="$sockets $name" ;; esac
  done
  [ -n "$sockets" ] || return 0
  show_sockets $sockets
  for name in $sockets; do
    case "$running/$masked" in
      *" $name "*/*" $name "*) ;;
      *" $name "*/*) continue ;;
    esac
    closed="$closed $name"
  done
}

# No socket starts beside the service that it is to start, so that one is stopped first. A mask from before the run stays.
stop_closed() {
  show_sockets $closed
  sockets=
  for name in $closed; do
    case $masked in *" $name "*) ;; *) sockets="$sockets $name" ;; esac
  done
  [ -n "$sockets" ] || return 0
  beside="$sockets $woken"
  show_sockets $beside
  sockets=
  for name in $beside; do
    case $running in *" $name "*) sockets="$sockets $name" ;; esac
  done
  [ -z "$sockets" ] || step stop-closed ctl stop -- $sockets || failed=yes
}

show_sockets() {
  told=$out told_records=$records
  show socket -pId -pLoadState -pActiveState -pCanStart -pTriggers -pAccept -- "$@"
  out=$told records=$told_records
}

# What ran before and does not run now. A failed socket or timer must be reset first. What was still starting then need not
# come further now: it is started last, and nobody waits for it long. How the others end is read, not taken from the exit status.
start_again() {
  find_idle "$@"
  [ -z "$broken" ] || step reset-failed ctl reset-failed -- $broken
  [ -n "$idle" ] || return 0
  lift
  at_once='' slowly=''
  for name in $idle; do
    case $pending in *" $name "*) slowly="$slowly $name" ;; *) at_once="$at_once $name" ;; esac
  done
  started=0
  if [ -n "$at_once" ]; then step start ctl start -- $at_once || started=1; fi
  if [ -n "$slowly" ]; then
    patience=5
    step start-slowly ctl start -- $slowly || started=1
    patience=$stop_timeout
  fi
  if [ "$started" != 0 ]; then
    find_idle $idle
    if [ -n "$broken" ] && started_too_often; then
      step reset-failed ctl reset-failed -- $broken
      step start ctl start -- $idle
      find_idle $idle
    fi
    [ -n "$idle" ] || started=0
  fi
  if [ -n "$lifted" ]; then
    restore_links
    for path in $lifted; do
      [ ! -L "$root$path" ] || note "lowered $path"
    done
    step reload ctl daemon-reload || failed=yes
  fi
  return "$started"
}

# What was stopped and started again and again (StartLimitBurst=) is refused a start, though it would run: that count is no
# more than a memory of runs like this one.
started_too_often() {
  ask ctl show -pResult -- $broken
  case $said in *start-limit-hit*) return 0 ;; *) return 1 ;; esac
}

# Into $idle: which of these neither run nor start, as far as systemd says; into $broken, those that failed.
find_idle() {
  idle='' broken=''
  ask ctl is-active -- "$@"
  rest=$said$nl
  for name in "$@"; do
    case ${rest%%"$nl"*} in
      active | activating | reloading | refreshing) ;;
      failed) broken="$broken $name" idle="$idle $name" ;;
      *) idle="$idle $name" ;;
    esac
    rest=${rest#*"$nl"}
  done
}

# A unit that ran under a mask cannot start again under it: masks from before the run are off for as long as the start
# takes. The receipt has it first, so that an undo after a power cut puts them back.
lift() {
  lifted=
  [ -w "$receipt/log" ] || return 0
  for path in $lifts; do
    { [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; } || continue
    note "lifting $path $(readlink "$root$path")" && take "$path" || return 0
    step "lift:$path" rm -f "$root$path" && lifted="$lifted $path"
  done
  [ -z "$lifted" ] || step reload ctl daemon-reload
}

# serve SEQ VERB WORD… end
serve() {
  last=
  for last in "$@"; do :; done
  [ "$last" = end ] || return 0
  seq=$1
  verb=$2
  shift 2
  out='' records=0 keep='' seen_by_look='' seen_records=0
  patience=30 unheard=0
  case $verb in
    probe) parse "$@" && probe ;;
    apply) apply "$@" ;;
    undo) undo "$@" ;;
    keep) keep "$@" ;;
    *) rec 'refused malformed' ;;
  esac
  rec "done $((records + 1))" # counts itself: an answer that lost a line is no answer
  [ -z "$keep" ] || printf '%s' "$out" >"$keep"
  printf '%s' "$out" >&3
}

prepare() {
  # What was begun is finished also when the connection drops; the answer is then in the receipt.
  trap '' HUP PIPE
  exec 3>&1 >/dev/null
  set -f
  cd / || exit 1
  umask 022
  ancestors=
  LC_ALL=C SYSTEMD_COLORS=0 SYSTEMD_PAGER=
  PATH=${root:+$root/shim:}$PATH:/usr/sbin:/usr/bin:/sbin:/bin
  export LC_ALL SYSTEMD_COLORS SYSTEMD_PAGER PATH
}

main() {
  nonce=$1
  shift
  prepare
  serve "$@"
  while IFS= read -r request; do
    case $request in
      "$nonce "*) serve ${request#"$nonce "} ;;
    esac
  done
}
