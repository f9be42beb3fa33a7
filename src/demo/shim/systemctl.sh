#!/bin/sh
# A simulated systemd, as far as fleetmask can tell it from a real one. It acts on the directory $FLEETMASK_ROOT only,
# and keeps its state in small files below sim/ there, to be read by a person:
#
#   sim/manager       Version and SystemState
#   sim/loaded/UNIT   what was loaded at the last daemon-reload
#   sim/active/UNIT   a unit that is not inactive
#   sim/frozen        while it exists, systemd does not answer
#
# Unit files are real ones, of which it heeds dependencies, KillMode=, RefuseManual…= and a few more. It also knows
#
#   X-Fleetmask-Stop=never    its process ignores SIGTERM: a stop takes longer than anybody waits
#   X-Fleetmask-Stop=again    somebody starts it again, as soon as it stopped and for as long as that works
#   X-Fleetmask-Start=fails   its process ends at once
#   X-Fleetmask-Children=N    processes that it has besides the main one
#
# shellcheck disable=SC1090,SC1091,SC2034,SC2154 # variables come from the files that are read with `.`
# shellcheck disable=SC2086 # lists are words, and globbing is off
set -f
root=$FLEETMASK_ROOT
cd "$root" || exit 1
# No process has such a number, so that nobody is hit when it is killed.
first_pid=50000000

. ./shim/unit-files
. ./sim/manager

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
    if [ -f "sim/loaded/$Id" ]; then . "./sim/loaded/$Id"; fi
  fi
  ActiveState=inactive SubState=dead Result=success MainPID=0
  if [ -f "sim/active/$Id" ]; then . "./sim/active/$Id"; fi
}

# set_state ACTIVE SUB RESULT PID: of the unit that was recalled. OnStop is how its process behaves, whatever is loaded.
set_state() {
  printf "%s='%s'\n" ActiveState "$1" SubState "$2" Result "$3" MainPID "$4" OnStop "$OnStop" >"sim/active/$Id"
}

control_group() {
  case $Id in
    *@*.service) ControlGroup=/system.slice/system-${Id%%@*}.slice/$Id ;;
    *) ControlGroup=/system.slice/$Id ;;
  esac
}

show() {
  if [ $# -eq 0 ]; then
    print_properties
    return
  fi
  first=yes
  for name in "$@"; do
    case $name in
      *@.*) fail 1 "Unit name $name is neither a valid invocation ID nor unit name." ;;
      *[*?[]*)
        set +f
        for path in sim/loaded/$name; do [ ! -e "$path" ] || show_unit "${path##*/}"; done
        set -f
        ;;
      *) show_unit "$name" ;;
    esac
  done
}

show_unit() {
  [ "$first" = yes ] || echo
  first=no
  recall "$1"
  file_state "$Id"
  CanStart=no Perpetual=no SourcePath=
  if [ "$LoadState" = loaded ] && [ "$RefuseManualStart" = no ]; then CanStart=yes; fi
  case $Id in
    *.service)
      control_group
      if [ "$MainPID" = 0 ] && ! [ -d "sys/fs/cgroup$ControlGroup" ]; then ControlGroup=; fi
      ;;
    *) unset MainPID ControlGroup ;;
  esac
  print_properties
}

print_properties() {
  for property in $properties; do
    eval "value=\${$property-unknown}"
    [ "$value" = unknown ] || printf '%s=%s\n' "$property" "$value"
  done
}

stop() {
  stops='' hangs=no gone=''
  for name in "$@"; do
    recall "$name"
    if [ "$LoadState $ActiveState" = 'not-found inactive' ]; then
      fail 5 "Failed to stop $name: Unit $name not loaded."
    elif [ "$RefuseManualStop" = yes ]; then
      fail 4 "Failed to stop $name: Operation refused, unit $Id may be requested by dependency only (it is configured to refuse manual start/stop)."
    else
      stops="$stops $Id"
    fi
  done
  set -- $stops
  stopped=' '
  while [ $# -gt 0 ]; do
    name=$1
    shift
    case $stopped in *" $name "*) continue ;; esac
    stopped="$stopped$name "
    recall "$name"
    set -- "$@" $RequiredBy $RequisiteOf $BoundBy $ConsistsOf
    case $ActiveState in inactive | failed) ;; *) stop_unit ;; esac
  done
  [ -z "$gone" ] || rm -rf $gone
  # It ends with the host's directory, too.
  while [ "$hangs" = yes ] && [ -d "$root/sim" ]; do sleep 1; done
}

stop_unit() {
  if [ "$OnStop" = never ]; then
    set_state deactivating stop-sigterm success "$MainPID"
    hangs=yes
  elif [ "$OnStop $LoadState" != 'again loaded' ]; then
    gone="$gone sim/active/$Id"
    [ "$Transient" = no ] || gone="$gone .$FragmentPath"
    control_group
    group=sys/fs/cgroup$ControlGroup
    if [ -d "$group" ]; then
      case $KillMode in
        none) ;;
        process) leave_children "$group/cgroup.procs" ;;
        *) gone="$gone $group" ;;
      esac
    fi
  fi
}

