# shellcheck shell=sh
# apply.sh: makes the change that was asked for, and proves it.

# Receipt; links; stop, before any reload, so that the units' own stop settings hold; reload; proof; read-back.
apply() {
  parse "$@"
  begin || return 0
  if ! mark || ! note "request $*"; then
    rm -f "$receipt/log" "$receipt/mark"
    refuse "write no receipt in $receipts: $said"
    return 0
  fi
  if [ -n "$program" ] && ! arm_switch; then
    disarm gone
    [ "$failed" = yes ] || rm -rf "$receipt"
    refuse "unarmed $unarmed"
    return 0
  fi
  changed=no deed=incomplete
  find_transients
  watch_starts
  if change_links; then
    if stop_units; then
      patience=90
      step reload ctl daemon-reload
      reloaded=$status
      look
      stop_again
      swept=no
      for group in $groups; do sweep "$group"; done
      [ "$swept" = no ] || look
      tell_starts
      try_starts
      tell_escaped
      if is_running; then tell_journal -udbus $again; elif [ "$reloaded" = 0 ]; then deed=applied; fi
    fi
  elif [ "$changed" = no ]; then
    rm -f "$receipt/log" "$receipt/mark"
    deed=''
    refuse "write $said"
    return 0
  else
    look
  fi
  tell_look
  keep=$receipt/result
  release
}

# Every link is logged in the receipt before and after it is touched: undo touches nothing else.
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
      # of uutils it says only what, and not where
      case $said in *"$path"*) ;; *) said="$path: $said" ;; esac
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
  if [ -n "$made" ] && ! stat -c "linked %n $link_identity" $made >>"$receipt/log"; then
    rec "step link:$receipt/log 1"
    return 1
  fi
  # A link reaches the disk by itself within seconds, what is in a file later: after a power cut it would be nobody's.
  [ "$where" = run ] || $within_time 10 sync "$receipt/log" "$receipt/mark" 2>/dev/null 3>&- 9>&- || :
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

# Into $transients: services and scopes that somebody made by systemd-run since one of the units to be stopped was started. No host
# says who asked for them. A login or a container is none. Where nobody made any this costs no process.
find_transients() {
  transients='' candidates=''
  [ -n "$stops" ] || return 0
  set +f
  for path in "$root"/run/systemd/transient/*.service "$root"/run/systemd/transient/*.scope; do
    name=${path##*/}
    case $name in session-* | docker-* | libpod-* | crio-* | cri-* | machine-* | init.scope) continue ;; esac
    case " $stops " in *" $name "*) continue ;; esac
    if [ -f "$path" ] && is_unit_name "$name"; then candidates="$candidates $path"; fi
  done
  set -f
  [ -n "$candidates" ] || return 0
  marks=
  for name in $stops; do marks="$marks $root/run/systemd/units/invocation:$name"; done
  ages=$(stat -c '%Y %n' $marks $candidates 2>/dev/null)
  began=
  # shellcheck disable=SC2086 # pairs
  set -- $ages
  while [ $# -gt 1 ]; do
    case $2 in
      */invocation:*) [ "${began:-$1}" -lt "$1" ] || began=$1 ;;
      *) [ -z "$began" ] || [ "$1" -lt "$began" ] || transients="$transients ${2##*/}" ;;
    esac
    shift 2
  done
}

# Those that still run: `escaped UNIT`.
tell_escaped() {
  [ -n "$transients" ] || return 0
  patience=30
  find_idle $transients
  [ "$status" = 0 ] || rec "trouble unit $status"
  for name in $transients; do
    case "$idle " in *" $name "*) ;; *) rec "escaped $name" ;; esac
  done
}

# A stop is over at once, and says so, when a client has the unit started again while it stops: that start waits for the end
# of the stop, and is lost when the mask is read. So only what merely takes its time, or refuses, is not asked once more: a
# reload would take its settings away.
stop_units() {
  start_time "$stop_timeout"
  [ -n "$stops" ] || return 0
  has_time
  step stop ctl stop -- $stops && return 0
  # once more while the units' own stop settings still hold
  if was_cancelled && has_time && step stop-cancelled ctl stop -- $stops; then return 0; fi
  case $status:$said in
    124:* | 137:* | 143:* | *'Operation refused'*) look ;;
    *) return 0 ;;
  esac
  ! is_running
}

