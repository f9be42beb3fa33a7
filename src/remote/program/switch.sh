# shellcheck shell=sh
# switch.sh: how a host puts a run back by itself.
#
# A run that asks for it stores this file and the whole remote program beside its receipt, and a pair of unit files,
# fleetmask-undo-RUN.timer and .service, beside the masks: in /etc for what outlives a boot, else in /run. The timer starts
# the program again, whoever asked for it may be gone by then; it undoes the run from the receipt, as `undo` does.
#
# What the receipt's log says under the lock decides between the switch, those who keep the run, and an undo: `confirmed`
# and `expires` are written before the timer is changed, `restoring` before the first link is. So a switch that fires in
# between knows what to do, and one that was cut off goes on where it stopped: at the latest when the host has booted, for
# a third unit, fleetmask-undo-RUN-boot.service, resumes what is overdue or was begun.
#
# A log that cannot be read says nothing, least of all that the run was confirmed: then the rollback is due. What it cannot
# do from what it can read ends as a failed unit, which stays, armed for the next boot.

# Into $terms: `known`, or `lost` where the request cannot be read whole; $within (seconds; empty: no confirmation is
# awaited), $expires (EPOCH/DATE/TIME; empty: never) and $begun: what holds now; $request, and $logged, the paths that the
# log knows to be touched. Only a whole record of ours counts.
recall_terms() {
  terms=lost within='' expires='' begun=no request='' logged=' ' sums=''
  has_log "$receipt" || return 0
  while read -r key words; do
    case $key in
      request) recall_request ;;
      confirmed) case $words in [0-9]*' '*' end') within= ;; esac ;;
      expires) ! is_expiry "$words" || expires=${words#never} ;;
      restoring) begun=yes ;;
      linking | removing | displacing) logged="$logged${words%% *} " ;;
    esac
  done <"$receipt/log"
}

# Its last word is `end`, and it has terms.
recall_request() {
  case " $words" in *" run=$run "*' end') ;; *) return 0 ;; esac
  request=$words
  for word in $words; do
    case $word in
      confirm-within=*) within=${word#*=} ;;
      expires=*) expires=${word#*=} ;;
      program=*) sums="program ${word#*,} $sums" ;;
      switch=*) sums="${sums}switch ${word#*,} " ;;
    esac
  done
  case $within in *[!0-9]*) return 0 ;; esac
  [ -z "$expires" ] || is_expiry "$expires" || return 0
  [ -z "$within$expires" ] || terms=known
}

is_expiry() {
  case $1 in
    never | [0-9]*/[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]/[0-9][0-9]:[0-9][0-9]:[0-9][0-9]) ;;
    *) return 1 ;;
  esac
  case ${1%%/*} in never | *[0-9]) ;; *) return 1 ;; esac
}

# Seen armed, and on the disk, before anything is changed: a power cut right after the first link must not find the mask
# without the switch. Else $said tells why not.
arm() {
  patience=30
  recall_terms
  name_switch
  rm -f "$receipt/elapses"
  if ! { write_timer && write_service && enable_timer; } 2>/dev/null; then
    said="cannot write $switch_dir/$switch.timer"
    return 1
  fi
  on_disk "$receipt/program" "$receipt/switch" "$receipt/log" "$receipt" "$root$switch_dir" $written && step arm ctl start -- "$switch.timer" && see_timer && is_armed && pin && return 0
  said=${said:-the timer is ${timer_state:-not there}}
  return 1
}

# Whenever systemd reads its units anew it counts OnActiveSec= from then (seen in 247 to 257), and would for ever put off what
# waits for it on a host that reloads often. Counted from the boot the time stays. In a container that is the start of systemd.
pin() {
  [ -n "$within" ] || return 0
  booted=0
  if [ -e "$root/run/systemd/container" ]; then
    query ctl show -pUserspaceTimestampMonotonic
    booted=${said#*=} said=
    case $booted in '' | *[!0-9]*) return 0 ;; esac
  fi
  printf '%s\n' "$(((entered - booted) / 1000000 + within))" >"$receipt/elapses" || return 0
  if ! write_timer 2>/dev/null; then
    said="cannot write $switch_dir/$switch.timer"
    return 1
  fi
  on_disk "$unit_file.timer"
}

# Counts from its start, anew after a reboot. Neither it nor its service needs any target, so that a masked one, or a boot
# that hangs, holds up neither, and `systemctl isolate` stops neither.
write_timer() {
  timer="[Unit]
Description=Automatic rollback of fleetmask run $run
DefaultDependencies=no
IgnoreOnIsolate=yes
[Timer]
AccuracySec=500ms"
  if [ -n "$within" ]; then
    timer="$timer${nl}OnActiveSec=$within"
    first_line "$receipt/elapses"
    [ -z "$value" ] || timer="$timer${nl}OnBootSec=$value"
  fi
  if [ -n "$expires" ]; then
    at=${expires#*/}
    timer="$timer${nl}OnCalendar=${at%/*} ${at#*/} UTC"
    # also when the host is down at that time; what is in /run does not outlive that
    [ "$where" != etc ] || timer="$timer${nl}Persistent=true"
  fi
  put_file "$unit_file.timer" "$timer${nl}[Install]${nl}WantedBy=timers.target"
}

