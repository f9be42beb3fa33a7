# shellcheck shell=sh
# How the simulated systemd starts and stops units. Sourced by systemctl.sh, below $root.
#
# shellcheck disable=SC2034,SC2154 # variables are shared with systemctl.sh
# shellcheck disable=SC2086 # lists are words, and globbing is off

# No process has such a number, so that nobody is hit when it is killed.
first_pid=50000000

# set_state ACTIVE SUB RESULT PID [DEAF]: of the unit that was recalled. OnStop is how its process behaves, whatever is loaded.
set_state() {
  printf "%s='%s'\n" ActiveState "$1" SubState "$2" Result "$3" MainPID "$4" OnStop "$OnStop" Deaf "${5-no}" >"sim/active/$Id"
}

# list_jobs NAMES: a start that waits, or takes its time. One number is as good as another.
list_jobs() {
  for name in "$@"; do
    recall "$name"
    [ ! -e "sim/jobs/$Id" ] || echo "  7 $Id   start waiting"
  done
}

cancel_job() {
  [ -e "sim/jobs/$1" ] || return 0
  rm -f "sim/jobs/$1"
  rmdir sim/jobs 2>/dev/null || :
}

# What waited for units that are no longer starting.
run_jobs() {
  set +f
  for job in sim/jobs/*; do
    [ -e "$job" ] || continue
    recall "${job##*/}"
    [ "$ActiveState" = inactive ] || continue
    is_held_up && continue
    unit=$Id
    cancel_job "$Id"
    begin_unit
  done
  set -f
}

# Whether one that the recalled unit is ordered after is starting.
is_held_up() {
  for earlier in $After; do
    [ -f "sim/active/$earlier" ] || continue
    read -r earlier <"sim/active/$earlier"
    case $earlier in *activating*) return 0 ;; esac
  done
  return 1
}

# queue_job: for the recalled unit; nobody waits for it with --no-block.
queue_job() {
  mkdir -p sim/jobs && : >"sim/jobs/$Id"
  [ "$block" = yes ] || return 0
  while [ -e "$root/sim/jobs/$Id" ]; do sleep 1; done
}

stop() {
  stops='' hangs=no gone=''
  for name in "$@"; do
    recall "$name"
    case $LoadState in not-found | error) absent=$ActiveState ;; *) absent=no ;; esac
    if [ "$absent" = inactive ]; then
      fail 5 "Failed to stop $name: Unit $name not loaded."
    elif [ "$RefuseManualStop" = yes ]; then
      refuse stop "$name"
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
    cancel_job "$Id"
    set -- "$@" $RequiredBy $RequisiteOf $BoundBy $ConsistsOf
    case $ActiveState in inactive | failed) ;; *) stop_unit ;; esac
  done
  [ -z "$gone" ] || rm -rf $gone
  run_jobs
  # It ends with the host's directory, too.
  while [ "$hangs" = yes ] && [ -d "$root/sim" ]; do sleep 1; done
}

refuse() {
  fail 4 "Failed to $1 $2: Operation refused, unit $Id may be requested by dependency only (it is configured to refuse manual start/stop)."
  say "See system logs and 'systemctl status $2' for details."
}

stop_unit() {
  if [ "$OnStop" = never ]; then
    set_state deactivating stop-sigterm success "$MainPID"
    hangs=yes
  elif [ "$OnStop $LoadState" = 'cancelled loaded' ]; then
    fail 1 "Job for $Id canceled."
  elif [ "$OnStop $LoadState" != 'again loaded' ]; then
    gone="$gone sim/active/$Id"
    if [ "$Transient" = yes ]; then
      gone="$gone .$FragmentPath"
      LoadState=not-found FragmentPath='' Transient=no
      keep_unit
    fi
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
    if [ "$starts$RefuseManualStart" = ' yes' ]; then
      refuse start "$asked"
      return
    fi
    problem="1 Unit $Id failed to load properly, please adjust/correct and reload service manager: File exists"
    case $LoadState in
      masked) problem="1 Unit $Id is masked." ;;
      not-found) problem="5 Unit $Id not found." ;;
    esac
    if [ "$LoadState" != loaded ]; then
      fail "${problem%% *}" "Failed to start $asked: ${problem#* }"
      [ "$LoadState" != error ] || say "See system logs and 'systemctl status $Id' for details."
      return
    fi
    shift
    case $starts in
      *" $Id "*) ;;
      *)
        starts=" $Id$starts"
        set -- "$@" $Requires
        [ -z "$Requisite" ] || require_active "$asked" $Requisite || return
        ;;
    esac
  done
  # One that is deactivating is started, too. A real start waits for the end of the stop first, here nobody does.
  for unit in $starts; do
    recall "$unit"
    if [ "$ActiveState" != active ]; then
      if is_held_up; then queue_job; else begin_unit || return; fi
    fi
  done
}

require_active() {
  wanting=$1
  shift
  for unit in "$@"; do
    recall "$unit"
    case "$LoadState $ActiveState" in
      masked*) fail 1 "Failed to start $wanting: Unit $Id is masked." && return 1 ;;
      *' active') ;;
      *) fail 1 "A dependency job for $wanting failed. See 'journalctl -xe' for details." && return 1 ;;
    esac
  done
}

begin_unit() {
  case $Id in
    *.socket | *.timer | *.path)
      beside=$Accept
      recall "${Triggers:-$Id}"
      case "$unit $beside $ActiveState" in *.socket\ no\ active) LoadState=busy ;; esac
      if [ "$LoadState" != loaded ]; then
        fail 1 'Job failed. See "journalctl -xe" for details.'
        return 1
      fi
      recall "$unit"
      ;;
  esac
  [ -e "sim/loaded/$Id" ] || introduce
  if [ "$OnStart" = cancelled ]; then
    mkdir -p sim/cancelled
    if ! [ -e "sim/cancelled/$Id" ]; then
      : >"sim/cancelled/$Id"
      fail 1 "Job for $Id canceled."
      return 1
    fi
    rm -f "sim/cancelled/$Id"
  fi
  if [ "$OnStart" = fails ]; then
    mkdir -p sim/journal && echo "Dec  1 12:00:00 simulated ${Id%.*}[$first_pid]: it cannot run here" >>"sim/journal/$Id"
    set_state failed failed exit-code 0
    fail 1 "Job for $Id failed because the control process exited with error code."
    return 1
  fi
  if [ "$OnStart" = restarts ]; then
    set_state activating auto-restart exit-code 0
    fail 1 "Job for $Id failed because the control process exited with error code."
    return 1
  fi
  if [ "$OnStart" = slow ]; then
    set_state activating start success "$first_pid"
    queue_job
    return
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

# A client connects to a socket, or a timer elapses. No verb of the real one.
trigger() {
  recall "$1"
  trigger=$Id
  if [ "$Deaf" = yes ]; then
    fail 1 'Connection refused'
    return
  fi
  start "$Triggers" 2>/dev/null
  if [ "$status" -ne 0 ]; then
    recall "$trigger"
    set_state failed failed resources 0
  fi
}