leave_children() {
  children=
  while read -r pid; do
    [ "$pid" = "$MainPID" ] || children="$children $pid"
  done <"$1"
  printf '%s\n' $children >"$1"
}

start() {
  for name in "$@"; do start_unit "$name"; done
}

# As a real one: the whole transaction is looked at before anything is started.
start_unit() {
  asked=$1
  starts=' '
  set -- "$asked"
  while [ $# -gt 0 ]; do
    recall "$1"
    shift
    case $LoadState in
      masked) problem="1 Unit $Id is masked." ;;
      not-found) problem="5 Unit $Id not found." ;;
      error) problem="1 Unit $Id failed to load properly, please adjust/correct and reload service manager: File exists" ;;
      *) problem= ;;
    esac
    if [ "$starts$RefuseManualStart" = ' yes' ]; then
      problem="4 Operation refused, unit $Id may be requested by dependency only (it is configured to refuse manual start/stop)."
    fi
    if [ -n "$problem" ]; then
      fail "${problem%% *}" "Failed to start $asked: ${problem#* }"
      return
    fi
    case $starts in
      *" $Id "*) ;;
      *)
        starts=" $Id$starts"
        set -- "$@" $Requires
        ;;
    esac
  done
  for unit in $starts; do
    recall "$unit"
    case $ActiveState in
      active) continue ;;
      deactivating) ;; # a real one waits for the end of the stop, whose time-out is not waited for here
    esac
    begin_unit || return
  done
}

begin_unit() {
  [ -e "sim/loaded/$Id" ] || keep_unit
  case $Id in
    *.socket | *.timer | *.path)
      trigger=$Id
      recall "$Triggers"
      if [ "$LoadState" != loaded ]; then
        fail 1 "Job failed. See \"journalctl -xe\" for details."
        return 1
      fi
      recall "$trigger"
      ;;
  esac
  if [ "$OnStart" = fails ]; then
    set_state failed failed exit-code 0
    fail 1 "Job for $Id failed because the control process exited with error code."
    return 1
  fi
  case "$Id $Type $RemainAfterExit" in
    *.socket\ *) set_state active listening success 0 ;;
    *.timer\ * | *.path\ *) set_state active waiting success 0 ;;
    *.mount\ *) set_state active mounted success 0 ;;
    *' oneshot no') ;;
    *' oneshot yes') set_state active exited success 0 ;;
    *.service\ *) set_state active running success "$first_pid" && fork_children ;;
    *) set_state active active success 0 ;;
  esac
}

fork_children() {
  [ "$Children" -gt 0 ] || return 0
  control_group
  group=sys/fs/cgroup$ControlGroup
  mkdir -p "$group"
  pid=$first_pid
  while [ "$pid" -le $((first_pid + Children)) ]; do
    echo "$pid"
    pid=$((pid + 1))
  done >"$group/cgroup.procs"
}

# A client connects to a socket. No verb of the real one.
connect() {
  recall "$1"
  [ "$SubState" = listening ] || fail 1 'Connection refused'
  socket=$Id
  start "$Triggers" 2>/dev/null
  if [ "$status" -ne 0 ]; then
    recall "$socket"
    set_state failed failed resources 0
  fi
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
    [ "$ActiveState" != failed ] || gone="$gone sim/active/$Id"
  done
  [ -z "$gone" ] || rm -f $gone
}

daemon_reload() {
  reload
  # A timer that runs looks at its service again when it is loaded again.
  set +f
  for path in sim/active/*.timer; do
    [ -e "$path" ] || continue
    recall "${path##*/}"
    timer=$Id
    recall "$Triggers"
    if [ "$LoadState" != loaded ]; then
      recall "$timer"
      set_state failed failed resources 0
    fi
  done
  set -f
}

verb='' properties='' status=0
while [ $# -gt 0 ]; do
  word=$1
  shift
  case $word in
    --) break ;;
    -p) properties="$properties $1" && shift ;;
    -p*) properties="$properties ${word#-p}" ;;
    --property=*) properties="$properties ${word#*=}" ;;
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else set -- "$@" "$word"; fi ;;
  esac
done
while [ -e sim/frozen ]; do sleep 1; done
case $verb in
  show) show "$@" ;;
  stop) stop "$@" ;;
  start) start "$@" ;;
  connect) connect "$@" ;;
  is-active) is_active "$@" ;;
  reset-failed) reset_failed "$@" ;;
  daemon-reload) daemon_reload ;;
  *) fail 1 "Unknown command verb '$verb'." ;;
esac
exit "$status"