# A program that was cut short would do nothing and end well, so both files are compared with what was sent.
write_service() {
  # shellcheck disable=SC2086 # pairs
  set -- $sums
  checks=
  while [ $# -gt 1 ]; do
    checks="${checks}ExecStartPre=/bin/sh -c \"cksum <$receipt/$1 | grep -qw '${2%,*} ${2#*,}'\"$nl"
    shift 2
  done
  written="$unit_file.timer $unit_file.service"
  put_service "$unit_file.service" sysinit.target '' "" || return 1
  [ "$where" = etc ] || return 0
  written="$written $unit_file-boot.service"
  put_service "$unit_file-boot.service" "sysinit.target $switch.timer${nl}ConditionPathExists=$receipt" ' resume' "${nl}[Install]${nl}WantedBy=timers.target"
}

# put_service FILE AFTER ARGUMENT INSTALL. None needs a target, as with the timer.
put_service() {
  put_file "$1" "[Unit]
Description=Automatic rollback of fleetmask run $run
DefaultDependencies=no
IgnoreOnIsolate=yes
After=$2
RequiresMountsFor=$receipt
[Service]
Type=oneshot
${checks}ExecStart=/bin/sh $receipt/program root$3$4"
}

put_file() {
  (umask 022 && printf '%s\n' "$2" >"$1.new") && mv -f "$1.new" "$1" && return 0
  rm -f "$1.new"
  return 1
}

# The directory of wants goes with the last switch, if a switch made it.
enable_timer() {
  [ "$where" = etc ] || return 0
  wants=$root$switch_dir/timers.target.wants
  set +f
  for made in "$receipts"/*/made-wants; do
    if [ -e "$made" ]; then : >"$receipt/made-wants"; fi
  done
  set -f
  if ! [ -d "$wants" ]; then
    : >"$receipt/made-wants" && (umask 022 && mkdir "$wants") || return 1
  fi
  for name in "$switch.timer" "$switch-boot.service"; do
    [ -L "$wants/$name" ] || ln -s "$switch_dir/$name" "$wants/$name" || return 1
  done
  on_disk "$wants"
}

# Where sync takes no names, it syncs all.
on_disk() {
  said=$(exec $within_time 60 sync "$@" 2>&1 </dev/null 3>&- 9>&-) && return 0
  said="cannot sync $1: $said"
  return 1
}

# Into $timer_state, $counts (it has a time on the monotonic clock), $dated (on the calendar) and $entered (µs); into
# $gave_up whether the service has failed.
see_timer() {
  timer_state='' counts=no dated=no entered=0 gave_up=no
  # systemd shows a timer that is not there, too
  query_units -pSubState -pNextElapseUSecMonotonic -pNextElapseUSecRealtime -pActiveEnterTimestampMonotonic \
    -- "$switch.timer" "$switch.service" || rec "trouble unit $status"
  case $said in *"$nl$nl"*SubState=failed*) gave_up=yes ;; esac
  for word in ${said%%"$nl$nl"*}; do
    case $word in
      SubState=*) timer_state=${word#*=} ;;
      NextElapseUSecMonotonic=[1-9]*) counts=yes ;;
      # a date; before 237 a span
      NextElapseUSecRealtime=[A-Z1-9]*) dated=yes ;;
      ActiveEnterTimestampMonotonic=[1-9]*) entered=${word#*=} ;;
    esac
  done
  said=
}

is_armed() {
  [ "$timer_state" = waiting ] || return 1
  [ -z "$within" ] || [ "$counts" = yes ] || return 1
  [ -z "$expires" ] || [ "$dated" = yes ]
}

# `switch RUN STATE LEFT EXPIRES`: the state of the timer, or `restoring`, `failed` where it gave up, `unreadable`; the seconds left for a confirmation, `?` where
# that cannot be told, and `-` where none is awaited; the time of expiry by this host's clock, or `-`.
tell_switch() {
  patience=30
  recall_terms
  name_switch
  see_timer
  left=-
  if [ -n "$within" ]; then
    first_line "$root/proc/uptime"
    left='?'
    if [ -n "$value" ] && [ "$entered" != 0 ]; then left=$((entered / 1000000 + within - ${value%%.*})); fi
  fi
  [ "$begun" = no ] || timer_state=restoring
  [ "$terms" = known ] || timer_state=unreadable
  [ "$gave_up" = no ] || timer_state=failed
  expires=${expires%%/*}
  rec "switch $run ${timer_state:-none} $left ${expires:--}"
}

# keep confirm=yes expires=…: under the lock, so that the switch cannot fire meanwhile; it can have fired before.
keep_run() {
  recall_terms
  name_switch
  patience=30
  if [ "$begun" = no ] && [ "$terms" = known ]; then
    # each on a line of its own, also after one that was cut short
    if [ "$confirming" = yes ] && [ -n "$within" ]; then note "${nl}confirmed $(date +%s) $meta end" || return 0; fi
    if [ -n "$new_expires" ]; then note "${nl}expires $new_expires" || return 0; fi
    step kept on_disk "$receipt/log"
    recall_terms
    case $confirming$new_expires in
      no) ;;
      yes) deed=confirmed ;;
      *) deed="expires ${new_expires%%/*}" ;;
    esac
    if [ "$confirming$new_expires" = no ]; then
      : # whoever asks for nothing wants to know
    elif [ -z "$within$expires" ]; then
      disarm gone
    else
      # a running timer takes its new times from the reload; what somebody took away of the switch is back with it
      write_timer && write_service && enable_timer && on_disk $written
      patience=90
      step reload ctl daemon-reload
      see_timer
      is_armed || step arm ctl start -- "$switch.timer"
    fi
  fi
  tell_switch
}

# fire RUN WHERE: what the timer starts. Several tries, for a failure may pass; the last one leaves a failed unit for
# everybody to see, and the timer, which tries again after the next boot.
fire() {
  nonce=switch seq=0 verb=fire run=$1 where=$2
  prepare
  places
  for pause in 0 5 15 60 300; do
    sleep "$pause"
    begin_anew
    said='' failed=no lacking_log=no
    if lock_for_switch; then put_back_by_itself "$run" "$where"; else failed=yes; fi
    release
    log_deeds
    [ "$failed" = yes ] || break
    # what a log does not tell now it does not tell later
    [ "$lacking_log" = no ] || break
  done
  audit
  wait
  [ "$failed" = no ]
  exit
}

# resume RUN WHERE: what each boot starts. What was begun, or is overdue, is for the service, with all its tries. What is not
# due yet has a timer that counts from its start, and would be put off by each reload until it is pinned anew; and one
# whose stamp says that it has elapsed already would never do so again.
resume() {
  nonce=switch seq=0 verb=fire run=$1 where=$2
  prepare
  places
  begin_anew
  failed=no
  lock_for_switch || exit 1
  # the rollback itself was quicker, and left nothing
  [ -e "$receipt" ] || exit 0
  recall_terms
  name_switch
  if [ "$terms" = lost ] || [ "$begun" = yes ] || has_expired; then
    step resume ctl start --no-block -- "$switch.service" || failed=yes
  elif [ -z "$within$expires" ]; then
    disarm gone
  else
    see_timer
    if ! is_armed; then
      step disarm ctl stop -- "$switch.timer"
      rm -f "$stamp"
      step arm ctl start -- "$switch.timer"
      see_timer
    fi
    is_armed && pin || failed=yes
    patience=90
    [ -z "$within" ] || step reload ctl daemon-reload || failed=yes
  fi
  release
  log_deeds
  [ "$failed" = no ] || exit 1
}

# For systemd's journal.
log_deeds() {
  rest=$out
  while [ -n "$rest" ]; do
    line=${rest%%"$nl"*}
    rest=${rest#*"$nl"}
    line=${line#@switch 0 }
    case $line in step* | said* | foreign* | lacking*) printf '%s\n' "$line" >&3 ;; esac
  done
}

# Waits for whoever works here; a request of the same run that hangs is ended, as by an undo.
lock_for_switch() {
  changes=
  mkdir -p "$state" && { true >>"$state/lock"; } 2>/dev/null || return 1
  exec 9>>"$state/lock"
  until timeout 120 flock 9; do
    read_holder
    if [ "$holder_run" = "$run" ] && is_at_work; then kill -s KILL "$holder"; fi
  done
  printf '%s\n' "$$ $run actor=switch" >"$state/lock"
  # a request of the run that is still under way to us comes too late
  [ -e "$state/$run.seq" ] || printf '1\n' >"$state/$run.seq"
  count_change || :
}

put_back_by_itself() {
  name_switch
  lacking_log=yes
  if ! has_log "$receipt"; then
    # unless somebody else has ended it while we waited for the lock
    if [ -e "$unit_file.service" ]; then
      rec "lacking $receipt/log"
      failed=yes deed='not rolled back, its receipt cannot be read' meta=-
    fi
    return 0
  fi
  recall_terms
  [ "$terms" = lost ] || lacking_log=no
  if [ "$begun" = no ] && [ "$terms" = known ]; then
    if [ -z "$within$expires" ]; then
      disarm gone
      return 0
    fi
    [ -n "$within" ] || has_expired || return 0
  fi
  why=expired
  [ -z "$within" ] || why=unconfirmed
  # shellcheck disable=SC2086 # words
  parse $request
  run=$1 where=$2
  if is_superseded; then
    deed="superseded, $why"
    end_switch superseded
    disarm spent
    rmdir "$receipts" 2>/dev/null
    return 0
  fi
  note "${nl}restoring" && on_disk "$receipt/log" || failed=yes
  put_back
  deed="rolled back, $why"
  [ "$failed" = no ] || deed="not rolled back, $why"
  [ "$failed" = no ] || note "not-restored $(date +%s)"
}

has_expired() {
  [ -n "$expires" ] && [ "$(date +%s)" -ge $((${expires%%/*} - 1)) ]
}

# Somebody took back all that the run did to links: what runs now is theirs, too.
is_superseded() {
  [ "$begun" = no ] && [ "$terms" = known ] || return 1
  for path in $links $removes; do
    case $logged in *" $path "*) ;; *) return 1 ;; esac
  done
  log=$(cat "$receipt/log")
  links_of_run=0
  while read -r what path _; do
    case $what in
      removing)
        [ -L "$root$path" ] || return 1
        links_of_run=1
        ;;
      linking)
        links_of_run=1
        { [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; } || continue
        identity=$(stat -c $link_identity "$root$path")
        case $log$nl in
          *"${nl}linked $root$path "*)
            # one that was cut short is no proof that this link is another
            made=${log##*"${nl}linked $root$path "}
            case $identity in "${made%%"$nl"*}"*) return 1 ;; esac
            ;;
          *"${nl}not-linked $path$nl"*) ;;
          *) return 1 ;;
        esac
        ;;
      '' | request | linked | not-linked | confirmed | expires | inherited) ;;
      *) return 1 ;;
    esac
  done <"$receipt/log"
  [ "$links_of_run" = 1 ]
}

rest() {
  recall_terms
  parse $request
  ! is_superseded || disarm resting
}

# What expired meanwhile is put back now.
wake() {
  name_switch
  [ ! -e "$unit_file.timer" ] || return 0
  arm || said=$(ctl start --no-block -- "$switch.service" 2>&1)
}

# What another mask than ours holds by now cannot start, and is not ours to start any more: it is for the run that made
# that mask, which learns of it, or for the person.
spare_held() {
  spared=' '
  for name in $starts; do
    for path in /etc/systemd/system/$name /run/systemd/system/$name; do
      { [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; } || continue
      case " $links $lifts " in *" $path "*) continue ;; esac
      rec "held $name $path"
      bequeath
      spared="$spared$name "
      break
    done
  done
  due=
  for name in $starts; do
    case $spared in *" $name "*) ;; *) due="$due $name" ;; esac
  done
  starts=$due
}

# To whose receipt has the link that lies at $path now.
bequeath() {
  identity=$(stat -c $link_identity "$root$path")
  set +f
  for other in "$root"/var/lib/fleetmask/*/log "$root"/run/fleetmask/runs/*/log; do
    { [ "$other" != "$receipt/log" ] && has_log "${other%/log}" && [ -w "$other" ]; } || continue
    while read -r key named made; do
      [ "$key $named $made" != "linked $root$path $identity" ] || printf '\ninherited %s\n' "$name" >>"$other"
    done <"$other"
  done
  set -f
}

# For an undo that somebody else asks for, when it is done.
has_whole_log() {
  recall_terms
  [ "$terms" = known ] || return 1
  parse $request
  lacking_log=no
  check_log
  [ "$lacking_log" = no ]
}

# What the request names the log must know: one that lost lines must not pass for that of a run which had hardly begun.
check_log() {
  for path in $links $displaces $removes; do
    case $logged in *" $path "*) continue ;; esac
    mask=no
    if [ -L "$root$path" ] && [ "$root$path" -ef /dev/null ]; then mask=yes; fi
    case " $removes " in
      *" $path "*) [ "$mask" = yes ] || lacking_log=yes ;;
      *) [ "$mask" = no ] || lacking_log=yes ;;
    esac
  done
  [ "$lacking_log" = no ] || lack "$receipt/log"
}

# For those who come too late: `TIME WHY`. It goes with the next boot; that the receipt is gone tells enough then.
end_switch() {
  printf '%s\n' "$(date +%s) $1" >"$state/$run.ended"
}
