#!/bin/sh
# A simulated systemd, as far as fleetmask can tell it from a real one. It acts on the directory $FLEETMASK_ROOT only,
# and keeps its state in small files below sim/ there, to be read by a person:
#
#   sim/manager       Version and SystemState
#   sim/loaded/UNIT   what was loaded at the last daemon-reload
#   sim/active/UNIT   what is not inactive, and the nature of its process
#   sim/frozen        while it exists, systemd does not answer
#
# Unit files are real ones, of which it heeds dependencies, KillMode=, RefuseManual…= and a few more. It also knows
#
#   X-Fleetmask-Stop=never    its process ignores SIGTERM: a stop takes longer than anybody waits
#   X-Fleetmask-Stop=again    somebody starts it again, as soon as it stopped and for as long as that works
#   X-Fleetmask-Stop=cancelled  the same, while it stops: that start takes the place of the stop
#   X-Fleetmask-Start=fails   its process ends at once, and says why in sim/journal/UNIT
#   X-Fleetmask-Start=restarts  it ends at once, and is to be started once more (Restart=)
#   X-Fleetmask-Start=cancelled  somebody stops it while it starts, every other time
#   X-Fleetmask-Start=slow    it is starting until it is stopped
#   X-Fleetmask-Children=N    processes that it has besides the main one
#
# shellcheck disable=SC1090,SC1091,SC2034,SC2154 # variables come from the files that are read with `.`
# shellcheck disable=SC2086 # lists are words, and globbing is off
set -f
root=$FLEETMASK_ROOT
cd "$root" || exit 1
umask 022
. ./shim/unit-files
. ./shim/jobs
. ./sim/manager
systemd=${Version%%[!0-9]*}

say() {
  printf '%s\n' "$*" >&2
}

# The first failure of several is the exit status.
fail() {
  [ "$status" -ne 0 ] || status=$1
  shift
  say "$@"
}

# Into the properties: a unit as systemd knows it now.
recall() {
  Alias=
  if [ -f "sim/loaded/$1" ]; then
    . "./sim/loaded/$1"
    [ -z "$Alias" ] || . "./sim/loaded/$Alias"
  else
    read_unit "$1"
    if [ -f "sim/loaded/$Id" ]; then
      . "./sim/loaded/$Id"
      # an alias that is loaded only now
      case " $Names " in *" $1 "*) ;; *) Names="$Names $1" ;; esac
    fi
  fi
  ActiveState=inactive SubState=dead Result=success MainPID=0 Deaf=no
  if [ -f "sim/active/$Id" ]; then . "./sim/active/$Id"; fi
}

# Instances are in a slice of their template, in whose name a dash is written out.
control_group() {
  case $Id in
    *@*)
      slice=
      rest=${Id%%@*}-
      while [ -n "$rest" ]; do
        slice="$slice\\x2d${rest%%-*}"
        rest=${rest#*-}
      done
      ControlGroup=/system.slice/system-${slice#"\\x2d"}.slice/$Id
      ;;
    *) ControlGroup=/system.slice/$Id ;;
  esac
}

show() {
  if [ $# -eq 0 ]; then
    print_properties
    return
  fi
  first=yes short=no
  for name in "$@"; do
    case $name in
      *@.*) fail 1 "Failed to get properties: Unit name $name is neither a valid invocation ID nor unit name." ;;
      *[*?[]*)
        where=loaded
        if [ "$systemd" -ge 250 ] && [ "$all" = no ]; then where=active; fi
        set +f
        for path in sim/$where/$name; do
          if [ -e "$path" ] && [ "$short" = no ]; then show_unit "${path##*/}"; fi
        done
        set -f
        ;;
      *) show_unit "$name" ;;
    esac
    [ "$short" = no ] || return
  done
}

show_unit() {
  [ "$first" = yes ] || echo
  first=no
  recall "$1"
  file_state "${FragmentPath##*/}"
  if [ "$LoadState" = masked ]; then
    [ "$systemd" -ge 248 ] || FragmentPath=/dev/null
    # the state of a unit called null
    [ "$systemd" -ge 238 ] || UnitFileState=bad
    [ "$systemd" -ge 228 ] || UnitFileState=
  fi
  CanStart=no Perpetual=no SourcePath=
  needs_reload
  Job=
  [ ! -e "sim/jobs/$Id" ] || Job=7
  if [ "$LoadState" = loaded ] || [ "$systemd" -lt 226 ]; then [ "$RefuseManualStart" = yes ] || CanStart=yes; fi
  case $Id in
    *.service)
      control_group
      if [ "$MainPID" = 0 ] && ! [ -d "sys/fs/cgroup$ControlGroup" ]; then ControlGroup=; fi
      ;;
    *) unset MainPID ControlGroup Type RemainAfterExit ;;
  esac
  case $Id in *.socket) ;; *) unset Accept ;; esac
  unset ExecStart
  [ -z "$Program" ] || ExecStart="{ path=$Program ; argv[]=$Program ; ignore_errors=no }"
  case $Id in *.timer) next_elapse ;; esac
  print_properties
  if [ "$systemd" -lt 233 ] && [ "$systemd" -ge 231 ]; then end_short; fi
}

