# shellcheck shell=sh
# switches.sh: the switches that runs have here, as far as any request may meet them: one is stored and armed, decided, put
# to rest, taken away. How a switch works is in switch.sh, which lies beside the receipt of the run that has one.

# The host is to put itself back unless …: all that it needs for that, see switch.sh, is in two variables, which came with the
# request.
arm_switch() {
  failed=no said=''
  if store "$receipt/program" "$program" "${stored_program-}" && store "$receipt/switch" "$switch_text" "${stored_switch-}"; then
    # shellcheck source=src/remote/program/switch.sh
    . "$receipt/switch"
    arm && return 0
  fi
  unarmed=$said
  return 1
}

# store FILE LINES,CRC,SIZE TEXT: whole or not at all.
store() {
  { printf '%s\n' "$3" >"$1.new"; } 2>/dev/null
  if ! said=$(exec cksum 2>&1 <"$1.new") && [ -e "$1.new" ]; then
    said="cannot verify $1: $said"
    return 1
  fi
  # shellcheck disable=SC2086 # two words
  set -- "$1" "${2#*,}" $said
  said=
  [ "$2" = "${3-},${4-}" ] && mv -f "$1.new" "$1" && return 0
  said="cannot write $1"
  return 1
}

# disarm gone: all of a switch goes: timer and services, enablement, the stamp of the timer, and what systemd remembers of
# them. `disarm spent`: its receipt, too, and at once: what a power cut leaves of the two nobody takes away. `disarm resting`:
# it can be armed again, and the reload is the caller's. Costs nothing where there is none.
disarm() {
  name_switch
  [ -e "$unit_file.timer" ] || [ -e "$unit_file.service" ] || [ -e "$receipt/switch" ] || return 0
  patience=30
  halted=$switch.timer
  [ "$verb" = fire ] || halted="$halted $switch.service"
  [ "$where" = run ] || [ "$verb" = fire ] || halted="$halted $switch-boot.service"
  step disarm ctl stop -- $halted
  case $status in 0 | 5) ;; *) failed=yes && return 0 ;; esac
  wants=$root$switch_dir/timers.target.wants
  made=no
  [ ! -e "$receipt/made-wants" ] || made=yes
  rm -f "$wants/$switch.timer" "$wants/$switch-boot.service" "$unit_file-boot.service" "$unit_file.service" \
    "$unit_file.timer" "$stamp" || failed=yes
  [ "$made" = no ] || rmdir "$wants" 2>/dev/null
  rm -f "$receipt/made-wants"
  if [ "$1:$failed" = spent:no ]; then rm -rf "$receipt"; fi
  said=$(ctl reset-failed -- $halted "$switch-boot.service" 2>&1)
  [ "$1" != resting ] || return 0
  rm -f "$receipt/program" "$receipt/switch" "$receipt/elapses"
  patience=90
  step reload ctl daemon-reload || failed=yes
}

# Links are gone that earlier runs had made. Where nothing is left for a switch to take back, it rests; when an undo hands the
# link back it is armed again.
rest_switches() {
  set +f
  for other in "$root"/var/lib/fleetmask/*/switch "$root"/run/fleetmask/runs/*/switch; do
    if is_ours "$other" && [ "$other" != "$receipt/switch" ]; then beside "${other%/switch}" rest; fi
  done
  set -f
}

# beside RECEIPT DEED: for the switch of another run, without a trace in our own variables.
beside() (
  receipt=$1 receipts=${1%/*} run=${1##*/} where=etc
  case $receipt in "$root"/run/*) where=run ;; esac
  set -f
  has_switch && . "$receipt/switch" && "$2"
)

# keep confirm=yes expires=…: ends the wait for a confirmation, or moves the expiry (`never` takes it away). What holds
# then is told as by a probe, and read back.
keep() {
  parse "$@"
  begin || return 0
  failed=no
  if has_switch; then
    # shellcheck source=src/remote/program/switch.sh
    . "$receipt/switch" && keep_run
  elif [ -e "$receipt/switch" ] || { [ -e "$receipt" ] && is_orphan; }; then
    rec "switch $run unreadable ? -"
  elif has_log "$receipt"; then
    rec "switch $run none - -"
  else
    rec 'receipt none'
    if [ -r "$state/$run.ended" ]; then first_line "$state/$run.ended" && rec "ended $run $value"; fi
  fi
  look
  tell_look
  release
}

# Whether the units of a switch are here, whatever became of its receipt.
is_orphan() {
  name_switch
  [ -e "$unit_file.timer" ] || [ -e "$unit_file.service" ]
}