# Whether the last look saw one of those running that are to be down: into $again. What was not running when it was probed
# counts where the mask holds it: instances under the mask of their template, by a pattern.
is_running() {
  again=''
  for name in $running; do
    case " $stops " in *" $name "*) again="$again $name" && continue ;; esac
    case $masked in *" $name "*) ;; *) continue ;; esac
    case " $downs " in *" $name "* | *" ${name%%@*}@*.${name##*.} "*) again="$again $name" ;; esac
  done
  [ -n "$again" ]
}

# What was started between the stop and the reload, or cancelled the stop: the mask holds now.
stop_again() {
  attempt=0
  while [ "$attempt" -lt 3 ] && is_running && has_time; do
    attempt=$((attempt + 1))
    step "stop-again:$attempt" ctl stop -- $again
    look
  done
}

# Only a unit that reads masked is tried: anything else a start could start. (Its CanStart says no more, and before 226 it stays
# `yes`.) A refusal changes nothing, so what was read before it still holds; after anything else it is read again.
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
      *' is masked'*) ;;
      *) look ;;
    esac
  done
}

# Who is left in a control group that a unit had: `left ALL THIS-SESSION GROUP`. The group's whole path is used, for a
# container that runs a unit of the same name has that name at the end of a longer path.
sweep() {
  members "$1"
  if [ "$kill" = yes ] && [ -n "$others" ]; then
    swept=yes
    end_others TERM "$1"
    wait_for_end "$1" 5
    if [ -n "$others" ]; then
      # the kernel knows all of them, and who comes meanwhile
      [ "$pids" != "$others" ] || ! [ -w "$place/cgroup.kill" ] || echo 1 >"$place/cgroup.kill"
      end_others KILL "$1"
      wait_for_end "$1" 3
    fi
  fi
  count $pids
  all=$counted
  count $others
  rec "left $all $((all - counted)) $1"
}

# A number may be another process's by now: only who is still below the group gets the signal.
end_others() {
  for pid in $others; do
    if is_below "$pid" "$2"; then kill -s "$1" "$pid"; fi
  done 2>/dev/null
}

is_below() {
  while IFS= read -r line; do
    case $line in "0::$2" | "0::$2/"* | *":name=systemd:$2" | *":name=systemd:$2/"*) return 0 ;; esac
  done <"$root/proc/$1/cgroup"
  return 1
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

# Into $pids, and into $others those that are not this session; `?` for whoever is there and cannot be seen. What lies below
# a unit's group may be another user's (Delegate=), who chooses its names, depth and number. So no name is read, and the
# kernel's word for all below it counts (cgroup.events, in version 2). A group without a directory, or empty by that word, costs
# no process.
members() {
  pids='' others=''
  for mount in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    place=$root$mount$1 populated='?'
    [ -d "$place" ] || continue
    if [ -r "$place/cgroup.events" ]; then
      while read -r key text; do
        [ "$key" != populated ] || populated=$text
      done <"$place/cgroup.events"
    fi
    [ "$populated" != 0 ] || continue
    found=$($within_time 20 find "$place" -xdev -type f -name cgroup.procs -exec cat {} + 2>/dev/null </dev/null 3>&- 9>&-)
    case $? in 12[4-7] | 137 | 143) populated=1 ;; esac
    for pid in $found; do
      case $pid in *[!0-9]*) ;; *) pids="$pids $pid" ;; esac
    done
    # where this session is, what listed it was there too, and has ended
    case "$pids " in *" $$ "*) only_alive ;; esac
    if [ -n "$pids" ]; then break; fi
    if [ "$populated" = 1 ]; then
      pids=' ?' others=' ?'
      return 0
    fi
  done
  [ -n "$pids" ] || return 0
  [ -n "$ancestors" ] || find_ancestors
  for pid in $pids; do
    case $ancestors in *" $pid "*) ;; *) others="$others $pid" ;; esac
  done
}

# A process of another pid namespace has the number 0.
only_alive() {
  listed=$pids pids=''
  for pid in $listed; do
    if [ "$pid" = 0 ] || [ -e "/proc/$pid" ]; then pids="$pids $pid"; fi
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
    [ "$up" = 0 ] || ancestors="$ancestors$up "
  done
}