# Systemd 231 and 232 end the answer behind a unit that lacks one of the properties, and fail without a word.
end_short() {
  for property in $properties; do
    has_property "${Id##*.}" "$property" || short=yes status=1
  done
}

# has_property TYPE PROPERTY: of units in systemd 231 and 232, by the tables in src/core/dbus-*.c.
has_property() {
  case $2 in
    PropagatesStopTo | StopPropagatedFrom | OnSuccess) return 1 ;;
    Perpetual) [ "$systemd" -ge 232 ] ;;
    MainPID | BusName | Type | RemainAfterExit | ExecStart) [ "$1" = service ] ;;
    Accept | Listen) [ "$1" = socket ] ;;
    TimersMonotonic | NextElapseUSec*) [ "$1" = timer ] ;;
    TimeoutStopUSec) case $1 in service | scope) ;; *) return 1 ;; esac ;;
    TimeoutUSec) case $1 in socket | mount | swap) ;; *) return 1 ;; esac ;;
    KillMode) case $1 in service | socket | mount | swap | scope) ;; *) return 1 ;; esac ;;
    ControlGroup) case $1 in service | socket | mount | swap | scope | slice) ;; *) return 1 ;; esac ;;
    Result) case $1 in target | device | slice) return 1 ;; esac ;;
  esac
}

# No timer elapses here by itself, so that one time is as good as another.
next_elapse() {
  NextElapseUSecRealtime='' NextElapseUSecMonotonic=infinity
  [ "$ActiveState" = active ] || return 0
  NextElapseUSecMonotonic=${OnActiveSec:+1h} NextElapseUSecRealtime=${OnCalendar:+Tue 2030-01-01 00:00:00 UTC}
  [ "$systemd" -ge 237 ] || NextElapseUSecRealtime=${OnCalendar:+60y 5d 6h}
}

print_properties() {
  for property in $properties; do
    eval "value=\${$property-unknown}"
    [ "$value" != unknown ] || continue
    # a backslash is written out
    case $systemd:$value in
      2[4-9][0-9]:* | 23[4-9]:*) ;;
      *:*"\\"*) value=$(printf '%s\n' "$value" | sed 's/\\/\\x5c/g') ;;
    esac
    printf '%s=%s\n' "$property" "$value"
  done
}

is_active() {
  status=3
  for name in "$@"; do
    recall "$name"
    echo "$ActiveState"
    case $ActiveState in active | reloading) status=0 ;; esac
  done
}

reset_failed() {
  gone=
  for name in "$@"; do
    recall "$name"
    if [ -e "sim/active/$Id" ] || [ -e "sim/loaded/$Id" ]; then
      [ "$ActiveState" != failed ] || gone="$gone sim/active/$Id"
    else
      fail 1 "Failed to reset failed state of unit $name: Unit $name not loaded."
    fi
  done
  [ -z "$gone" ] || rm -f $gone
}

verb='' properties='' all=no block=yes status=0 options=yes
# Once through all words, which puts the names back at the end.
count=$#
while [ "$count" -gt 0 ]; do
  word=$1
  shift
  count=$((count - 1))
  case $options$word in
    yes--) options=no ;;
    yes--all) all=yes ;;
    yes--no-block) block=no ;;
    yes--property=*) properties="$properties ${word#*=}" ;;
    yes-p*) properties="$properties ${word#-p}" ;;
    yes-*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else set -- "$@" "$word"; fi ;;
  esac
done
while [ -e sim/frozen ]; do sleep 1; done
case $verb in
  show) show "$@" ;;
  stop) stop "$@" ;;
  start) start "$@" ;;
  trigger) trigger "$@" ;;
  list-jobs) list_jobs "$@" ;;
  reload) ;;
  is-active) is_active "$@" ;;
  reset-failed) reset_failed "$@" ;;
  daemon-reload) reload ;;
  *) fail 1 "Unknown command verb $verb." ;;
esac
exit "$status"
