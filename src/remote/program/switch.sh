# shellcheck shell=sh
# switch.sh: how a host puts a run back by itself.
#
# A run that asks for it stores this file and the whole remote program beside its receipt, and a pair of unit files,
# fleetmask-undo-RUN.timer and .service, beside the masks: in /etc for what outlives a boot, else in /run. The timer starts
# the program again, whoever asked for it may be gone by then; it undoes the run from the receipt, as `undo` does.
#
# What the receipt's log says under the lock decides between the switch, those who keep the run, and an undo: `confirmed`
# and `expires` are written before the timer is changed, `restoring` before the first link is. So a switch that fires in
# between knows what to do, and one that was cut off goes on where it stopped.

# Into $within (seconds; empty: no confirmation is awaited), $expires (EPOCH/DATE/TIME; empty: never) and $begun: what
# holds now.
recall_terms() {
  within='' expires='' begun=no
  while read -r key words; do
    case $key in
      request)
        for word in $words; do
          case $word in
            confirm-within=*) within=${word#*=} ;;
            expires=*) expires=${word#*=} ;;
          esac
        done
        ;;
      confirmed) within= ;;
      expires) expires=${words#never} ;;
      restoring) begun=yes ;;
    esac
  done <"$receipt/log"
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
  on_disk "$receipt/program" "$receipt/switch" "$receipt/log" "$receipt" "$unit_file.timer" "$unit_file.service" \
    "$root$switch_dir" && step arm ctl start -- "$switch.timer" && see_timer && is_armed && pin && return 0
  said=${said:-the timer is ${timer_state:-not there}}
  return 1
}

# Whenever systemd reads its units anew it counts OnActiveSec= from then (seen in 247 to 257), and would for ever put off what
# waits for it on a host that reloads often. Counted from the boot the time stays. In a container that is the start of systemd.
pin() {
  [ -n "$within" ] || return 0
  booted=0
  if [ -e "$root/run/systemd/container" ]; then
    booted=$(ctl show -pUserspaceTimestampMonotonic 2>&1)
    booted=${booted#*=}
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
Description=Put back fleetmask run $run
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

write_service() {
  put_file "$unit_file.service" "[Unit]
Description=Put back fleetmask run $run
DefaultDependencies=no
IgnoreOnIsolate=yes
After=sysinit.target
RequiresMountsFor=$receipt
[Service]
Type=oneshot
ExecStart=/bin/sh $receipt/program root"
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
  [ -L "$wants/$switch.timer" ] || ln -s "$switch_dir/$switch.timer" "$wants/$switch.timer" || return 1
  on_disk "$wants"
}

# Where sync takes no names, it syncs all.
on_disk() {
  said=$(exec timeout -k 5 60 sync "$@" 2>&1 </dev/null 3>&- 9>&-) && return 0
  said="cannot sync $1: $said"
  return 1
}

# Into $timer_state, $counts (it has a time on the monotonic clock), $dated (on the calendar) and $entered (µs).
see_timer() {
  timer_state='' counts=no dated=no entered=0
  ask ctl show -pSubState -pNextElapseUSecMonotonic -pNextElapseUSecRealtime -pActiveEnterTimestampMonotonic \
    -- "$switch.timer"
  for word in $said; do
    case $word in
      SubState=*) timer_state=${word#*=} ;;
      NextElapseUSecMonotonic=[1-9]*) counts=yes ;;
      NextElapseUSecRealtime=[A-Z]*) dated=yes ;;
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

# `switch RUN STATE LEFT EXPIRES`: the state of the timer, or `restoring`; the seconds left for a confirmation, `?` where
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
  expires=${expires%%/*}
  rec "switch $run ${timer_state:-none} $left ${expires:--}"
}

# keep confirm=yes expires=…: under the lock, so that the switch cannot fire meanwhile; it can have fired before.
keep_run() {
  recall_terms
  name_switch
  patience=30
  if [ "$begun" = no ]; then
    if [ "$confirming" = yes ] && [ -n "$within" ]; then note "confirmed $(date +%s) $meta" || return 0; fi
    if [ -n "$new_expires" ]; then note "expires $new_expires" || return 0; fi
    step kept on_disk "$receipt/log"
    recall_terms
    if [ "$confirming$new_expires" = no ]; then
      : # whoever asks for nothing wants to know
    elif [ -z "$within$expires" ]; then
      disarm gone
    else
      # a running timer takes its new times from the reload; what somebody took away of the switch is back with it
      write_timer && write_service && enable_timer && on_disk "$unit_file.timer" "$unit_file.service"
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
    said='' failed=no
    if lock_for_switch; then put_back_by_itself; else failed=yes; fi
    exec 9>&-
    log_deeds
    [ "$failed" = yes ] || exit 0
  done
  exit 1
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
  mkdir -p "$state" && { true >>"$state/lock"; } 2>/dev/null || return 1
  exec 9>>"$state/lock"
  until timeout 120 flock 9; do
    read_holder
    if [ "$holder_run" = "$run" ] && is_at_work; then kill -s KILL "$holder"; fi
  done
  printf '%s\n' "$$ $run actor=switch" >"$state/lock"
  # a request of the run that is still under way to us comes too late
  [ -e "$state/$run.seq" ] || printf '1\n' >"$state/$run.seq"
}

put_back_by_itself() {
  [ -r "$receipt/log" ] || return 0
  recall_terms
  if [ "$begun" = no ]; then is_due || return 0; fi
  why=expired
  [ -z "$within" ] || why=unconfirmed
  if is_superseded; then
    end_switch superseded
    disarm gone
    [ "$failed" = yes ] || rm -rf "$receipt"
    rmdir "$receipts" 2>/dev/null
    return 0
  fi
  read -r _ words <"$receipt/log"
  parse $words
  note restoring || failed=yes
  put_back
  [ "$failed" = no ] || note "not-restored $(date +%s)"
}

# Kept meanwhile, or prolonged.
is_due() {
  [ -z "$within" ] || return 0
  if [ -z "$expires" ]; then
    disarm gone
    return 1
  fi
  [ "$(date +%s)" -ge $((${expires%%/*} - 1)) ]
}

# Somebody took back all that the run did to links: what runs now is theirs, too.
is_superseded() {
  [ "$begun" = no ] || return 1
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
          *"${nl}linked $root$path $identity$nl"*) return 1 ;;
          *"${nl}linked $root$path "* | *"${nl}not-linked $path$nl"*) ;;
          *) return 1 ;;
        esac
        ;;
      request | linked | not-linked | confirmed | expires) ;;
      *) return 1 ;;
    esac
  done <"$receipt/log"
  [ "$links_of_run" = 1 ]
}

rest() {
  recall_terms
  ! is_superseded || disarm resting
}

# What expired meanwhile is put back now.
wake() {
  name_switch
  [ ! -e "$unit_file.timer" ] || return 0
  arm || said=$(ctl start --no-block -- "$switch.service" 2>&1)
}

# For those who come too late: `TIME WHY`. It goes with the next boot; that the receipt is gone tells enough then.
end_switch() {
  printf '%s\n' "$(date +%s) $1" >"$state/$run.ended"
}
