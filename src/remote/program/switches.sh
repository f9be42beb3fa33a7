# shellcheck shell=sh
# switches.sh: the switches that runs have here, as far as any request may meet them: one is stored and armed, decided, put
# to rest, taken away. How a switch works is in switch.sh, which lies beside the receipt of the run that has one.

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
